"""The one door to image files: opening them, choosing channels."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from livewell.errors import ImageContentError, LivewellError, SpecError
from livewell.image import Header, check_scale
from livewell.images.formats import OpenImage, open_file
from livewell.images.plain import RGB, RGB_NOTE
from livewell.images.sequence import SequenceImage
from livewell.names import AnyPath

_TRANSMITTED = re.compile(
    r"(?<![a-z])(?:bright.?field|phase(?:.?contrast)?|transmi(?:tted|ssion)(?:.?light)?|hoffman|bf"
    r"|tl|td|dic|ph[0-9l]?|trans(?!.?golgi)|t-?pmt)(?![a-z])",
    re.IGNORECASE,
)
_STAIN = re.compile(
    r"(?<![a-z])(?:[a-z]{0,2}[bcgry]fp|m?cherry|tdtomato|dapi|hoechst|fitc|tritc|txred|texas|cy[357]|"
    r"alexa|sytox|propidium|pi)(?![a-z])|fluor",
    re.IGNORECASE,
)
Channels = Iterable[str | int] | str | int | None
"""Channels that are asked for, by name or number from 0, in order; ``None`` or empty for none."""
_PLANE = re.compile(r"(?:^|:)z\d+$")
GREY = "grey"
"""What the one channel of a grey image is called, also of one that was stored as colour."""
COLOURLESS_NOTE = (
    "a grey image stored as colour: red, green and blue are equal in every pixel, and where no"
    " channel is named one of them is read"
)


def open_image(
    path: AnyPath, *, pixel_um: float | None = None, frame_s: float | None = None
) -> OpenImage:
    """Open an image file, or a folder of single frames; pixels are read frame by frame.

    Parameters
    ----------
    path
        A file of a kind in `formats.FORMATS` (docs/formats.md), or a folder of files with one frame
        each. A field of a file or folder that holds several stands after it: ``exp.nd2/XY03``.
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
    paths: Sequence[AnyPath],
    *,
    pixel_um: float | None = None,
    frame_s: float | None = None,
    strict: bool = True,
) -> OpenImage:
    """Open files of one frame each as one movie, in the order given.

    If `strict`, files that differ from the first are refused and named; else they fail when read.
    """
    reader = SequenceImage([Path(path) for path in paths], open_file)
    if strict:
        reader.refuse(mixed=False)
    return _with_scale(OpenImage(reader, reader.header), pixel_um, frame_s)


def read_header(
    path: AnyPath, *, pixel_um: float | None = None, frame_s: float | None = None
) -> Header:
    """What a file says of its image; pixels are read of colour images only, see `Header`."""
    with open_image(path, pixel_um=pixel_um, frame_s=frame_s) as image:
        return image.header


def choose_channels(header: Header, asked: Channels, where: str) -> tuple[int, ...]:
    """Numbers of the channels to look at, in the order asked for; a single one where none is.

    Names (letter case does not count) or numbers from 0; where there are none, the only channel,
    else the only one whose name says transmitted light, else one of a colour image whose three are
    equal. Planes of a z stack are channels ``z0``, ``z1``, or ``phase:z0`` where there are several
    channels. All faults of what is asked for are named at once.
    """
    wanted = asked_channels(asked)
    if not wanted:
        return (_usual_channel(header, where),)
    found = [_named(header, each) for each in wanted]
    faults = [
        f"no channel {each!r}" if not fit else f"several channels named {each!r}"
        for each, fit in zip(wanted, found, strict=True)
        if len(fit) != 1
    ]
    numbers = tuple(fit[0] for fit in found if len(fit) == 1)
    faults += [
        f"channel {header.channels[n]!r} is asked for {count} times"
        for n, count in sorted(Counter(numbers).items())
        if count > 1
    ]
    if faults:
        raise _not_one("; ".join(faults), header, where)
    return numbers


def asked_channels(asked: Channels) -> tuple[str | int, ...]:
    """Channels as they were asked for, one or several, as a tuple; empty where none was."""
    if asked is None:
        return ()
    return (asked,) if isinstance(asked, str | int) else tuple(asked)


