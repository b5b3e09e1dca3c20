"""Every kind of image file that livewell reads, and how it is known by its content."""

import math
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from stat import S_ISDIR

import numpy as np

from livewell.errors import ImageContentError, ImageReadError, LivewellError
from livewell.image import Frame, Header, Image
from livewell.images import bioio_files, czi, jpeg, lif, nd2, png
from livewell.images.decoder import DECODER
from livewell.images.limits import check_size
from livewell.images.ome_zarr import plate as ome_zarr_plate
from livewell.images.ome_zarr import reader as ome_zarr
from livewell.images.ome_zarr.groups import NAMES as ZARR_NAMES
from livewell.images.ome_zarr.reader import OmeZarrImage
from livewell.images.plain import damaged
from livewell.images.reading import describe, reading
from livewell.images.reference import ImageRef, one_field
from livewell.images.sequence import SequenceImage
from livewell.images.tiff import ndtiff
from livewell.images.tiff.ifd import MAGIC
from livewell.images.tiff.reader import TiffImage
from livewell.images.tiff.reader import fields as tiff_fields
from livewell.images.vendors.folders import VENDORS, Vendor
from livewell.images.walking import Listing, left_out_lines, walk
from livewell.regular import regular

Place = tuple[str | None, str | None, str | None]
"""Plate, well and position in it, each ``None`` where not said."""
Version = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of image file or folder: its usual endings, what tells it, and its reader.

    ``fits`` takes a file's path and its first 16 bytes, and ``folder`` what names lie in a folder;
    a kind of files fits no folder, and the other way round. ``open`` takes the file or folder and
    the name of a field, empty where none is asked for. Of kinds that may hold several images,
    ``fields`` names them all, in the file's order; none where it is one image. ``place`` says
    plate, well and position of a field, where that takes no opening, and ``version`` its size and
    time of change, where it is not that of the whole file. ``by_names``: a folder is told by the
    names of its files alone.
    """

    suffixes: tuple[str, ...]
    open: Callable[[Path, str], Image]
    fits: Callable[[Path, bytes], bool] = lambda path, first: False
    folder: Callable[[Path, Collection[str]], bool] = lambda path, names: False
    fields: Callable[[Path], tuple[str, ...]] | None = None
    place: Callable[[Path, str], Place] | None = None
    version: Callable[[Path, str], Version] | None = None
    by_names: bool = False


def _open_folder(path: Path) -> Image:
    """A folder of single frames, in the natural order of their names."""
    return SequenceImage(frames_in(path).paths, open_file).refuse(mixed=True)


def single(opened: Callable[[Path], Image]) -> Callable[[Path, str], Image]:
    """The reader of a kind that holds one image."""

    def opening(path: Path, field: str) -> Image:
        if field:
            one_field((), field, path)
        return opened(path)

    return opening


def _of_vendor(vendor: Vendor) -> Format:
    """A kind of folder in which every file is a plane."""
    return Format(
        (),
        lambda path, field: vendor.open(path, field, open_file),
        folder=vendor.fits,
        fields=vendor.fields,
        place=vendor.place,
        version=lambda path, field: version_of_files(vendor.files(path, field)),
        by_names=vendor.by_names,
    )


PLUGIN = "file of a bioio plugin"
"""What is read by a plugin of bioio that the user has installed."""

FORMATS: dict[str, Format] = {
    "OME-Zarr": Format(
        (".zarr",),
        OmeZarrImage,
        folder=lambda path, names: not ZARR_NAMES.isdisjoint(names),
        fields=ome_zarr_plate.fields,
        place=ome_zarr.place_of,
        version=ome_zarr.version,
    ),
    **{name: _of_vendor(vendor) for name, vendor in VENDORS.items()},
    "NDTiff": Format(
        (),
        ndtiff.NdTiffImage,
        folder=ndtiff.fits,
        fields=ndtiff.fields,
        version=lambda path, field: version_of_files(ndtiff.files(path)),
    ),
    "TIFF": Format(
        (".tif", ".tiff", ".btf", ".tf8", ".stk", ".lsm"),
        TiffImage,
        lambda path, first: first.startswith(MAGIC),
        fields=tiff_fields,
    ),
    "PNG": Format((".png",), single(png.open_png), lambda path, first: first.startswith(png.MAGIC)),
    "JPEG": Format(
        (".jpg", ".jpeg"), single(jpeg.open_jpeg), lambda path, first: first.startswith(jpeg.MAGIC)
    ),
    "Nikon ND2": Format(
        (".nd2",), nd2.Nd2Image, nd2.is_nd2, fields=nd2.nd2_fields, place=nd2.nd2_place
    ),
    "Leica LIF": Format(
        (".lif", ".lof"), lif.LifImage, lif.is_lif, fields=lif.lif_fields, place=lif.lif_place
    ),
    "Zeiss CZI": Format(
        (".czi",), czi.CziImage, czi.is_czi, fields=czi.czi_fields, place=czi.czi_place
    ),
    # the last of files: it goes by the ending alone
    PLUGIN: Format(
        (), bioio_files.BioioImage, bioio_files.is_claimed, fields=bioio_files.bioio_fields
    ),
}
"""Every kind of image that livewell reads; the first that fits is taken."""

SEQUENCE = "folder of frames"
"""What a folder is that is no image of a kind of its own."""
SUFFIXES: dict[str, str] = {
    suffix: name for name, form in FORMATS.items() for suffix in form.suffixes
}
"""Format by ending of the name (lower case, with the dot)."""


def endings() -> frozenset[str]:
    """Endings of all that is listed in folders, with those of plugins that are installed."""
    return frozenset(SUFFIXES) | bioio_files.plugin_endings()


class OpenImage:
    """An open image; use it in a ``with`` block or close it.

    Its header holds what the user gave in place of what the file says; ``reader`` is the format's
    own, for what a format knows beyond (t, c, y, x).
    """

    def __init__(self, reader: Image, header: Header) -> None:
        self.reader, self.header, self.source = reader, header, reader.source
        # readers that decode by programs that may crash say so; others need not
        self._packed = getattr(reader, "packed", False)
        self._last: tuple[tuple[int, int], Frame] | None = None

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) frame in the file's number type, native byte order, unscaled."""
        frames, channels, _, _ = self.header.shape
        for axis, at, size in (("frame", t, frames), ("channel", channel, channels)):
            if not 0 <= at < size:
                raise ImageContentError(
                    f"no {axis} {at}", where=self.source, expected=f"0 to {size - 1}", got=str(at)
                )
        # asked for twice where one looks whether it is known and another judges it
        if self._last is None or self._last[0] != (t, channel):
            self._last = (t, channel), self._read(t, channel)
        return self._last[1].copy()

    def _read(self, t: int, channel: int) -> Frame:
        with reading(Path(self.source)):
            frame = None
            if self._packed:
                frame = DECODER.frame(self.source, self.header, t, channel)
            return plane(self.reader, t, channel) if frame is None else frame

    def close(self) -> None:
        """Let go of the file."""
        self._last = None
        self.reader.close()
        if self._packed:
            DECODER.close(self.source)

    def __enter__(self) -> "OpenImage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_file(path: Path) -> OpenImage:
    """Open the image that a path names by its own kind, with what it says of itself."""
    with reading(path):
        name, notes = identify(path)
        reader = _opened(name, path)
        try:
            check_size(reader.header, path, getattr(reader, "most_a_byte", math.inf))
        except LivewellError:
            reader.close()
            raise
    header = reader.header
    return OpenImage(reader, replace(header, notes=(*header.notes, *notes)))


