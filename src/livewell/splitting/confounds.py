"""Confounders: what goes with the label and is not health, such as a batch."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from livewell.errors import LabelError
from livewell.splitting.units import UNITS, given_to
from livewell.tables.metadata import LabelMeta

BATCHES = (
    "plate",
    "position",
    "experiment",
    "replicate",
    "cell_line",
    "acquisition",
    "date",
    "hours",
    "operator",
    "microscope",
)
"""Columns that are looked at where none are named; ``well`` is what a treatment is given to."""
CONFOUNDERS = ["column", "levels", "cramers_v", "low", "high", "auc", "p_value", "counts", "text"]
"""Columns of the table of confounders."""
MOST_NAMED = 3
"""Of more other classes the number is said."""
LEVEL = 0.05
"""Highest p value, corrected for the number of columns, at which a confounder is warned of."""


def confounders(
    table: pd.DataFrame,
    label: str = "label",
    columns: Sequence[str] | None = None,
    *,
    unit: str | None = None,
    count: str | None = None,
    noun: str = "images",
    seed: int = 0,
    permutations: int = 9999,
    resamples: int = 0,
) -> pd.DataFrame:
    """How far each batch-like column tells the label; rows without one are left out.

    Parameters
    ----------
    table
        One row an independent image (tiles of one image left out), or see `unit`.
    columns
        Columns to look at; those of `BATCHES` that are there where ``None``. Columns with one
        value, or with as many as rows, say nothing and are left out.
    unit
        Column that names what a label was given to, such as ``well``: its images count once for
        every label and level, for they are no evidence of their own.
    count
        Column that says how many patches of that label a row stands for, where one image holds
        several labels; then the patches of one `unit` (one row by default) and level go together,
        and the test permutes such bundles among the levels.
    noun
        What a row is, for the text.
    resamples
        How often units are drawn anew for the interval of Cramer's V; NaN where 0.

    Returns
    -------
    DataFrame
        Columns `CONFOUNDERS`, strongest first: number of levels; Cramer's V with Bergsma's (2013,
        J. Korean Stat. Soc. 42:323) correction, 0 to 1, and its 95% interval (percentiles); area
        under the ROC curve of knowing only that column (two classes, else NaN); p value of the
        chi-squared statistic; the cell that stands out most; a sentence.
    """
    table = table.dropna(subset=[label])
    if table[label].nunique() < 2:
        raise LabelError(
            "fewer than two classes, nothing to be confounded with",
            where=label,
            got=", ".join(map(str, table[label].unique())) or "no label",
        )
    chosen = BATCHES if columns is None else columns
    rows = []
    for number, column in enumerate(name for name in chosen if name in table and name != label):
        part = table.dropna(subset=[column])
        bundles = _bundles(part, label, column, unit, count)
        counts = bundles.groupby(level=-1).sum()
        if min(counts.shape) < 2 or len(counts) == len(bundles):
            continue
        values = counts.to_numpy()
        rng = np.random.default_rng([seed, number])
        if count is None:
            p = _permuted(values, rng, permutations)
        else:
            p = _shuffled(bundles, rng, permutations)
        v = _cramers_v(values)
        ends = _interval(bundles, rng, resamples)
        said = _said(counts, noun)
        shown = "" if p <= LEVEL else "not shown to be "
        text = f"{label} and {column} are {shown}confounded (Cramer's V {v:.2f}, p {p:.2g}): {said}"
        rows.append((column, len(counts), v, *ends, _auc(values), p, said, text))
    found = pd.DataFrame(rows, columns=CONFOUNDERS)
    return found.sort_values(["p_value", "cramers_v"], ascending=[True, False], ignore_index=True)


def warnings(found: pd.DataFrame) -> list[str]:
    """Sentences for the `confounders` that chance does not explain.

    These are the rows whose p value, corrected for the number of rows after Holm (1979, Scand. J.
    Stat. 6:65), is at most `LEVEL`; so a balanced design is warned of once in twenty.
    """
    ordered = found.sort_values("p_value", ignore_index=True)
    return ordered.loc[np.array(corrected(ordered["p_value"])) <= LEVEL, "text"].tolist()


def corrected(p_values: "Sequence[float] | pd.Series[float]") -> list[float]:
    """P values corrected for their number after Holm (1979), in their order."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    raised = np.minimum(p[order] * np.arange(len(p), 0, -1), 1)
    found = np.empty(len(p))
    found[order] = np.maximum.accumulate(raised)
    return [float(each) for each in found]


def of_split(fields: pd.DataFrame, patches: pd.DataFrame, by: str, meta: LabelMeta) -> list[str]:
    """Warnings about batches that know the label; what a treatment was given to counts once.

    `fields` and `patches` are those of a split by column `by`, `meta` is of its labels.
    """
    if meta.healthy_only:
        return []
    name = meta.said
    counts = patches.groupby(["image", "label"]).size().rename("patches").reset_index()
    own = [name, *meta.columns]
    table = counts.rename(columns={"label": name}).merge(
        fields.drop(columns=own, errors="ignore"), on="image"
    )
    unit = next((u for u in UNITS if u in table and table[u].notna().any()), "picture")
    table["unit"] = table["image"].map(given_to(fields, unit))
    mixed = bool(table["image"].duplicated().any())
    noun, count = ("patches", "patches") if mixed else (f"{unit}s", None)
    # the groups' own column by itself: among several columns the test must be stricter
    # but where most of them hold one unit, as clusters of copies do, they are no batches
    batch = by not in UNITS and by in table and table["unit"].nunique() >= 2 * table[by].nunique()
    asked: list[list[str] | None] = [[by], None] if batch else [None]
    found = [
        text
        for columns in asked
        for text in warnings(confounders(table, name, columns, unit="unit", count=count, noun=noun))
    ]
    return list(dict.fromkeys(found))


