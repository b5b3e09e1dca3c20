"""How much of every object's bounding box a mask covers, and Table 3 of Sailem et al.

The paper's measure of whether a network that learnt from labels of images finds the objects.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from livewell.detection.matching import CoveredCounts
from livewell.errors import GeometryError, SpecError
from livewell.metrics.outcomes import Floats

LEAST = 0.9
"""Share of a bounding box that has to be covered (Sailem et al., section 4.2)."""
COUNTS = ["true_positives", "false_positives", "false_negatives", "true_negatives"]
"""Columns of `table3_by_image`."""


def covered(mask: NDArray[np.bool_], boxes: ArrayLike) -> Floats:
    """Share of each box's pixels that a mask covers.

    Boxes have the shape (n, 4): first row and column inside, first row and column beyond (y0, x0,
    y1, x1), whole pixels. Pixels of a box beyond the mask's edge are its pixels, and not covered.
    Shares are from sums over the mask taken once, whatever the number of boxes.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != np.bool_:
        got = f"{mask.ndim} axes of {mask.dtype}"
        raise SpecError("not a mask", where="mask", expected="(height, width) bool", got=got)
    corners = _whole(boxes)
    sums = np.pad(mask.cumsum(axis=0, dtype=np.int64).cumsum(axis=1), ((1, 0), (1, 0)))
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    y0, y1 = np.clip(corners[:, [0, 2]], 0, mask.shape[0]).T
    x0, x1 = np.clip(corners[:, [1, 3]], 0, mask.shape[1]).T
    return np.asarray((sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]) / area)


def table3(
    shares: ArrayLike, kinds: ArrayLike, positive_kind: str, least: float = LEAST
) -> CoveredCounts:
    """The paper's measure of localisation: which objects of positive images are covered.

    An object of the kind sought whose bounding box is covered by at least `least` is a true
    positive, otherwise a false negative; an object of another kind so covered is a false positive,
    otherwise a true negative.

    Source: Sailem et al., section 4.2 and Table 3 (which says "at least" for both kinds; the text
    says "more than 90%" for ellipses). Its printed accuracy of 99.995% cannot go with its precision
    of 93.00% and recall of 97.19%.

    What it does not see: a mask where no object is; negative images, however much is marked there;
    a mask that covers everything, but for precision, which is then the share of the kind sought;
    and how high a score was. Where one object in ten is sought, a mask of nothing has an accuracy
    of 90%. `livewell.detection.matching` sees all that.
    """
    by_image = table3_by_image(shares, kinds, np.zeros(np.size(shares)), positive_kind, least)
    return CoveredCounts(*(int(by_image[name].sum()) for name in COUNTS))


def table3_by_image(
    shares: ArrayLike,
    kinds: ArrayLike,
    images: ArrayLike,
    positive_kind: str,
    least: float = LEAST,
) -> pd.DataFrame:
    """The counts of `table3` image by image, so that intervals can resample groups of images.

    One row an image (index image, sorted), columns `COUNTS`, whole numbers.
    """
    share, kind, image = (np.asarray(values).ravel() for values in (shares, kinds, images))
    share = share.astype(float)
    if not len(share) == len(kind) == len(image):
        got = f"{len(share)} shares, {len(kind)} kinds, {len(image)} images"
        raise SpecError("objects that do not fit together", expected="as many of each", got=got)
    if not 0 < least <= 1:
        raise SpecError("no such share", where="least", expected="in (0, 1]", got=str(least))
    strange = ~((share >= 0) & (share <= 1))
    if strange.any():
        rows = ", ".join(str(row) for row in np.flatnonzero(strange)[:5])
        raise SpecError(
            "shares that are none",
            where="shares",
            expected="in [0, 1]",
            got=f"{', '.join(f'{value:g}' for value in share[strange][:5])} in rows {rows}",
        )
    sought, found = kind.astype(str) == positive_kind, share >= least
    kinds_of = (sought & found, ~sought & found, sought & ~found, ~sought & ~found)
    table = pd.DataFrame(dict(zip(COUNTS, kinds_of, strict=True))).astype("int64")
    return table.groupby(pd.Series(image, name="image", dtype=None if len(image) else "str")).sum()


def _whole(boxes: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(boxes, dtype=float)
    if given.size == 0:
        return np.zeros((0, 4), np.int64)
    if given.ndim != 2 or given.shape[1] != 4:
        raise GeometryError("not boxes", expected="shape (n, 4)", got=f"shape {given.shape}")
    whole = np.isfinite(given).all(axis=1)
    whole[whole] = (given[whole] % 1 == 0).all(axis=1)
    bad = ~whole
    bad[whole] = (given[whole, 2:] <= given[whole, :2]).any(axis=1)
    if bad.any():
        rows = np.flatnonzero(bad)
        raise GeometryError(
            f"{len(rows)} of {len(given)} boxes cannot be",
            where=f"row {rows[0]}",
            expected="whole pixels with y0 < y1 and x0 < x1",
            got=f"y0, x0, y1, x1 = {', '.join(f'{value:g}' for value in given[rows[0]])}",
        )
    return given.astype(np.int64)
