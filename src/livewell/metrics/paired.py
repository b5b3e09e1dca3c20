"""Several models on the same regions: how far apart their figures are, with intervals over groups.

Both models of a difference are taken on the same resamples of whole groups: what makes a group hard
for one makes it hard for the other, and cancels. So the interval of a difference is often much
narrower than those of the two figures suggest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.metrics.intervals import Estimate, estimates, signed_interval
from livewell.metrics.multiclass import class_statistics, headline_estimates
from livewell.metrics.outcomes import ClassOutcomes, Floats, Outcomes, outcomes
from livewell.metrics.resampling import draws, freedom
from livewell.metrics.summary import OF_PROBABILITIES, headline_of
from livewell.metrics.weighted import STATISTICS, D, Statistic, within_auc

COMPARED = ("roc_auc", "within_auc", "balanced_accuracy")
"""Figures in which models are compared. Calibration errors are not: chance raises each by another
amount, and intervals of their difference held the truth in 65-88% of simulations, with and without
a correction for it, where those of the areas did in 89-98%."""
SHOWN = (*COMPARED, "calibration_error")
"""Figures of every model."""
SAME = "same"
"""Method of a difference of two models that answer alike: 0, without doubt."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Figures of several models on the same regions, by model and then by name in `SHOWN`.

    `differences`, by name in `COMPARED`, are of every model but the reference, how far its figure
    lies above that of the reference; `headline` names the figure that counts most, see
    `livewell.metrics.summary.EvaluationFigures`.
    """

    reference: str
    headline: str
    figures: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Estimate]]

    def table(self, figures: Mapping[str, Mapping[str, Estimate]]) -> pd.DataFrame:
        """One row a model and figure: run, figure, value, low, high, groups, method, note."""
        rows = [
            (run, name, e.value, e.low, e.high, e.groups, e.method, e.note)
            for run, found in figures.items()
            for name, e in found.items()
        ]
        names = ["run", "figure", "value", "low", "high", "groups", "method", "note"]
        return pd.DataFrame(rows, columns=names)


def comparison(
    scores: Mapping[str, pd.DataFrame],
    classes: ClassNames,
    reference: str,
    *,
    seed: int,
    min_each: int = 1,
    resamples: int = 2000,
    probable: bool = True,
) -> Comparison:
    """Compare models by their scores (`schemas.SCORES`), by name, of the same regions in one order.

    Figures are of the positive class against the rest; of three or more classes without one, of all
    together. `min_each` is as in `livewell.metrics.figures.within_auc`; where p is not `probable`,
    a probability, figures that are of probabilities are left out.
    """
    _check_same(scores, reference)
    drawn = {"seed": seed, "resamples": resamples}
    shown = [name for name in SHOWN if probable or name not in OF_PROBABILITIES]
    if classes.positive is None:
        found = {
            name: headline_estimates(table, classes, seed=seed, names=shown, min_each=min_each)
            for name, table in scores.items()
        }
        every = {name: ClassOutcomes.of(table, classes) for name, table in scores.items()}
        apart = _differences(every, class_statistics(min_each), reference, **drawn)
    else:
        tables = {name: outcomes(table, classes) for name, table in scores.items()}
        found = {
            name: estimates(table, names=shown, min_each=min_each, **drawn)
            for name, table in tables.items()
        }
        one = {name: Outcomes.of(table) for name, table in tables.items()}
        chosen = STATISTICS | {"within_auc": within_auc(min_each)}
        apart = _differences(one, chosen, reference, **drawn)
    figures = {name: {each: of[each] for each in shown} for name, of in found.items()}
    groups = scores[reference]["group"].nunique()
    return Comparison(reference, headline_of(figures[reference], groups), figures, apart)


def difference(ours: D, theirs: D, statistic: Statistic[D], weights: Floats) -> Estimate:
    """How far a figure of `ours` lies above that of `theirs`, of the same regions in one order.

    Weights are drawn once for both, see `livewell.metrics.resampling.draws`. Where both answer
    alike the difference is 0 and so are its ends.
    """
    figures = statistic.figure(ours), statistic.figure(theirs)
    groups = statistic.rests_on(theirs)
    reason = figures[0].reason or figures[1].reason
    if not reason and _alike(ours, theirs):
        return Estimate(0.0, 0.0, 0.0, groups, SAME, "the same answers")
    first, second = statistic.prepare(ours), statistic.prepare(theirs)

    def weigh(weights: Floats) -> Floats:
        return first(weights) - second(weights)

    value, values = figures[0].value - figures[1].value, weigh(weights)
    free = freedom(ours.held, weigh, weights) if groups == len(ours.names) else groups - 1
    return signed_interval(value, values, groups, free=free, reason=reason)


def _differences(
    data: Mapping[str, D],
    statistics: Mapping[str, Statistic[D]],
    reference: str,
    *,
    seed: int,
    resamples: int,
) -> dict[str, dict[str, Estimate]]:
    theirs = data[reference]
    weights = draws(theirs.held, seed, resamples)
    return {
        run: {name: difference(ours, theirs, statistics[name], weights) for name in COMPARED}
        for run, ours in data.items()
        if run != reference
    }


def _alike(ours: D, theirs: D) -> bool:
    """Whether probabilities and calls are the same."""
    return np.array_equal(ours.p, theirs.p) and np.array_equal(ours.called, theirs.called)


def _check_same(scores: Mapping[str, pd.DataFrame], reference: str) -> None:
    """Refuse fewer than two models, an unknown reference, and other regions than its own."""
    if len(scores) < 2 or reference not in scores:
        raise SpecError(
            "nothing to compare",
            expected="two models or more, the reference among them",
            got=f"{', '.join(scores) or 'none'}; reference {reference}",
        )
    wanted = scores[reference][["group", "label"]].astype("str").to_numpy()
    for name, table in scores.items():
        if not np.array_equal(table[["group", "label"]].astype("str").to_numpy(), wanted):
            raise SpecError(
                "scores of other regions, or in another order",
                where=name,
                expected=f"groups and labels as those of {reference}",
            )
