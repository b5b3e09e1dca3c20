"""Labels from words in file names."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import (
    Count,
    Labels,
    Others,
    class_counts,
    class_faults,
    image_faults,
    label_table,
    listed,
    near,
    refuse,
)

ROUTE = "words"


def by_words(
    fields: pd.DataFrame, classes: Mapping[str, str], *, others: Others = "refuse"
) -> Labels:
    """Label images by words in the names of their files.

    A file name, without its folders and ending, is taken apart at everything that is no letter
    or digit; a word has to be one of the parts, or several in a row, in any case. So ``dead``
    is not found in ``deadline``, nor ``DMSO`` in a folder's name, nor ``CPT`` in ``CPT2``.

    Parameters
    ----------
    fields
        Schema `schemas.FIELDS`: columns image, and path where the name differs from it.
    classes
        Class of each word, e.g. ``{"CPT2": "CPT", "DMSO": "DMSO", "DMSO2": "DMSO"}``.
    others
        Files with none of the words: refused (and listed), or left out. Files with words of two
        classes are always refused.

    Returns
    -------
    Labels
        One label an image, for all its frames; no score.

    Raises
    ------
    TableError
        Holding every fault: a file with words of two classes, or with none, a word that is in no
        file name, fewer than two classes.

    Notes
    -----
    Source: the labels of celldeath (La Greca et al. 2021, "label is part of the file name"),
    whose tool looks for the class anywhere in the path, so that parts of words count.
    """
    found = image_faults(fields)
    if found:
        refuse(found, ROUTE)
    parts = {
        image: _parts(PurePosixPath(str(path).replace("\\", "/")).name)
        for image, path in zip(fields["image"], _paths(fields), strict=True)
    }
    words = {word: _parts(word, ending=False) for word in classes}
    hits = {
        image: [word for word, sought in words.items() if _holds(name, sought)]
        for image, name in parts.items()
    }
    meant = {image: {str(classes[word]) for word in found} for image, found in hits.items()}
    found = class_faults(classes) + _word_faults(words, hits, parts)
    for image, names in meant.items():
        if len(names) > 1:
            text = f"words of {len(names)} classes: {listed(hits[image])}"
            found.append(Fault("two-classes", image, text))
        elif not names and others == "refuse":
            found.append(Fault("no-word", image, f"none of the words {listed(words)}"))
    labels = {image: names.pop() for image, names in meant.items() if len(names) == 1}
    if not found and len(set(labels.values())) < 2:
        found.append(Fault("one-class", "file names", "fewer than two classes were found"))
    refuse(found, ROUTE, "change the words, rename the files, or say that others are dropped")
    table = label_table(pd.DataFrame({"image": list(labels)}), list(labels.values()), ROUTE)
    counts = (
        Count("images", len(fields)),
        Count("without any of the words, dropped", len(fields) - len(table)),
        *class_counts(table, dict.fromkeys(map(str, classes.values()))),
    )
    return Labels(table, counts)


def _paths(fields: pd.DataFrame) -> "pd.Series[str]":
    return fields["path"].fillna(fields["image"]) if "path" in fields else fields["image"]


def _parts(name: str, *, ending: bool = True) -> tuple[str, ...]:
    if ending:
        name = PurePosixPath(name).stem
    return tuple(part.casefold() for part in re.split(r"[\W_]+", name) if part)


def _holds(parts: tuple[str, ...], sought: tuple[str, ...]) -> bool:
    size = len(sought)
    return size > 0 and any(parts[at : at + size] == sought for at in range(len(parts) - size + 1))


def _word_faults(
    words: Mapping[str, tuple[str, ...]],
    hits: Mapping[str, list[str]],
    parts: Mapping[str, tuple[str, ...]],
) -> list[Fault]:
    used = {word for found in hits.values() for word in found}
    known = sorted({part for name in parts.values() for part in name})
    return [
        Fault("unknown-word", repr(word), f"in no file name as a whole word; {near(word, known)}")
        for word in words
        if word not in used
    ]
