"""What patches were decided on by their stain, and how many came to which end."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

EMPTY = "without cells"
BORDER = "in a registration border"
SAME_PATCH = "same patch as another nucleus"
LEFT_OUT = (EMPTY, BORDER, SAME_PATCH)
"""Why patches are left out before any is decided on."""
BETWEEN = "between the thresholds"
SATURATED = "saturated below the dead threshold"
UNFIT = "of groups without a usable mixture"
UNDECIDED = (BETWEEN, SATURATED, UNFIT)
"""Why patches have no class after all."""
ALL = "all"
"""Name of the only set, and of the row that sums the sets."""


@dataclass(frozen=True)
class StainDecisions:
    """Every patch with its stain and how it ended, and the images of every set.

    Parameters
    ----------
    table
        One row a patch: image, ``set`` (such as treated), ``group`` (whose mixture it is judged
        by), ``stain`` (what it was decided on; NaN where it was left out before), ``fitted``
        (whether the mixture was fitted on it) and ``outcome``: a class, or one of `LEFT_OUT` or
        `UNDECIDED`.
    images
        Number of images by set, also of such as have no patch.
    of
        What the rows of the table are: patches or nuclei.
    """

    table: pd.DataFrame
    images: Mapping[str, int]
    of: str = "patches"

    def counts(self) -> pd.DataFrame:
        """One row a set, and where there are several one for all: images, patches, outcomes."""
        found = pd.crosstab(self.table["set"], self.table["outcome"])
        classes = [name for name in found if name not in LEFT_OUT + UNDECIDED]
        order = [*LEFT_OUT, *classes, *UNDECIDED]
        found = found[[name for name in order if name in found]]
        found.insert(0, self.of, found.sum(axis=1))
        images = pd.Series(self.images, name="images").rename_axis("set")
        found = found.reindex(images.index).fillna(0).astype("int64")
        found.insert(0, "images", images)
        if len(found) > 1:
            found.loc[ALL] = found.sum()
        return found.reset_index()
