"""From probabilities to verdicts; every number here is chosen on validation data, never on test."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax

from livewell.classes import ClassNames
from livewell.errors import Fault, LabelError, TableError
from livewell.metrics.bands import LEAST_BAND, MAX_ERROR, narrowest_band
from livewell.metrics.calibration import fit_temperature, probability
from livewell.metrics.outcomes import Floats
from livewell.metrics.platt import fit_logistic, group_weight
from livewell.metrics.rules import ImageRule, RegionRule, log_odds

WORSE, ABOVE = 0.01, 0.1
"""How the threshold of places is chosen, see `fit_detection_rule`."""
LEAST_IMAGES = 4
"""With fewer validation images of a class the image's probability is not fitted."""


def choose_threshold(p: ArrayLike, y: ArrayLike, group: ArrayLike) -> float:
    """Threshold with the best balanced accuracy when every group weighs alike in each class.

    A patch is called positive where ``p >= threshold``. All thresholds between two neighbouring
    probabilities call alike; of equally good ones the middle of the widest unbroken stretch is
    taken, and of equally wide stretches the one whose middle is nearest to 0.5.

    Parameters
    ----------
    p, y, group
        Probability, truth 0/1 and group of every validation patch (or picture).

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    LabelError
        Only one class, or probabilities outside [0, 1].
    """
    low, high = _stretch(p, y, group)
    middle = float((low + high) / 2)
    # Between neighbouring floats the middle may round down to the lower one, which is not called.
    return middle if middle > low else float(high)


def _stretch(
    p: ArrayLike, y: ArrayLike, group: ArrayLike, worse: float = 1e-9
) -> tuple[float, float]:
    """The widest stretch of thresholds as good as the best or so much worse; not its lower end.

    How good is sensitivity less false alarms.
    """
    values, truth, weight = _validated(p, y, group)
    signed = np.where(truth == 1, weight, -weight)
    levels, place = np.unique(values, return_inverse=True)
    # Raising the threshold over a level loses the positives at it and gains the negatives.
    gain = -np.bincount(place, signed)
    score = np.concatenate([[0.0], np.cumsum(gain)])
    lows, highs = np.concatenate([[0.0], levels]), np.concatenate([levels, [1.0]])
    best = score >= score.max() - worse
    edges = np.flatnonzero(np.diff(np.concatenate([[False], best, [False]]).astype(int)))
    stretches = [(lows[a], highs[b - 1]) for a, b in edges.reshape(-1, 2)]
    return max(stretches, key=lambda s: (round(s[1] - s[0], 12), -abs(s[0] + s[1] - 1)))


def fit_region_rule(logits: ArrayLike, y: ArrayLike, group: ArrayLike) -> RegionRule:
    """Temperature and threshold from validation regions.

    Parameters
    ----------
    logits
        Log odds of the positive class, shape (n,); or logits of all classes, (n, classes).
    y
        Number of the class of every region, 0/1 for log odds.
    group
        Group of every region.

    Returns
    -------
    RegionRule
        Of two classes as `choose_threshold` finds it; of more every region is called, as of two:
        doubt is told of images.

    Raises
    ------
    LabelError
        As `choose_threshold` and `livewell.metrics.calibration.fit_temperature`.
    """
    values = np.asarray(logits, dtype=float)
    if values.ndim == 2 and values.shape[1] == 2:
        values = log_odds(values)
    temperature = fit_temperature(values, y)
    if values.ndim == 2:
        return RegionRule(temperature, 0.0)
    return RegionRule(temperature, choose_threshold(probability(values, temperature), y, group))


def fit_detection_rule(highest: ArrayLike, y: ArrayLike, group: ArrayLike) -> RegionRule:
    """Which places of a frame are called, from labels of frames alone.

    All places of a negative frame are false, so the threshold lies above the highest of nearly all
    negative frames. Of those that tell frames apart almost equally well, `WORSE` at most from the
    best, a low one is taken, for other objects of a positive frame are less sure than its surest:
    `ABOVE` of the way, in log odds, from the lowest of them to the highest.

    Parameters
    ----------
    highest
        Log odds of the highest place of every validation frame.
    y, group
        Label 0/1 and group of every frame.

    Raises
    ------
    LabelError
        Only one class.
    """
    rule = fit_region_rule(highest, y, group)
    ends = _stretch(rule.probability(highest), y, group, WORSE)
    if ends[0] <= 0 or ends[1] >= 1:
        return rule
    low, high = (rule.log_odds(end) for end in ends)
    least = float(rule.probability(low + ABOVE * (high - low)))
    return RegionRule(rule.temperature, least) if least > ends[0] else rule


