"""Labels from a death stain: Pattarone's mixture of two and its two thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import Fault, LabelError
from livewell.labels.made import (
    Count,
    Labels,
    Others,
    class_counts,
    class_faults,
    column_faults,
    label_table,
    listed,
    refuse,
)
from livewell.labels.mixture import Mixture, fit_mixture
from livewell.tables.schemas import KEY

ROUTE = "fluorescence"


@dataclass(frozen=True, slots=True)
class Fluorescence(Labels):
    """Labels by fluorescence, and the mixture of each group (``""`` where fitted whole)."""

    mixtures: Mapping[str, Mixture] = field(default_factory=dict)


def by_fluorescence(
    measured: pd.DataFrame,
    column: str,
    seed: int,
    *,
    group: str | None = None,
    reference: "pd.Series[bool] | None" = None,
    mixture: Mixture | None = None,
    unfit: Others = "refuse",
    classes: tuple[str, str] = ("live", "dead"),
) -> Fluorescence:
    """Label patches by their stain; what lies between the two thresholds is left out.

    Parameters
    ----------
    measured
        One row a patch: the columns `schemas.KEY`, `column`, and `group` if it is named.
    column
        Mean stain in the patch, or its ratio to the background (`livewell.measure.stain`).
    seed
        Of the fit.
    group
        Fit each value of this column by itself, such as an experiment with its own staining.
    reference
        True in the rows to fit on, such as untreated wells; thresholds serve all rows. By default
        all. One value a row of `measured`.
    mixture
        Use this one (e.g. of another run) instead of fitting.
    unfit
        Groups in which no two components can be told apart: refused, or their patches left out.
    classes
        Names of (dark, bright).

    Returns
    -------
    Fluorescence
        One label a patch, its score the value of `column`; the mixtures by group.

    Raises
    ------
    TableError
        Holding every fault: columns not there, values missing or not finite, and every group
        whose mixture cannot be used.
    LabelError
        The whole set's mixture cannot be used: thresholds cross, too few values, all alike.

    Notes
    -----
    Source: Pattarone et al. 2021, labels from propidium iodide: a mixture of two, live below
    mean + sd of the lower, dead above mean - sd of the higher component.
    """
    needed = [*KEY, column, *([group] if group else [])]
    refuse(column_faults(measured, needed) + class_faults(classes), ROUTE)
    measured = measured.reset_index(drop=True)
    values = pd.to_numeric(measured[column], errors="coerce").astype("float64")
    groups = measured[group] if group else pd.Series("", index=measured.index)
    _check_values(measured, values, column, groups)
    fit_on = _mask(reference, len(values))
    mixtures, failed = _mixtures(values, fit_on, groups, seed, whole=group is None, given=mixture)
    if failed and (unfit == "refuse" or not mixtures):
        refuse(failed, ROUTE, _UNFIT)
    names = groups.astype("str")
    live_below = names.map({name: fitted.live_below for name, fitted in mixtures.items()})
    dead_above = names.map({name: fitted.dead_above for name, fitted in mixtures.items()})
    live, dead = values < live_below.astype("float64"), values > dead_above.astype("float64")
    kept = live | dead
    labels = [classes[int(value)] for value in dead[kept]]
    table = label_table(measured.loc[kept, KEY], labels, ROUTE, values[kept])
    counts = (
        Count("patches", len(measured)),
        Count("fitted on", 0 if mixture else int(fit_on.sum())),
        Count("of groups without a usable mixture, dropped", int((~names.isin(mixtures)).sum())),
        Count("between the thresholds, dropped", int((~kept & names.isin(mixtures)).sum())),
        *class_counts(table, classes),
    )
    return Fluorescence(table, counts, tuple(map(str, failed)), mixtures)


_UNFIT = "fit all groups together, decide on the ratio, or say that unfit groups are dropped"


def _mixtures(
    values: "pd.Series[float]",
    fit_on: NDArray[np.bool_],
    groups: "pd.Series[Any]",
    seed: int,
    *,
    whole: bool,
    given: Mixture | None,
) -> tuple[dict[str, Mixture], list[Fault]]:
    """The usable mixture of each group, and a fault for each group without."""
    names = sorted(groups.unique(), key=str)
    if given is not None:
        return dict.fromkeys(map(str, names), given.check()), []
    if whole:
        return {"": fit_mixture(values[fit_on].to_numpy(), seed).check()}, []
    mixtures: dict[str, Mixture] = {}
    failed: list[Fault] = []
    for name in names:
        try:
            sample = values[fit_on & (groups == name).to_numpy()]
            mixtures[str(name)] = fit_mixture(sample.to_numpy(), seed).check()
        except LabelError as error:
            text = error.what + (f" ({error.got})" if error.got else "")
            failed.append(Fault("unfit", f"group {name}", text))
    return mixtures, failed


def _mask(reference: "pd.Series[bool] | None", rows: int) -> NDArray[np.bool_]:
    if reference is None:
        return np.ones(rows, dtype=bool)
    if len(reference) != rows or reference.isna().any() or not reference.any():
        text = f"{len(reference)} rows with {int(reference.isna().sum())} empty"
        text += f" and {int(reference.fillna(False).sum())} true, for {rows} patches"
        refuse([Fault("reference", "reference", f"no choice of rows to fit on: {text}")], ROUTE)
    return reference.to_numpy(dtype=bool)


def _check_values(
    measured: pd.DataFrame, values: "pd.Series[float]", column: str, groups: "pd.Series[Any]"
) -> None:
    found = []
    wrong = ~np.isfinite(values)
    if wrong.any():
        text = f"{int(wrong.sum())} values are missing or no finite numbers, in "
        found.append(Fault("value", column, text + listed(measured["image"][wrong].unique())))
    if groups.isna().any():
        text = f"{int(groups.isna().sum())} patches without a group"
        found.append(Fault("empty-value", str(groups.name), text))
    twice = measured[measured.duplicated(KEY)]["image"].unique()
    if len(twice):
        found.append(Fault("duplicate-row", "patches", f"repeated in {listed(twice)}"))
    refuse(found, ROUTE, "leave patches out where the stain was not measured")
