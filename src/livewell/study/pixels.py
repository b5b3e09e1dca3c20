"""Pixels by region, from memory-mapped copies of channels of every image."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.disk import remove
from livewell.errors import (
    Fault,
    ImageContentError,
    ImageReadError,
    LivewellError,
    OutputError,
    TableError,
)
from livewell.files import remove_others, whole_file
from livewell.geometry import Box
from livewell.image import Frame, mirrored
from livewell.images.formats import OpenImage
from livewell.images.listing import fingerprint
from livewell.images.opening import (
    Channels,
    asked_channels,
    choose_channels,
    open_image,
)
from livewell.measure.borders import valid_area
from livewell.measure.quality import require_content
from livewell.progress import task
from livewell.region import Region
from livewell.study.study import Study

KEPT_OPEN = 32
"""Copies that stay mapped at a time; at least those of one image."""


@dataclass(frozen=True, slots=True)
class _Movie:
    """One channel of one image: pixels (t, y, x), and per frame the corners of its valid area.

    Corners are (y0, x0, y1, x1); all zero where the frame cannot be used.
    """

    pixels: NDArray[Any]
    areas: NDArray[np.int32]


class Pixels(ABC):
    """What both sources share: cutting boxes from movies, mirrored at the valid area's edges."""

    channels: tuple[str | int, ...] = ()

    def crop(self, image: str, t: int, box: Box) -> NDArray[np.float32]:
        """Pixels of one region, (c, y, x) float32 in grey levels of the file.

        Beyond the valid area (see `area`) the image is mirrored. An `ImageContentError` for a frame
        that is not there, of NaN or of one value only in some channel.
        """
        area = self.area(image, t)
        channels = [movie.pixels[t] for movie in self._movies_of(image)]
        return np.stack([mirrored(plane, area, box).astype(np.float32) for plane in channels])

    def means(self, regions: Iterable[Region]) -> NDArray[np.float64]:
        """Mean of the first channel in each region, grey levels of the file, see `crop`."""
        crops = (self.crop(region.image, region.t, region.box)[0] for region in regions)
        return np.array([crop.mean(dtype=np.float64) for crop in crops], dtype=np.float64)

    def frame(self, image: str, t: int, channel: int = 0) -> Frame:
        """One whole (y, x) frame in the file's number type, as a copy."""
        self._corners(image, t)
        return np.array(self._movies_of(image)[channel].pixels[t])

    def planes(self, image: str, t: int) -> Frame:
        """One whole frame of all channels, (c, y, x), in the file's number type."""
        self._corners(image, t)
        return np.stack([movie.pixels[t] for movie in self._movies_of(image)])

    def area(self, image: str, t: int) -> Box:
        """The valid area of one frame: what no channel has as registration border."""
        area, *others = (Box.of(*corners) for corners in self._corners(image, t))
        for other in others:
            # a border never reaches the middle, so something is always left
            area = Box(area.y.common(other.y), area.x.common(other.x))
        return area

    def usable(self, image: str) -> list[int]:
        """Numbers of the frames that can be used in all channels."""
        good = [movie.areas.any(axis=1) for movie in self._movies_of(image)]
        return [int(t) for t in np.flatnonzero(np.all(good, axis=0))]

    def shape(self, image: str) -> tuple[int, int, int]:
        """Frames, height and width of an image."""
        t, y, x = self._movies_of(image)[0].pixels.shape
        return t, y, x

    @abstractmethod
    def _movies_of(self, image: str) -> tuple[_Movie, ...]:
        """The movies of that name, one a channel."""

    def _corners(self, image: str, t: int) -> list[NDArray[np.int32]]:
        """Of every channel of one frame."""
        movies = self._movies_of(image)
        frames = len(movies[0].pixels)
        if not 0 <= t < frames:
            raise ImageContentError(f"no frame {t}", where=image, expected=f"0 to {frames - 1}")
        for number, movie in enumerate(movies):
            if not movie.areas[t].any():
                name = repr(self.channels[number]) if self.channels else number
                which = f", channel {name}" if len(movies) > 1 else ""
                require_content(np.array(movie.pixels[t]), f"{image}, frame {t}{which}")
        return [movie.areas[t] for movie in movies]


