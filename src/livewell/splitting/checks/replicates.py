"""Whether what is learnt holds where whole replicates are left out."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.metrics.intervals import Estimate
from livewell.metrics.outcomes import Floats
from livewell.metrics.paired import comparison
from livewell.metrics.ridge import FOLDS, left_out, permuted
from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.sample import SHOWN, Sample
from livewell.tables.schemas import score_columns
from livewell.text import listed, plural, several

NAME = "replicates"
QUESTION = "Does what is learnt hold in a replicate that was never seen?"
LIMIT = 0.1
"""A fall of the area under the ROC curve that is surely greater than this fails."""
COLUMNS = ("experiment", "replicate", "day", "date", "plate")
"""What a replicate may be called, from coarse to fine."""
REMEDY = (
    "Split by {column} (livewell split --by {column}), report only what is reached on what was left"
    " out so, and take more {columns}, each with all classes."
)
SPLIT_SO = "The split leaves out whole {column}s already: its figures are those to report."
LEAST, MANY = 3, 5
"""Units of each of several classes that a replicate has to hold, to be left out; replicates from
which areas within each are averaged, and intervals resample them."""


def replicates(
    sample: Sample, columns: Mapping[str, NDArray[np.str_]], *, by: str = "", seed: int = 0
) -> Check:
    """Areas of a learner that has left out whole replicates, and wells of all replicates.

    Units are left out in as many folds as there are replicates, each fold with a share of all, so
    that about as many are learnt from in both cases. Of `MANY` replicates or more areas are means
    within one, with intervals that resample replicates; of fewer, which are too few for this, they
    are over all, with intervals that resample units. It fails where the area surely falls by more
    than `LIMIT`, or surely falls to what is not shown to be above guessing by labels permuted
    within replicates; it passes only where that is shown, and the fall is no larger than `LIMIT`
    and may be chance.

    Parameters
    ----------
    sample
        What is learnt from.
    columns
        By a name of `COLUMNS` the replicate of every row of `sample`; the coarsest one of which
        two levels hold `LEAST` units or more of several classes is taken.
    by
        Column by which a split that is audited too was made; empty where there is none.
    """
    column, rows = _coarsest(sample, columns)
    if not column:
        return Check(NAME, QUESTION, unchecked=_why(sample, columns))
    own = sample.only(rows)
    names = columns[column][rows]
    hats = {
        "within": left_out(own.features, _spread(own, names, seed), seed=seed),
        "across": left_out(own.features, names, seed=seed),
    }
    many = len(np.unique(names)) >= MANY
    tables = {n: _table(own, hat, names if many else own.groups) for n, hat in hats.items()}
    found = comparison(tables, own.classes, "within", seed=seed)
    strata = own.strata if own.mixed else names
    chance = permuted(hats["across"], own.labels, own.items, strata, seed=seed)
    figure = "within_auc" if many else "roc_auc"
    area = {name: each[figure] for name, each in found.figures.items()}
    change = found.differences["across"][figure]
    made = _decided(own, column, names, area["within"], area["across"], change, chance.p_value)
    return replace(made, remedy=SPLIT_SO.format(column=column)) if by == column else made


def _decided(
    sample: Sample,
    column: str,
    names: NDArray[np.str_],
    within: Estimate,
    across: Estimate,
    change: Estimate,
    p: float,
) -> Check:
    fall, surely, holds = -change.value, -change.high, p <= SHOWN
    lost = surely > 0 and within.low > 0.5 and not holds
    inside = f" within one {column}" * (len(np.unique(names)) >= MANY)
    numbers = (
        f"AUC{inside} {_told(within)} where as many {sample.noun}s of all {several(column)} are"
        f" left out, {_told(across)} where a whole {column} is, a change of {change.value:+.2f}"
        f" ({change.low:+.2f} to {change.high:+.2f}),"
        f" over {plural(len(np.unique(names)), column)} (p {p:.2g} against labels"
        " shuffled within them)"
    )
    said = "what is learnt holds less" if holds else "what is learnt is not shown to work"
    fails, good = lost or surely > LIMIT, holds and fall <= LIMIT and not surely > 0
    told = Association(f"each {column} left out", "fall of AUC", fall, surely, -change.low, numbers)
    return Check(
        NAME,
        QUESTION,
        found="fails" if fails else "passes" if good else "attention",
        associations=(told,),
        fails=f"In {several(column)} that were never seen {said} (AUC {across.value:.2f}, where"
        f" only {sample.noun}s are left out {within.value:.2f}). In numbers: {numbers}.",
        passes=f"What is learnt holds in {several(column)} that were never seen: {numbers}.",
        remedy=REMEDY.format(column=column, columns=several(column)),
        table=pd.DataFrame(
            [
                (name, e.value, e.low, e.high)
                for name, e in (
                    (f"{sample.noun}s left out", within),
                    (f"each {column} left out", across),
                )
            ],
            columns=["left_out", "auc", "low", "high"],
        ),
    )


def _told(area: Estimate) -> str:
    return f"{area.value:.2f} ({area.low:.2f} to {area.high:.2f})"


def _coarsest(
    sample: Sample, columns: Mapping[str, NDArray[np.str_]]
) -> tuple[str, NDArray[np.bool_]]:
    """The column to leave out by, and rows of those levels that hold several classes."""
    for name in COLUMNS:
        if name not in columns:
            continue
        table = pd.DataFrame({"level": columns[name], "label": sample.labels})
        held = table.assign(item=sample.items).groupby(["level", "label"])["item"].nunique()
        several = (held >= LEAST).groupby("level").sum() > 1
        rows = (table["level"].map(several) & (table["level"] != "")).to_numpy(bool)
        if len(np.unique(columns[name][rows])) > 1:
            return name, rows
    return "", np.zeros(len(sample), dtype=np.bool_)


def _why(sample: Sample, columns: Mapping[str, NDArray[np.str_]]) -> str:
    known = [name for name in COLUMNS if name in columns and len(np.unique(columns[name])) > 1]
    if not known:
        return (
            "the study has one replicate, or names none: nobody can tell whether another would"
            f" agree. Name them (livewell index --pattern or --metadata, columns {listed(COLUMNS)})"
        )
    things = "labelled regions" if sample.mixed else f"{sample.noun}s"
    return (
        f"no two {several(known[0])} hold {LEAST} {things} or more of each of two classes, so none"
        " can be left out; take images of all classes in at least two"
    )


def _spread(sample: Sample, names: NDArray[np.str_], seed: int) -> list[int]:
    """Folds of units, as many as replicates, every class and replicate shared out evenly."""
    units = pd.DataFrame({"unit": sample.groups, "name": names, "label": sample.labels})
    first = units.drop_duplicates("unit").sample(frac=1, random_state=seed)
    first = first.sort_values(["label", "name"], kind="stable")
    folds = min(units["name"].nunique(), FOLDS)
    fold = dict(zip(first["unit"], np.arange(len(first)) % folds, strict=True))
    return [int(fold[unit]) for unit in sample.groups]


def _table(sample: Sample, hat: Floats, groups: NDArray[np.str_]) -> pd.DataFrame:
    """Left-out scores as a table that models are compared by."""
    classes = sample.classes
    scores = hat @ (sample.labels[:, None] == np.arange(len(classes)))
    chances = 1 / (1 + np.exp(-scores))
    names = np.array(classes.names)
    table = pd.DataFrame({"group": groups, "label": names[sample.labels]})
    shown = chances[:, 1:] if classes.binary else chances
    return table.assign(
        **dict(zip(score_columns(classes, "p"), shown.T, strict=True)),
        called=scores.argmax(axis=1),
    )
