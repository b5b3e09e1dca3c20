"""The one door to image files: opening them, choosing a channel, checking a frame."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from livewell.errors import ImageContentError
from livewell.image import Frame, Header, check_scale
from livewell.images.formats import SUFFIXES as SUFFIXES
from livewell.images.formats import OpenImage, open_file
from livewell.images.plain import RGB
from livewell.images.sequence import SequenceImage
from livewell.measure.quality import require_content

_TRANSMITTED = re.compile(
    r"bright.?field|phase|transm|hoffman|(?<![a-z])(?:bf|tl|dic|ph[0-9l]?|trans|t-?pmt)(?![a-z])",
    re.IGNORECASE,
)


def open_image(
    path: Path | str, *, pixel_um: float | None = None, frame_s: float | None = None
) -> OpenImage:
    """Open an image file, or a folder of single frames; pixels are read frame by frame.

    Parameters
    ----------
    path
        TIFF (plain, Big, OME, ImageJ, STK), PNG, JPEG, or a folder of these with one frame each.
    pixel_um, frame_s
        Edge of a pixel in micrometres and seconds from frame to frame, in place of what the file
        says; noted in the header.

    Raises
    ------
    ImageReadError
        Missing, empty, damaged or of a kind that livewell does not read.
    SpecError
        `pixel_um` or `frame_s` not above zero.
    """
    return _with_scale(open_file(Path(path)), pixel_um, frame_s)


def open_sequence(
    paths: Sequence[Path | str],
    *,
    pixel_um: float | None = None,
    frame_s: float | None = None,
    strict: bool = True,
) -> OpenImage:
    """Open files of one frame each as one movie, in the order given.

    Parameters
    ----------
    paths
        One file a frame.
    pixel_um, frame_s
        As in `open_image`.
    strict
        Refuse files that differ from the first; otherwise they fail when read.

    Raises
    ------
    ImageReadError
        As in `open_image`, or files that cannot be frames of one movie; all are named.
    """
    reader = SequenceImage([Path(path) for path in paths], open_file, strict=strict)
    return _with_scale(OpenImage(reader, reader.header), pixel_um, frame_s)


def read_header(
    path: Path | str, *, pixel_um: float | None = None, frame_s: float | None = None
) -> Header:
    """What a file says of its image; no pixels are read. Parameters as in `open_image`."""
    with open_image(path, pixel_um=pixel_um, frame_s=frame_s) as image:
        return image.header


def choose_channel(header: Header, asked: str | int | None, where: str) -> int:
    """Number of the channel to look at.

    Parameters
    ----------
    header
        Of the image.
    asked
        Name (letter case does not count) or number from 0; ``None`` for the only channel, else
        the only one whose name says transmitted light, else green of a colour picture.
    where
        The image's name, for the error.

    Raises
    ------
    ImageContentError
        No such channel, or several fit.
    """
    names = header.channels
    listed = ", ".join(f"{i} {name!r}" for i, name in enumerate(names))
    if asked is None:
        found = [i for i, name in enumerate(names) if _TRANSMITTED.search(name)]
        if len(names) == 1:
            found = [0]
        elif names == RGB:
            found = [names.index("green")]
        what = "cannot tell which channel is the transmitted light"
    else:
        wanted = str(asked).strip().casefold()
        found = [i for i, name in enumerate(names) if name.strip().casefold() == wanted]
        if not found and wanted.isdecimal() and int(wanted) < len(names):
            found = [int(wanted)]
        what = f"no channel {asked!r}" if not found else f"several channels named {asked!r}"
    if len(found) != 1:
        raise ImageContentError(
            what,
            where=where,
            expected=f"one of {listed}",
            remedy="name the channel (--channel), by its name or number",
        )
    return found[0]


def check_frame(frame: Frame, where: str) -> None:
    """Refuse a frame that nothing can be learnt from.

    Parameters
    ----------
    frame
        Shape (y, x), any number type.
    where
        Image, frame and channel, for the error.

    Raises
    ------
    ImageContentError
        NaN or infinite values, or every pixel the same (all zero, for one).
    """
    require_content(frame, where)


def _with_scale(image: OpenImage, pixel_um: float | None, frame_s: float | None) -> OpenImage:
    header, notes = image.header, image.header.notes
    try:
        check_scale(pixel_um, frame_s)
        for name, given in (("pixel_um", pixel_um), ("frame_s", frame_s)):
            if given is None:
                continue
            said = getattr(header, name)
            if said is not None and not math.isclose(said, given, rel_tol=1e-6):
                notes = (*notes, f"{name} {given:.6g} as given; the file says {said:.6g}")
        header = replace(
            header,
            pixel_um=header.pixel_um if pixel_um is None else float(pixel_um),
            frame_s=header.frame_s if frame_s is None else float(frame_s),
            notes=notes,
        )
    except BaseException:
        image.close()
        raise
    return OpenImage(image.reader, header)
