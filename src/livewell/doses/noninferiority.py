"""Whether the wells of one dose are no sicker than those without light by more than a margin.

H0: difference >= D, where the difference is one of means over wells of the share of patches called
sick. A plain Welch t does not hold its level: fractions of few wells are skewed to the right and
often all 0, and then mean and spread are low together. So

- the variance of a well is the larger of its group's own sample variance and a model's under H0:
  ``m (1 - m) (r + (1 - r) mean(1 / patches))`` with the means m nearest to the data that are D
  apart (as Farrington and Manning 1990, Stat. Med. 9:1447, do for single patients);
- r, the correlation of patches in a well, is the larger of a moment estimate from control and dose
  together and one from the group alone, each begun with one well's worth of r = `PRIOR`, so that
  wells that happen to agree are not taken for a proof that wells agree;
- degrees of freedom are Satterthwaite's (1946);
- the statistic is corrected for skewness, that of a beta distribution with these m and r, by
  Hall's (1992, J. R. Stat. Soc. B 54:221) monotone form of Johnson's (1978, JASA 73:536): whole
  where the wells' own variance is used, down to half where the model's is so much larger that it
  alone counts; only a skewness that makes the plain test too bold is corrected.

Simulated where the true difference is exactly the margin, alpha 0.05, 4,000 plates a setting: 2 to
12 wells, control means 0.01 to 0.3, margins 0.05 to 0.2, 10 to 200 patches a well, beta-binomial
wells. How often the dose is called not worse, worst setting (plain Welch, one run of 2,000 plates):

======================  =============================
correlation in a well   this test (plain Welch)
======================  =============================
0.01                    3.6% (27%)
0.05                    4.9% (31%)
0.1                     6.2% (35%)
0.2                     8.0% (48%)
0.3                     8.6% (54%)
control 0.2, dose 0.02  3.0% (28%)
control 0.02, dose 0.2  14% (45%)
======================  =============================

With one correlation for both, 2.6% of settings are above 5.5% and 0.6% above 7%, these at a control
of 0.01; with a control of 0.1 or more none is above 4.8%. Where the dose alone is far more
correlated than the control, 95% of settings are below 8.5%. The test the other way (worse) is at
most at 4.6%, or 8.8% where the control alone is far more correlated. Power where light does no
harm, correlation 0.05, 50 patches, control 0.1: 51%, 67% and 85% with 6, 8 and 12 wells at a margin
of 0.1; 49%, 80% and 96% with 3, 4 and 6 at 0.2; with 2 wells next to none.

What no test of few wells can see: harm that is all or nothing. If a tenth of the wells dies and the
rest is well, 12 wells show no dead one in 28% of plates. In such mixtures the dose was called not
worse in up to 49% (wells wholly sick) and 30% (half of the patches sick) of plates.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from livewell.metrics.outcomes import Floats

Number = float | Floats

PRIOR = 0.1
"""Correlation of patches within a well that is assumed as if one more well had shown it."""
POWER = 0.8
MOST_WELLS = 10_000
"""Power that `wells_needed` is for, and the number of wells a dose beyond which it says None."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The wells of one dose, summed up; every field a number, or an array for many plates at once.

    `squares` is the sum of squared distances of their fractions from `mean`, `inverse` the mean of
    1 / patches.
    """

    wells: int
    mean: Number
    squares: Number
    inverse: Number

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Group":
        """From rows of a checked table."""
        fraction = np.sort(rows["fraction"].to_numpy(float))
        inverse = np.sort(1 / rows["patches"].to_numpy(float))
        mean = float(fraction.mean())
        return cls(len(rows), mean, float(((fraction - mean) ** 2).sum()), float(inverse.mean()))


def p_values(control: Group, group: Group, at: Number) -> tuple[Floats, Floats]:
    """One-sided p values of a true difference of at least, and of at most, each value of `at`.

    There are at least two wells without light and two of the dose; `at` lies in (-1, 1).
    """
    variance, free, skewness = _model(control, group, at)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (np.asarray(group.mean) - control.mean - at) / np.sqrt(variance)
    # Two identical groups without any spread say nothing about a difference of 0.
    t = np.where(np.isnan(t), 0.0, t)
    less = stats.t.cdf(_corrected(t, np.maximum(skewness, 0)), free)
    more = stats.t.sf(_corrected(t, np.minimum(skewness, 0)), free)
    return np.asarray(less), np.asarray(more)


def _corrected(t: Floats, skewness: Floats) -> Floats:
    """Hall's (1992) monotone transformation of a studentised mean of that skewness."""
    bend = skewness / 3
    return np.asarray(t + bend * t**2 + bend**2 * t**3 / 3 + skewness / 6)


