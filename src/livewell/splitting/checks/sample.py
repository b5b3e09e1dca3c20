"""What checks learn from: rows of features, and what their labels were given to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.metrics.outcomes import Floats
from livewell.metrics.ridge import Codes, Names, Permuted, left_out, permuted
from livewell.splitting.audit import CHECKS, LEVEL, tellable

SHOWN = 0.05
"""Highest p value at which one check by itself calls something shown."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of features, one a frame or a labelled region.

    Parameters
    ----------
    features
        (n, features), finite.
    labels
        (n,), numbers of `classes`.
    units
        (n,), what a label was given to, such as the name of a well; of regions in mixed images
        the image. Labels of units are permuted.
    groups
        (n,), what is left out together: a unit, or several that share a well.
    batches
        (n,), within which labels are permuted, such as plates; one name for all where there are
        none.
    noun, batch
        What a unit is, and what batches are, such as ``plate``.
    """

    features: Floats
    labels: Codes
    classes: ClassNames
    units: NDArray[np.str_]
    groups: NDArray[np.str_]
    batches: NDArray[np.str_]
    noun: str = "well"
    batch: str = "batch"

    def __len__(self) -> int:
        return len(self.labels)

    def only(self, rows: NDArray[np.bool_]) -> "Sample":
        """Some of the rows."""
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            units=self.units[rows],
            groups=self.groups[rows],
            batches=self.batches[rows],
        )

    def permuted_within(self, columns: Mapping[str, NDArray[np.str_]]) -> "Sample":
        """The same, its batches the last of the columns within which chance is known well enough.

        Batches are kept where there is no such column.
        """
        for name in reversed(list(columns)):
            found = replace(self, batches=columns[name], batch=name.replace("_", " "))
            if found.within and not found.scarce():
                return found
        return self

    @property
    def told(self) -> str:
        """How many units there are of each class, such as ``12 wells healthy, 12 sick``."""
        counts = self._table.groupby("label")["unit"].nunique()
        how = "with " * self.mixed
        return ", ".join(
            f"{count} {self.noun}s {how}{self.classes[int(str(label))]}"
            for label, count in counts.items()
        )

    @property
    def mixed(self) -> bool:
        """Whether units hold several classes, as images of many nuclei do."""
        return bool(self._table.drop_duplicates(["unit", "label"])["unit"].duplicated().any())

    @property
    def within(self) -> str:
        """Within what labels are permuted: each unit, batches, or nothing."""
        each = self._table.groupby("batch")["label"].nunique()
        batches = len(each) > 1 and bool((each > 1).any())
        thing = self.noun if self.mixed else self.batch if batches else ""
        return f"each {thing}" if thing else ""

    @property
    def strata(self) -> NDArray[np.str_]:
        """(n,), within which labels are permuted and rows compared."""
        if self.mixed:
            return self.units
        return self.batches if self.within else np.full(len(self), "")

    @property
    def items(self) -> NDArray[np.str_]:
        """(n,), what a label is of: the unit, or each row of mixed ones."""
        return np.arange(len(self)).astype(np.str_) if self.mixed else self.units

    @property
    def _table(self) -> pd.DataFrame:
        return pd.DataFrame({"unit": self.units, "batch": self.batches, "label": self.labels})

    def scarce(self, level: float = LEVEL / CHECKS) -> str:
        """Why no permutation could tell; empty where one can."""
        if len(np.unique(self.labels)) < 2:
            return f"only one class is there: {self.told}"
        table = pd.DataFrame({"item": self.items, "at": self.strata, "label": self.labels})
        table = table.drop_duplicates("item")
        if not tellable(pd.crosstab(table["at"], table["label"]).to_numpy(float), level):
            return f"too few to tell from chance: {self.told}"
        return ""

    def permuted(self, groups: Names | None = None, *, seed: int = 0) -> Permuted:
        """How well classes are told with groups, or others given here, left out; and by chance."""
        hat = left_out(self.features, self.groups if groups is None else groups, seed=seed)
        return permuted(hat, self.labels, self.items, self.strata, seed=seed)
