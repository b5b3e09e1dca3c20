"""The schema of every table."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import Fault, TableError
from livewell.files import whole_file
from livewell.geometry import Box
from livewell.region import Region
from livewell.tables.columns import Column, Schema
from livewell.text import several

_IMAGE = Column("image", "text", "name of the image in the study", required=True)
_T = Column("t", "integer", "frame, counted from 0 within the file", required=True, least=0)
PARTS = ("train", "validation", "test", "unused")
"""What a group can be in a fold."""
QUIZ_PARTS = BEFORE, STUDY, AFTER = ("before", "study", "after")
"""Of a quiz: answered, looked at with the truth, answered."""
BOX = ["y0", "x0", "y1", "x1"]
"""Columns of a patch's box."""
_BOX = tuple(
    Column(name, "integer", "box of the patch in pixels, half-open", required=True) for name in BOX
)
_LABEL = Column("label", "text", "class", required=True)
_GROUP = Column("group", "text", "what is never split", required=True)
_FOLD = Column("fold", "integer", "number of the fold, from 0", required=True, least=0)
KEY = ["image", "t", *BOX]
"""Columns that name one patch."""
_KEY = (_IMAGE, _T, *_BOX)

FIELDS = Schema(
    "field",
    (
        _IMAGE,
        Column("path", "text", "where the file lies, from the study's image root", required=True),
        Column("picture", "text", "the raw picture it was cut from; its own name if none"),
        Column("plate", "text", "name of the plate"),
        Column("well", "text", "well of the plate, such as B07"),
        Column("position", "text", "stage position within the well"),
        Column("t0", "integer", "time index of the file's first frame in its movie"),
        Column("time_s", "number", "time of the file's first frame, seconds from the start"),
        Column("dose", "number", "dose, in dose_unit"),
        Column("dose_unit", "text", "unit of the dose, such as s or J/cm2"),
        Column("treatment", "text", "what was done to the cells"),
        Column("cell_line", "text", "cell line"),
        Column("replicate", "text", "biological replicate"),
        Column("experiment", "text", "independent experiment"),
    ),
    key=("image",),
)
"""One row a file of the study (`livewell index`)."""

HEADERS = Schema(
    "header",
    (
        _IMAGE,
        Column("frames", "integer", "time points in the file", required=True),
        Column("channels", "text", "channel names, joined by |", required=True),
        Column("colourless", "integer", "1: red, green and blue are equal in every pixel; else 0"),
        Column("height", "integer", "pixels", required=True),
        Column("width", "integer", "pixels", required=True),
        Column("dtype", "text", "number type in the file", required=True),
        Column("pixel_um", "number", "edge of a pixel, micrometres"),
        Column("frame_s", "number", "time from frame to frame, seconds"),
        Column("reading", "integer", "which way of reading files made it; none of version 0.1"),
        Column("bytes", "integer", "size of the file when it was read", required=True),
        Column("mtime_ns", "integer", "time of its last change, nanoseconds", required=True),
    ),
    key=("image",),
)
"""What the files say of themselves, read once and kept."""

SEEN = Schema(
    "image of a split",
    (
        _IMAGE,
        Column("bytes", "integer", "size of the file when it was split", required=True),
        Column("mtime_ns", "integer", "time of its last change, nanoseconds", required=True),
        Column("digest", "text", "what its frames in the split show", required=True),
    ),
    key=("image",),
)
"""What a split was made of, one row an image."""

LABELS = Schema(
    "label",
    (
        _IMAGE,
        Column("t", "integer", "frame; empty means every frame of the image"),
        *(Column(c.name, c.kind, c.doc + "; empty means the whole frame") for c in _BOX),
        _LABEL,
        Column("route", "text", "how the label was made", required=True),
        Column("score", "number", "what the label was decided on, in the route's own unit"),
    ),
    key=("image", "t", *BOX),
)
"""One row a label, on an image, a frame or a patch (`livewell label`)."""

ANSWERS = Schema(
    "answer",
    (
        Column("item", "text", "what was asked about; one name, one region", required=True),
        Column("person", "text", "who answered", required=True),
        Column("answer", "text", "a class or unsure; done where cells were marked", required=True),
        Column("round", "integer", "0; 1, 2, ... of hidden repeats", least=0),
        Column("reason", "text", "why it was shown: random, shared, control, repeat, uncertain"),
        Column("time_s", "number", "when, seconds since 1970, UTC"),
        Column("seconds", "number", "from when the item was seen until the answer"),
        Column("task", "text", "name of the annotation task"),
        Column("kind", "text", "sequence, frame, patch or cells"),
        Column("image", "text", "name of the image in the study"),
        Column("t", "integer", "first frame, from 0 within the file", least=0),
        Column("frames", "integer", "number of frames", least=1),
        *(Column(c.name, c.kind, c.doc + "; empty means the whole frame") for c in _BOX),
        Column("height", "integer", "of the image, pixels", least=1),
        Column("width", "integer", "of the image, pixels", least=1),
        Column("truth", "text", "class that is known, of controls and quizzes"),
        Column("part", "text", "of quizzes: before, study, after"),
        Column("marks", "text", "of cells: JSON list of class, y, x, and y1, x1 of boxes"),
        Column("note", "text", "what the person wrote"),
        Column("tags", "text", "words of the owner's list, joined by |"),
        Column("death_t", "integer", "frame in which a cell dies, where somebody marked it"),
        Column("answer_id", "text", "of the event"),
        Column("version", "text", "livewell's when it was answered"),
    ),
    key=("task", "item", "person", "round"),
)
"""One row an answer that stands, of one person on one item (`livewell serve`, `answers export`)."""

