"""What images and wells are coloured by: doses, treatments, labels, calls of runs, verdicts."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from livewell.errors import LivewellError
from livewell.images.listing import fingerprint
from livewell.names import path_of
from livewell.tables.schemas import as_text, shortest
from livewell.text import printable
from livewell.web.catalogue import Catalogue
from livewell.web.results import Result, ResultFolders

COLUMNS = ("dose", "treatment", "cell_line", "experiment", "replicate")
"""Columns of the fields table by which wells may be coloured."""
USUAL = ("healthy", "sick")
"""Classes that have the first two colours where they are named so."""
COLOURS = 8
"""Classes of static/look.css."""


@dataclass(frozen=True)
class Mark:
    """How an image or a well is marked: text, number of its colour, its letter."""

    text: str
    colour: int
    letter: str


@dataclass(frozen=True)
class Colouring:
    """A way to colour images.

    `key` names it in addresses, `name` on the page; `marks` by image; `legend` every mark once.
    `ordered` colours go from pale to dark.
    """

    key: str
    name: str
    marks: Mapping[str, Mark]
    legend: tuple[Mark, ...]
    ordered: bool = False

    def of(self, images: Iterable[str]) -> Mark | None:
        """The mark of several images: the most frequent one, with how many have it."""
        counts = Counter(self.marks[image] for image in images if image in self.marks)
        if not counts:
            return None
        mark, count = min(counts.items(), key=lambda each: (-each[1], each[0].text))
        if len(counts) == 1:
            return mark
        text = f"{mark.text} ({count} of {counts.total()} images)"
        return Mark(text, mark.colour, f"{mark.letter}?")


class Conditions:
    """All ways to colour a study's images."""

    def __init__(self, catalogue: Catalogue, results: ResultFolders) -> None:
        self._catalogue, self._results = catalogue, results

    def names(self) -> dict[str, str]:
        """What images may be coloured by: name by key."""
        listing = self._catalogue.listing()
        fields = listing.fields
        known = {c: c.replace("_", " ") for c in COLUMNS if c in fields and fields[c].notna().any()}
        known |= {f"label:{name}": f"labels {name}" for name in listing.study.label_names()}
        for result in self._results.of_kind("assessment", "evaluation"):
            if result.kind == "assessment" and not self._judged(result):
                continue
            words = "verdicts of" if result.kind == "assessment" else "calls on test images of"
            known[f"{result.kind}:{result.id}"] = f"{words} {printable(result.name)}"
        return known

    def get(self, key: str) -> Colouring | None:
        """The colouring of a key; ``None`` where there is none, or what it rests on is spoilt."""
        names = self.names()
        if key not in names:
            return None
        kind, _, rest = key.partition(":")
        study = self._catalogue.folder
        try:
            if not rest:
                files: tuple[Path, ...] = (study / "fields.parquet",)
                make = partial(self._of_column, key)
            elif kind == "label":
                files, make = (study / "labels" / f"{rest}.parquet",), partial(self._of_label, rest)
            else:
                result = self._results.named(rest)
                if result is None:
                    return None
                reads = {"assessment": _verdicts, "evaluation": _calls}
                file = result.folder / SOURCES[kind]
                fingerprint(file)
                files, make = (file,), partial(self._of_result, reads[kind], result)
            made: Callable[[], tuple[dict[str, str], bool]] = make
            values, ordered = self._catalogue.kept(("colouring", key), files, made)
        except (LivewellError, OSError, ValueError, KeyError):
            return None
        return _coloured(key, names[key], values, ordered)

    def _of_column(self, column: str) -> tuple[dict[str, str], bool]:
        fields = self._catalogue.listing().fields
        values = as_text(fields[column])
        if column == "dose" and "dose_unit" in fields:
            units = fields["dose_unit"].fillna("").astype("str")
            values = values.where(units == "", values + " " + units)
        there = values.notna()
        return dict(zip(fields["image"][there], values[there], strict=True)), column == "dose"

    def _of_label(self, name: str) -> tuple[dict[str, str], bool]:
        return _most(self._catalogue.labels(name), "label"), False

    def _of_result(
        self, read: Callable[[Path], dict[str, str]], result: Result
    ) -> tuple[dict[str, str], bool]:
        values = read(result.folder / SOURCES[result.kind])
        if result.kind == "assessment":
            values = self._named(result, values)
        return values, False

    def _judged(self, result: Result) -> bool:
        """Whether verdicts are of this study's images."""
        study, images = self._catalogue.study(), result.about.get("images")
        if not isinstance(images, str):
            return False
        path, root = path_of("", images), study.root
        return path == study.folder.resolve() or path == root or root in path.parents

    def _named(self, result: Result, values: dict[str, str]) -> dict[str, str]:
        """By names of the study, of values by names below the folder that was judged."""
        listing, images = self._catalogue.listing(), result.about.get("images")
        if not isinstance(images, str) or path_of("", images) == listing.study.folder.resolve():
            return values
        base, found = path_of("", images), {}
        for image in listing.names:
            path = listing.study.path(image)
            name = path.name if path == base else None
            with suppress(ValueError):
                name = name or path.relative_to(base).as_posix()
            if name in values:
                found[image] = values[name]
        return found