def fit_image_rule(
    images: pd.DataFrame,
    temperature: float,
    classes: ClassNames,
    max_error: float = MAX_ERROR,
) -> ImageRule:
    """Probability, threshold and doubt from validation images.

    Two classes: the mean calibrated log odds go through Platt's (1999, Probabilistic outputs for
    support vector machines, section 2.2) logistic with smoothed targets, slope at least 0; groups
    count, not images. The unsure band around the threshold is
    `livewell.metrics.bands.narrowest_band`. More classes: a second temperature takes the place of
    the logistic, and an image is unsure up to the lowest highest probability beyond which at most
    `max_error` of the verdicts are wrong, and at least `livewell.metrics.bands.LEAST_BAND` above
    chance.

    Parameters
    ----------
    images
        Columns group, y (number of the class) and mean_logit, as
        `livewell.metrics.pictures.by_picture` makes them from validation scores; of more than two
        classes mean_logit_<class> for each in its place.
    temperature
        Of the regions' logits.
    classes
        The classes.
    max_error
        Highest share of wrong verdicts among decided validation images, groups weighing alike.

    Raises
    ------
    TableError
        Columns are missing.
    LabelError
        No validation image.
    """
    means = ["mean_logit"] if classes.binary else [f"mean_logit_{name}" for name in classes]
    absent = [name for name in ("group", "y", *means) if name not in images]
    if absent:
        raise TableError(
            "not a table of validation images",
            [Fault("missing-column", name, "needed to fit verdicts") for name in absent],
        )
    y, x = images["y"].to_numpy(int), images[means].to_numpy(float) / temperature
    if not len(y):
        raise LabelError("no validation image to fit verdicts on")
    counts = np.bincount(y, minlength=len(classes))
    held = " and ".join(f"{n} {name}" for n, name in zip(counts, classes, strict=True))
    notes = [f"chosen on {held} validation images of {images['group'].nunique()} groups"]
    few = counts.min() < LEAST_IMAGES
    if few:
        notes.append(
            f"fewer than {LEAST_IMAGES} of a class: the image's probability is that of its"
            " regions' mean logits, not fitted"
        )
    # a well of many frames counts no more than one of few
    weight = 1 / images.groupby("group")["y"].transform("size").to_numpy(float)
    fit = _two_classes if classes.binary else _several_classes
    rule, wrong, decided = fit(x, y, images["group"], weight, few, max_error)
    notes.append(f"{wrong} of {decided} decided ones wrong")
    if rule["slope"] < 1e-6:
        notes.append("the net says nothing about validation images")
    return ImageRule(temperature, **rule, classes=classes.names, note="; ".join(notes))


Fit = tuple[dict[str, float], int, int]
"""Numbers of an `ImageRule`, wrong verdicts, and verdicts."""


def _two_classes(
    x: Floats, y: NDArray[np.int64], group: pd.Series, weight: Floats, few: bool, max_error: float
) -> Fit:
    score = x[:, 0]
    slope, intercept = (1.0, 0.0) if few else fit_logistic(score, y, group.to_numpy())
    p = np.asarray(expit(slope * score + intercept))
    threshold = choose_threshold(p, y, group) if len(set(y)) == 2 else 0.5
    low, high = narrowest_band(p, y, threshold, max_error, weight=weight)
    decided = (p < low) | (p > high)
    wrong = int((decided & ((p > high) != (y == 1))).sum())
    numbers = (slope, intercept, threshold, low, high)
    names = ("slope", "intercept", "threshold", "low", "high")
    return dict(zip(names, map(float, numbers), strict=True)), wrong, int(decided.sum())


def _several_classes(
    x: Floats, y: NDArray[np.int64], group: pd.Series, weight: Floats, few: bool, max_error: float
) -> Fit:
    slope = 1.0 if few else 1 / fit_temperature(x, y, weight)
    p = np.asarray(softmax(slope * x, axis=1))
    highest, right = p.max(axis=1), p.argmax(axis=1) == y
    high = 1.0
    # the lowest level above which errors are few enough; as of two classes some doubt is left
    floor = 1 / x.shape[1] + LEAST_BAND
    for level in np.unique(np.append(highest[highest > floor], floor))[::-1]:
        decided = highest > level
        if (weight * decided * ~right).sum() <= max_error * (weight * decided).sum() + 1e-9:
            high = float(level)
    decided = highest > high
    rule = {"slope": slope, "intercept": 0.0, "threshold": high, "low": 0.0, "high": high}
    return rule, int((decided & ~right).sum()), int(decided.sum())


def _validated(
    p: ArrayLike, y: ArrayLike, group: ArrayLike
) -> tuple[Floats, NDArray[np.int64], Floats]:
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y).ravel().astype(np.int64)
    if set(np.unique(truth)) != {0, 1} or not ((values >= 0) & (values <= 1)).all():
        raise LabelError(
            "no threshold can be chosen",
            where="validation data",
            expected="probabilities in [0, 1] of both classes",
            got=f"{int((truth == 1).sum())} positive, {int((truth != 1).sum())} negative,"
            f" {int((~((values >= 0) & (values <= 1))).sum())} outside [0, 1]",
            remedy="choose validation groups that hold both classes",
        )
    return values, truth, group_weight(truth, np.asarray(group).ravel())
