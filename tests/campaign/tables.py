"""Tables in the dialects of programs and people, some damaged: what was written, or refused.

Metadata by file, plate maps, points, boxes, votes; and patterns of file names.
"""

import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from livewell.errors import LivewellError
from livewell.labels.by_boxes import Boxes
from livewell.labels.by_points import Points
from livewell.labels.by_votes import by_votes
from livewell.study.layout import NamePattern
from livewell.study.metadata import read_metadata
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label
from tests.campaign.cases import Case, refusal
from tests.campaign.dialects import Row, Table, written

WELLS = [f"{row}{column:02}" for row in "AB" for column in (1, 2, 10)]
IMAGES = [f"plate {plate}/{well}_zelle_ö.tif" for plate in (1, 2) for well in WELLS]
PATTERN = "{plate:text}/{well}_*.tif"
TEXTS = (
    "DMSO", "1.1", "1.10", "007", "NA", "nan", "TRUE", "=1+1", "-", "5 µM", "a;b", "a,b", "1e5",
    'say "x"', "", "  padded ", "10", "2024-01-02", "None", "ü\u0301", "\u202eabc", "0", "1,5",
)  # fmt: skip


class Tables:
    """Tables and patterns, by number."""

    wait_s = 25.0

    def prepare(self, folder: Path) -> Study:
        """A study of two plates with the same names of files, 64 px each."""
        for number, image in enumerate(IMAGES):
            path = folder / "images" / image
            path.parent.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng(number)
            tifffile.imwrite(path, rng.integers(90, 200, (64, 64), dtype=np.uint16))
        study = index(folder / "images", folder / "study", pattern=PATTERN).study
        study.headers()
        return study

    def case(self, world: Study, rng: random.Random, folder: Path) -> Case:
        """One table of a random kind, or a pattern."""
        make = rng.choice((_by_file, _by_file, _by_well, _points, _boxes, _votes, _pattern))
        return make(world, rng, folder)


def _by_file(study: Study, rng: random.Random, folder: Path) -> Case:
    rows: list[Row] = [
        {"image": image, "treatment": rng.choice(TEXTS), "dose": rng.choice((0, 0.5, 10, 1000.0))}
        for image in IMAGES
    ]
    if rng.random() < 0.3:
        for number, row in enumerate(rows):
            row["treatment"] = ("1.1", "1.2", "1.10", "2.0")[number % 4]
    names = rng.choice(list(NAMES))
    wanted = {row["image"]: dict(row) for row in rows}
    for row in rows:
        row["image"] = NAMES[names](row["image"])
    table = written(rows, rng, number=("dose",))
    return _joined(study, folder, table, wanted, f"by file ({names})")


NAMES: dict[str, Callable[[str], str]] = {
    "as they are": str,
    "NFD": lambda name: unicodedata.normalize("NFD", name),
    "backslashes": lambda name: name.replace("/", "\\"),
    "absolute": lambda name: "D:\\data\\" + name.replace("/", "\\"),
    "prefixed": lambda name: f"images/{name}",
    "dot": lambda name: f"./{name}",
    "capitals": str.upper,
}


def _by_well(study: Study, rng: random.Random, folder: Path) -> Case:
    spelt = rng.choice(("{0}{1:02}", "{0}{1}", "{0} - {1:02}", "{0}_{1:02}", " {0}{1}"))
    plates = rng.random() < 0.7
    rows: list[Row] = [
        {"well": spelt.format(well[0], int(well[1:])), "treatment": rng.choice(TEXTS)}
        | ({"plate": f"plate {plate}"} if plates else {})
        for plate in ((1, 2) if plates else (1,))
        for well in WELLS
    ]
    by_well = [IMAGES[number % len(IMAGES)] for number in range(len(rows))]
    wanted = dict(zip(by_well, rows, strict=True)) if plates else {}
    return _joined(study, folder, written(rows, rng), wanted, f"by well {spelt!r}, plates {plates}")


def _joined(study: Study, folder: Path, table: Table, wanted: dict[str, Row], what: str) -> Case:
    """A metadata table given to `index`; `wanted` is what every image's row says."""
    path = folder / "table.csv"
    path.write_bytes(table.data)

    def judge() -> tuple[str, str]:
        try:
            made = index(study.root, folder / "study", pattern=PATTERN, metadata=path)
        except LivewellError as error:
            return _refused(error, Table(table.data, "", table.sound and bool(wanted)))
        fields = Study.open(folder / "study").fields().set_index("image")
        if not table.sound:
            return "read though damaged", "; ".join(made.notes)
        if not wanted:
            return "silent wrong", "plates have the same wells and the table names no plate"
        for image, row in wanted.items():
            for name in ("treatment", "dose"):
                if name in row and not _agree(fields.loc[image, name], row[name]):
                    found = fields.loc[image, name]
                    return "silent wrong", f"{image}, {name}: {row[name]!r} became {found!r}"
        return "right", ""

    return Case(f"{what}; {table.how}", judge)


def _agree(found: Any, said: Any) -> bool:
    """Whether a cell says what was written: text as it is, numbers that go there and back."""
    text = str(said).strip()
    if pd.isna(found):
        return not text
    if isinstance(found, str):
        return found == text
    if isinstance(said, str) and text not in (repr(float(found)), f"{found:g}"):
        return False
    return float(found) == float(text)


def _refused(error: LivewellError, table: Table) -> tuple[str, str]:
    category, said = refusal(error, "table.csv")
    return ("sound, refused" if table.sound and category == "refused" else category), said


