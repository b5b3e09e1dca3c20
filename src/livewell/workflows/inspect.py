"""What images are, and what looks wrong with them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from livewell.errors import Fault, ImageReadError, LivewellError
from livewell.images.formats import frames_in
from livewell.images.inspection import ChannelRange, Inspection, inspect
from livewell.images.opening import open_image

LISTED = 40
"""Files of a folder that are looked at."""


def inspect_all(
    paths: Iterable[Path], *, pixel_um: float | None = None, frame_s: float | None = None
) -> tuple[list[Inspection], list[dict[str, str]]]:
    """Inspect files or folders of frames; one that cannot be read does not stop the others.

    Parameters
    ----------
    paths
        What to look at, in this order.
    pixel_um, frame_s
        Micrometres and seconds, in place of what the files say.

    Returns
    -------
    list of Inspection, list of dict
        What was read, and ``{"image", "code", "error"}`` for each that could not be, or not whole.
    """
    inspections, failures = [], []
    for path in paths:
        try:
            inspections.append(inspect(path, pixel_um=pixel_um, frame_s=frame_s))
            failures += _damage(inspections[-1])
        except LivewellError as error:
            failures.append({"image": str(path), "code": error.code, "error": str(error)})
    return inspections, failures


def _damage(inspection: Inspection) -> list[dict[str, str]]:
    """One failure for an image of which frames cannot be read; none for a sound one."""
    found = [fault.message for fault in inspection.faults if fault.code == "unreadable-frame"]
    more = f" ({len(found)} such frames among those looked at)" if len(found) > 1 else ""
    return [
        {"image": inspection.source, "code": ImageReadError.code, "error": message + more}
        for message in found[:1]
    ]


def unfolded(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """The paths, with the files of a folder in place of one that is no movie of single frames.

    Parameters
    ----------
    paths
        Files, and folders of frames or of images.

    Returns
    -------
    list of Path, list of str
        What to inspect, at most `LISTED` files a folder; and a note for every such folder.
    """
    found: list[Path] = []
    notes: list[str] = []
    for path in paths:
        files, note = _files(path) if path.is_dir() else ([path], "")
        found += files
        notes += [note] * bool(note)
    return found, notes


def _files(folder: Path) -> tuple[list[Path], str]:
    try:
        open_image(folder).close()
    except LivewellError as error:
        try:
            files = frames_in(folder)
        except LivewellError:
            return [folder], ""
        file = "" if error.where == str(folder) else f"{Path(error.where).name}: "
        some = f"the first {LISTED} of {len(files)}" if len(files) > LISTED else "all"
        return files[:LISTED], f"{folder}: {file}{error.what}; {some} are told one by one"
    return [folder], ""


def listing(inspections: Sequence[Inspection]) -> str:
    """Inspections as one table, a row an image; of what looks wrong, only the codes."""
    rows = [
        {
            "image": Path(each.source).name,
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
    return pd.DataFrame(rows).to_string(index=False)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def table(inspection: Inspection) -> str:
    """An inspection as aligned lines of text: the path, then a name and a value a line."""
    t, c, y, x = inspection.shape
    rows = [
        ("format", inspection.format),
        ("frames", f"{t}{_every(inspection.frame_s) if t > 1 else ''}"),
        ("size", f"{y} x {x} px (height x width), {_pixel(inspection.pixel_um)}"),
        ("type", inspection.dtype),
        ("channels", str(c)),
        *((f"  {channel.name}", _levels(channel)) for channel in inspection.channels),
    ]
    if len(inspection.frames_looked_at) < t:
        rows.append(("looked at", "frames " + ", ".join(map(str, inspection.frames_looked_at))))
    rows += [("note", note) for note in inspection.notes]
    rows += [("looks wrong", _told(fault, inspection.source)) for fault in inspection.faults]
    width = max(len(name) for name, _ in rows)
    return "\n".join([inspection.source, *(f"  {name:<{width}}  {text}" for name, text in rows)])


def _every(frame_s: float | None) -> str:
    return ", interval unknown" if frame_s is None else f", one every {frame_s:g} s"


def _pixel(pixel_um: float | None) -> str:
    return "pixel size unknown" if pixel_um is None else f"{pixel_um:.4g} um a pixel"


def _levels(channel: ChannelRange) -> str:
    if None in (channel.lowest, channel.highest, channel.p0_1, channel.p99_9):
        return "no finite grey level"
    return (
        f"grey levels {channel.lowest:g} to {channel.highest:g},"
        f" 99.8% of them {channel.p0_1:g} to {channel.p99_9:g}"
    )


def _told(fault: Fault, source: str) -> str:
    place = "" if fault.where == source else f" ({fault.where})"
    return f"{fault.code}: {fault.message}{place}"
