"""The interval of DeadNet's paper: a bootstrap over virtual batches of patches.

Kept to compare with the paper's figures. `livewell.metrics.intervals` is what to believe.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from livewell.errors import SpecError
from livewell.metrics.intervals import LEVEL, Estimate

METHOD = "virtual batches"
EACH = 10
"""Patches of either class in a virtual batch."""


def paper_interval(
    y: ArrayLike, called: ArrayLike, *, seed: int, batches: int = 100, resamples: int = 100_000
) -> Estimate:
    """Mean accuracy over virtual batches, with the interval of Richmond et al. 2017, section 2.5.

    A virtual batch is `EACH` healthy and `EACH` sick patches drawn at random, without replacement
    within the batch and with all patches back for the next one. The accuracies of the batches are
    resampled with replacement; the interval of their mean is bias-corrected and accelerated (Efron
    1987, JASA 82:171). It is undefined where a class has fewer than `EACH` patches; where all
    batches agree it has no width, and a note.

    The interval says how well the mean over virtual batches is known, not how well the accuracy on
    new wells is: it gets narrower with more batches of the same patches, and takes patches of one
    well for independent ones. `python -m benchmarks interval-coverage` measures how
    often it holds the true accuracy.

    Parameters
    ----------
    y, called
        Truth and verdict 0/1 of every patch, shape (patches,).
    batches
        Number of batches, at least 2.
    """
    truth, verdict = np.asarray(y).ravel(), np.asarray(called).ravel()
    if truth.shape != verdict.shape or not np.isin([*truth, *verdict], [0, 1]).all():
        raise SpecError(
            "truths and verdicts do not fit together",
            where="y, called",
            expected="one 0 or 1 of each a patch",
            got=f"shapes {truth.shape} and {verdict.shape}",
        )
    rng = np.random.default_rng(seed)
    right = truth == verdict
    classes = [right[truth == value] for value in (0, 1)]
    if min(map(len, classes)) < EACH:
        why = f"a batch needs {EACH} patches of either class"
        return Estimate(np.nan, np.nan, np.nan, batches, METHOD, why)
    drawn = [rng.permuted(np.tile(np.arange(len(c)), (batches, 1)), axis=1) for c in classes]
    hits = [c[order[:, :EACH]].sum(1) for c, order in zip(classes, drawn, strict=True)]
    accuracy = (hits[0] + hits[1]) / (2 * EACH)
    value = float(accuracy.mean())
    if np.ptp(accuracy) == 0:
        return Estimate(value, value, value, batches, METHOD, "all batches agree: no width")
    ends = stats.bootstrap(
        (accuracy,),
        np.mean,
        n_resamples=resamples,
        batch=5_000,  # 5,000 x 100 numbers at a time, a few megabytes
        vectorized=True,
        confidence_level=LEVEL,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return Estimate(value, float(ends.low), float(ends.high), batches, METHOD)
