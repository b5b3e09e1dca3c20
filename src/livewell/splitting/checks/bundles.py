"""What labels were given to, and whether numbers measured on it know the label."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.metrics.outcomes import Floats
from livewell.metrics.resampling import draws
from livewell.metrics.ridge import p_value
from livewell.splitting.audit import CHECKS, LEVEL, Association, tellable

PERMUTATIONS, RESAMPLES = 9999, 499
AT_ONCE = 4_000_000
"""Numbers that permutations hold at once."""
LEAST = 3
"""Bundles of a class below which nothing is compared."""


@dataclass(frozen=True)
class Bundles:
    """What a label was given to, such as wells; how much of each class every one of them holds.

    Parameters
    ----------
    names
        One name each; of images whose frames have several labels one for each label.
    counts
        Shape (bundles, classes): one bundle counts once, or by its labelled regions where one image
        holds regions of several classes.
    classes
        In the order of the columns of `counts`.
    seed
        Of permutations and resamples.
    strata, batch
        Shape (bundles,): within which alone bundles are compared and labels permuted; what they are
        called, such as ``plate``. Empty: all with all.
    """

    names: tuple[str, ...]
    counts: Floats
    classes: ClassNames
    seed: int = 0
    strata: tuple[str, ...] = ()
    batch: str = ""

    def only(self, rows: NDArray[np.bool_]) -> "Bundles":
        """Some of the bundles."""
        names, strata = (np.array(each)[rows[: len(each)]] for each in (self.names, self.strata))
        return replace(self, names=tuple(names), counts=self.counts[rows], strata=tuple(strata))

    def within(self, batch: str, strata: "pd.Series[str]") -> "Bundles":
        """The same, compared within the levels of a batch, one level a bundle."""
        return replace(self, strata=tuple(strata.astype(str)), batch=batch.replace("_", " "))

    @property
    def _strata(self) -> list[NDArray[np.bool_]]:
        """Rows of every stratum."""
        code = pd.factorize(np.array(self.strata or [""] * len(self.names)))[0]
        return [code == each for each in np.unique(code)]

    @property
    def labels(self) -> "pd.Series[str]":
        """Class of every bundle, by its name; of mixed ones that of which it holds most."""
        names = np.array(self.classes.names)
        return pd.Series(names[self.counts.argmax(axis=1)], index=list(self.names), name="label")

    def scarce(self, level: float = LEVEL / CHECKS) -> str:
        """Why nothing can be told: a class in too few bundles, or no p value so low; else empty."""
        held = (self.counts > 0).sum(axis=0)
        said = [
            f"{name} in only {n}" if n < LEAST else f"{name} in {n}"
            for name, n in zip(self.classes, held, strict=True)
        ]
        short = [text for text, n in zip(said, held, strict=True) if n < LEAST]
        if short:
            return f"at least {LEAST} of each class are needed, and there is {', '.join(short)}"
        n = len(self.names)
        drawn = np.stack([(self.counts[own] > 0).sum(axis=0) for own in self._strata]).astype(float)
        if held.sum() > n:  # bundles of several classes: all n! orders
            drawn = np.column_stack([np.ones(n), np.arange(n)])
        if tellable(drawn, level, two_sided=True):
            return ""
        return f"there are too few to tell from chance: {', '.join(said)}"

    @cached_property
    def sought(self) -> list[int]:
        """Columns of classes held against the rest: of two the positive one, else each."""
        return [1] if self.classes.binary else list(range(len(self.classes)))

    def permuted(self) -> Iterator[Floats]:
        """Counts dealt out anew within strata, (permutations, bundles, classes), part by part."""
        rng, strata = np.random.default_rng([self.seed, 1]), self._strata
        step = max(1, AT_ONCE // self.counts.size)
        for first in range(0, PERMUTATIONS, step):
            order = np.tile(np.arange(len(self.names)), (min(step, PERMUTATIONS - first), 1))
            for own in strata:
                order[:, own] = rng.permuted(order[:, own], axis=1)
            yield self.counts[order]

    def areas(self, values: Floats, counts: Floats) -> Floats:
        """Area under the ROC curve of each sought class against the rest, (weightings, sought).

        `values` has one number a bundle, or one row of them a weighting; `counts` is of shape
        (weightings, bundles, classes). Only pairs of one stratum are compared; 1/2 where there are
        none.
        """
        found = [_pairs(values[..., own], counts[:, own]) for own in self._strata]
        above, total = (np.sum(each, axis=0)[:, self.sought] for each in zip(*found, strict=True))
        half: Floats = np.full(above.shape, 0.5)
        return np.asarray(np.divide(above, total, out=half, where=total > 0))

    def area_within(self, values: Floats, batch: "pd.Series[str]", pooled: float) -> float:
        """The area under the ROC curve where only bundles of one batch are compared, or NaN.

        Bundles without a number or a batch are left out. `pooled` is the area over all, 0.5 or
        more: it says of which class, and which way.
        """
        known = np.isfinite(values) & batch.notna().to_numpy()
        part = self.only(known)
        over_all = part.areas(values[known], part.counts[None])[0]
        ways = np.stack([over_all, 1 - over_all])
        way, column = np.unravel_index(np.abs(ways - pooled).argmin(), ways.shape)
        inside = part.within("", batch[known])
        held = [inside.counts[own][:, self.sought[column]] for own in inside._strata]
        sums = [inside.counts[own].sum() for own in inside._strata]
        if not any(0 < each.sum() < most for each, most in zip(held, sums, strict=True)):
            return np.nan
        area = float(inside.areas(values[known], inside.counts[None])[0, column])
        return 1 - area if way else area

    def tell(self, values: pd.DataFrame) -> "Telling":
        """How far each column of numbers, one row a bundle, tells the classes apart.

        A bundle without a number is left out of that column. Columns of one value only, and those
        in which a class has fewer than `LEAST` bundles, are left out.
        """
        observed, null, kept = [], [], []
        for name in values:
            known = np.isfinite(values[name].to_numpy(float))
            part = self.only(known)
            numbers = values[name].to_numpy(float)[known]
            if part.scarce() or np.ptp(numbers) <= 1e-9 * np.abs(numbers).max():
                continue
            observed.append(part.areas(numbers, part.counts[None])[0])
            null.append(np.concatenate([part.areas(numbers, c) for c in part.permuted()]))
            kept.append((str(name), numbers, part))
        return Telling.of(self, observed, null, kept)

    def interval(self, values: Floats, sought: int) -> tuple[float, float]:
        """95% interval of an area, bundles drawn anew within classes."""
        held = (self.counts > 0).T
        weights = draws(held, self.seed, RESAMPLES)
        found = self.areas(values, self.counts[None] * weights[:, :, None])
        low, high = np.nanpercentile(found[:, sought], (2.5, 97.5))
        return float(low), float(high)


@dataclass(frozen=True)
class Telling:
    """How far numbers tell the classes: their areas, and what chance makes of the greatest.

    ``p_value`` is that of the greatest statistic over all of them (Westfall and Young 1993), each
    area taken in units of its own spread under permutation; NaN where there is nothing.
    """

    associations: tuple[Association, ...] = ()
    p_value: float = np.nan

    @classmethod
    def of(
        cls,
        bundles: Bundles,
        observed: list[Floats],
        null: list[Floats],
        kept: list[tuple[str, Floats, Bundles]],
    ) -> "Telling":
        """From areas (sought,) and permuted areas (permutations, sought) of every column."""
        if not kept:
            return cls()
        spread = [np.maximum(each.std(axis=0), 1e-9) for each in null]
        sizes = [
            np.abs(a - n.mean(axis=0)) / s for a, n, s in zip(observed, null, spread, strict=True)
        ]
        chance = np.max(
            [
                (np.abs(n - n.mean(axis=0)) / s).max(axis=1)
                for n, s in zip(null, spread, strict=True)
            ],
            axis=0,
        )
        greatest = max(float(each.max()) for each in sizes)
        p = p_value(greatest, chance)
        order = sorted(range(len(kept)), key=lambda n: -float(sizes[n].max()))
        return cls(
            tuple(_association(*kept[n], observed[n], int(sizes[n].argmax())) for n in order), p
        )


def _association(
    name: str, values: Floats, part: Bundles, areas: Floats, which: int
) -> Association:
    """The area as 0.5 or more, with the class in which the number is higher or lower."""
    low, high = part.interval(values, which)
    area = float(areas[which])
    sought = part.classes.names[part.sought[which]]
    way = "higher" if area >= 0.5 else "lower"
    if area < 0.5:
        area, low, high = 1 - area, 1 - high, 1 - low
    text = f"{way} in {sought}" + f", within one {part.batch}" * bool(part.batch)
    return Association(name, "AUC", area, low, high, text)


def _pairs(values: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Pairs of each class and the rest that are ranked right, ties by half, and all pairs."""
    if values.ndim == 2:
        order = np.argsort(values, axis=1, kind="stable")
        sorted_counts = np.take_along_axis(counts, order[:, :, None], axis=1)
    else:
        order = np.argsort(values, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(values[order]) != 0])
        sorted_counts = np.add.reduceat(counts[:, order], starts, axis=1)
    rest = sorted_counts.sum(axis=2, keepdims=True) - sorted_counts
    below = np.cumsum(rest, axis=1) - rest / 2
    return (sorted_counts * below).sum(axis=1), sorted_counts.sum(axis=1) * rest.sum(axis=1)
