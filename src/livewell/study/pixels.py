"""Pixels by patch key, from a memory-mapped copy of one channel of every image."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import Fault, ImageContentError, ImageReadError, LivewellError, TableError
from livewell.files import whole_file
from livewell.geometry import Box
from livewell.image import Frame, mirrored
from livewell.images.formats import OpenImage
from livewell.images.listing import fingerprint
from livewell.images.opening import check_frame, choose_channel, open_image
from livewell.measure.borders import valid_area
from livewell.progress import SILENT, Progress
from livewell.study.study import Study

KEPT_OPEN = 32
"""Movies that stay mapped at a time."""


@dataclass(frozen=True, slots=True)
class _Movie:
    """One channel of one image: pixels (t, y, x), and per frame the corners of its valid area.

    Corners are (y0, x0, y1, x1); all zero where the frame cannot be used.
    """

    pixels: NDArray[Any]
    areas: NDArray[np.int32]


class _Pixels(ABC):
    """What both sources share: cutting boxes from movies, mirrored at the valid area's edges."""

    def crop(self, image: str, t: int, box: Box) -> NDArray[np.float32]:
        """Pixels of one patch.

        Parameters
        ----------
        image, t
            Image and frame.
        box
            May reach beyond the valid area (the frame without registration borders); there the
            picture is mirrored as ``numpy.pad`` does in mode ``reflect``, again and again if
            need be.

        Returns
        -------
        ndarray
            float32, shape ``box.shape``, grey levels of the file.

        Raises
        ------
        ImageContentError
            No such frame, or one of NaN or of one value only.
        """
        movie, area = self._at(image, t)
        return np.asarray(mirrored(movie.pixels[t], area, box), dtype=np.float32)

    def frame(self, image: str, t: int) -> Frame:
        """One whole (y, x) frame in the file's number type, as a copy; errors as in `crop`."""
        movie, _ = self._at(image, t)
        return np.array(movie.pixels[t])

    def area(self, image: str, t: int) -> Box:
        """The valid area of one frame; errors as in `crop`."""
        return self._at(image, t)[1]

    def shape(self, image: str) -> tuple[int, int, int]:
        """Frames, height and width of an image."""
        t, y, x = self._movie(image).pixels.shape
        return t, y, x

    @abstractmethod
    def _movie(self, image: str) -> _Movie:
        """The movie of that name."""

    def _at(self, image: str, t: int) -> tuple[_Movie, Box]:
        movie = self._movie(image)
        if not 0 <= t < len(movie.pixels):
            raise ImageContentError(
                f"no frame {t}", where=image, expected=f"0 to {len(movie.pixels) - 1}"
            )
        corners = movie.areas[t]
        if not corners.any():
            check_frame(np.array(movie.pixels[t]), f"{image}, frame {t}")
        return movie, Box.of(*corners)


class ArrayPixels(_Pixels):
    """Pixels of arrays in memory.

    Parameters
    ----------
    arrays
        By image name, shape (t, y, x).
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._movies = {
            name: _Movie(array, np.array([_corners(frame) for frame in array], dtype=np.int32))
            for name, array in arrays.items()
        }

    def _movie(self, image: str) -> _Movie:
        try:
            return self._movies[image]
        except KeyError:
            raise ImageReadError("no such image", where=image) from None


class StudyPixels(_Pixels):
    """Pixels of a study's images, from a copy in its folder ``cache``.

    A file is copied once, whole, frame by frame, in its own number type, and again when its size
    or time of change is another. May be pickled and used after a fork: maps are opened anew.

    Parameters
    ----------
    study
        The study.
    channel
        Name or number of the channel; ``None`` for the study's own choice, see `choose_channel`.
    """

    def __init__(self, study: Study, channel: str | int | None = None) -> None:
        self.study = study
        self.channel = study.channel if channel is None else channel
        asked = "auto" if self.channel is None else str(self.channel).casefold()
        self._folder = study.folder / "cache" / re.sub(r"[^\w.-]+", "-", asked)
        self._open: OrderedDict[str, _Movie] = OrderedDict()

    def prepare(
        self,
        images: Iterable[str] | None = None,
        progress: Progress = SILENT,
        *,
        strict: bool = True,
    ) -> list[Fault]:
        """Copy images into the cache where they are not there yet, and look at every frame.

        Parameters
        ----------
        images
            Names; all of the study if ``None``.
        progress
            Where to report to, one step an image.
        strict
            Raise when anything is wrong; otherwise only tell.

        Returns
        -------
        list of Fault
            One for every image that cannot be read and every frame that cannot be used.

        Raises
        ------
        TableError
            If `strict`: holding these faults. What could be copied, was.
        """
        known = self.study.fields()["image"].tolist()
        names = list(dict.fromkeys(known if images is None else images))
        faults: list[Fault] = []
        with progress.task("copying pixels", len(names)) as tick:
            for image in names:
                try:
                    movie = self._movie(image)
                    for t in np.flatnonzero(~movie.areas.any(axis=1)).tolist():
                        try:
                            self._at(image, t)
                        except ImageContentError as error:
                            faults.append(Fault(error.code, f"{image}, frame {t}", error.what))
                except LivewellError as error:
                    faults.append(Fault.of(error, image))
                tick()
        if strict and faults:
            raise TableError(
                "some images of the study cannot be used",
                faults,
                where=str(self.study.root),
                remedy="mend these files, or leave them out when indexing",
            )
        return faults

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": OrderedDict()}

    def _movie(self, image: str) -> _Movie:
        movie = self._open.pop(image, None)
        if movie is None:
            movie = self._mapped(image)
        self._open[image] = movie
        while len(self._open) > KEPT_OPEN:
            self._open.popitem(last=False)
        return movie

    def _mapped(self, image: str) -> _Movie:
        source = self.study.path(image)
        size, mtime = fingerprint(source)
        stem = hashlib.sha256(image.encode()).hexdigest()[:16]
        pixels = self._folder / f"{stem}-{size:x}-{mtime:x}.npy"
        areas = pixels.with_suffix(".areas.npy")
        for _ in range(2):
            try:
                return _Movie(np.load(pixels, mmap_mode="r"), np.load(areas))
            except (OSError, ValueError):
                self._copy(image, source, pixels, areas)
        raise ImageReadError(
            "its copy in the cache cannot be read back",
            where=str(pixels),
            remedy="look whether the disk is full or failing; the folder cache may be deleted",
        )

    def _copy(self, image: str, source: Path, pixels: Path, areas: Path) -> None:
        """Write the copy of one image; older copies of it go."""
        with open_image(source) as opened:
            channel = choose_channel(opened.header, self.channel, image)
            found = _write_movie(opened, channel, pixels)
        with whole_file(areas) as temporary, temporary.open("wb") as file:
            np.save(file, found)
        for old in self._folder.glob(pixels.name.split("-")[0] + "-*.npy"):
            if old not in (pixels, areas):
                old.unlink(missing_ok=True)


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
        check_frame(frame, "")
    except ImageContentError:
        return 0, 0, 0, 0
    return valid_area(frame).corners
