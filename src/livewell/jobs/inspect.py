"""What images are, and what looks wrong with them."""

from collections.abc import Iterable
from pathlib import Path

from livewell.errors import LivewellError
from livewell.io.inspection import Inspection, inspect


def inspect_all(
    paths: Iterable[Path], *, pixel_um: float | None = None, frame_s: float | None = None
) -> tuple[list[Inspection], list[dict[str, str]]]:
    """Inspect files or folders of frames; one that cannot be read does not stop the others.

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
    """An inspection as lines of text."""
    found = inspection.to_dict()
    wrong = found.pop("faults", [])
    lines = [f"{found.pop('source', '')}"]
    lines += [f"  {name:<12} {_plain(value)}" for name, value in found.items() if value != []]
    lines += [f"  {'looks wrong':<12} {_plain(fault)}" for fault in wrong]
    return "\n".join(lines)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "unknown" if value is None else str(value)