def _model(control: Group, group: Group, at: Number) -> tuple[Floats, Floats, Floats]:
    """Variance of the difference under H0, its degrees of freedom, and its skewness."""
    both = control.wells + group.wells
    low = (control.wells * control.mean + group.wells * (group.mean - np.asarray(at))) / both
    low = np.clip(low, np.maximum(0, -np.asarray(at)), np.minimum(1, 1 - np.asarray(at)))
    high = np.clip(low + at, 0, 1)
    own, dosed = _spread(control, group, low, high), _spread(group, control, high, high)
    parts = own[0] / control.wells, dosed[0] / group.wells
    variance = parts[0] + parts[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        free = variance**2 / (
            parts[0] ** 2 / (control.wells - 1) + parts[1] ** 2 / (group.wells - 1)
        )
        third = [
            skewness * spread**1.5 / g.wells**2
            for (spread, skewness), g in ((own, control), (dosed, group))
        ]
        skewness = (third[1] - third[0]) / variance**1.5
    return variance, np.where(variance > 0, free, 1), np.nan_to_num(skewness)


def _spread(own: Group, other: Group, mean: Floats, dosed: Floats) -> tuple[Floats, Floats]:
    """Variance and skewness of one well's fraction in a group of that mean."""
    weight = np.maximum(dosed * (1 - dosed), 1e-12)
    correlation = np.maximum(_correlation((own,), weight), _correlation((own, other), weight))
    within = correlation + (1 - correlation) * own.inverse
    sample = np.asarray(own.squares) / (own.wells - 1)
    variance = np.maximum(sample, within * mean * (1 - mean))
    # Mean and spread are low together only as far as it is the wells' own spread that is used.
    share = (1 + sample / np.maximum(variance, 1e-12)) / 2
    return variance, share * _beta_skewness(mean, within)


def _correlation(groups: tuple[Group, ...], weight: Floats) -> Floats:
    """Moment estimate of the correlation in a well, begun with one well's worth of `PRIOR`."""
    above, below = PRIOR * weight, weight
    for group in groups:
        single = (group.wells - 1) * np.asarray(group.mean) * (1 - np.asarray(group.mean))
        above = above + group.squares - single * group.inverse
        below = below + single * (1 - np.asarray(group.inverse))
    return np.clip(above / below, 0, 1)


def _beta_skewness(mean: Floats, correlation: Floats) -> Floats:
    """Skewness of a beta distribution whose variance is ``correlation * mean * (1 - mean)``."""
    m, r = np.clip(mean, 1e-6, 1 - 1e-6), np.clip(correlation, 1e-6, 0.9)
    return np.asarray(2 * (1 - 2 * m) * np.sqrt(r / (m * (1 - m))) / (1 + r))


def wells_needed(
    control: Group, group: Group, margin: float, alpha: float, true: float
) -> int | None:
    """Wells in each of both groups with which the test reaches power `POWER`.

    Patches in a well stay as correlated as the test takes them to be now; power is that of a
    noncentral t. On simulated plates of 4 to 40 wells a dose the median forecast was within three
    wells of the number that reaches 80% by trial (6 to 21); of single plates with 4 wells a dose,
    four in five said 0.6 to 2.1 times that number.

    `true` is the true difference, below the margin; None if more than `MOST_WELLS`.
    """
    # No sick patch at all says that there are few, not that there is no chance: half a patch.
    least = 0.5 * float(control.inverse) / control.wells
    base = float(np.clip(control.mean, least, 1 - max(true, 0)))
    at_margin = np.asarray(base + margin)
    weight = np.clip(at_margin * (1 - at_margin), 0.01, None)
    correlation = float(_correlation((control, group), weight))

    def planned(seen: Group, wells: int, mean: float) -> Group:
        """So many wells that show just what is expected."""
        mean = float(np.clip(mean, 0, 1))
        within = correlation + (1 - correlation) * float(seen.inverse)
        return Group(wells, mean, (wells - 1) * within * mean * (1 - mean), seen.inverse)

    def power(wells: int) -> float:
        expected = planned(control, wells, base), planned(group, wells, base + true)
        return _power(*expected, margin, alpha)

    high = 2
    while power(high) < POWER:
        high *= 2
        if high > MOST_WELLS:
            return None
    return bisect_left(range(high), POWER, lo=high // 2 + 1, key=power)


def _power(control: Group, group: Group, margin: float, alpha: float) -> float:
    variance, free, skewness = map(float, _model(control, group, margin))
    own = sum(float(g.squares) / (g.wells - 1) / g.wells for g in (control, group))
    real = math.sqrt(max(own, 1e-9))
    skewness = max(skewness, 0.0)
    # The statistic whose corrected form is just significant; the transformation is a full cube.
    goal = float(stats.t.ppf(alpha, free))
    if skewness > 1e-6:
        bend = skewness / 3
        goal = (np.cbrt(3 * bend * (goal - skewness / 6) + 1) - 1) / bend
    reach = goal * math.sqrt(variance) / real
    away = (float(group.mean - control.mean) - margin) / real
    return float(stats.nct.cdf(reach, free, away))
