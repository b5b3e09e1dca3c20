"""Interval of the mean sensitivity of a FROC, by resampling whole groups of images."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from livewell.detection.froc import RATES, froc
from livewell.detection.judged import Images, JudgedImages
from livewell.metrics.intervals import Estimate, interval
from livewell.metrics.outcomes import Floats, Outcomes
from livewell.metrics.resampling import draws

_CELLS = 4_000_000


def froc_estimate(
    matched: pd.DataFrame,
    objects: pd.DataFrame,
    images: Images,
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """The score of `livewell.detection.froc.froc` with an interval over groups.

    Groups are drawn as for `livewell.detection.intervals.detection_estimates`: those
    with objects and those without apart, a single one without objects with the others. There are as
    many degrees of freedom as groups with objects less one.

    Parameters
    ----------
    matched, objects, images
        As `livewell.detection.froc.froc` takes them, images with the column group.
    seed, resamples
        Of the random draws.
    level
        Coverage, in (0, 1).

    Raises
    ------
    SpecError
        A level or number of resamples out of range.
    TableError
        As in `livewell.detection.judged.JudgedImages.of`.
    """
    judged = JudgedImages.of(matched, objects, images)
    value = froc(matched, objects, images).score
    code, names = pd.factorize(judged.group, sort=True)
    sought = np.bincount(code, judged.sought, minlength=len(names)).astype(np.float64)
    holds = sought > 0
    if (~holds).sum() == 1:
        holds[:] = True  # drawn from itself alone it would never vary
    stratum = pd.DataFrame({"group": names, "y": holds.astype(int), "p": 0.0, "called": 0})
    weights = draws(Outcomes.of(stratum), seed, resamples)
    values = _scores(judged, code, sought, weights)
    holders = int((sought > 0).sum())
    reason = "no object of the kind sought"
    return interval(value, values, holders, level, free=holders - 1, reason=reason)


def _scores(
    judged: JudgedImages, code: NDArray[np.int64], sought: Floats, weights: Floats
) -> Floats:
    """Mean sensitivity under any weights of the groups, shape (resamples, groups)."""
    images = weights @ np.bincount(code, minlength=weights.shape[1])
    objects = weights @ sought
    tops, place = np.unique(-judged.score, return_inverse=True)
    group = code[judged.place]

    def counts(rows: NDArray[np.bool_]) -> csr_array:
        cells = np.ones(int(rows.sum())), (place[rows], group[rows])
        return csr_array(coo_array(cells, shape=(len(tops), weights.shape[1])))

    right, wrong = counts(judged.right), counts(~judged.right)
    found = np.zeros(len(weights))
    at_once = max(1, _CELLS // max(len(tops), 1))
    for start in range(0, len(weights), at_once):
        some = np.ascontiguousarray(weights[start : start + at_once].T)
        true, false = (np.cumsum(table @ some, axis=0) for table in (right, wrong))
        for column, number in enumerate(range(start, start + some.shape[1])):
            most = np.array(RATES) * images[number]
            last = np.searchsorted(false[:, column], most, side="right")
            found[number] = np.append(0.0, true[:, column])[last].mean()
    unknown = np.full(len(weights), np.nan)
    return np.asarray(np.divide(found, objects, out=unknown, where=objects > 0))
