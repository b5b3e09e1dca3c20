"""What the samples of a pixel are: grey, colours, transparency, channels without a name."""

from dataclasses import dataclass

from livewell.errors import ImageReadError
from livewell.images.plain import RGB, RGB_NOTE, palette_error
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.statement import Statement

ZERO_IS_WHITE = "the file says that 0 is white"
_ALPHA = (1, 2)
_TAGS = {0: "0 is white", 1: "0 is black", 3: "a palette", 4: "a mask"}


@dataclass(frozen=True, slots=True)
class Samples:
    """Numbers and names of the samples that are read as channels; none where a pixel has one."""

    read: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def samples_of(page: Page, said: Statement) -> Samples:
    """Meaning of the samples of a page.

    Raises
    ------
    ImageReadError
        Colours that are looked up or mixed of inks, complex numbers, or colour in several channels
        or slices.
    """
    notes = _refuse(page, said)
    if page.form.samples == 1:
        return Samples(notes=tuple(notes))
    if said.sampled:
        every = tuple(range(page.form.samples))
        names = said.scale.channels
        names = names if len(names) == len(every) else tuple(f"channel {i}" for i in every)
        return Samples(every, names, tuple(notes))
    colours = 3 if page.form.photometric in (2, 6) else 1
    extras = page.form.extras or (0,) * (page.form.samples - colours)
    alpha = {colours + i for i, meaning in enumerate(extras) if meaning in _ALPHA}
    read = tuple(i for i in range(page.form.samples) if i not in alpha)
    if alpha:
        notes.append("transparency (alpha) is left out")
    if said.size("Z") > 1 or said.size("C") > 1:
        which = (
            f"a z stack of {said.size('Z')} slices" if said.size("Z") > 1 else "several channels"
        )
        raise ImageReadError(
            f"{which} in colour, or with several samples in a pixel",
            where=str(page.file.path),
            expected="one plane in focus a time point, or a z stack of grey levels",
            remedy="save the slice in focus, or one colour of all slices, and use that",
        )
    if colours == 3:
        names = (*RGB, *(f"sample {i}" for i in read[3:]))
        notes.append(RGB_NOTE)
    elif len(read) == 1:
        names = said.scale.channels if len(said.scale.channels) == 1 else ("grey",)
    else:
        names = said.scale.channels
        if len(names) != len(read):
            names = tuple(f"channel {i}" for i in read)
            notes.append(
                f"{len(read)} numbers in a pixel, and the file does not name them: say which is"
                " the transmitted light"
            )
    return Samples(read, names, tuple(notes))


def _refuse(page: Page, said: Statement) -> list[str]:
    path, notes = page.file.path, []
    if page.form.dtype is None:
        kind = (
            f"complex{page.form.bits}"
            if page.form.format in (5, 6)
            else f"format {page.form.format}"
        )
        raise ImageReadError(
            "not an image of grey levels over time and channels",
            where=str(path),
            expected="axes t, c, y, x and whole or real numbers",
            got=f"{page}, {kind}",
            remedy="export it as OME-TIFF with axes TCYX",
        )
    known = (None, *_TAGS, 2) if page.form.compression not in (6, 7) else (None, *_TAGS, 2, 6)
    if page.form.photometric not in known:
        raise ImageReadError(
            f"an image whose numbers are not brightnesses (photometric {page.form.photometric})",
            where=str(path),
            remedy="save it again as grey (8 or 16 bit) from the program that made it",
        )
    if page.form.photometric == 3:
        if not said.source.startswith(("the OME", "the ImageJ", "the MetaMorph stack")):
            raise palette_error(path)
        notes.append("the file's colour table is for display and not used")
    if page.form.bits == 1:
        notes.append("one bit a pixel: this looks like a mask, not an image; 1 stays 1")
    elif page.form.photometric == 0:
        if page.form.format != 1:
            raise ImageReadError(
                "0 is said to be white, for numbers that have no highest one",
                where=str(path),
                remedy="invert it in the program that made it, and save it again",
            )
        notes.append(
            f"{ZERO_IS_WHITE}: grey levels are inverted ({2**page.form.bits - 1} - level), so"
            " that brighter is brighter"
        )
    if page.form.photometric is None:
        notes.append("the file does not say whether 0 is black; it is taken for black")
    if page.form.orientation != 1:
        notes.append(
            f"the file asks to be shown turned or mirrored (orientation"
            f" {page.form.orientation}); it is read as it is stored"
        )
    return notes
