"""Heat maps of a movie as OME-TIFF, with the transform from map to frame inside the file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell import __version__
from livewell.errors import GeometryError, ImageReadError
from livewell.files import whole_file

Map = NDArray[np.float32]
"""Probabilities, 0 to 1, NaN where nothing is to judge: of the positive class of two, (my, mx), or
of every class of more, (classes, my, mx)."""

KIND = "livewell heat map"


@dataclass(frozen=True, slots=True)
class MapTransform:
    """Where the cells of a heat map lie in the frame: a cell's centre is its window's centre.

    Parameters
    ----------
    stride_px
        From window to window, pixels of the frame; above zero.
    origin_px
        ``(y, x)`` of the first window's centre, as `livewell.geometry.Box.centre` gives it: pixel
        i covers [i, i + 1), so a window of 256 px at the frame's corner is centred on 128.
    """

    stride_px: float
    origin_px: tuple[float, float]

    def __post_init__(self) -> None:
        if not self.stride_px > 0:
            raise GeometryError(
                "a heat map without stride", expected="stride_px > 0", got=str(self.stride_px)
            )

    def to_frame(self, my: float, mx: float) -> tuple[float, float]:
        """``(y, x)`` in the frame, pixels, of the map cell ``(my, mx)``; fractions are allowed."""
        y, x = self.origin_px
        return y + self.stride_px * my, x + self.stride_px * mx

    def enlarge(self, values: NDArray[Any], shape: tuple[int, int]) -> Map:
        """A map (my, mx) at the frame's own pixels, bilinear between window centres, never beyond.

        NaN outside the outermost window centres, and nearer to a cell of NaN than to one with a
        number. An axis with a single cell has no outermost centres: there the value holds for half
        a stride to both sides.
        """
        values = np.asarray(values, dtype=np.float64)
        known = np.isfinite(values)
        enlarged = self._interpolated(np.where(known, values, 0.0), shape)
        places = [self._places(axis, shape[axis]) for axis in (0, 1)]
        if not known.all():
            # Between cells of which some are unknown the known ones decide, by their share.
            weight = self._interpolated(known.astype(np.float64), shape)
            with np.errstate(invalid="ignore", divide="ignore"):
                enlarged /= weight
            nearest = [
                np.clip(np.rint(place), 0, size - 1).astype(int)
                for place, size in zip(places, values.shape, strict=True)
            ]
            enlarged[~known[np.ix_(*nearest)]] = np.nan
        for axis, place in enumerate(places):
            reach = 0.5 if values.shape[axis] == 1 else 1e-9
            outside = (place < -reach) | (place > values.shape[axis] - 1 + reach)
            enlarged[outside if axis == 0 else (slice(None), outside)] = np.nan
        return enlarged.astype(np.float32)

    def _places(self, axis: int, length_px: int) -> NDArray[np.float64]:
        """Centres of the frame's pixels on one axis, in cells of the map."""
        return (
            np.arange(length_px, dtype=np.float64) + 0.5 - self.origin_px[axis]
        ) / self.stride_px

    def _interpolated(
        self, values: NDArray[np.float64], shape: tuple[int, int]
    ) -> NDArray[np.float64]:
        """Bilinear between cells, the outermost beyond; one axis after the other."""
        for axis in (0, 1):
            last = values.shape[axis] - 1
            place = np.clip(self._places(axis, shape[axis]), 0, last)
            low = np.minimum(place.astype(int), max(last - 1, 0))
            share = np.expand_dims(place - low, 1 - axis)
            near, far = (values.take(np.minimum(low + n, last), axis) for n in (0, 1))
            far -= near
            far *= share
            values = near + far
        return values


def write_map(
    path: Path,
    maps: Iterable[Map],
    transform: MapTransform,
    shape: tuple[int, ...],
    *,
    pixel_um: float | None,
    frame_s: float | None,
    notes: Mapping[str, str],
    classes: Sequence[str] = (),
) -> None:
    """Write the heat maps of a movie as OME-TIFF, float32, page by page; whole or not at all.

    The pixels are not compressed, so that a program can map the file into memory.

    Parameters
    ----------
    maps
        One `Map` a frame, in order.
    shape
        (t, my, mx), or (t, classes, my, mx).
    pixel_um, frame_s
        Of the movie; ``None`` where unknown. A map's pixel is ``stride_px * pixel_um`` wide.
    notes
        What made the maps (model, model_hash, engine); kept in the file.
    classes
        Names of three or more classes, which become the file's channels; of two none are given,
        and the maps are those of the positive class.
    """
    stride_px, (y, x) = transform.stride_px, transform.origin_px
    noted = {
        "kind": KIND,
        "livewell": __version__,
        "stride_px": json.dumps(stride_px),
        "origin_y_px": json.dumps(y),
        "origin_x_px": json.dumps(x),
        "frame_y_px": f"{y} + {stride_px} * map_y",
        "frame_x_px": f"{x} + {stride_px} * map_x",
        "values": f"probability of {'every' if classes else 'the positive'} class, 0 to 1; NaN"
        " where nothing is to judge",
        **notes,
    }
    metadata: dict[str, Any] = {"axes": "TYX", "Name": "heat map", "MapAnnotation": noted}
    if classes:
        metadata |= {"axes": "TCYX", "Channel": {"Name": list(classes)}}
    scale = _scale(None if pixel_um is None else stride_px * pixel_um, frame_s)
    _write(path, maps, shape, metadata | scale)


