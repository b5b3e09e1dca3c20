"""What a distance from healthy says, chosen on healthy groups alone: no probability of sick."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import logit

from livewell.classes import ClassNames
from livewell.errors import SplitError
from livewell.metrics.decisions import LEAST_GROUPS, MOST_FLAGGED, fit_familiarity_rule
from livewell.metrics.outcomes import Floats
from livewell.metrics.rules import ImageRule, RegionRule
from livewell.text import plural

THRESHOLD = 0.5
"""What is called unlike healthy: `MOST_FLAGGED` of what is healthy lies beyond."""
USUAL = MOST_FLAGGED
"""What half of all that is healthy reaches. So the odds of p are `MOST_FLAGGED` to 1 times those of
lying farther than a healthy one."""
REGION_RULE = RegionRule(1.0, THRESHOLD)
"""Of logits on the scale of `fit_scale`."""


def meaning(classes: ClassNames) -> str:
    """What p means, of healthy and what is unlike it; for cards and pages."""
    healthy, other = classes
    return (
        f"The model learnt from {healthy} alone and says what is {other}, not what is sick: p is"
        f" no probability. Of {healthy} patches that it had not seen half lie farther from"
        f" {healthy} than where p is {USUAL:g}, and {MOST_FLAGGED:.0%} farther than where it is"
        f" {THRESHOLD:g}, the threshold; of {healthy} images of new groups at most as many are"
        f" expected beyond theirs. Whatever else is {other} is called so too: what is out of focus,"
        " of another magnification, other cells."
    )


class Scale(NamedTuple):
    """Log odds of p as a line over the logarithm of a distance, or over mean log odds."""

    slope: float
    intercept: float

    @classmethod
    def through(cls, middle: float, limit: float) -> "Scale":
        """The line at which p is `USUAL` at the middle, and `THRESHOLD` at the limit."""
        slope = -float(logit(USUAL)) / max(limit - middle, 1e-6)
        return cls(slope, -slope * limit)


def fit_scale(log_distance: ArrayLike, group: ArrayLike) -> Scale:
    """The scale of regions, from healthy ones of groups that the distances did not know.

    p is `USUAL` at the distance that half of them reach, and `THRESHOLD` at that which
    `MOST_FLAGGED` of them do, groups weighing alike.
    """
    return Scale.through(*_quantiles(log_distance, group, (0.5, 1 - MOST_FLAGGED)))


def fit_healthy_rule(images: pd.DataFrame, classes: ClassNames) -> ImageRule:
    """Verdicts from images of healthy groups alone; there is no band of doubt.

    The limit is that of `fit_familiarity_rule`: at most `MOST_FLAGGED` of the images of new healthy
    groups are expected beyond it.

    Parameters
    ----------
    images
        As `livewell.metrics.images.by_image` makes them of healthy images that the fit had not
        seen.
    classes
        Healthy, and what is unlike it.
    """
    means, group = images["mean_logit"].to_numpy(float), images["group"]
    rule = fit_familiarity_rule(np.exp(means), group)
    if rule is None:
        raise SplitError("too few healthy groups", expected=f"{LEAST_GROUPS} groups")
    (middle,) = _quantiles(means, group, (0.5,))
    scale = Scale.through(middle, float(np.log(rule.limit)))
    return ImageRule(
        1.0,
        scale.slope,
        scale.intercept,
        THRESHOLD,
        THRESHOLD,
        THRESHOLD,
        classes.names,
        note=f"chosen on {len(means)} {classes[0]} images of {plural(rule.groups, 'group')} that"
        f" the fit had not seen, and no other: at most {MOST_FLAGGED:.0%} of those of new groups"
        f" are expected to be called {classes[1]}",
    )


def _quantiles(values: ArrayLike, group: ArrayLike, levels: tuple[float, ...]) -> Floats:
    """Quantiles of values, groups weighing alike."""
    table = pd.DataFrame({"value": values, "group": np.asarray(group)}).dropna()
    table["weight"] = 1 / table.groupby("group")["value"].transform("size")
    table = table.sort_values("value")
    middle = table["weight"].cumsum() - table["weight"] / 2
    found: Floats = np.interp(levels, middle / table["weight"].sum(), table["value"])
    return found
