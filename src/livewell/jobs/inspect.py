"""What images are, and what looks wrong with them."""

from collections.abc import Iterable
from pathlib import Path

from livewell.errors import Fault, LivewellError
from livewell.io.inspection import ChannelRange, Inspection, inspect


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
        What was read, and ``{"image", "error"}`` for each that could not be.
    """
    inspections, failures = [], []
    for path in paths:
        try:
            inspections.append(inspect(path, pixel_um=pixel_um, frame_s=frame_s))
        except LivewellError as error:
            failures.append({"image": str(path), "error": str(error)})
    return inspections, failures


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
