"""Labels that go with replicate, plate, place on the plate, day or order of acquisition."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.errors import GeometryError
from livewell.plate import Well
from livewell.splitting.audit import LEVEL, Association, Check
from livewell.splitting.checks.bundles import Bundles
from livewell.splitting.checks.data import AuditData
from livewell.splitting.confounds import BATCHES, confounders
from livewell.study.measured import properties

NAME = "design"
QUESTION = (
    "Does the label go with replicate, plate, row or column of wells, day or order of acquisition?"
)
STRONG = 0.5
"""Cramer's V from which a declared batch goes with the label so far that a net may learn it."""
HOLDING = 2
"""Batches with several classes that are needed to leave batches out."""
ORDERS = ("order", "number", "acquired", "time_s", "t0")
"""Columns, as numbers or times, that say in which order images were taken."""
PLACES = {"well row": "row of wells", "well column": "column of wells", "edge": "rim of the plate"}
UNITS = ("position",)
"""Of `BATCHES` those within what a treatment is given to, which therefore are no batches."""


@dataclass(frozen=True)
class _Found:
    """One thing that may go with the label, its p value, and whether it fails by itself."""

    association: Association
    p_value: float
    outright: str = ""


def design(data: AuditData) -> Check:
    """Counts of classes by batch and place; how far each goes with the label.

    Two ways lead to `fails`:

    - Outright, whatever the corrected p value of the audit: a declared batch (`BATCHES`: replicate,
      plate, experiment, day ...) whose Cramer's V is `STRONG` or more with p <= 0.05, corrected for
      the number of declared batches alone; or batches of which fewer than `HOLDING` hold several
      classes, so that no model can be tested on a batch left out. Which images were taken in which
      batch is no sample from anything: that 7 of 8 controls are of one replicate is a fact of the
      study, and a net can use it however few images there are. p is there so that batches of two
      or three images, whose V is large by chance, do not fail.
    - By the p value of the check, for all else: row, column and rim of the plate, and the order of
      acquisition (area of the ROC curve of the order, and runs: neighbours in order with one
      label). It is the least of all p values times their number, in which declared batches take
      part.
    """
    remedy = (
        "Take the classes in every batch and all over the plate; with these images, test on whole"
        " batches that hold several classes (livewell split --by BATCH), and read the AUC within"
        " batches. Where no batch holds several classes, nobody can tell the treatment from the"
        " batch: more images are needed."
    )
    rows = _rows(data)
    batches = [name for name in BATCHES if name in rows and name not in UNITS]
    batches = [name for name in batches if rows[name].nunique() > 1 and name != _origin(data)]
    places = [name for name in PLACES if name in rows and rows[name].nunique() > 1]
    found = [*_batches(data, rows, batches), *_places(data, rows, places), *_orders(data, rows)]
    if not found:
        return Check(
            NAME,
            QUESTION,
            remedy=remedy,
            unchecked="the study names no replicate, plate, well, day or order of acquisition that"
            " differs between images; give a table with them (livewell index --metadata)",
        )
    found.sort(key=lambda each: (not each.outright, each.p_value, -each.association.value))
    outright = [each for each in found if each.outright]
    p = min(1.0, min(each.p_value for each in found) * len(found))
    looked = ", ".join(dict.fromkeys(each.association.what for each in found))
    one = f"only one {_missing(rows)} is there, which cannot be checked" * bool(_missing(rows))
    return Check(
        NAME,
        QUESTION,
        p_value=np.nan if outright else p,
        found="fails",
        associations=tuple(each.association for each in found),
        fails=(outright[0].outright if outright else found[0].association.text) + ".",
        passes=f"Not shown to go with the label: {looked}." + (f" ({one}.)" if one else ""),
        remedy=remedy,
        table=_counts(rows, [*batches, *places]),
    )


def _origin(data: AuditData) -> str:
    """The column that labels were made from, which is no confounder of theirs."""
    return str(data.meta.origin.settings.get("column") or "")


def _missing(rows: pd.DataFrame) -> str:
    names = [name for name in ("replicate", "plate", "experiment") if name in rows]
    return " and ".join(name for name in names if rows[name].nunique() == 1)