class ArrayPixels(Pixels):
    """Pixels of arrays in memory by image name, shape (t, y, x) or (t, c, y, x)."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._movies = {name: tuple(_channels(array)) for name, array in arrays.items()}

    def _movies_of(self, image: str) -> tuple[_Movie, ...]:
        return self._movies[image]


def _channels(array: NDArray[Any]) -> Iterator[_Movie]:
    for movie in np.moveaxis(array.reshape(len(array), -1, *array.shape[-2:]), 1, 0):
        yield _Movie(movie, np.array([_corners(frame) for frame in movie], dtype=np.int32))


class StudyPixels(Pixels):
    """Pixels of a study's images, from copies in its folder ``cache``.

    Every channel of a file is copied once, whole, frame by frame, in its own number type, and again
    when the file's size or time of change is another; a copy serves all that look at this channel,
    alone or with others. May be pickled and used after a fork: maps are opened anew. ``channels``
    are as asked for, else the study's; empty for one, the transmitted light.
    """

    def __init__(self, study: Study, channels: Channels = None) -> None:
        self.study = study
        self.channels = asked_channels(channels) or study.channels
        self._open: OrderedDict[str, tuple[_Movie, ...]] = OrderedDict()

    @property
    def number_of_channels(self) -> int:
        """How many channels a crop has."""
        return max(len(self.channels), 1)

    def prepare(self, images: Iterable[str] | None = None) -> dict[tuple[str, int], Fault]:
        """Copy images, all by default, into the cache where they are not yet; look at every frame.

        Returns frames (image, t) that cannot be used, such as blank ones; who uses one of them all
        the same is refused there. Images that cannot be read, or have no frame to use, are refused
        together by a `TableError`; what could be copied, was.
        """
        for old in (self.study.folder / "cache").glob("*/*.npy"):
            remove(old)  # of older versions, which kept copies without a folder for each image
        known = self.study.fields()["image"].tolist()
        names = list(dict.fromkeys(known if images is None else images))
        unusable: dict[tuple[str, int], Fault] = {}
        faults: list[Fault] = []
        with task("copying pixels", len(names)) as tick:
            for image in names:
                try:
                    found = self._unusable(image)
                except OutputError:  # no fault of the image
                    raise
                except LivewellError as error:
                    faults.append(Fault.of(error, image))
                else:
                    if len(found) == self.shape(image)[0]:
                        faults += found.values()
                    unusable |= {(image, t): fault for t, fault in found.items()}
                tick()
        if faults:
            raise TableError(
                "some images of the study cannot be used",
                faults,
                where=str(self.study.root),
                remedy="mend these files, or move them out of the folder and index again",
            )
        return unusable

    def _unusable(self, image: str) -> dict[int, Fault]:
        """Frames of an image that cannot be used, and why."""
        found = {}
        for t in sorted(set(range(self.shape(image)[0])) - set(self.usable(image))):
            try:
                self.area(image, t)
            except ImageContentError as error:
                found[t] = Fault(error.code, f"{image}, frame {t}", error.what)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": OrderedDict()}

    def _movies_of(self, image: str) -> tuple[_Movie, ...]:
        movies = self._open.pop(image, None)
        if movies is None:
            movies = tuple(self._mapped(image, n) for n in range(self.number_of_channels))
        self._open[image] = movies
        while len(self._open) > max(KEPT_OPEN // len(movies), 1):
            self._open.popitem(last=False)
        return movies

    def _mapped(self, image: str, number: int) -> _Movie:
        source = self.study.path(image)
        size, mtime = fingerprint(source)
        stem = hashlib.sha256(image.encode()).hexdigest()[:16]
        name = str(self.channels[number]).casefold() if self.channels else "auto"
        folder = self.study.folder / "cache" / re.sub(r"[^\w.-]+", "-", name) / stem
        pixels = folder / f"{size:x}-{mtime:x}.npy"
        areas = pixels.with_suffix(".areas.npy")
        for _ in range(2):
            with suppress(Exception):  # whatever damaged bytes lead numpy to
                return _read_movie(pixels, areas)
            self._copy(image, number, source, pixels)
        raise ImageReadError(
            "its copy in the cache cannot be read back",
            where=str(pixels),
            remedy="look whether the disk is full or failing; the folder cache may be deleted",
        )

    def _copy(self, image: str, number: int, source: Path, pixels: Path) -> None:
        """Write the copy of one channel of one image; older copies of it go."""
        areas = pixels.with_suffix(".areas.npy")
        with open_image(source) as opened:
            channel = choose_channels(opened.header, self.channels, image)[number]
            found = _write_movie(opened, channel, pixels)
        with whole_file(areas) as temporary, temporary.open("wb") as file:
            np.save(file, found)
        remove_others(pixels.parent, "[!.]*.npy", (pixels.name, areas.name))


def _read_movie(pixels: Path, areas: Path) -> _Movie:
    """Map a copy; a ValueError unless both files are whole and fit together."""
    with areas.open("rb") as file:
        corners = np.lib.format.read_array(file, allow_pickle=False)
    found = np.lib.format.open_memmap(pixels, mode="r")
    if (
        pixels.stat().st_size != found.offset + found.nbytes
        or found.ndim != 3
        or not found.flags.c_contiguous
        or corners.shape != (len(found), 4)
        or corners.dtype != np.int32
        or not (corners >= 0).all()
        or not (corners[:, 2:] <= found.shape[1:]).all()
        or not ((corners[:, 2:] > corners[:, :2]).all(axis=1) | ~corners.any(axis=1)).all()
    ):
        raise ValueError("not a whole copy of a movie")
    return _Movie(found, corners)


def _write_movie(image: OpenImage, channel: int, path: Path) -> NDArray[np.int32]:
    """Write one channel as a (t, y, x) .npy file frame by frame; returns corners a frame."""
    header = image.header
    corners = np.zeros((header.frames, 4), dtype=np.int32)
    shape = (header.frames, header.height, header.width)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        head = {"descr": np.dtype(header.dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, head)
        for t in range(header.frames):
            frame = image.frame(t, channel)
            if frame.shape != shape[1:] or frame.dtype != np.dtype(header.dtype):
                raise ImageReadError(
                    f"frame {t} is not what the header says",
                    where=image.source,
                    expected=f"{shape[1:]} {header.dtype}",
                    got=f"{frame.shape} {frame.dtype}",
                )
            file.write(frame.tobytes())
            corners[t] = _corners(frame)
    return corners


def _corners(frame: Frame) -> tuple[int, int, int, int]:
    """Corners of the valid area; all zero for a frame that cannot be used."""
    try:
        require_content(frame, "")
    except ImageContentError:
        return 0, 0, 0, 0
    return valid_area(frame).corners