def write_stain(
    path: Path,
    frames: Iterable[NDArray[np.float32]],
    shape: tuple[int, int, int],
    *,
    stain: str,
    pixel_um: float | None,
    frame_s: float | None,
    notes: Mapping[str, str],
) -> None:
    """Write the predicted stain of a movie as OME-TIFF, float32, frame by frame, as `write_map`.

    Parameters
    ----------
    frames
        (y, x) a frame: ratio to the background, NaN where nothing is said.
    shape
        (t, y, x).
    stain
        Name of the stain; the file's channel is called ``predicted`` and this.
    pixel_um, frame_s
        Of the frames as they are written; ``None`` where unknown.
    notes
        What made them; kept in the file.
    """
    noted = {
        "kind": "livewell predicted stain",
        "livewell": __version__,
        "values": "ratio to the background, as a model predicts it; NaN where nothing is said",
        **notes,
    }
    metadata = {
        "axes": "TCYX",
        "Name": f"predicted {stain}",
        "Channel": {"Name": [f"predicted {stain}"]},
        "MapAnnotation": noted,
    }
    _write(path, frames, (shape[0], 1, *shape[1:]), metadata | _scale(pixel_um, frame_s))


def _scale(pixel_um: float | None, frame_s: float | None) -> dict[str, Any]:
    """Pixel size and time from frame to frame as an OME-TIFF says them, where they are known."""
    found: dict[str, Any] = {}
    if pixel_um is not None:
        for axis in "XY":
            found |= {f"PhysicalSize{axis}": pixel_um, f"PhysicalSize{axis}Unit": "µm"}
    if frame_s is not None:
        found |= {"TimeIncrement": frame_s, "TimeIncrementUnit": "s"}
    return found


def _write(
    path: Path,
    frames: Iterable[NDArray[np.float32]],
    shape: tuple[int, ...],
    metadata: Mapping[str, Any],
) -> None:
    pages = (page for values in frames for page in values.reshape(-1, *shape[-2:]))
    with whole_file(path) as temporary, tifffile.TiffWriter(temporary, ome=True) as writer:
        known: dict[str, Any] = {"photometric": "minisblack", "metadata": dict(metadata)}
        writer.write(pages, shape=shape, dtype=np.float32, **known)


def read_map(path: Path) -> tuple[NDArray[np.float32], MapTransform]:
    """Heat maps that `write_map` wrote, mapped into memory, and where they lie.

    Their shape is (t, my, mx), of three or more classes (t, classes, my, mx). Refuses a file that
    is missing, not whole, or not a heat map of livewell.
    """
    try:
        with tifffile.TiffFile(path) as file:
            notes = _annotations(file.ome_metadata or "<none/>")
            if notes.get("kind") != KIND:
                raise ValueError("no annotation 'kind: livewell heat map'")
            my, mx = file.pages.first.imagelength, file.pages.first.imagewidth
            axes = file.series[0].get_axes(squeeze=False)
            sizes = dict(zip(axes, file.series[0].get_shape(squeeze=False), strict=True))
        transform = MapTransform(
            json.loads(notes["stride_px"]),
            (json.loads(notes["origin_y_px"]), json.loads(notes["origin_x_px"])),
        )
        maps = tifffile.memmap(path, mode="r")
    except (OSError, ValueError, KeyError, IndexError, ElementTree.ParseError) as error:
        raise ImageReadError(
            "cannot be read as a heat map",
            where=str(path),
            expected="an OME-TIFF written by `livewell heatmap`",
            got=str(error),
        ) from error
    several = sizes.get("C", 1)
    return maps.reshape(-1, *((several,) if several > 1 else ()), my, mx), transform


def read_notes(path: Path) -> dict[str, str]:
    """What `write_map` or `write_stain` kept of how a file was made; empty where nothing."""
    try:
        with tifffile.TiffFile(path) as file:
            return _annotations(file.ome_metadata or "<none/>")
    except (OSError, ValueError, ElementTree.ParseError):
        return {}


def _annotations(xml: str) -> dict[str, str]:
    return {
        entry.attrib["K"]: entry.text or ""
        # Our own file or any other: only names and texts are taken, nothing is resolved.
        for entry in ElementTree.fromstring(xml).iter()  # noqa: S314
        if entry.tag.endswith("}M")
    }
