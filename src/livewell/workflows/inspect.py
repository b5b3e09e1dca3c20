"""What images are, and what looks wrong with them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pandas as pd

from livewell.errors import ImageReadError, LivewellError
from livewell.images.formats import fields_in, frames_in
from livewell.images.inspection import ChannelRange, Inspection, inspect
from livewell.images.listing import find_images
from livewell.images.opening import open_image
from livewell.images.reference import ImageRef
from livewell.names import name_of, text_of
from livewell.text import plural, printable

LISTED = 40
"""Files of a folder that are looked at."""
NAMED = 5
"""Channels that are all named in a list."""


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
    """The paths, with the images in place of a file of several, or of a folder that is no movie.

    At most `LISTED` images stand for a file or folder; there is a note for every such one. Last,
    how many files of folders were left out by reason.
    """
    found: list[Path] = []
    notes: list[str] = []
    left_out: Counter[str] = Counter()
    for path in paths:
        files = [path]
        with suppress(LivewellError):
            if fields := fields_in(path):
                files = [path / field for field in fields]
                notes.append(f"{path}: holds {plural(len(files), 'image')}; {_some(files)}")
            elif path.is_dir():
                try:
                    open_image(path).close()
                    left_out += frames_in(path).left_out
                except LivewellError as error:
                    below = find_images(path)
                    left_out += below.left_out
                    files = list(below.paths)
                    file = "" if error.where == str(path) else f"{Path(error.where).name}: "
                    notes.append(f"{path}: {file}{error.what}; {_some(files)}")
        found += files[:LISTED]
    return found, notes, dict(left_out)


def _some(files: Sequence[Path]) -> str:
    some = f"the first {LISTED} of {len(files)}" if len(files) > LISTED else "all"
    return f"{some} are listed one by one"


def listing(inspections: Sequence[Inspection]) -> str:
    """Inspections as one table, a row an image; of what looks wrong, only the codes.

    Well and stage have columns where one of the images says them.
    """
    known = {
        "well": [each.well or "" for each in inspections],
        "stage y, x um": [_stage(each) for each in inspections],
    }
    rows = [
        {
            "image": _name(each.source),
            **{name: values[i] or "-" for name, values in known.items() if any(values)},
            "frames": each.shape[0],
            "height x width": f"{each.shape[2]} x {each.shape[3]}",
            "type": each.dtype,
            "channels": _channels([channel.name for channel in each.channels]),
            "pixel_um": _number(each.pixel_um),
            "frame_s": _number(each.frame_s),
            "looks wrong": " ".join(dict.fromkeys(fault.code for fault in each.faults)) or "-",
        }
        for i, each in enumerate(inspections)
    ]
    return pd.DataFrame(rows).map(lambda cell: printable(str(cell))).to_string(index=False)


def _name(source: str) -> str:
    """An image's name in a list: of a field, after that of the file or folder that holds it."""
    ref = ImageRef.of(source)
    return name_of(ref.container) + (f"/{ref.field}" if ref.field else "")


def _channels(names: Sequence[str]) -> str:
    """Names of channels; of many the first and last."""
    if len(names) > NAMED:
        return f"{len(names)}, {names[0]} to {names[-1]}"
    return "|".join(names)


def _stage(inspection: Inspection) -> str:
    """Where the stage stood, empty where the file does not say."""
    return ", ".join(f"{at:.1f}" for at in inspection.stage_um or ())


def _times(inspection: Inspection) -> list[tuple[str, str]]:
    """The row of the frames' own times, first and last and the steps between."""
    if inspection.times_s is None or len(inspection.times_s) < 2:
        return []
    times = inspection.times_s
    steps = [later - earlier for earlier, later in pairwise(times)]
    spread = f"steps of {min(steps):.6g} to {max(steps):.6g} s"
    return [("times", f"of each frame in the file: 0 to {times[-1]:.6g} s, {spread}")]


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
    rows += _times(inspection)
    for name in ("plate", "well", "position"):
        rows += [(name, value)] if (value := getattr(inspection, name)) else []
    if inspection.stage_um:
        rows.append(("stage", f"{_stage(inspection)} um (y, x)"))
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
