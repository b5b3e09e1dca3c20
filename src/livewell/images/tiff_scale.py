"""Pixel size, frame interval and channel names as TIFF files state them."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile

LENGTH_UM = {
    "pm": 1e-6, "angstrom": 1e-4, "å": 1e-4, "nm": 1e-3, "nanometer": 1e-3,
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0,
    "micrometer": 1.0, "micrometre": 1.0, "mm": 1e3, "cm": 1e4, "dm": 1e5, "m": 1e6,
    "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
"""Micrometres in a unit of length, by the names that files use (lower case)."""
TIME_S = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "msec": 1e-3,
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "min": 60.0, "minute": 60.0,
    "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "hours": 3600.0, "d": 86400.0,
}  # fmt: skip
"""Seconds in a unit of time, by the names that files use (lower case)."""
_SLICE = re.compile(r"^(?:[ctz]:\d+/\d+\s*)+(?:-\s*)?")


@dataclass(frozen=True, slots=True)
class Scale:
    """What a file's own words say of its scale: ``None`` or empty where not said or not usable."""

    pixel_um: float | None = None
    frame_s: float | None = None
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_scale(file: tifffile.TiffFile, kind: str) -> Scale:
    """Scale of the first image in an open TIFF; `kind` is tifffile's name of the flavour."""
    if kind == "ome" and file.ome_metadata:
        return _ome(file.ome_metadata)
    if kind == "imagej" and file.imagej_metadata:
        return _imagej(file.imagej_metadata, _resolution(file))
    if kind == "stk" and file.stk_metadata:
        return _stk(file.stk_metadata)
    return Scale(notes=_dots(file))


def _ome(xml: str) -> Scale:
    root = tifffile.xml2dict(xml).get("OME", {})
    image = _first(root.get("Image"))
    pixels = _first(image.get("Pixels"))
    notes: list[str] = []
    edges = []
    for axis in "XY":
        unit = str(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        edges.append(_times(pixels.get(f"PhysicalSize{axis}"), unit, LENGTH_UM))
    frame_s = _times(pixels.get("TimeIncrement"), str(pixels.get("TimeIncrementUnit", "s")), TIME_S)
    if frame_s is None:
        frame_s = _from_planes(_all(pixels.get("Plane")), notes)
    channels = _all(pixels.get("Channel"))
    names = tuple(str(c.get("Name") or f"channel {i}") for i, c in enumerate(channels))
    if not any(channel.get("Name") for channel in channels):
        names = ()
    return Scale(_square(edges, notes), frame_s, names, tuple(notes))


def _from_planes(planes: list[dict[str, Any]], notes: list[str]) -> float | None:
    """Seconds from frame to frame by the times of the planes of the first channel."""
    times = {}
    for plane in planes:
        if plane.get("TheC", 0) == 0 and plane.get("TheZ", 0) == 0:
            seconds = _number(plane.get("DeltaT"))
            unit = TIME_S.get(str(plane.get("DeltaTUnit", "s")).lower())
            if seconds is not None and unit:
                times[int(plane.get("TheT", 0))] = seconds * unit
    steps = [times[t] - times[t - 1] for t in sorted(times) if t - 1 in times]
    return _steady(steps, notes)


def _imagej(said: dict[str, Any], resolution: tuple[float, float]) -> Scale:
    notes: list[str] = []
    unit = LENGTH_UM.get(str(said.get("unit", "")).strip().lower())
    edges = [unit / dots if unit and dots > 0 else None for dots in resolution]
    frame_s = _times(said.get("finterval"), str(said.get("tunit", "s")), TIME_S)
    count = int(said.get("channels", 1))
    labels = [_SLICE.sub("", str(label)).strip() for label in said.get("Labels") or []]
    names = tuple(labels[:count])
    if len(names) != count or count < 2 or len(set(names)) < count or "" in names:
        names = ()
    return Scale(_square(edges, notes), frame_s, names, tuple(notes))


def _stk(said: dict[str, Any]) -> Scale:
    notes: list[str] = []
    unit = str(said.get("CalibrationUnits", "")).strip("\x00 ").lower()
    on = bool(said.get("SpatialCalibration", True))
    edges = [
        _times(said.get(f"{axis}Calibration"), unit, LENGTH_UM) if on else None for axis in "XY"
    ]
    created = said.get("DatetimeCreated")
    steps: list[float] = []
    if created is not None and len(created) > 1:
        steps = (np.diff(created) / np.timedelta64(1, "ms") / 1000.0).tolist()
    return Scale(_square(edges, notes), _steady(steps, notes), (), tuple(notes))


def _dots(file: tifffile.TiffFile) -> tuple[str, ...]:
    """Say what a printer's resolution would mean, and that it is not taken for a pixel size."""
    dots, _ = _resolution(file)
    unit = {2: 25400.0, 3: 10000.0}.get(int(file.pages.first.tags.valueof(296) or 0))
    if unit and dots > 1:
        um = unit / dots
        hint = f"; if that is meant, give the pixel size {um:.4g} um" if um < 20 else ""
        return (f"the resolution tag ({um:.4g} um) is for printing and not taken{hint}",)
    return ()


def _resolution(file: tifffile.TiffFile) -> tuple[float, float]:
    """Dots per unit on x and y; 0 where missing."""
    found = []
    for tag in (282, 283):
        value = file.pages.first.tags.valueof(tag)
        ok = isinstance(value, tuple) and len(value) == 2 and value[1]
        found.append(value[0] / value[1] if ok else 0.0)
    return found[0], found[1]


def _square(edges: list[float | None], notes: list[str]) -> float | None:
    """The one edge of a square pixel; none where the file gives two."""
    x, y = edges
    if x and y and abs(x - y) > 0.01 * max(x, y):
        notes.append(f"pixels are not square ({x:.4g} x {y:.4g} um); no pixel size is taken")
        return None
    return x or y


def _steady(steps: Iterable[float], notes: list[str]) -> float | None:
    """The usual step, with a note where steps differ much."""
    known = np.array([step for step in steps if step > 0])
    if known.size == 0:
        return None
    usual = float(np.median(known))
    if np.abs(known - usual).max() > 0.2 * usual:
        notes.append(
            f"frames are unevenly spaced ({known.min():.4g} to {known.max():.4g} s); "
            "the median is taken"
        )
    return usual


def _times(value: Any, unit: str, table: dict[str, float]) -> float | None:
    factor, number = table.get(unit.strip().lower()), _number(value)
    return number * factor if factor and number and number > 0 else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _all(value: Any) -> list[dict[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [v if isinstance(v, dict) else {} for v in values if v is not None]


def _first(value: Any) -> dict[str, Any]:
    return (_all(value) or [{}])[0]
