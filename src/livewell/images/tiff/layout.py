"""Which page of a TIFF is which frame, channel and slice: decided from what the file says, once.

Nothing here reads pixels. Where the description and the pages do not fit each other but all pages
can be read, a note says so; where planes cannot be told from each other, the file is refused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from livewell.errors import ImageReadError
from livewell.images.plain import damaged
from livewell.images.tiff.choice import Choice, numbered
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.planes import together
from livewell.images.tiff.statement import Place, Statement

GUESS = "the file does not say what its pages are; they are taken for frames in time"
_UNKNOWN = "QI"
_OTHER = {"P": "positions", "R": "positions", "A": "angles", "M": "parts of a mosaic"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Planes of an image (frames, channels, slices), and the account of how they were found.

    ``planes`` names the file (empty for this one) and the number of the page of every plane, slice
    within channel within frame; where ``behind``, planes lie behind the first page instead.
    """

    said: Statement
    first: Page
    frames: int
    channels: int
    slices: int
    planes: Sequence[tuple[str, int]]
    behind: bool
    account: tuple[str, ...]
    notes: tuple[str, ...]

    def plane(self, t: int, channel: int, z: int) -> tuple[str, int]:
        """File and page of a plane."""
        return self.planes[(t * self.channels + channel) * self.slices + z]


@dataclass(frozen=True, slots=True)
class _Planes:
    """Sizes of the axes, the planes in their order, and whether time is a guess."""

    sizes: Mapping[str, int]
    planes: Sequence[tuple[str, int]]
    notes: tuple[str, ...] = ()
    guess: bool = False


