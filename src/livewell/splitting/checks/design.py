"""Labels that go with replicate, plate, place on the plate, day or order of acquisition."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from livewell.errors import GeometryError
from livewell.plate import Well
from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.bundles import Bundles
from livewell.splitting.checks.data import COPY, AuditData
from livewell.splitting.checks.findings import Finding, by_levels, by_order, leading
from livewell.splitting.confounds import BATCHES, LEVEL, corrected
from livewell.tables.schemas import FIELDS
from livewell.text import listed, plural, sentence

NAME = "design"
QUESTION = "Does the label go with replicate, plate, place on the plate, day or order of images?"
REMEDY = (
    "Take all classes in like shares in every batch and all over the plate. With these images: test"
    " on whole batches that hold several classes (livewell split --by {batch} --merge-duplicates),"
    " and read the AUC within one batch. Where no two batches hold several classes nobody can tell"
    " treatment from batch: more images are needed."
)
STRONG = 0.5
"""Cramer's V from which a declared batch goes with the label so far that a net may learn it."""
HOLDING = 2
"""Batches with several classes that are needed to test on a batch left out."""
ORDERS = ("order", "number", "acquired", "time_s", "t0")
"""Columns, numbers or times, that say in which order images were taken."""
PLACES = ("well row", "well column", "rim")
KEPT = ("label", "unit", "regions", "day", COPY)
MOST_VALUES = 12
"""A further column with more values is a name, not a batch."""
NO_BATCHES = ("position",)
"""Of `BATCHES` those that lie within what a treatment is given to."""


def design(data: AuditData) -> Check:
    """Counts of classes by batch and place; how far each goes with the label.

    Two ways lead to `fails`:

    - Outright, whatever the p value of the audit: a declared batch (`BATCHES`: replicate, plate,
      experiment, day ...) whose Cramer's V is `STRONG` or more with p <= 0.05, corrected for the
      number of declared batches alone; or batches of which fewer than `HOLDING` hold several
      classes, so that no model can be tested on a batch left out. In which batch an image was taken
      is no sample of anything: that 7 of 8 controls are of one replicate is a fact of the study,
      and a net can use it however few images there are. p is asked for so that batches of two or
      three images, whose V is large by chance, do not fail.
    - By the p value of the check, for all else: row and column of wells and the rim of what is used
      of the plate, as levels and as orders, the order of acquisition, and further columns of text
      that a user gave. It is the least of all p values times their number, declared batches among
      them; the check is decided by the `leading` finding.
    """
    rows = rows_of(data)
    batches, places = batches_in(data, rows), _differing(rows, PLACES)
    others = _others(data, rows)
    found = [*_batches(data, rows, batches), *_places(data, rows, places), *_orders(data, rows)]
    found += by_levels(data, rows, others)
    table = counts_by(data, rows, [*batches, *places, *others])
    why = data.bundles.scarce() if len(table) else ""
    if not found:
        why = why or (
            "the study names no replicate, plate, well, day or order that differs between images;"
            " give a table that does (livewell index --metadata)"
        )
        return Check(
            NAME, QUESTION, remedy=REMEDY.format(batch="BATCH"), unchecked=why, table=table
        )
    found.sort(key=lambda each: (not each.outright, each.p_value, -each.association.value))
    outright = found[0].outright
    p_values = [min(1.0, each.p_value * len(found)) for each in found]
    raised = [replace(each, p_value=p) for each, p in zip(found, p_values, strict=True)]
    lead = found[0] if outright else leading(raised)
    if why and not outright:
        return Check(
            NAME, QUESTION, remedy=REMEDY.format(batch="BATCH"), unchecked=why, table=table
        )
    looked = listed(dict.fromkeys(each.what for each in found))
    alone = _single(rows)
    left = f" There is only one {listed(alone)}, which nobody can check." if alone else ""
    return Check(
        NAME,
        QUESTION,
        p_value=np.nan if outright else min(p_values),
        found="attention" if lead.association.weak and not outright else "fails",
        associations=tuple(each.association for each in found),
        fails=f"{outright or _goes(data, lead.association)}.",
        passes=f"{sentence(data.meta.said)} is not shown to go with any of: {looked}, corrected for"
        f" their number and that of the checks.{left} What your table does not name was not"
        " checked.",
        remedy=REMEDY.format(batch=lead.what if lead.what in [*batches, *others] else "BATCH"),
        table=table,
    )