SOURCES = {"assessment": "verdicts.csv", "evaluation": "scores.parquet"}
"""Table of each kind of results that says of images how they are called."""


def _verdicts(file: Path) -> dict[str, str]:
    """Verdict of every image, that of most of its frames."""
    return _most(pd.read_csv(file, dtype={"image": "str", "verdict": "str"}), "verdict")


def _calls(file: Path) -> dict[str, str]:
    """Call of every image that a run was tested on, that of most of its patches."""
    table = pd.read_parquet(file, columns=["image", "part", "called"])
    table = table[table["part"] == "test"]
    classes = dict(enumerate(_classes(file.parent)))
    calls = [classes[n] if n >= 0 else "unsure" for n in table["called"].tolist()]
    return _most(table.assign(call=calls), "call")


def _classes(folder: Path) -> list[str]:
    """Classes in the order of a run's logits, from the run that an evaluation lies in."""
    for place in (folder, folder.parent):
        with suppress(OSError):
            said = json.loads((place / "run.json").read_text("utf-8"))
            return [str(name) for name in said["classes"]]
    raise ValueError("an evaluation that lies in no run")


def _most(table: pd.DataFrame, column: str) -> dict[str, str]:
    """The most frequent value of every image, the first in the alphabet of equals."""
    rows = table[["image", column]].dropna()
    counts = rows.value_counts().reset_index(name="n")
    counts = counts.sort_values(["image", "n", column], ascending=[True, False, True])
    first = counts.drop_duplicates("image")
    return dict(zip(first["image"].astype(str), first[column].astype(str), strict=True))


def _coloured(key: str, name: str, values: Mapping[str, str], ordered: bool) -> Colouring:
    texts = sorted(set(values.values()), key=_order)
    if not ordered:
        texts.sort(key=lambda text: (text not in USUAL, text == "unsure"))
    last = max(len(texts) - 1, 1)
    marks = {}
    for number, text in enumerate(texts):
        colour = round(number * (COLOURS - 1) / last) if ordered else number % COLOURS
        letter = text[:1].upper() if len(texts) <= COLOURS and not ordered else ""
        marks[text] = Mark(text, colour, letter)
    if not ordered and len({mark.letter for mark in marks.values()}) < len(marks):
        # letters that tell: numbers in the order of the legend
        marks = {t: Mark(t, m.colour, str(n + 1)) for n, (t, m) in enumerate(marks.items())}
    by_image = {image: marks[value] for image, value in values.items()}
    return Colouring(key, name, by_image, tuple(marks.values()), ordered)


def _order(text: str) -> tuple[float, str]:
    try:
        return float(text.split()[0]), text
    except (ValueError, IndexError):
        return float("inf"), text


def shown(value: object) -> str:
    """A cell of the fields table as text; empty where nothing is known."""
    if value is None or value is pd.NA or value != value:
        return ""
    return shortest(value) if isinstance(value, float) else str(value)