def _rows(data: AuditData) -> pd.DataFrame:
    """One row an image and label: how many labelled regions, its unit and what is known of it."""
    counts = data.labels.groupby(["image", "label"]).size().rename("regions").reset_index()
    fields = data.fields.drop(columns="label", errors="ignore")
    rows = counts.merge(fields, on="image")
    stated = properties(data.study, rows["image"].unique())
    for name, of in (("acquired", "acquired"), ("day", "day")):
        if of in stated and name not in rows:
            rows = rows.merge(stated[["image", of]], on="image")
    if "well" in rows and rows["well"].notna().any():
        rows = rows.join(_at(rows["well"]))
    copies = rows["copy of"].notna()
    return rows[~copies].reset_index(drop=True)


def _at(wells: "pd.Series[str]") -> pd.DataFrame:
    """Row and column of wells, and whether they lie at the rim of those that are used."""
    parsed: list[Well | None] = []
    for name in wells:
        try:
            parsed.append(Well.parse(str(name)))
        except GeometryError:
            parsed.append(None)
    table = pd.DataFrame(
        {
            "well row": [np.nan if well is None else well.row for well in parsed],
            "well column": [np.nan if well is None else well.column for well in parsed],
        },
        index=wells.index,
    )
    known = table.dropna()
    if len(known):
        rim = [
            (table[name] == known[name].min()) | (table[name] == known[name].max())
            for name in ("well row", "well column")
        ]
        table["edge"] = np.where(
            table["well row"].isna(), None, np.where(rim[0] | rim[1], "rim", "inside")
        )
    return table


def _batches(data: AuditData, rows: pd.DataFrame, columns: list[str]) -> list[_Found]:
    confounded = _confounders(data, rows, columns)
    p = confounded["p_value"].to_numpy() * np.arange(len(confounded), 0, -1)
    corrected = np.maximum.accumulate(np.minimum(p, 1.0)) if len(p) else p
    found = []
    for row, holm in zip(confounded.itertuples(), corrected, strict=True):
        association = Association(
            row.column, "Cramer's V", row.cramers_v, row.low, row.high, row.text
        )
        outright = row.text if row.cramers_v >= STRONG and holm <= LEVEL else ""
        found.append(_Found(association, row.p_value, outright))
    known = {each.association.what: each for each in found}
    for column in columns:
        text = _holding(data, rows, column)
        if text:
            old = known.get(column)
            v = 1.0 if old is None else old.association.value
            association = Association(column, "Cramer's V", v, text=text)
            if old is not None:
                found.remove(old)
                association = Association(
                    column, "Cramer's V", v, old.association.low, old.association.high, text
                )
            found.append(_Found(association, np.nan if old is None else old.p_value, text))
    return [
        _Found(each.association, 1.0, each.outright) if np.isnan(each.p_value) else each
        for each in found
    ]


def _holding(data: AuditData, rows: pd.DataFrame, column: str) -> str:
    """Why no batch can be left out; empty where that is possible, or where every unit is one."""
    part = rows.dropna(subset=[column])
    if part[column].nunique() >= part["unit"].nunique():
        return ""
    held = part.groupby(column)["label"].nunique()
    several = int((held > 1).sum())
    if several >= HOLDING or (several == 1 and len(held) == 1):
        return ""
    names = ", ".join(held.index[held > 1].astype(str))
    number = f"only {names} holds" if several else "none holds"
    return (
        f"of {len(held)} values of {column} {number} several classes: no model can be tested on"
        f" {column}s left out, and treatment and {column} cannot be told apart"
    )


