"""Pixel size, frame interval and channel names as TIFF files state them."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from livewell.images.tiff.ifd import Page
from livewell.images.tiff.statement import Scale

LENGTH_UM = {
    "pm": 1e-6, "angstrom": 1e-4, "å": 1e-4, "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3,
    "um": 1.0, "micron": 1.0, "micrometer": 1.0, "micrometre": 1.0, "mm": 1e3, "millimeter": 1e3,
    "millimetre": 1e3, "cm": 1e4, "dm": 1e5, "m": 1e6, "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
"""Micrometres in a unit of length, by the names that files use (lower case)."""
TIME_S = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "s": 1.0, "sec": 1.0,
    "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0,
    "d": 86400.0, "day": 86400.0,
}  # fmt: skip
"""Seconds in a unit of time, by the names that files use (lower case)."""
PIXEL_UM = (0.02, 20.0)
"""Edges of a pixel in micrometres that a microscope can have; others are not taken."""
_SLICE = re.compile(r"^(?:[ctz]:\d+/\d+\s*)+(?:-\s*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d+,(?:\d{1,2}|\d{4,})|0,\d+)(?:[eE][+-]?\d+)?")


def by_ome(pixels: Element, channels: Sequence[Element]) -> Scale:
    """Scale in the attributes of OME-XML."""
    notes: list[str] = []
    units = [pixels.get(f"PhysicalSize{axis}Unit", "um") for axis in "XY"]
    pixel_um = square([pixels.get(f"PhysicalSize{axis}") for axis in "XY"], units, notes)
    frame_s = interval(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"), notes)
    names = tuple(channel.get("Name") or f"channel {i}" for i, channel in enumerate(channels))
    if not any(channel.get("Name") for channel in channels):
        names = ()
    return Scale(pixel_um, frame_s, names, tuple(notes))


def by_imagej(said: Mapping[str, str], labels: Sequence[str], channels: int, first: Page) -> Scale:
    """Scale in ImageJ's description and the resolution tags beside it."""
    notes: list[str] = []
    dots = [_dots(first, 282), _dots(first, 283)]
    unit = said.get("unit", "").strip()
    pixel_um = None
    if unit and unit.lower() not in ("pixel", "pixels", "inch", "null") and all(dots):
        pixel_um = square([1 / each for each in dots], [unit, said.get("yunit", unit)], notes)
    frame_s = interval(said.get("finterval"), said.get("tunit", "s"), notes)
    names = tuple(_SLICE.sub("", str(label)).strip() for label in labels[:channels])
    if len(names) != channels or channels < 2 or len(set(names)) < channels or "" in names:
        names = ()
    return Scale(pixel_um, frame_s, names, tuple(notes))


def by_stk(said: Mapping[str, Any]) -> Scale:
    """Scale in the tags of a MetaMorph stack, as tifffile reads them."""
    notes: list[str] = []
    unit = str(said.get("CalibrationUnits", "")).strip("\x00 ")
    pixel_um = None
    if said.get("SpatialCalibration", True) and unit.lower() not in ("pixel", "pixels", ""):
        pixel_um = square([said.get(f"{axis}Calibration") for axis in "XY"], [unit, unit], notes)
    return Scale(pixel_um, None, (), tuple(notes))


def by_metaseries(said: Mapping[str, str]) -> Scale:
    """Scale in the properties of a plane of MetaMorph or MetaXpress."""
    notes: list[str] = []
    pixel_um = None
    if said.get("spatial-calibration-state", "on") == "on":
        edges = [said.get(f"spatial-calibration-{axis}") for axis in "xy"]
        unit = said.get("spatial-calibration-units", "")
        pixel_um = square(edges, [unit, unit], notes)
    name = (said.get("_IllumSetting_") or said.get("image-name", "")).strip()
    return Scale(pixel_um, None, (name,) if name else (), tuple(notes))


def by_dots(first: Page) -> Scale:
    """Say what a printer's resolution would mean, and that it is not taken for a pixel size."""
    unit = {(2,): 25400.0, (3,): 10000.0}.get(first.values(296))
    dots = _dots(first, 282)
    if unit and dots > 1:
        um = unit / dots
        hint = f"; if that is meant, give the pixel size {um:.4g} um" if um < 20 else ""
        return Scale(
            notes=(f"the resolution tag ({um:.4g} um) is for printing and not taken{hint}",)
        )
    return Scale()


def _dots(page: Page, code: int) -> float:
    """Dots per unit; 0 where missing."""
    value = page.values(code)
    return value[0] / value[1] if len(value) == 2 and value[1] else 0.0


def square(edges: Sequence[Any], units: Sequence[str], notes: list[str]) -> float | None:
    """The edge of a square pixel in micrometres.

    None, with a note of what stands in the file, where it gives two, an unknown unit, or a size
    that no microscope has.
    """
    found = []
    for edge, unit in zip(edges, units, strict=True):
        size = _times(edge, unit, LENGTH_UM)
        if (
            edge not in (None, "", 0, "0")
            and size is None
            and unit.lower() not in ("pixel", "pixels")
        ):
            note = f"the file gives the pixel size as '{edge} {unit}', which is not understood"
            notes += [note] if note not in notes else []
        found.append(size)
    x, y = found
    if x and y and abs(x - y) > 0.01 * max(x, y):
        notes.append(f"pixels are not square ({x:.4g} x {y:.4g} um); no pixel size is taken")
        return None
    size = x or y
    if size and not PIXEL_UM[0] <= size <= PIXEL_UM[1]:
        notes.append(
            f"the file gives a pixel size of {size:.4g} um, which no microscope has; it is not"
            " taken"
        )
        return None
    return size


def interval(value: Any, unit: str, notes: list[str]) -> float | None:
    """Seconds from frame to frame; none, with a note, where what stands there is not understood."""
    seconds = _times(value, unit, TIME_S)
    if seconds is None and value not in (None, "") and number(value) != 0:
        notes.append(f"the file gives the interval as '{value} {unit}', which is not understood")
    return seconds


def steady(steps: Iterable[float], notes: list[str]) -> float | None:
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


def unit_name(text: str) -> str:
    """A unit as the tables spell it: what programs have made of the micro sign is put right."""
    if "\u00c2" in text or "\u00ce" in text:
        with suppress(UnicodeError):
            text = text.encode("cp1252").decode("utf-8")
    # only the micro sign is replaced by a mark where letters are kept
    text = re.sub(
        r"^(?:[?\ufffd]{1,2}|\\u00b5|\\u03bc|&#181;)(?=m|s)", "u", text.strip(), flags=re.I
    )
    return unicodedata.normalize("NFKC", text).replace("\u03bc", "u").lower()


def factor(unit: str, table: Mapping[str, float]) -> float | None:
    """What a unit stands for in a table of units; ``None`` where it is not there."""
    name = unit_name(unit)
    return table.get(name) or table.get(name.removesuffix("s"))


def _times(value: Any, unit: str, table: Mapping[str, float]) -> float | None:
    scale, found = factor(unit, table), number(value)
    return found * scale if scale and found and found > 0 else None


def number(value: Any) -> float | None:
    """A finite number; one comma is a decimal comma where it cannot part thousands."""
    text = str(value).strip()
    if _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and "_" not in text else None
