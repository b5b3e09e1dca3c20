"""Brightness statistics of patches: the baseline that a classifier has to beat."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from livewell.errors import ImageContentError

PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


def features(stack: NDArray[Any]) -> pd.DataFrame:
    """Statistics of each patch's grey levels (n, h, w), blind to where in the patch they lie.

    Mean, sd, minimum, maximum, p01 to p99, skewness and excess kurtosis, which are 0 for a constant
    patch.
    """
    pixels = checked_stack(stack).reshape(len(stack), stack.shape[1] * stack.shape[2])
    pixels = pixels.astype(np.float64)
    table = pd.DataFrame({"mean": pixels.mean(axis=1), "sd": pixels.std(axis=1)})
    table["minimum"], table["maximum"] = pixels.min(axis=1), pixels.max(axis=1)
    for percent, values in zip(
        PERCENTILES, np.percentile(pixels, PERCENTILES, axis=1), strict=True
    ):
        table[f"p{percent:02d}"] = values
    varies = table["sd"] > 1e-9 * table["mean"].abs()
    centred = pixels[varies] / table.loc[varies, "sd"].to_numpy()[:, None]
    table["skewness"] = table["kurtosis"] = 0.0
    table.loc[varies, "skewness"] = stats.skew(centred, axis=1)
    table.loc[varies, "kurtosis"] = stats.kurtosis(centred, axis=1)
    return table


def checked_stack(stack: NDArray[Any]) -> NDArray[Any]:
    """`stack` itself, if it holds patches (n, h, w) of finite numbers."""
    if stack.ndim != 3 or 0 in stack.shape[1:] or stack.dtype.kind not in "buif":
        raise ImageContentError(
            "not a stack of patches",
            expected="numbers of shape (n, h, w)",
            got=f"shape {stack.shape}, type {stack.dtype}",
        )
    if stack.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(stack).all(axis=(1, 2)))
        if wrong.size:
            raise ImageContentError(
                "patches with NaN or infinite values",
                got=f"{wrong.size} of {len(stack)}, first number {wrong[0]}",
                remedy="leave the images out that `livewell inspect` calls not-finite",
            )
    return stack
