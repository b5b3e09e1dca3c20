"""An image of OME-Zarr by its metadata: axes, scale, channels; nothing is guessed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewell.errors import ImageReadError
from livewell.images.ome_zarr.groups import Json, array
from livewell.images.plain import damaged
from livewell.images.tiff.scale import LENGTH_UM, TIME_S, square, unit_name

_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True, slots=True)
class Multiscale:
    """The whole-size level of an image.

    ``level`` is the folder of its array, ``axes`` the letters of the array's axes (of t, c, z, y,
    x), ``sizes`` their lengths. ``pixel_um``, ``z_um`` and ``frame_s`` are ``None`` where not said
    with a unit, as ``stage_um`` (y, x) where no translation says it.
    """

    level: Path
    zarr_format: int
    axes: str
    sizes: tuple[int, ...]
    dtype: str
    channels: tuple[str, ...]
    pixel_um: float | None
    z_um: float | None
    frame_s: float | None
    stage_um: tuple[float, float] | None
    notes: tuple[str, ...]
    account: tuple[str, ...]

    def size(self, axis: str) -> int:
        """Length of an axis, 1 where it is absent."""
        return self.sizes[self.axes.index(axis)] if axis in self.axes else 1


def read_multiscale(image: Path, said: Json) -> Multiscale:
    """The image in a folder, by what its group says.

    Raises
    ------
    ImageReadError
        It is none, damaged, of another version, or has axes that are not t, c, z, y, x.
    """
    several = said.get("multiscales")
    if not isinstance(several, list) or not several:
        raise ImageReadError(
            "a Zarr store without an image of OME-Zarr",
            where=str(image),
            expected="a group whose metadata name multiscales, or a plate",
            remedy="name the image in it, or write it as OME-Zarr 0.4 or 0.5",
        )
    try:
        return _read(image, several, said)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise damaged(image, "its metadata are not those of an image", got=reason) from error


def _read(image: Path, several: Sequence[Json], said: Json) -> Multiscale:
    first = several[0]
    axes = _axes(image, first["axes"])
    levels = first["datasets"]
    path = str(levels[0]["path"])
    if path.startswith("/") or ".." in Path(path).parts:
        raise damaged(image, "its metadata name an array outside the image", got=path)
    level = array(image / path)
    letters = "".join(letter for letter, _ in axes)
    if len(letters) != len(level.shape):
        raise damaged(
            image,
            "its metadata name other axes than its array has",
            got=f"{', '.join(letters)}; shape {level.shape}",
        )
    notes: list[str] = []
    scale, shift = _transforms(image, (levels[0], first), len(letters))
    units = dict(axes)
    steps = dict(zip(letters, scale, strict=True))
    spots = dict(zip(letters, shift, strict=True))
    channels = level.shape[letters.index("c")] if "c" in letters else 1
    account = [f"level 0 of {len(levels)} is read, {path} in the store"]
    if len(several) > 1:
        notes.append(f"the first of {len(several)} multiscales is read")
    return Multiscale(
        level=image / path,
        zarr_format=level.zarr_format,
        axes=letters,
        sizes=level.shape,
        dtype=level.dtype,
        channels=_channels(said.get("omero"), channels, notes),
        pixel_um=_pixel_um(steps, units, notes),
        z_um=_measure("z", steps, units, LENGTH_UM),
        frame_s=_frame_s(steps, units, level.shape, letters, notes),
        stage_um=_stage(spots, units),
        notes=tuple(notes),
        account=tuple(account),
    )


def _axes(image: Path, axes: Any) -> list[tuple[str, str]]:
    """Letters of the axes in the array's order, each with its unit as the file calls it."""
    found = []
    for axis in axes:
        if not isinstance(axis, Mapping):
            raise damaged(image, "axes of an older OME-Zarr, without type and unit", got=str(axes))
        name, kind = str(axis["name"]), str(axis.get("type") or "")
        if _TYPES.get(name) is None or (kind and kind != _TYPES[name]):
            raise ImageReadError(
                f"an axis that livewell does not know: {name!r}, of type {kind or 'not said'!r}",
                where=str(image),
                expected="axes t (time), c (channel), z, y, x (space)",
                remedy="write the image with these axes; none is guessed",
            )
        found.append((name, str(axis.get("unit") or "")))
    letters = "".join(letter for letter, _ in found)
    if len(set(letters)) < len(letters) or not letters.endswith("yx"):
        raise damaged(image, "its axes must be different ones and end with y, x", got=letters)
    return found