def plane(reader: Image, t: int, channel: int) -> Frame:
    """A reader's frame, decoded in this process: contiguous, in native byte order.

    Raises
    ------
    ImageReadError
        Its size or number type is not what the header says.
    """
    frame = reader.frame(t, channel)
    frame = np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("="))
    said = reader.header.area.shape, reader.header.dtype
    if (frame.shape, frame.dtype.name) != said:
        raise damaged(
            Path(reader.source),
            "its pixels are not those that its header says",
            got=f"shape {frame.shape}, {frame.dtype}",
        )
    return frame


def reader_of(path: Path) -> Image:
    """The reader of the image's own kind, which decodes in this process."""
    return _opened(identify(path)[0], path)


def _opened(name: str, path: Path) -> Image:
    """The image that a path names, of this kind."""
    ref = ImageRef.of(path)
    if name == SEQUENCE:
        return _open_folder(ref.container)
    return FORMATS[name].open(ref.container, ref.field)


def fields_in(path: Path) -> tuple[str, ...]:
    """Names of the images in a file or folder of a kind that may hold several; none else.

    Errors are those of reading what it holds.
    """
    kind = _by_name(path)
    if kind is None or kind.fields is None:
        return ()
    with reading(path):
        return kind.fields(path)


def is_container(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder in which these names lie is an image, or several, of a kind of its own."""
    return any(form.folder(folder, names) for form in FORMATS.values())


def has_index(folder: Path, names: Collection[str]) -> bool:
    """Whether such a folder is known by more than the names of its files."""
    kinds = (form for form in FORMATS.values() if not form.by_names)
    return any(form.folder(folder, names) for form in kinds)


def place_of(path: Path) -> Place:
    """Plate, well and position of an image as it states them; errors of opening it."""
    with reading(path):
        ref = ImageRef.of(path)
        kind = _by_name(ref.container)
        if kind is not None and kind.place is not None:
            return kind.place(ref.container, ref.field)
    with open_file(path) as image:
        return image.header.plate, image.header.well, image.header.position


def version_of(path: Path) -> Version:
    """Size and time of change of what an image lies in; the system's errors."""
    ref = ImageRef.of(path)
    stat = ref.container.stat()
    if not S_ISDIR(stat.st_mode):
        return stat.st_size, stat.st_mtime_ns
    kind = _by_name(ref.container)
    if kind is not None and kind.version is not None:
        return kind.version(ref.container, ref.field)
    if ref.field and (kind is None or kind.fields is None):
        path.stat()
    return version_of_files(file for file in ref.container.iterdir() if file.is_file())


def version_of_files(files: Iterable[Path]) -> Version:
    """Size of files together, and time of the last change of one of them."""
    stats = [file.stat() for file in files]
    return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)