def _goes(data: AuditData, one: Association) -> str:
    weakly = "weakly, but by more than chance, " * one.weak
    return f"{sentence(data.meta.said)} goes {weakly}with {one.what} ({one.text})"


def batches_in(data: AuditData, rows: pd.DataFrame) -> list[str]:
    """Declared batches that differ between images, but for the column that labels came from."""
    named = [name for name in BATCHES if name not in NO_BATCHES]
    return [name for name in _differing(rows, (*named, "day")) if name not in data.meta.columns]


def confounded(data: AuditData) -> list[str]:
    """Declared batches that go with the label, p <= 0.05 corrected for their number."""
    rows = rows_of(data)
    found = by_levels(data, rows, batches_in(data, rows))
    raised = corrected([each.p_value for each in found])
    return [each.what for each, p in zip(found, raised, strict=True) if p <= LEVEL]


def compared(data: AuditData) -> Bundles:
    """What labels were given to, compared within a batch where none goes with the label.

    Batches then differ in what is no matter, such as the lamp of a day, and within one of them less
    tells the classes. The first batch is taken within which chance is known well enough. Where one
    goes with the label its light may tell the classes too, so that all are compared with all.
    """
    if data.mixed or confounded(data):
        return data.bundles
    for batch in batches_in(data, rows_of(data)):
        level = data.about_bundles(batch)
        inside = data.bundles.within(batch, level)
        if level.notna().all() and not inside.scarce():
            return inside
    return data.bundles


