"""What the items of designs came to: rows of tables, and the early-warning curve."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.execution.items import Record
from livewell.metrics.collapse import Question
from livewell.metrics.designs import DesignRow, LagFigure, RowKey, early_warning, rows_of
from livewell.splitting.designs import ALL_LINES, EXPERIMENT, WARNING, DesignItem
from livewell.tables.columns import read_table


@dataclass(frozen=True, slots=True)
class DesignFigures:
    """Rows of the tables in the order of the items, and the early-warning curve."""

    rows: tuple[DesignRow, ...]
    lags: tuple[LagFigure, ...]


@dataclass(frozen=True, eq=False)
class _Row:
    """The items of one row that were made, their scores together with the column repeat."""

    key: RowKey
    scores: pd.DataFrame
    classes: ClassNames
    validation: tuple[float, ...]


def scores_path(folder: Path, name: str, record: Record) -> Path:
    """Where the scores of an item lie."""
    return folder / name / str(record["scores"])


def figures_of(
    items: Mapping[str, DesignItem],
    records: Mapping[str, Record],
    rows: pd.DataFrame,
    folder: Path,
    question: Question | None,
    *,
    seed: int,
) -> DesignFigures:
    """Figures of all items that have a record.

    Parameters
    ----------
    items
        By name; those of one design and name are one row.
    rows
        All labelled rows, see `livewell.splitting.design_rows.labelled_rows`.
    folder
        Holds a folder an item.
    question
        What the classes are asked beside which one they are.
    """
    found: list[DesignRow] = []
    lags: list[LagFigure] = []
    for row in _together(items, records, folder):
        for key, scores in _parts(row, rows):
            own = row.validation if key == row.key else ()
            found += rows_of(key, scores, row.classes, own, question, seed=seed)
        if row.key.name == WARNING:
            asked = row.scores, row.classes
            fits = question is not None and question.fits(*asked)
            asked = question.of(*asked) if question is not None and fits else asked
            lags += early_warning(*asked, rows, seed=seed)
    return DesignFigures(tuple(found), tuple(lags))


def _together(
    items: Mapping[str, DesignItem], records: Mapping[str, Record], folder: Path
) -> Iterator[_Row]:
    """The rows of which at least one item was made."""
    keys: dict[RowKey, list[str]] = {}
    for name, item in items.items():
        if name in records:
            keys.setdefault(RowKey(item.design, item.name, item.x), []).append(name)
    for key, names in keys.items():
        tables = [
            read_table(scores_path(folder, name, records[name])).assign(repeat=items[name].repeat)
            for name in names
        ]
        first = records[names[0]]
        classes = ClassNames(tuple(first["classes"]), first["positive"])
        validation = _by_repeat(names, items, records)
        yield _Row(key, pd.concat(tables, ignore_index=True), classes, validation)


def _by_repeat(
    names: Sequence[str], items: Mapping[str, DesignItem], records: Mapping[str, Record]
) -> tuple[float, ...]:
    """Accuracy on validation regions of every repetition, all its models together."""
    held: dict[int, list[tuple[float, int]]] = {}
    for name in names:
        held.setdefault(items[name].repeat, []).extend(records[name]["validation"])
    return tuple(
        float(np.average([share for share, _ in of], weights=[number for _, number in of]))
        for of in held.values()
        if of
    )


def _parts(row: _Row, rows: pd.DataFrame) -> Iterator[tuple[RowKey, pd.DataFrame]]:
    """A row, and after it what its model is worth on every line, or in every experiment."""
    yield row.key, row.scores
    scores, design = row.scores, row.key.design
    if design == ALL_LINES and "line" in rows:
        line = rows.drop_duplicates("image").set_index("image")["line"]
        names = scores["image"].map(line)
    elif design == EXPERIMENT:
        names = scores["group"]
    else:
        return
    for name, part in scores.groupby(names.astype("str")):
        yield RowKey(design, str(name)), part