def _points(study: Study, rng: random.Random, folder: Path) -> Case:
    y, x = rng.choice((("y", "x"), ("Y_px", "X_px"), ("Centroid Y µm", "Centroid X µm")))
    rows: list[Row] = [
        {"image": image, y: rng.randrange(64), x: rng.randrange(64) + 0.5, "state": state}
        for image in IMAGES
        for state in rng.sample(("live", "dead"), 1)
    ]
    if rng.random() < 0.2:
        row = rng.choice(rows)
        row[rng.choice((y, x))] = rng.choice((-1, 64, 1e30, "abc", "nan", ""))
        bad = True
    else:
        bad = y.endswith("µm")  # the study knows no pixel size
    if rng.random() < 0.2:
        for row in rows:
            row[rng.choice(("FRAME", "t"))] = rng.choice((0, 0, 5, -1, 1e30, "x"))
    table = written(rows, rng, number=(y, x))
    route = Points(folder / "table.csv", {"live": "well", "dead": "sick"}, 16, y=y, x=x)
    counts = sorted(row["image"] for row in rows)
    moved = any("t" in row or "FRAME" in row for row in rows)
    return _labelled(
        study, folder, table, route, counts, (bad and "bad") or (moved and "moved") or ""
    )


def _boxes(study: Study, rng: random.Random, folder: Path) -> Case:
    rows: list[Row] = []
    for image in IMAGES:
        y, x = rng.randrange(40), rng.randrange(40)
        rows.append({"image": image, "state": rng.choice(("live", "dead")), "ymin": y, "xmin": x})
        rows[-1] |= {"ymax": y + rng.randrange(1, 20), "xmax": x + rng.randrange(1, 20)}
    rows[0]["state"], rows[1]["state"] = "live", "dead"
    bad = rng.random() < 0.3
    if bad:
        rows[2][rng.choice(("ymin", "xmax"))] = rng.choice((-1, 65, 1.5, 1e30, "x", "", "inf"))
    table = written(rows, rng)
    route = Boxes(folder / "table.csv", {"live": "well", "dead": "sick"})
    return _labelled(study, folder, table, route, sorted(IMAGES), "bad" if bad else "")


def _labelled(
    study: Study, folder: Path, table: Table, route: Any, images: list[str], bad: str
) -> Case:
    """A table of points or boxes given to `label`; `images` are those with a label, sorted."""
    (folder / "table.csv").write_bytes(table.data)
    name = f"labels{folder.name}"

    def judge() -> tuple[str, str]:
        try:
            label(study, route, ("well", "sick"), name=name)
        except LivewellError as error:
            return _refused(error, Table(table.data, "", table.sound and not bad))
        made = study.labels(name)
        if bad == "bad" and table.sound:
            return "silent wrong", "what cannot be was taken"
        if table.sound and not bad and sorted(made["image"]) != images:
            return "silent wrong", f"labels of {sorted(made['image'])}"
        return ("right" if table.sound else "read though damaged"), ""

    return Case(f"{type(route).__name__.lower()} {bad}; {table.how}", judge)


def _votes(_: Study, rng: random.Random, folder: Path) -> Case:
    names = [f"s{number}" for number in range(8)]
    keys: list[Row] = [
        {"sequence": name, "image": image, "t": 0, "frames": 2, "y0": 0, "x0": 0, "y1": 64,
         "x1": 64} for name, image in zip(names, IMAGES, strict=False)
    ]  # fmt: skip
    rows: list[Row] = [
        {"sequence": name, "expert": expert, "vote": rng.choice(("healthy", "Sick", "unsure"))}
        for name in names
        for expert in ("anna", "bert")
    ]
    bad = rng.random() < 0.3
    if bad:
        rows[3][rng.choice(("sequence", "vote"))] = rng.choice(("", "s99", "perhaps", "\u202e"))
    table = written(rows, rng)
    path = folder / "table.csv"
    path.write_bytes(table.data)
    said = {name: {row["vote"] for row in rows if row["sequence"] == name} for name in names}
    wanted = sum(2 for votes in said.values() if len(votes) == 1 and votes != {"unsure"})

    def judge() -> tuple[str, str]:
        try:
            votes = read_metadata(path).table
        except LivewellError as error:
            return _refused(error, table)
        try:
            made, _ = by_votes(pd.DataFrame(keys), votes, {"healthy": "well", "sick": "ill"})
        except LivewellError as error:
            return ("sound, refused" if table.sound and not bad else "refused"), str(error)
        if table.sound and (bad or len(made.table) != wanted):
            return "silent wrong", f"{len(made.table)} labels, not {wanted}"
        return ("right" if table.sound else "read though damaged"), ""

    return Case(f"votes, bad {bad}; {table.how}", judge)


def _pattern(_: Study, rng: random.Random, folder: Path) -> Case:
    """A pattern put together at random, and names that are like it."""
    pieces = "{well} {a} {b:int} [_{c}] * [*] _ x .png {a} {hours:number} {d= } [ ] \\[ {a\u00b2}"
    pieces = [*pieces.split(), "{plate:text}/", "{e:path}", "{", "µ"]
    text = "".join(rng.choice(pieces) for _ in range(rng.choice((1, 3, 6, 9, 14))))
    if rng.random() < 0.05:
        text = rng.choice(("[" * 500 + "{a}" + "]" * 500, "[*]" * 12 + "{a}.png", "{a}" * 200))
    letters = "A01_x.png/µ-5"
    names = ["".join(rng.choice(letters) for _ in range(rng.choice((5, 30, 200)))) for _ in "1234"]
    names.append("x" * 200 + ".png")

    def judge() -> tuple[str, str]:
        try:
            pattern = NamePattern.parse(text)
            table, rest = pattern.match_all(names)
        except LivewellError as error:
            return "refused", str(error)
        return ("right" if len(table) + len(rest) == len(names) else "silent wrong"), ""

    return Case(f"pattern {text[:80]!r}", judge)
