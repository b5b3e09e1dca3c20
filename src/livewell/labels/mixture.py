"""The mixture of two normal distributions that a death stain is taken for."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import LabelError

LEAST_VALUES = 20
"""Fewer values than this are no sample to fit two normal distributions to."""
LEAST_MEMBERS = 5
"""A component that stands for fewer values than this is an outlier, no class."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two normal distributions of a stain, in its unit: of live cells (darker) and of dead ones.

    `live_weight` is the share of the live component, 0 to 1; the rest is dead. `bic_gain` says by
    how much the Bayesian information criterion is better than that of one normal distribution.
    """

    live_mean: float
    live_sd: float
    dead_mean: float
    dead_sd: float
    live_weight: float = 0.5
    bic_gain: float = float("nan")

    @property
    def live_below(self) -> float:
        """Live are values below ``live_mean + live_sd`` (Pattarone et al. 2021)."""
        return self.live_mean + self.live_sd

    @property
    def dead_above(self) -> float:
        """Dead are values above ``dead_mean - dead_sd`` (Pattarone et al. 2021)."""
        return self.dead_mean - self.dead_sd

    def __str__(self) -> str:
        return (
            f"live {self.live_mean:.4g} +- {self.live_sd:.3g} ({self.live_weight:.0%}),"
            f" dead {self.dead_mean:.4g} +- {self.dead_sd:.3g};"
            f" live below {self.live_below:.4g}, dead above {self.dead_above:.4g}"
        )

    def to_dict(self) -> dict[str, float]:
        """Its numbers and its thresholds, fit for JSON."""
        return asdict(self) | {"live_below": self.live_below, "dead_above": self.dead_above}

    def check(self) -> "Mixture":
        """Itself, if there are two components whose thresholds leave the classes apart."""
        crossed = not self.live_below < self.dead_above
        if self.bic_gain <= 0 or crossed:
            raise LabelError(
                "no second population was found in the stain: "
                + (
                    "the thresholds for live and dead cross"
                    if crossed
                    else "one normal distribution describes it as well as two (BIC)"
                ),
                where="mixture of the stain",
                expected="live mean + sd below dead mean - sd, and a better BIC than of one",
                got=str(self),
                remedy="decide on the ratio to the background (of single nuclei on its logarithm),"
                " fit each group by itself, or a reference set with both live and dead cells",
            )
        return self


PATTARONE_2021 = Mixture(224.51, 34.46, 550.44, 153.55)
"""As published, mean propidium iodide in 16-bit counts of that microscope; weights unpublished."""


def fit_mixture(values: NDArray[Any], seed: int) -> Mixture:
    """Fit two normal distributions to a stain (mean of each patch, or ratio to the background).

    The component with the lower mean is live. Its thresholds may cross: see `Mixture.check`.

    Notes
    -----
    Source: Pattarone et al. 2021, labels from propidium iodide.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < LEAST_VALUES or not np.isfinite(sample).all():
        raise LabelError(
            "no sample to fit two normal distributions to",
            where="mixture of the stain",
            expected=f"at least {LEAST_VALUES} finite values",
            got=f"{int(np.isfinite(sample).sum())} finite of {sample.size}",
            remedy="take more patches, or fit several groups together",
        )
    centre, scale = float(np.median(sample)), float(sample.std())
    if not scale > 0:
        raise LabelError(
            "the stain is the same everywhere",
            where="mixture of the stain",
            got=f"{sample.size} times {centre:g}",
            remedy="look whether this is the stain's channel",
        )
    from sklearn.mixture import GaussianMixture  # takes a second

    # Scaled, so that scikit-learn's floor for variances does not depend on the stain's unit.
    scaled = ((sample - centre) / scale)[:, None]
    fitted = GaussianMixture(2, n_init=5, tol=1e-5, max_iter=500, random_state=seed)
    gain = GaussianMixture(1).fit(scaled).bic(scaled) - fitted.fit(scaled).bic(scaled)
    order = np.argsort(fitted.means_[:, 0])
    mean = fitted.means_[order, 0] * scale + centre
    sd = np.sqrt(fitted.covariances_[order, 0, 0]) * scale
    weight = fitted.weights_[order]
    mixture = Mixture(*(float(v) for v in (mean[0], sd[0], mean[1], sd[1], weight[0], gain)))
    if min(weight) * sample.size < LEAST_MEMBERS:
        raise LabelError(
            "one of the two components holds a few outliers only",
            where="mixture of the stain",
            expected=f"at least {LEAST_MEMBERS} values in each",
            got=f"{mixture}, from {sample.size} values",
            remedy="fit several groups together, or on a set that holds both live and dead cells",
        )
    return mixture
