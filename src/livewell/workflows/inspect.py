"""What images are, and what looks wrong with them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from livewell.errors import ImageReadError, LivewellError
from livewell.images.formats import frames_in
from livewell.images.inspection import ChannelRange, Inspection, inspect
from livewell.images.listing import find_images
from livewell.images.opening import open_image
from livewell.names import name_of, text_of
from livewell.text import printable

LISTED = 40
"""Files of a folder that are looked at."""


def inspect_all(
    paths: Iterable[Path], *, pixel_um: float | None = None, frame_s: float | None = None
) -> tuple[list[Inspection], list[dict[str, str]]]:
    """Inspect files or folders of frames; one that cannot be read does not stop the others.

    A failure ``{"image", "code", "error"}`` stands for each image that cannot be read whole.
    """
    inspections, failures = [], []
    for path in paths:
        try:
            inspection = inspect(path, pixel_um=pixel_um, frame_s=frame_s)
        except LivewellError as error:
            failures.append({"image": text_of(path), "code": error.code, "error": str(error)})
            continue
        inspections.append(inspection)
        lost = [fault.message for fault in inspection.faults if fault.code == "unreadable-frame"]
        if lost:
            more = f" ({len(lost)} such frames among those looked at)" if len(lost) > 1 else ""
            failure = {"code": ImageReadError.code, "error": lost[0] + more}
            failures.append({"image": inspection.source, **failure})
    return inspections, failures


def unfolded(paths: Iterable[Path]) -> tuple[list[Path], list[str], dict[str, int]]:
    """The paths, with the files below a folder in place of one that is no movie of single frames.

    At most `LISTED` files stand for a folder; there is a note for every such folder. Last, how many
    files of folders were left out by reason.
    """
    found: list[Path] = []
    notes: list[str] = []
    left_out: Counter[str] = Counter()
    for path in paths:
        files = [path]
        if path.is_dir():
            with suppress(LivewellError):
                try:
                    open_image(path).close()
                    left_out += frames_in(path).left_out
                except LivewellError as error:
                    below = find_images(path)
                    left_out += below.left_out
                    files = list(below.paths)
                    file = "" if error.where == str(path) else f"{Path(error.where).name}: "
                    some = f"the first {LISTED} of {len(files)}" if len(files) > LISTED else "all"
                    notes.append(f"{path}: {file}{error.what}; {some} are listed one by one")
        found += files[:LISTED]
    return found, notes, dict(left_out)


def listing(inspections: Sequence[Inspection]) -> str:
    """Inspections as one table, a row an image; of what looks wrong, only the codes."""
    rows = [
        {
            "image": name_of(each.source),
            "frames": each.shape[0],
            "height x width": f"{each.shape[2]} x {each.shape[3]}",
            "type": each.dtype,
            "channels": "|".join(channel.name for channel in each.channels),
            "pixel_um": _number(each.pixel_um),
            "frame_s": _number(each.frame_s),
            "looks wrong": " ".join(dict.fromkeys(fault.code for fault in each.faults)) or "-",
        }
        for each in inspections
    ]
    return pd.DataFrame(rows).map(lambda cell: printable(str(cell))).to_string(index=False)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def table(inspection: Inspection) -> str:
    """An inspection as aligned lines of text: the path, then a name and a value a line."""
    t, c, y, x = inspection.shape
    frame_s, pixel_um = inspection.frame_s, inspection.pixel_um
    interval = "interval unknown" if frame_s is None else f"one every {frame_s:g} s"
    pixel = "pixel size unknown" if pixel_um is None else f"{pixel_um:.4g} um a pixel"
    rows = [
        ("format", inspection.format),
        ("frames", f"{t}, {interval}" if t > 1 else f"{t}"),
        ("size", f"{y} x {x} px (height x width), {pixel}"),
        ("type", inspection.dtype),
        ("channels", str(c)),
        *((f"  {channel.name}", _levels(channel)) for channel in inspection.channels),
    ]
    rows += [("well", inspection.well)] if inspection.well else []
    rows += [("position", inspection.position)] if inspection.position else []
    if len(inspection.frames_looked_at) < t:
        rows.append(("looked at", "frames " + ", ".join(map(str, inspection.frames_looked_at))))
    rows += [("account", line) for line in inspection.account]
    rows += [("note", note) for note in inspection.notes]
    for fault in inspection.faults:
        where = "" if fault.where == inspection.source else f" ({fault.where})"
        rows.append(("looks wrong", f"{fault.code}: {fault.message}{where}"))
    width = max(len(name) for name, _ in rows)
    lines = [inspection.source, *(f"  {name:<{width}}  {text}" for name, text in rows)]
    return "\n".join(map(printable, lines))


def _levels(channel: ChannelRange) -> str:
    if None in (channel.lowest, channel.highest, channel.p0_1, channel.p99_9):
        return "no finite grey level"
    return (
        f"grey levels {channel.lowest:g} to {channel.highest:g},"
        f" 99.8% of them {channel.p0_1:g} to {channel.p99_9:g}"
    )
