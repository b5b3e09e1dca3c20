"""Files of other microscopes, through the plugins of bioio that the user has installed.

Each scene is an image of its own. Nothing of bioio is imported until such a file is met.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from livewell.errors import GeometryError, ImageReadError
from livewell.image import Frame, Header
from livewell.images.plain import RGB, RGB_NOTE, plane_names, slices_note
from livewell.images.reference import field_names, one_field
from livewell.images.tiff.scale import square
from livewell.images.vendor import named_channels, refused_axis
from livewell.plate import Well

_BIO_FORMATS = "bioio-bioformats"
_OWN = {
    "czi", "imageio", "lif", "nd2", "ome-tiff", "ome-tiled-tiffs", "ome-zarr", "tiff-glob",
    "tifffile",
}  # fmt: skip
"""Plugins for what livewell reads itself, or does not want."""
_KNOWN = "TCZYXS"


@cache
def plugin_endings(*, all_of: bool = False) -> frozenset[str]:
    """Endings that installed plugins claim, lower case with the dot; none without bioio.

    That of Bio-Formats claims a hundred, also of tables and texts: they count if `all_of`, for
    files that somebody names, and not where folders are listed.
    """
    found: set[str] = set()
    for point in _plugins():
        if all_of or point.name != _BIO_FORMATS:
            with suppress(Exception), _quiet():  # a plugin that is broken claims nothing
                said = point.load().ReaderMetadata.get_supported_extensions()
                found |= {f".{ending.lower().lstrip('.')}" for ending in said}
    return frozenset(found)


def _plugins() -> list[EntryPoint]:
    if find_spec("bioio") is None:
        return []
    found = entry_points(group="bioio.readers")
    return [point for point in found if point.name.removeprefix("bioio-") not in _OWN]


def is_claimed(path: Path, first: bytes) -> bool:
    """Whether an installed plugin of bioio claims the ending of a file's name."""
    return path.suffix.lower() in plugin_endings(all_of=True)


def bioio_fields(path: Path) -> tuple[str, ...]:
    """Names of the scenes, in the order of the file; none where it is only one."""
    with _quiet():
        scenes = _opened(path).scenes
    return field_names([str(scene) for scene in scenes]) if len(scenes) > 1 else ()


class BioioImage:
    """One scene of a file, its frames read one by one by a plugin of bioio."""

    def __init__(self, path: Path, field: str = "") -> None:
        self.source = str(path / field)
        self._path = path
        with _quiet():
            self._file = _opened(path)
            scenes = [str(scene) for scene in self._file.scenes]
            self._scene = one_field(field_names(scenes), field, path)
            self._file.set_scene(self._scene)
            self._reader = self._file.reader
            self._plugin = str(type(self._reader).__module__).partition(".")[0].replace("_", "-")
            self._sizes = dict(zip(self._reader.dims.order, self._reader.dims.shape, strict=True))
            self.header = self._header(scenes)
        # Java does not start within the limits of the other process
        self.packed = self._plugin != _BIO_FORMATS

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        channel, z = divmod(channel, self._sizes.get("Z", 1))
        c, sample = divmod(channel, self._sizes.get("S", 1))
        wanted = {"T": t, "C": c, "Z": z, "S": sample}
        at = {axis: place for axis, place in wanted.items() if axis in self._sizes}
        with _quiet():
            plane = self._reader.get_image_dask_data("YX", **at)
            pixels: Frame = np.asarray(plane.compute(scheduler="synchronous"))
        return pixels

    def close(self) -> None:
        """Nothing stays open: a plugin opens the file for every frame."""

    def _header(self, scenes: list[str]) -> Header:
        sizes, notes = self._sizes, [f"read by the plugin {self._plugin} of bioio"]
        for axis, size in sizes.items():
            if size > 1 and axis not in _KNOWN:
                raise refused_axis(self._path, axis, size)
        samples, count, slices = (sizes.get(axis, 1) for axis in "SCZ")
        if samples not in (1, 3) or (samples == 3 and count > 1):
            raise refused_axis(self._path, "samples of a pixel", samples)
        said = [str(name) for name in self._reader.channel_names or [""] * count]
        names = RGB if samples == 3 else named_channels(said)
        if len(names) not in (count, samples):
            raise ImageReadError(
                "a file that names another number of channels than it holds",
                where=str(self._path),
                expected=str(count),
                got=str(len(names)),
            )
        notes += [RGB_NOTE] if samples == 3 else []
        channels = plane_names(names, slices)
        notes += slices_note(slices, None, channels)
        facts = _facts(self._reader)
        interval = facts.get("timelapse_interval")
        return Header(
            frames=sizes.get("T", 1),
            channels=channels,
            height=sizes["Y"],
            width=sizes["X"],
            dtype=np.dtype(self._reader.dtype).name,
            pixel_um=_pixel_um(self._reader, notes),
            frame_s=interval.total_seconds() if isinstance(interval, timedelta) else None,
            notes=tuple(dict.fromkeys(notes)),
            well=_well(facts),
            position=scenes[self._scene] if len(scenes) > 1 else None,
            account=(
                f"scene {self._scene + 1} of {len(scenes)}; axes as the plugin gives them"
                f" ({', '.join(f'{axis}: {size}' for axis, size in sizes.items())})",
            ),
            stage_um=_stage(facts),
        )


def _opened(path: Path) -> Any:
    from bioio import BioImage

    return BioImage(path, reconstruct_mosaic=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """What plugins and their libraries doubt is no message of ours."""
    with catch_warnings():
        simplefilter("ignore")
        yield


def _facts(reader: Any) -> dict[str, Any]:
    """What bioio calls standard metadata; empty where the plugin cannot tell."""
    with suppress(Exception):
        return dict(vars(reader.standard_metadata))
    return {}


def _pixel_um(reader: Any, notes: list[str]) -> float | None:
    """Edge of a pixel, where the plugin says in which unit it is."""
    sizes = reader.physical_pixel_sizes
    edges = {"X": sizes.X, "Y": sizes.Y}
    units = {axis: getattr(reader.dimension_properties, axis).unit for axis in edges}
    if not any(edges.values()):
        return None
    if any(unit is None for unit in units.values()):
        notes.append(
            f"the plugin gives a pixel size of {edges['X']} without a unit; it is not taken: give"
            " it with --pixel-um"
        )
        return None
    um = [edge and (edge * units[axis]).to("micrometer").magnitude for axis, edge in edges.items()]
    return square(um, ["um", "um"], notes)


def _well(facts: dict[str, Any]) -> str | None:
    row, column = facts.get("row"), facts.get("column")
    with suppress(GeometryError):
        return str(Well.of(str(row), str(column))) if row and column else None
    return None


def _stage(facts: dict[str, Any]) -> tuple[float, float] | None:
    y, x = facts.get("stage_position_y"), facts.get("stage_position_x")
    return (float(y), float(x)) if y is not None and x is not None else None