def noted_channels(asked: Channels) -> str | int | list[str | int] | None:
    """Channels as the folders of results note them: none, one as it is, several as a list."""
    wanted = asked_channels(asked)
    return list(wanted) if len(wanted) > 1 else next(iter(wanted), None)


def one_channel(asked: Channels, where: str) -> str | int | None:
    """The one channel that is asked for, ``None`` where none is; several are refused."""
    wanted = asked_channels(asked)
    if len(wanted) > 1:
        raise SpecError(
            f"{len(wanted)} channels, and here one is looked at",
            where=where,
            got=", ".join(map(str, wanted)),
            remedy="name one of them (--channel)",
        )
    return wanted[0] if wanted else None


def _usual_channel(header: Header, where: str) -> int:
    names = header.channels
    if len(names) == 1 or header.colourless:
        return 0
    if names == RGB:
        raise ImageContentError(
            "a colour image, and no channel is named",
            where=where,
            expected="one channel, or three that are equal in every pixel",
            remedy="name one (--channel green), or ask for all three (--channel red"
            " --channel green --channel blue)",
        )
    # a name that also speaks of a stain is in doubt
    found = [
        i for i, name in enumerate(names) if _TRANSMITTED.search(name) and not _STAIN.search(name)
    ]
    if len(found) != 1 and _PLANE.search(names[0]):
        slices = sum(name.split(":z")[0] == names[0].split(":z")[0] for name in names)
        raise ImageContentError(
            f"a z stack of {slices if ':' in names[0] else len(names)} slices, and no plane is"
            " named",
            where=where,
            expected=f"one plane in focus, or several in their order, of {_listed(header)}",
            remedy=f"name them (--channel {names[0]}); or, where the slices are frames of a movie"
            " that was saved as slices, swap z and t in ImageJ: Image > Properties",
        )
    if len(found) != 1:
        raise _not_one("cannot tell which channel is the transmitted light", header, where)
    return found[0]


def _not_one(what: str, header: Header, where: str) -> ImageContentError:
    return ImageContentError(
        what,
        where=where,
        expected=f"one of {_listed(header)}",
        remedy="name the channel (--channel), by its name or number",
    )


def _named(header: Header, asked: str | int) -> list[int]:
    """Numbers of the channels that a name or number means."""
    names, wanted = header.channels, str(asked).strip().casefold()
    if header.colourless and wanted == GREY:
        return [0]
    found = [i for i, name in enumerate(names) if name.strip().casefold() == wanted]
    if not found and wanted.isdecimal() and int(wanted) < len(names):
        found = [int(wanted)]
    return found


def _listed(header: Header) -> str:
    return ", ".join(f"{i} {name!r}" for i, name in enumerate(header.channels))


def _with_scale(image: OpenImage, pixel_um: float | None, frame_s: float | None) -> OpenImage:
    given: dict[str, Any] = {"pixel_um": pixel_um, "frame_s": frame_s}
    given = {name: float(value) for name, value in given.items() if value is not None}
    notes = list(image.header.notes)
    with ExitStack() as refused:
        refused.enter_context(image)
        check_scale(pixel_um, frame_s)
        colourless = _colourless(image)
        refused.pop_all()
    if colourless:
        notes = [*(note for note in notes if note != RGB_NOTE), COLOURLESS_NOTE]
    for name, value in given.items():
        said = getattr(image.header, name)
        if said is not None and not math.isclose(said, value, rel_tol=1e-6):
            notes.append(f"{name} {value:.6g} as given; the file says {said:.6g}")
    header = replace(image.header, notes=tuple(notes), colourless=colourless, **given)
    return OpenImage(image.reader, header)


def _colourless(image: OpenImage) -> bool:
    """Whether red, green and blue are equal in every pixel of every frame."""
    if image.header.channels != RGB:
        return False
    try:
        return all(
            np.array_equal(image.frame(t, 0), image.frame(t, c))
            for t in range(image.header.frames)
            for c in (1, 2)
        )
    except LivewellError:
        # a frame that cannot be read is reported where it is wanted
        return False