def lay_out(pages: Sequence[Page], chosen: Choice) -> Layout:
    """Find the planes of an image among those pages of a file that were chosen for it.

    Raises
    ------
    ImageReadError
        Axes beyond time, channel and depth, or planes that cannot be told apart.
    """
    own, path = chosen.pages, chosen.pages[0].file.path
    said = _understood(chosen)
    behind = said.behind and math.prod(size for _, size in said.sizes) > 1
    if said.places is not None:
        found = _named(said, said.places, own, path)
    else:
        found = _in_order(said, own, _behind(said, own[0]) if behind else len(own))
    sizes = found.sizes
    used = {number for file, number in found.planes if not file}
    left = [] if behind else [page for page in own if page.number not in used]
    notes = [*said.notes, *found.notes, *_contradictions(said, own[0]), *chosen.notes]
    if found.guess:
        notes.append(GUESS)
    if left:
        notes.append(f"{numbered(left)} not read: no whole frame is made of what is left")
    axes = (("T", "frame"), ("C", "channel"), ("Z", "slice"))
    account = [
        f"{_many(len(pages), 'page')} in the file; of those read, each has {own[0].form}",
        f"{_many(len(found.planes), 'plane')}: "
        + " x ".join(_many(sizes[letter], name) for letter, name in axes)
        + (", one after the other behind the first page" if behind else ""),
        *_order(found, said),
        *said.account,
        *chosen.account,
        _certainty(said, found, notes, len(own)),
    ]
    return Layout(
        said, own[0], sizes["T"], sizes["C"], sizes["Z"], found.planes, behind, tuple(account),
        tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _understood(chosen: Choice) -> Statement:
    """The statement, without a description that cannot be understood; an error if it matters."""
    said, first = chosen.said, chosen.pages[0]
    if said.broken and len(chosen.pages) > 1:
        raise ImageReadError(
            f"{said.source} cannot be used: {said.broken}; what its {len(chosen.pages)} pages are"
            " is not known",
            where=str(first.file.path),
            remedy="export it again from the program that made it, as OME-TIFF",
        )
    if said.broken:
        note = f"{said.source} is not used: {said.broken}"
        return replace(said, sizes=(), places=None, behind=False, notes=(*said.notes, note))
    channels = said.size("C")
    if (
        first.form.samples > 1
        and channels > 1
        and channels % first.form.samples == 0
        and not said.places
    ):
        # samples of a pixel that are declared as channels
        sizes = tuple(
            (letter, size // first.form.samples if letter == "C" else size)
            for letter, size in said.sizes
        )
        return replace(said, sizes=sizes)
    return said


def _named(
    said: Statement, places: Mapping[Place, tuple[str, int]], own: Sequence[Page], path: Path
) -> _Planes:
    """Planes whose pages the description names: the frames before the first that is missing."""
    here = {page.number for page in own}
    there = {place: at for place, at in places.items() if at[0] or at[1] in here}
    if len(set(there.values())) < len(there):
        raise ImageReadError(
            f"{said.source} names one page for several planes",
            where=str(path),
            remedy="export it again from the program that made it",
        )
    frames, channels, slices = (said.size(letter) for letter in "TCZ")
    planes: list[tuple[str, int]] = []
    whole = 0
    # stated sizes may be absurd: what is there bounds the work
    while whole < frames and channels * slices <= len(there):
        at = [(whole, c, z) for c in range(channels) for z in range(slices)]
        if not all(place in there for place in at):
            break
        planes += [there[place] for place in at]
        whole += 1
    if not whole:
        raise ImageReadError(
            "its first frame is missing",
            where=str(path),
            got=f"{len(there)} planes of {channels} channels x {slices} slices a frame",
            remedy="put the other files of the set beside it, or export it again",
        )
    notes: tuple[str, ...] = ()
    later = {t for t, _, _ in there if t > whole}
    if any(all((t, c, z) in there for c in range(channels) for z in range(slices)) for t in later):
        raise ImageReadError(
            f"frame {whole} lacks planes that later frames have, such as those of a channel that"
            " was not recorded every time",
            where=str(path),
            got=f"{len(there)} planes of {channels} channels x {slices} slices a frame",
            remedy="save the channel that was recorded every time to a file of its own",
        )
    if whole < frames:
        notes = (f"only {whole} of {frames} frames are in the file; the recording may have been"
                 " stopped",)  # fmt: skip
    return _Planes({"T": whole, "C": channels, "Z": slices}, planes, notes)


def _in_order(said: Statement, own: Sequence[Page], count: int) -> _Planes:
    """Planes in the order of the axes that the description names, the first the slowest."""
    path = own[0].file.path
    sizes = [(letter, size) for letter, size in said.sizes if size > 1]
    _refuse_axes(sizes, said, path)
    total = math.prod(size for _, size in sizes)
    notes: tuple[str, ...] = ()
    if count != total and (said.source or sizes):
        notes = (f"{said.source} speaks of {_many(total, 'plane')}, and the file holds {count}",)
    if not sizes and count > 1:
        sizes = [("Q", count)]
    elif count != total:
        letter, size = sizes[0] if sizes else ("Q", 1)
        inner = total // size
        if count < inner or (letter not in "TQI" and (len(sizes) > 1 or letter != "Z")):
            raise ImageReadError(
                f"{notes[0]}; which of them are missing cannot be told",
                where=str(path),
                remedy="export it again from the program that made it",
            )
        sizes[0] = (letter, count // inner)
    guess = any(letter in _UNKNOWN for letter, _ in sizes)
    axes = [("T" if letter in _UNKNOWN else letter, size) for letter, size in sizes]
    found = {"T": 1, "C": 1, "Z": 1} | dict(axes)
    planes = []
    for t in range(found["T"]):
        for c in range(found["C"]):
            for z in range(found["Z"]):
                at, index = {"T": t, "C": c, "Z": z}, 0
                for letter, size in axes:
                    index = index * size + at[letter]
                planes.append(("", own[index].number if count == len(own) else index))
    return _Planes(found, planes, notes, guess)


def _refuse_axes(sizes: Sequence[tuple[str, int]], said: Statement, path: Path) -> None:
    letters = [letter for letter, _ in sizes]
    others = [letter for letter in letters if letter not in "TCZ"]
    unknown = [letter for letter in others if letter in _UNKNOWN]
    if (
        unknown == others
        and len(others) + letters.count("T") <= 1
        and len(set(letters)) == len(letters)
    ):
        return
    told = ", ".join(f"{size} {_OTHER.get(letter, letter)}" for letter, size in sizes)
    raise ImageReadError(
        "more axes than time, channel, y and x",
        where=str(path),
        got=f"{told}, by {said.source}",
        remedy="save every position, angle or mosaic part to a file of its own",
    )


def _behind(said: Statement, first: Page) -> int:
    """Planes that are said to lie behind the first page; an error where they do not fit in."""
    count = math.prod(size for _, size in said.sizes)
    if not (first.form.plain and together(first)):
        raise ImageReadError(
            f"{said.source} speaks of {_many(count, 'plane')}, and the file holds one page",
            where=str(first.file.path),
            remedy="export it again from the program that made it",
        )
    end = first.offsets[0] + count * first.form.plane_bytes
    if end > first.file.size:
        raise damaged(
            first.file.path,
            "the file ends too early or points nowhere",
            f"{first.file.size} bytes, pixels up to byte {end}",
        )
    return count


def _contradictions(said: Statement, first: Page) -> list[str]:
    notes = []
    if said.height and (said.height, said.width) != (first.form.height, first.form.width):
        notes.append(
            f"{said.source} says {said.height} x {said.width} px, the pages are"
            f" {first.form.height} x {first.form.width} px (height x width)"
        )
    kind = first.form.name
    if said.dtype and said.dtype != kind and not (said.dtype == "uint8" and kind == "bool"):
        notes.append(f"{said.source} says {said.dtype}, the pages hold {kind}")
    return notes


def _order(found: _Planes, said: Statement) -> list[str]:
    if len(found.planes) < 2:
        return []
    listed = [f"{number}" if not file else f"{number} of {file}" for file, number in found.planes]
    some = ", ".join(listed[:6]) + (f" ... {listed[-1]}" if len(listed) > 6 else "")
    by = f", by {said.source}" if said.source else ""
    return [f"in the order of frame, channel, slice they are pages {some}{by}"]


def _certainty(said: Statement, found: _Planes, notes: Sequence[str], pages: int) -> str:
    if found.guess:
        return f"a guess: {GUESS}"
    if notes:
        return "not quite sure: see the notes"
    if said.source:
        return f"sure: {said.source} and the pages agree"
    return "sure: one page" if pages == 1 else "sure"


def _many(count: int, name: str) -> str:
    return f"{count} {name}" + "s" * (count != 1)
