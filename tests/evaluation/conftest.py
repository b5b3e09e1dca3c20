"""Simulated scores for the tests of this room."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit


def _scored(
    rng: np.random.Generator,
    groups: int = 12,
    patches: int = 40,
    *,
    pure: bool = False,
    group_sd: float = 0.7,
    signal: float = 0.85,
) -> pd.DataFrame:
    group = np.repeat(np.arange(groups), patches)
    y = group % 2 if pure else rng.integers(0, 2, groups * patches)
    logit = rng.normal(0, group_sd, groups)[group] + rng.normal(size=len(group))
    logit += signal * (2 * y - 1)
    p = expit(logit)
    names = [f"g{number:03d}" for number in group]
    return pd.DataFrame(
        {"group": names, "y": y, "p": p, "called": (p >= 0.5).astype(int), "logit": logit}
    )


@pytest.fixture(scope="session")
def scored() -> Callable[..., pd.DataFrame]:
    """Makes outcomes with a random effect of the group on the logit.

    ``scored(rng, groups, patches, pure=..., group_sd=..., signal=...)``: with `pure` every group
    holds one class only, as wells of one dose do; `group_sd` is the spread between groups and
    `signal` half the distance between classes, in units of the patches' noise.
    """
    return _scored
