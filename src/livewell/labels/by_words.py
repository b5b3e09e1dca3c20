"""Labels from words in file names."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import Labels, Others, Request, Route, class_faults, refuse
from livewell.names import picture_of
from livewell.tables.faults import listed, near


@dataclass(frozen=True, slots=True)
class Words(Route):
    """Label images by words in the names of their files.

    A file name (of a tile that of its image), without its folders and ending, is taken apart at
    everything that is no letter or digit; a word has to be one of the parts, or several in a row,
    in any case. So ``dead`` is not found in ``deadline``, nor ``DMSO`` in a folder's name, nor
    ``CPT`` in ``CPT2``.

    Parameters
    ----------
    classes
        Class of each word, e.g. ``{"CPT2": "CPT", "DMSO": "DMSO", "DMSO2": "DMSO"}``.
    others
        Files with none of the words: refused (and listed), or left out. Files with words of two
        classes are always refused.

    Notes
    -----
    Source: the labels of celldeath (La Greca et al. 2021, "label is part of the file name"),
    whose tool looks for the class anywhere in the path, so that parts of words count.
    """

    classes: Mapping[str, str]
    others: Others = "refuse"

    def make(self, request: Request) -> Labels:
        """The labels, of the study's file names."""
        return by_words(request.study.fields(), self, request.least)


def by_words(fields: pd.DataFrame, route: Words, least: int = 2) -> Labels:
    """One label an image, for all its frames; no score. There are `least` classes or more."""
    named = list(zip(fields["image"], fields["path"], strict=True))
    parts = {image: _parts_of_file(path) for image, path in named}
    hits = {image: words_in(path, route.classes) for image, path in named}
    used = {word for found in hits.values() for word in found}
    counts = Counter(part for name in parts.values() for part in set(name))
    # what might be a label first: words that many names hold, numbers last
    known = sorted(counts, key=lambda part: (part.isdecimal(), -counts[part], part))
    faults = class_faults(route.classes, least)
    faults += [
        Fault("unknown-word", repr(word), f"in no file name as a whole word; {near(word, known)}")
        for word in route.classes
        if word not in used
    ]
    alike: dict[tuple[str, ...], list[str]] = {}
    for word in route.classes:
        alike.setdefault(_parts(word), []).append(word)
    faults += [
        Fault("same-word", listed(same), "are one word, whatever the letter case, of two classes")
        for same in alike.values()
        if len({route.classes[word] for word in same}) > 1
    ]
    labels: dict[str, str] = {}
    for image, found in hits.items():
        names = {route.classes[word] for word in found}
        if len(names) > 1:
            text = f"words of {len(names)} classes: {listed(found)}"
            faults.append(Fault("two-classes", image, text))
        elif names:
            labels[image] = names.pop()
        elif route.others == "refuse":
            faults.append(Fault("no-word", image, f"none of the words {listed(route.classes)}"))
    if not faults and len(set(labels.values())) < least:
        faults.append(Fault("one-class", "file names", "fewer than two classes were found"))
    left = any(fault.code == "no-word" for fault in faults)
    drop = "; those without a word may be left out: --others drop" * left
    refuse(faults, route.name, f"change the words or rename the files{drop}")
    keys = pd.DataFrame({"image": list(labels)})
    steps = {
        "images": len(fields),
        "without any of the words, dropped": len(fields) - len(labels),
    }
    return Labels.of(route.name, keys, list(labels.values()), route.classes.values(), steps)


def words_in(path: str, words: Iterable[str]) -> list[str]:
    """Those of `words` that the name of a file holds, of a tile the name of its image."""
    parts = _parts_of_file(path)
    return [word for word in words if _holds(parts, _parts(word))]


def _parts_of_file(path: str) -> tuple[str, ...]:
    return _parts(PurePosixPath(picture_of(path.replace("\\", "/"))).stem)


def _parts(name: str) -> tuple[str, ...]:
    composed = unicodedata.normalize("NFC", name)  # or accents would be no letters
    return tuple(part.casefold() for part in re.split(r"[\W_]+", composed) if part)


def _holds(parts: tuple[str, ...], sought: tuple[str, ...]) -> bool:
    size = len(sought)
    return size > 0 and any(parts[at : at + size] == sought for at in range(len(parts) - size + 1))