def _transforms(image: Path, levels: Sequence[Json], axes: int) -> tuple[list[float], list[float]]:
    """Scale and translation of the whole-size level: those of the level, then of the image."""
    scale, shift = [1.0] * axes, [0.0] * axes
    for of in levels:
        for step in of.get("coordinateTransformations") or ():
            kind = step["type"]
            if kind == "identity":
                continue
            if kind not in ("scale", "translation"):
                raise damaged(image, f"a transformation of coordinates that is a {kind!r}")
            values = [float(value) for value in step[kind]]
            if len(values) != axes or not all(math.isfinite(value) for value in values):
                raise damaged(image, f"a {kind} that does not fit its axes", got=str(values))
            if kind == "scale":
                scale = [a * b for a, b in zip(scale, values, strict=True)]
                shift = [a * b for a, b in zip(shift, values, strict=True)]
            else:
                shift = [a + b for a, b in zip(shift, values, strict=True)]
    return scale, shift


def _pixel_um(
    steps: Mapping[str, float], units: Mapping[str, str], notes: list[str]
) -> float | None:
    named = [units["x"], units["y"]]
    if not any(named):
        if (steps["x"], steps["y"]) != (1.0, 1.0):
            notes.append(
                f"the file gives pixels of {steps['x']:.4g} x {steps['y']:.4g} without a unit; no"
                " pixel size is taken"
            )
        return None
    return square([steps["x"], steps["y"]], named, notes)


def _frame_s(
    steps: Mapping[str, float],
    units: Mapping[str, str],
    sizes: Sequence[int],
    letters: str,
    notes: list[str],
) -> float | None:
    if "t" not in letters or sizes[letters.index("t")] < 2:
        return None
    seconds = _measure("t", steps, units, TIME_S)
    if seconds is None and steps["t"] != 1.0:
        unit = units["t"] or "without a unit"
        notes.append(f"the file gives the interval as {steps['t']:.4g} {unit}; it is not taken")
    return seconds


def _measure(
    axis: str,
    values: Mapping[str, float],
    units: Mapping[str, str],
    known: Mapping[str, float],
    *,
    signed: bool = False,
) -> float | None:
    unit = unit_name(units.get(axis, ""))
    factor = known.get(unit) or known.get(unit.removesuffix("s"))
    value = values.get(axis)
    if factor is None or value is None or not (signed or value > 0):
        return None
    return value * factor


def _stage(spots: Mapping[str, float], units: Mapping[str, str]) -> tuple[float, float] | None:
    y, x = (_measure(axis, spots, units, LENGTH_UM, signed=True) for axis in "yx")
    return None if y is None or x is None or (y, x) == (0.0, 0.0) else (y, x)


def _channels(omero: Any, count: int, notes: list[str]) -> tuple[str, ...]:
    """Names of the channels; numbers where the file names none or another number of them."""
    listed = omero.get("channels") if isinstance(omero, Mapping) else None
    names = [str(channel.get("label") or "").strip() for channel in listed or ()]
    if names and len(names) != count:
        notes.append(f"the file names {len(names)} channels and holds {count}; names are not taken")
        names = []
    if len(set(names)) < len(names):
        notes.append(f"several channels of one name: {', '.join(names)}; names are not taken")
        names = []
    if not any(names):
        return ("grey",) if count == 1 else tuple(f"channel {c}" for c in range(count))
    return tuple(name or f"channel {c}" for c, name in enumerate(names))
