"""Where and when a plane was taken, as descriptions of TIFF files state it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from livewell.errors import GeometryError
from livewell.images.tiff.scale import LENGTH_UM, factor, number
from livewell.plate import Well

_SITE = re.compile(r"(.+?)(?:\s*:\s*|[-_](?=Site[ _]?\d))(.+)", re.IGNORECASE)
_START = datetime(1970, 1, 1)


def place_of(label: str) -> tuple[str | None, str | None]:
    """Well and site of a stage label; another label is a site's name.

    MetaXpress writes ``C07 : Site 1``, Micro-Manager's plate plugin ``C7-Site_1``.
    """
    match = _SITE.fullmatch(label.strip())
    name, site = (match[1], match[2]) if match else (label, "")
    try:
        return str(Well.parse(name)), site.strip() or None
    except GeometryError:
        return None, label.strip() or None


def stage_um(y: Any, x: Any, unit: str | None, notes: list[str]) -> tuple[float, float] | None:
    """Position (y, x) of the stage in micrometres; ``None``, with a note, without a known unit."""
    if y in (None, "") or x in (None, ""):
        return None
    at, scale = (number(y), number(x)), factor(unit or "", LENGTH_UM)
    if at[0] is not None and at[1] is not None and scale:
        return at[0] * scale, at[1] * scale
    said = f"in '{unit}', which is not understood" if unit else "without a unit"
    notes.append(f"the file gives the stage position (x {x}, y {y}) {said}; it is not taken")
    return None


def local_seconds(text: str) -> float | None:
    """Seconds of a local time such as ``20240422 09:57:37.294``; ``None`` where it is none."""
    for pattern in ("%Y%m%d %H:%M:%S.%f", "%Y%m%d %H:%M:%S"):
        try:
            return (datetime.strptime(text.strip(), pattern) - _START).total_seconds()
        except ValueError:
            continue
    return None


def times_of(
    planes: Sequence[tuple[str, int]], seconds: Mapping[tuple[str, int], float], notes: list[str]
) -> tuple[float, ...] | None:
    """Seconds of frames from the first one on, by the first plane of each; ``None`` if not said."""
    found = [seconds[plane] for plane in planes if plane in seconds]
    if not found:
        return None
    if len(found) < len(planes):
        lost = len(planes) - len(found)
        notes.append(f"the file does not say when {lost} of its {len(planes)} frames were taken")
        return None
    return tuple(round(at - found[0], 6) for at in found)
