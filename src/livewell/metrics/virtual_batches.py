"""The interval of DeadNet's paper: a bootstrap over virtual batches of patches.

Kept to compare with the paper's figures. `livewell.metrics.intervals` is what to believe.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from livewell.errors import SpecError
from livewell.metrics.intervals import Estimate
from livewell.metrics.outcomes import Floats

METHOD = "virtual batches"
_AT_ONCE = 5_000


def paper_interval(
    y: ArrayLike,
    called: ArrayLike,
    *,
    seed: int,
    batches: int = 100,
    each: int = 10,
    resamples: int = 100_000,
    level: float = 0.95,
) -> Estimate:
    """Mean accuracy over virtual batches, with the interval of Richmond et al. 2017, section 2.5.

    A virtual batch is `each` healthy and `each` sick patches drawn at random, without replacement
    within the batch and with all patches back for the next one. The accuracies of the batches are
    resampled with replacement; the interval of their mean is bias-corrected and accelerated (Efron
    1987, JASA 82:171).

    Parameters
    ----------
    y, called
        Truth and verdict 0/1 of every patch, shape (patches,).
    seed
        Of batches and resamples.
    batches, each
        Number of batches, at least 2, and patches of either class in each.
    resamples
        Bootstrap resamples.
    level
        Coverage, in (0, 1).

    Returns
    -------
    Estimate
        Method ``virtual batches``, `groups` the number of batches. Undefined where a class has
        fewer than `each` patches. Where all batches agree the interval has no width, and a note.

    Raises
    ------
    SpecError
        A number out of range, or values other than 0 and 1.

    Notes
    -----
    The interval says how well the mean over virtual batches is known, not how well the accuracy on
    new wells is: it gets narrower with more batches of the same patches, and takes patches of one
    well for independent ones. `python -m benchmarks interval-coverage` measures how
    often it holds the true accuracy.
    """
    truth, verdict = np.asarray(y).ravel(), np.asarray(called).ravel()
    _check(truth, verdict, batches, each, resamples, level)
    rng = np.random.default_rng(seed)
    right = truth == verdict
    classes = [right[truth == value] for value in (0, 1)]
    if min(map(len, classes)) < each:
        why = f"a batch needs {each} patches of either class"
        return Estimate(np.nan, np.nan, np.nan, batches, METHOD, why)
    drawn = [rng.permuted(np.tile(np.arange(len(c)), (batches, 1)), axis=1) for c in classes]
    hits = [c[order[:, :each]].sum(1) for c, order in zip(classes, drawn, strict=True)]
    accuracy = (hits[0] + hits[1]) / (2 * each)
    value = float(accuracy.mean())
    if np.ptp(accuracy) == 0:
        return Estimate(value, value, value, batches, METHOD, "all batches agree: no width")
    found = _bca(accuracy, resamples, level, rng)
    return Estimate(value, found[0], found[1], batches, METHOD)


def _bca(
    accuracy: Floats, resamples: int, level: float, rng: np.random.Generator
) -> tuple[float, float]:
    ends = stats.bootstrap(
        (accuracy,),
        np.mean,
        n_resamples=resamples,
        batch=_AT_ONCE,  # 5,000 x 100 numbers at a time, a few megabytes
        vectorized=True,
        confidence_level=level,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return float(ends.low), float(ends.high)


def _check(
    truth: NDArray[np.generic],
    verdict: NDArray[np.generic],
    batches: int,
    each: int,
    resamples: int,
    level: float,
) -> None:
    if truth.shape != verdict.shape or not np.isin([*truth, *verdict], [0, 1]).all():
        raise SpecError(
            "truths and verdicts do not fit together",
            where="y, called",
            expected="one 0 or 1 of each a patch",
            got=f"shapes {truth.shape} and {verdict.shape}",
        )
    if batches < 2 or each < 1 or resamples < 1 or not 0 < level < 1:
        raise SpecError(
            "no such bootstrap",
            where="batches, each, resamples, level",
            expected="at least 2, 1 and 1; level in (0, 1)",
            got=f"{batches}, {each}, {resamples}, {level}",
        )