def _confounders(data: AuditData, rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    noun, count = ("regions", "regions") if data.mixed else (f"{data.thing}s", None)
    return confounders(
        rows, "label", columns, unit="unit", count=count, noun=noun, seed=data.seed, resamples=499
    )


def _places(data: AuditData, rows: pd.DataFrame, columns: list[str]) -> list[_Found]:
    named = rows.assign(
        **{name: rows[name].map(_spoken) for name in columns if rows[name].dtype.kind == "f"}
    )
    found = [
        _Found(
            Association(row.column, "Cramer's V", row.cramers_v, row.low, row.high, row.text),
            row.p_value,
        )
        for row in _confounders(data, named, columns).itertuples()
    ]
    for name in columns:
        if rows[name].dtype.kind == "f" and rows[name].nunique() > 2:
            found += _ordered(data, rows[name], rows, name)
    return found


def _spoken(value: float) -> str | None:
    return None if np.isnan(value) else f"{int(value) + 1}"


def _orders(data: AuditData, rows: pd.DataFrame) -> list[_Found]:
    found = []
    for name in ORDERS:
        if name in rows:
            numbers = _numbers(rows[name])
            if numbers.notna().all() and numbers.nunique() > 2:
                found += _ordered(data, numbers, rows, name, runs=True)
    return found


def _numbers(values: "pd.Series[object]") -> "pd.Series[float]":
    """Values as numbers, or as times."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().any():
        return numbers.astype(float)
    texts = values.astype("str").str.replace(
        re.compile(r"^(\d{4}):(\d{2}):(\d{2})"), r"\1-\2-\3", regex=True
    )
    times = pd.to_datetime(texts, errors="coerce", format="ISO8601", utc=True)
    return times.map(lambda time: np.nan if pd.isna(time) else time.timestamp())


def _ordered(
    data: AuditData, numbers: "pd.Series[float]", rows: pd.DataFrame, name: str, runs: bool = False
) -> list[_Found]:
    """How far an order tells the classes, by area, and by runs of one label."""
    means = numbers.groupby(rows["unit"] if data.mixed else _bundle(rows)).mean()
    if data.mixed:
        means = means.reindex(list(data.bundles.names))
        bundles = data.bundles
    else:
        labels = rows.groupby(_bundle(rows))["label"].first()
        counts = pd.get_dummies(labels).reindex(columns=list(data.classes), fill_value=0)
        means = means.reindex(counts.index)
        bundles = Bundles(tuple(counts.index), counts.to_numpy(float), data.classes, data.seed)
    if bundles.scarce:
        return []
    told = bundles.tell(means.to_frame(name))
    found = [
        _Found(
            Association(
                f"{name} (order)",
                one.metric,
                one.value,
                one.low,
                one.high,
                f"the label goes with {name}: AUC of the order {one.value:.2f}, {one.text}",
            ),
            told.p_value,
        )
        for one in told.associations
    ]
    return [*found, *(_runs(bundles, means, name) if runs else [])]


def _bundle(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows["unit"].astype(str) + "\0" + rows["label"].astype(str)


def _runs(bundles: Bundles, means: "pd.Series[float]", name: str) -> list[_Found]:
    """Share of neighbours in order that have one label; more than chance has."""
    order = np.argsort(means.to_numpy(float), kind="stable")

    def share(counts: np.ndarray) -> np.ndarray:
        there = counts[:, order] / np.maximum(counts.sum(axis=2)[:, order, None], 1e-9)
        return np.asarray((there[:, 1:] * there[:, :-1]).sum(axis=2).mean(axis=1))

    own = float(share(bundles.counts[None])[0])
    null = np.concatenate([share(counts) for counts in bundles.permuted()])
    p = (1 + int((null >= own - 1e-9).sum())) / (1 + len(null))
    text = (
        f"classes were taken one after another by {name}: {own:.0%} of neighbours in that order"
        f" have one label, by chance {null.mean():.0%}"
    )
    return [_Found(Association(f"{name} (runs)", "neighbours alike", own, text=text), p)]


def _counts(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Units by column, its value and class: the table of counts."""
    parts = []
    for column in columns:
        part = rows.dropna(subset=[column])
        value = part[column].map(_spoken) if part[column].dtype.kind == "f" else part[column]
        table = part.assign(value=value.astype(str)).groupby(["value", "label"])
        counts = table["unit"].nunique().rename("units").reset_index()
        parts.append(counts.assign(column=column))
    empty = pd.DataFrame(columns=["column", "value", "label", "units"])
    return pd.concat(parts)[empty.columns.tolist()] if parts else empty
