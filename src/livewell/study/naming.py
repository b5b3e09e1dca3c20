"""What the names of images say, and the names of files that are made of them."""

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from livewell.errors import Fault, SpecError
from livewell.files import distinct, folder_names
from livewell.names import Finder
from livewell.study.layout import NamePattern
from livewell.text import few, plural, short


def wells(names: Sequence[str], pattern: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Well and position of every image by its name, and at most one warning about those without.

    Columns image, well, position; without a pattern nothing is known.
    """
    table = pd.DataFrame({"image": list(names), "well": None, "position": None})
    if pattern is None or table.empty:
        return table, []
    parts, unmatched = NamePattern.parse(pattern).match_all(names)
    if parts.empty:
        raise SpecError(
            "the pattern fits no image",
            where=f"--pattern {pattern}",
            expected=f"names such as {names[0]}",
            got=": ".join(next(iter(unmatched.items()))),
        )
    parts = parts.reindex(columns=["image", "well", "position"])
    return table[["image"]].merge(parts, on="image", how="left"), [
        f"no well and position for {plural(len(unmatched), 'name')} that the pattern does not fit,"
        f" such as {name}"
        for name in list(unmatched)[:1]
    ]


def images_of(
    names: "pd.Series[str]", images: Iterable[str]
) -> tuple["pd.Series[str]", list[Fault], list[str]]:
    """The study's image for every name in a table, however its path is written there.

    Names that fit no image stay as they are; those that fit several are faults. And notes on names
    that are not written as the images are.
    """
    finder, faults, meant = Finder(list(images)), [], {}
    how: dict[str, list[str]] = {}
    for name in names.dropna().unique():
        fits, note = finder.find(name)
        meant[name] = fits[0] if len(fits) == 1 else name
        how.setdefault(note, []).append(name)
        if len(fits) > 1:
            faults.append(Fault("ambiguous-file", repr(name), fits_several(fits)))
    bare = [name for name, image in meant.items() if name == image]
    for name in bare:
        # a bare name means the file at the top only where the table tells it from the others
        twins = finder.twins(name)
        if twins and not set(twins) & set(meant.values()):
            faults.append(Fault("ambiguous-file", repr(name), fits_several((name, *twins))))
    return names.map(meant).astype("str"), faults, found_otherwise(how)


def fits_several(images: Sequence[str]) -> str:
    """What is wrong with a name that several images fit."""
    return f"fits {len(images)} images ({few(images, 3)}); write the whole path"


def found_otherwise(how: Mapping[str, Sequence[str]]) -> list[str]:
    """Notes on names of a table, which `how` holds by the note of `Finder.find`."""
    return [
        f"{plural(len(names), 'name')} of the table {note}, such as {short(names[0])}"
        for note, names in how.items()
        if note
    ]


def file_names(images: Sequence[str]) -> dict[str, str]:
    """A file's name for every image, each once; none looks like a frame of another one's movie."""
    names = folder_names(images)
    every = {name.lower() for name in names.values()}
    found = {}
    for image, name in names.items():
        frame = re.fullmatch(r"(.+)_t\d{4,}", name.lower())
        torn = frame is not None and frame[1] in every
        found[image] = distinct(name, image) if torn else name
    return found


def frame_name(base: str, t: int, frames: int) -> str:
    """Name of a frame's files without ending: its image, and the frame of a movie."""
    return base if frames == 1 else f"{base}_t{t:04}"