def _others(data: AuditData, rows: pd.DataFrame) -> list[str]:
    """Columns of text that a user gave, of a few values that each hold several units.

    Those that say the label themselves, for every value has one class, are no confounders.
    """
    known = {*FIELDS.names, *BATCHES, *PLACES, *ORDERS, *KEPT, *data.meta.columns}
    found = []
    for name in rows.columns:
        if name in known or pd.api.types.is_numeric_dtype(rows[name]):
            continue
        part = rows.dropna(subset=[name])
        held = part.groupby(name)["label"].nunique()
        most = min(MOST_VALUES, part["unit"].nunique() // 3)
        if 2 <= len(held) <= most and held.max() > 1:
            found.append(str(name))
    return found


def rows_of(data: AuditData) -> pd.DataFrame:
    """One row an image and label: `regions` labelled so, its unit, and what is known of it."""
    counts = data.labels.groupby(["image", "label"]).size().rename("regions").reset_index()
    rows = counts.merge(data.about.drop(columns="label", errors="ignore"), on="image")
    if "well" in rows and rows["well"].notna().any():
        rows = rows.join(_at(rows["well"]))
    return rows[rows[COPY].isna()].reset_index(drop=True)


def _differing(rows: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    return [name for name in columns if name in rows and len(rows[name].dropna().unique()) > 1]


def _single(rows: pd.DataFrame) -> list[str]:
    names = [name for name in ("replicate", "plate", "experiment") if name in rows]
    return [name for name in names if len(rows[name].dropna().unique()) == 1]


def _at(wells: "pd.Series[str]") -> pd.DataFrame:
    """Row and column of wells, counted from 1, and whether they lie at the rim of those used."""
    places = np.array([_place(str(name)) for name in wells], dtype=float).reshape(-1, 2)
    table = pd.DataFrame(places + 1, columns=list(PLACES[:2]), index=wells.index)
    ends = [
        (table[name] == table[name].min()) | (table[name] == table[name].max()) for name in table
    ]
    table["rim"] = np.where(ends[0] | ends[1], "the rim", "inside")
    table.loc[table["well row"].isna(), "rim"] = None
    return table


def _place(name: str) -> tuple[float, float]:
    try:
        well = Well.parse(name)
    except GeometryError:
        return np.nan, np.nan
    return well.row, well.column


def _batches(data: AuditData, rows: pd.DataFrame, columns: list[str]) -> list[Finding]:
    found = by_levels(data, rows, columns)
    known = [each.what for each in found]
    strict = corrected([each.p_value for each in found])
    found = [
        replace(each, outright=_goes(data, each.association))
        if each.association.value >= STRONG and p <= LEVEL
        else each
        for each, p in zip(found, strict, strict=True)
    ]
    for column in columns:
        why = _no_holdout(data, rows, column)
        if why:
            at = known.index(column)
            text = f"{_goes(data, found[at].association)}. {why}"
            found[at] = replace(found[at], outright=text)
    return found


def _no_holdout(data: AuditData, rows: pd.DataFrame, column: str) -> str:
    """Why no model can be tested on a batch left out; empty where it can.

    Batches of fewer than two units on average are none: a number of its own for each image. Nor
    does a column say anything that is filled for one class only.
    """
    part = rows.dropna(subset=[column])
    held = part.groupby(column)["label"].nunique()
    few = part["unit"].nunique() < 2 * len(held) or part["label"].nunique() < 2
    if few or (held > 1).sum() >= HOLDING:
        return ""
    some = [str(name) for name in held.index[held > 1]]
    holding = f"only {some[0]} holds" if some else "none holds"
    return (
        f"Of {plural(len(held), column)} {holding} several"
        f" classes: {data.meta.said} and {column} cannot be told apart, nor can a model be tested"
        f" on a {column} left out"
    )


def _places(data: AuditData, rows: pd.DataFrame, columns: list[str]) -> list[Finding]:
    texts = rows.assign(**{name: rows[name].map(partial(spoken, name)) for name in columns})
    found = by_levels(data, texts, columns)
    for name in columns:
        if name != "rim":
            found += by_order(data, data.of_rows(rows, rows[name]), name, neighbours=False)
    return found


def spoken(column: str, value: object) -> str | None:
    """A level of a column as text, rows of wells by letter; ``None`` where there is none."""
    if isinstance(value, float) and np.isnan(value):
        return None
    if isinstance(value, float):
        # the well of that row, without its column
        return str(Well(int(value) - 1, 0))[:-2] if column == PLACES[0] else f"{value:.0f}"
    return None if value is None else str(value)


def _orders(data: AuditData, rows: pd.DataFrame) -> list[Finding]:
    found = []
    for name in _differing(rows, ORDERS):
        found += by_order(data, data.of_rows(rows, numbers_of(rows[name])), name)
    return found


def numbers_of(values: pd.Series) -> "pd.Series[float]":
    """Values as numbers, or as times."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    if numbers.notna().any():
        return numbers
    # EXIF and TIFF write dates with colons
    texts = values.astype("str").str.replace(r"^(\d{4}):(\d{2}):(\d{2})", r"\1-\2-\3", regex=True)
    times = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    return times.map(lambda time: np.nan if pd.isna(time) else time.timestamp()).astype(float)


def counts_by(data: AuditData, rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Units by column, value and class; labelled regions where images hold several classes."""
    heads = ["column", "value", "label", "units"]
    parts = []
    for column in columns:
        part = rows.assign(value=rows[column].map(partial(spoken, column))).dropna(subset=["value"])
        each = part.groupby(["value", "label"])
        number = each["regions"].sum() if data.mixed else each["unit"].nunique()
        counts = number.rename("units").reset_index()
        parts.append(counts.assign(column=column)[heads])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=heads)