ALL_ANSWERS = Schema("answer", ANSWERS.columns, key=("answer_id",))
"""Those that were taken back too, with a column ``withdrawn``: of one item there may be several."""

PATCHES = Schema(
    "patch",
    (
        *_KEY,
        _LABEL,
        _GROUP,
        Column("route", "text", "how the label was made"),
        Column("score", "number", "what the label was decided on"),
    ),
    key=tuple(KEY),
    never_empty=True,
)
"""One row a labelled patch of a split."""

FOLDS = Schema(
    "fold",
    (
        _FOLD,
        _GROUP,
        Column("part", "text", "train, validation, test or unused", required=True, among=PARTS),
    ),
    key=("fold", "group"),
    never_empty=True,
)
"""Which part every group plays in every fold."""

SCORES = Schema(
    "score",
    (
        _FOLD,
        Column("part", "text", "part the patch played in that fold", required=True),
        *_KEY,
        _GROUP,
        _LABEL,
        Column("logit", "number", "two classes: log odds of the positive class, uncalibrated"),
        Column("p", "number", "two classes: calibrated probability of the positive class"),
        Column("called", "integer", "number of the called class, -1 for unsure", required=True),
    ),
    key=("fold", *KEY),
)
"""One row a patch and fold, scored by a model that never saw its group.

Three or more classes have the columns ``logit_<class>`` and ``p_<class>`` of every class in place
of ``logit`` and ``p``, see `check_scores`.
"""


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, whole or not at all."""
    with whole_file(path) as temporary:
        put_table(temporary, table)


def put_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet with checksums, into what becomes whole in another way."""
    # of bytes, for pyarrow opens no path that is not UTF-8
    path.write_bytes(table.to_parquet(index=False, write_page_checksum=True))


def score_columns(classes: ClassNames, of: Literal["logit", "p"]) -> list[str]:
    """Columns of logits or of probabilities: one for two classes, else one a class."""
    return [of] if classes.binary else [f"{of}_{name}" for name in classes]


def check_scores(table: pd.DataFrame, classes: ClassNames, *, where: str = "") -> pd.DataFrame:
    """A table of scores (`SCORES`) with the columns that the number of classes asks for."""
    known = tuple(column for column in SCORES.columns if column.name not in ("logit", "p"))
    asked = [
        Column(name, "number", f"classes {classes}", required=True)
        for name in score_columns(classes, "logit") + score_columns(classes, "p")
    ]
    schema = Schema(SCORES.name, (*known[:-1], *asked, known[-1]), SCORES.key)
    faults = schema.faults(table)
    least = 0 if classes.binary else -1
    if not faults and not table["called"].between(least, len(classes) - 1).all():
        faults = [Fault("wrong-value", "called", f"numbers of no class among {classes}")]
    if faults:
        raise TableError(f"not a table of {several(SCORES.name)}", faults, where=where)
    return schema.check(table, where=where)


def regions_of(table: pd.DataFrame) -> list[Region]:
    """The keys of all rows, in order, of a table with the columns `KEY`."""
    columns = (table[name].tolist() for name in KEY)
    return [
        Region(image, int(t), Box.of(*corners)) for image, t, *corners in zip(*columns, strict=True)
    ]


def key_table(patches: Iterable[Region]) -> pd.DataFrame:
    """A table with the columns `KEY`, one row a patch."""
    rows = [(patch.image, patch.t, *patch.box.corners) for patch in patches]
    table = pd.DataFrame(rows, columns=KEY)
    return table.astype({"image": "str"} | dict.fromkeys(KEY[1:], "Int64"))


def as_text(values: "pd.Series[Any]") -> "pd.Series[str]":
    """A column as text: whole numbers without ``.0``, no spaces around, empty as missing."""
    if pd.api.types.is_float_dtype(values):
        there = values.dropna()
        return there.map(shortest).astype("str").reindex(values.index)
    texts = values.astype("str").str.strip()
    return texts.mask(values.isna() | (texts == ""))


def shortest(number: float) -> str:
    """A number as a spreadsheet shows it, without ``.0``."""
    return f"{number + 0.0:.0f}" if number % 1 == 0 else repr(float(number))
