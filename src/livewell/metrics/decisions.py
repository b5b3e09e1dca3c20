"""From probabilities to verdicts; every number here is chosen on validation data, never on test."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from scipy.stats import t as student

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError, TableError, missing_columns
from livewell.metrics.calibration import fit_logistic, fit_temperature, group_weight, probability
from livewell.metrics.outcomes import Floats
from livewell.metrics.rules import FamiliarityRule, ImageRule, RegionRule, log_odds
from livewell.tables.schemas import score_columns
from livewell.text import plural

WORSE, ABOVE = 0.01, 0.1
"""How the threshold of detections is chosen, see `fit_detection_rule`."""
LEAST_IMAGES = 4
"""With fewer validation images of a class the image's probability is not fitted."""
MAX_ERROR = 0.05
"""Highest share of wrong verdicts among decided images that a band is chosen for."""
LEAST_BAND = 0.1
"""The unsure band reaches at least so far to either side of the threshold."""

MOST_FLAGGED, LEAST_GROUPS = 0.05, 3
"""Share of fields of new groups that may be called unlike, and from how many groups it is told."""


def choose_threshold(p: ArrayLike, y: ArrayLike, group: ArrayLike) -> float:
    """Threshold with the best balanced accuracy when every group weighs alike in each class.

    A patch (or image) is called positive where ``p >= threshold``. All thresholds between two
    neighbouring probabilities call alike; of equally good ones the middle of the widest unbroken
    stretch is taken, and of equally wide stretches the one whose middle is nearest to 0.5.
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
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y).ravel().astype(np.int64)
    outside = ~((values >= 0) & (values <= 1))
    if set(np.unique(truth)) != {0, 1} or outside.any():
        raise LabelError(
            "no threshold can be chosen",
            where="validation data",
            expected="probabilities in [0, 1] of both classes",
            got=f"{int((truth == 1).sum())} positive, {int((truth != 1).sum())} negative,"
            f" {int(outside.sum())} outside [0, 1]",
            remedy="choose validation groups that hold both classes",
        )
    weight = group_weight(truth, np.asarray(group).ravel())
    levels, level = np.unique(values, return_inverse=True)
    # Raising the threshold over a level loses the positives at it and gains the negatives.
    gain = -np.bincount(level, np.where(truth == 1, weight, -weight))
    score = np.concatenate([[0.0], np.cumsum(gain)])
    lows, highs = np.concatenate([[0.0], levels]), np.concatenate([levels, [1.0]])
    best = score >= score.max() - worse
    edges = np.flatnonzero(np.diff(np.concatenate([[False], best, [False]]).astype(int)))
    stretches = [(lows[a], highs[b - 1]) for a, b in edges.reshape(-1, 2)]
    return max(stretches, key=lambda s: (round(s[1] - s[0], 12), -abs(s[0] + s[1] - 1)))


def narrowest_band(
    p: ArrayLike,
    y: ArrayLike,
    threshold: float,
    max_error: float = MAX_ERROR,
    *,
    weight: ArrayLike | None = None,
) -> tuple[float, float]:
    """The narrowest band around a threshold outside of which at most `max_error` are wrong.

    Of equally narrow bands the one that decides most; (0, 1), with nothing decided, where no
    narrower one is good enough. The threshold lies in the band, with `LEAST_BAND` to either side,
    so that images that happen to be separated wholly do not leave an empty band.

    Parameters
    ----------
    p, y
        Probability and truth 0/1 of every validation image.
    max_error
        Highest share of wrong ones among those with ``p < low`` or ``p > high``, in [0, 1).
    weight
        What each image counts in that share; one each by default.
    """
    if not 0 <= max_error < 1:
        raise SpecError(
            "no such share", where="max_error", expected="in [0, 1)", got=str(max_error)
        )
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y).ravel() == 1
    floor, ceiling = max(0.0, threshold - LEAST_BAND), min(1.0, threshold + LEAST_BAND)
    lows = _thinned(np.unique(np.concatenate([[0.0, floor], values[values < floor]])))
    highs = _thinned(np.unique(np.concatenate([[ceiling, 1.0], values[values > ceiling]])))
    below = values[:, None] < lows
    above = values[:, None] > highs
    counts = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float).ravel()
    wrong = (counts[truth] @ below[truth])[:, None] + (counts[~truth] @ above[~truth])[None, :]
    decided = (counts @ below)[:, None] + (counts @ above)[None, :]
    good = wrong <= max_error * decided + 1e-9
    width = np.where(good, np.round(highs[None, :] - lows[:, None], 12), np.inf)
    candidates = np.argwhere(width == width.min())
    low, high = max(candidates, key=lambda ends: decided[tuple(ends)])
    return float(lows[low]), float(highs[high])


def _thinned(values: Floats, most: int = 400) -> Floats:
    """At most so many of the values, first and last among them."""
    if len(values) <= most:
        return values
    return np.asarray(values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))])


def fit_region_rule(logits: ArrayLike, y: ArrayLike, group: ArrayLike) -> RegionRule:
    """Temperature and threshold from validation regions.

    Of two classes the threshold is that of `choose_threshold`; of more every region is called, for
    only images are left unsure.

    Parameters
    ----------
    logits
        Log odds of the positive class, shape (n,); or logits of all classes, (n, classes).
    y, group
        Number of the class of every region, 0/1 for log odds, and its group.
    """
    values = np.asarray(logits, dtype=float)
    if values.ndim == 2 and values.shape[1] == 2:
        values = log_odds(values)
    temperature = fit_temperature(values, y)
    if values.ndim == 2:
        return RegionRule(temperature, 0.0)
    return RegionRule(temperature, choose_threshold(probability(values, temperature), y, group))


def fit_detection_rule(highest: ArrayLike, y: ArrayLike, group: ArrayLike) -> RegionRule:
    """Which peaks of a frame are called, from labels of frames alone.

    All peaks of a negative frame are false, so the threshold lies above the highest of nearly all
    negative frames. Of those that separate frames almost equally well, `WORSE` at most from the
    best, a low one is taken, for other objects of a positive frame score less than its best:
    `ABOVE` of the way, in log odds, from the lowest of them to the highest.

    Parameters
    ----------
    highest
        Log odds of the highest peak of every validation frame.
    y, group
        Label 0/1 and group of every frame.
    """
    rule = fit_region_rule(highest, y, group)
    ends = _stretch(rule.probability(highest), y, group, WORSE)
    if ends[0] <= 0 or ends[1] >= 1:
        return rule
    low, high = (rule.log_odds(end) for end in ends)
    least = float(rule.probability(low + ABOVE * (high - low)))
    return RegionRule(rule.temperature, least) if least > ends[0] else rule


def fit_image_rule(
    images: pd.DataFrame, temperature: float, classes: ClassNames, max_error: float = MAX_ERROR
) -> ImageRule:
    """Probability, threshold and doubt from validation images.

    Two classes: the mean calibrated log odds go through Platt's (1999, Probabilistic outputs for
    support vector machines, section 2.2) logistic with smoothed targets, slope at least 0; groups
    count, not images. The unsure band around the threshold is `narrowest_band`. More classes: a
    second temperature takes the place of the logistic, and an image is unsure up to the lowest
    highest probability beyond which at most `max_error` of the verdicts are wrong, and at least
    `LEAST_BAND` above chance.

    Parameters
    ----------
    images
        As `livewell.metrics.images.by_image` makes them from validation scores.
    temperature
        Of the regions' logits.
    max_error
        Highest share of wrong verdicts among decided validation images, groups weighing alike.
    """
    means = [f"mean_{name}" for name in score_columns(classes, "logit")]
    needed = dict.fromkeys(("group", "y", *means), "needed to fit verdicts")
    if faults := missing_columns(images, needed):
        raise TableError("not a table of validation images", faults)
    y, x = images["y"].to_numpy(int), images[means].to_numpy(float) / temperature
    if not len(y):
        raise LabelError("no validation image to fit verdicts on")
    counts = np.bincount(y, minlength=len(classes))
    held = " and ".join(f"{n} {name}" for n, name in zip(counts, classes, strict=True))
    count = images["group"].nunique()
    notes = [f"chosen on {held} images of {plural(count, 'group')} that the fit had not seen"]
    few = counts.min() < LEAST_IMAGES
    if few:
        notes.append(
            f"fewer than {LEAST_IMAGES} of a class: the image's probability is that of its"
            " regions' mean logits, not fitted"
        )
    # a well of many frames counts no more than one of few
    weight = 1 / images.groupby("group")["y"].transform("size").to_numpy(float)
    fit = _two_classes if classes.binary else _several_classes
    rule, decided, right = fit(x, y, images["group"], weight, few, max_error)
    notes.append(f"{int((decided & ~right).sum())} of {int(decided.sum())} decided ones wrong")
    if rule["slope"] < 1e-6:
        notes.append("the net says nothing about such images")
    return ImageRule(temperature, **rule, classes=classes.names, note="; ".join(notes))


Fit = tuple[dict[str, float], NDArray[np.bool_], NDArray[np.bool_]]
"""Numbers of an `ImageRule`, and of every image whether it gets a verdict, and the right one."""


def _two_classes(
    x: Floats, y: NDArray[np.int64], group: pd.Series, weight: Floats, few: bool, max_error: float
) -> Fit:
    score = x[:, 0]
    slope, intercept = (1.0, 0.0) if few else fit_logistic(score, y, group.to_numpy())
    p = np.asarray(expit(slope * score + intercept))
    threshold = choose_threshold(p, y, group) if len(set(y)) == 2 else 0.5
    low, high = narrowest_band(p, y, threshold, max_error, weight=weight)
    rule = {
        "slope": slope,
        "intercept": intercept,
        "threshold": threshold,
        "low": low,
        "high": high,
    }
    return rule, (p < low) | (p > high), (p > high) == (y == 1)


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
    rule = {"slope": slope, "intercept": 0.0, "threshold": high, "low": 0.0, "high": high}
    return rule, highest > high, right


def fit_familiarity_rule(distances: ArrayLike, group: ArrayLike) -> FamiliarityRule | None:
    """The distance beyond which at most `MOST_FLAGGED` of the fields of new groups are expected.

    The greater of two. The upper prediction limit of a field of one more group, by Student's t, of
    logarithms with one variance between groups, which weigh alike, and one within them; and, as
    groups may differ more than normally, the `MOST_FLAGGED` upper conformal quantile over groups of
    their median fields, of few groups the farthest. Of fewer than `LEAST_GROUPS` groups nothing can
    be said.

    Parameters
    ----------
    distances
        Of fields, each from a reference that its group had no part in.
    group
        Of every field.
    """
    table = pd.DataFrame({"far": np.log(np.maximum(distances, 1e-12)), "group": group})
    each = table.groupby("group")["far"]
    means, within = each.mean(), float(each.var(ddof=0).mean())
    if len(means) < LEAST_GROUPS:
        return None
    spread = np.sqrt(means.var(ddof=1) * (1 + 1 / len(means)) + within)
    normal = means.mean() + student.ppf(1 - MOST_FLAGGED, len(means) - 1) * spread
    middles = each.median().sort_values().to_numpy()
    rank = min(int(np.ceil((1 - MOST_FLAGGED) * (len(middles) + 1))), len(middles))
    far = max(float(normal), float(middles[rank - 1]))
    return FamiliarityRule(float(np.exp(far)), len(table), len(means))