def _by_name(path: Path) -> Format | None:
    """The kind of a folder, or that of a file by its ending; ``None`` where it has none."""
    ending = path.suffix.lower()
    name = kind_of_folder(path) if path.is_dir() else SUFFIXES.get(ending, "")
    if not name and ending in bioio_files.plugin_endings():
        name = PLUGIN
    return FORMATS.get(name)


def kind_of_folder(path: Path) -> str:
    """What a folder is: a kind of its own, or `SEQUENCE`."""
    return _kind_of_folder(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _kind_of_folder(path: Path, changed_ns: int) -> str:
    """A large folder is not listed for each of its fields."""
    with os.scandir(path) as inside:
        names = frozenset(entry.name for entry in inside)
    return next((name for name, form in FORMATS.items() if form.folder(path, names)), SEQUENCE)


def frames_in(folder: Path) -> Listing:
    """Image files lying in `folder`, and what was left out there, see `walking.walk`."""
    listing = walk(folder, SUFFIXES, deep=False)
    if not listing.files:
        raise ImageReadError(
            "a folder without image files",
            where=str(folder),
            expected="files ending in " + ", ".join(SUFFIXES),
            got="".join(left_out_lines(listing.left_out)),
        )
    return listing


def identify(path: Path) -> tuple[str, tuple[str, ...]]:
    """Name of the format, and a note where the file's ending says another."""
    with reading(path):
        ref = ImageRef.of(path)
        file = ref.container
        if file.is_dir():
            kind = kind_of_folder(file)
            if ref.field and (kind == SEQUENCE or FORMATS[kind].fields is None):
                path.stat()
            return kind, ()
        with regular(file).open("rb") as opened:
            first = opened.read(16)
    if not first:
        raise ImageReadError(
            "an empty file (0 bytes)",
            where=str(path),
            remedy="copy it again from where it was recorded, or leave it out",
        )
    by_name = SUFFIXES.get(file.suffix.lower())
    for name, form in FORMATS.items():
        # a plugin is not asked for what an ending of our own names
        if not (by_name and name == PLUGIN) and form.fits(file, first):
            if by_name and by_name != name:
                return name, (f"named like a {by_name} but a {name} inside; read as that",)
            return name, ()
    raise ImageReadError(
        f"named like a {by_name} but not one inside" if by_name else "not an image livewell reads",
        where=str(path),
        expected=", ".join((*FORMATS, SEQUENCE)),
        got=describe(first),
        remedy="export it as OME-TIFF from the program that made it, or install the plugin of bioio"
        " for such files",
    )