def _bundles(
    table: pd.DataFrame, label: str, column: str, unit: str | None, count: str | None
) -> pd.DataFrame:
    """One row an independent thing, its level last in the index; how much of each class it has."""
    level, name = table[column].astype("str"), table[label].astype("str")
    own = pd.Series(np.arange(len(table)), index=table.index).astype("str")
    if unit is not None and unit in table:
        own = table[unit].astype("str").where(table[unit].notna(), "\0" + own)
    number = 1 if count is None else table[count]
    found = pd.DataFrame({"own": own, column: level, label: name, "number": number})
    if count is None:
        # a class of its own is a thing of its own, and counts once
        found = found.drop_duplicates(["own", column, label])
        found["own"] += "\0" + found[label]
    return found.pivot_table(
        index=["own", column], columns=label, values="number", aggfunc="sum", fill_value=0
    )


def _shuffled(bundles: pd.DataFrame, rng: np.random.Generator, permutations: int) -> float:
    held = bundles.to_numpy(float)
    level, _ = pd.factorize(bundles.index.get_level_values(-1))
    at = np.eye(level.max() + 1)[level].T
    least = _chi2(at @ held) * (1 - 1e-9)
    as_strong = 0
    at_once = max(1, 2_000_000 // len(held))
    for first in range(0, permutations, at_once):
        order = np.tile(np.arange(len(held)), (min(at_once, permutations - first), 1))
        permuted = held[rng.permuted(order, axis=1)]
        # one product of two matrices, many times faster than one for each permutation
        sums = at @ permuted.transpose(1, 0, 2).reshape(len(held), -1)
        tables = sums.reshape(len(at), len(order), -1).transpose(1, 0, 2)
        as_strong += int((_chi2(tables) >= least).sum())
    return (as_strong + 1) / (permutations + 1)


def _chi2(tables: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Chi-squared of contingency tables, shape (..., levels, classes)."""
    rows, columns = tables.sum(axis=-1, keepdims=True), tables.sum(axis=-2, keepdims=True)
    expected = rows * columns / tables.sum(axis=(-2, -1), keepdims=True)
    return np.asarray(((tables - expected) ** 2 / expected).sum(axis=(-2, -1)))


def _permuted(values: NDArray[np.int64], rng: np.random.Generator, permutations: int) -> float:
    # The table of permuted labels is drawn as such: Patefield's algorithm, SciPy's own.
    drawn = stats.random_table(values.sum(axis=1), values.sum(axis=0)).rvs(
        permutations, random_state=rng
    )
    as_strong = int((_chi2(drawn) >= _chi2(values) - 1e-9).sum())
    return (as_strong + 1) / (permutations + 1)


def _interval(
    bundles: pd.DataFrame, rng: np.random.Generator, resamples: int
) -> tuple[float, float]:
    """95% interval of Cramer's V, bundles drawn anew."""
    if not resamples:
        return float("nan"), float("nan")
    held = bundles.to_numpy(float)
    level, _ = pd.factorize(bundles.index.get_level_values(-1))
    at = np.eye(level.max() + 1)[level].T
    drawn = rng.multinomial(len(held), np.full(len(held), 1 / len(held)), size=resamples)
    tables = [at @ (held * weights[:, None]) for weights in drawn]
    kept = [each[each.any(axis=1)][:, each.any(axis=0)] for each in tables]
    found = [_cramers_v(each) if min(each.shape) > 1 else 0.0 for each in kept]
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def _cramers_v(values: NDArray[np.int64] | NDArray[np.float64]) -> float:
    n, (rows, columns) = int(values.sum()), values.shape
    phi2 = max(0.0, float(_chi2(values)) / n - (rows - 1) * (columns - 1) / (n - 1))
    sides = rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)
    least = min(sides) - 1
    return min(1.0, float(np.sqrt(phi2 / least))) if least > 0 else 0.0


def _auc(values: NDArray[np.int64]) -> float:
    if values.shape[1] != 2:
        return float("nan")
    share = values[:, 1] / values.sum(axis=1)
    truth = np.tile([0, 1], len(values))
    return float(roc_auc_score(truth, np.repeat(share, 2), sample_weight=values.ravel()))


def _said(counts: pd.DataFrame, noun: str) -> str:
    """The cell that stands out most: its class is there far more often than the others are."""
    totals = counts.sum(axis=0)
    share = counts / totals
    rest = (counts.sum(axis=1).to_numpy()[:, None] - counts) / (totals.sum() - totals)
    excess = (share - rest).to_numpy()
    row, column = np.unravel_index(excess.argmax(), excess.shape)
    level, name = counts.index[row], counts.columns[column]
    others = totals.index[totals.index != name]
    here = f"{counts.loc[level, name]} of {totals[name]} {name} {noun}"
    rest_of = "/".join(others) if len(others) <= MOST_NAMED else f"of {len(others)} other classes"
    rest_here = f"{counts.loc[level, others].sum()} of {totals[others].sum()} {rest_of}"
    return f"{here} are of {counts.index.name} {level}, but {rest_here}"
