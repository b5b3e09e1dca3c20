"""Whether a few labels are enough to learn from and to test on, and how many more are needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from livewell.errors import SplitError
from livewell.splitting.groups import group_counts
from livewell.splitting.schemes import KFolds
from livewell.splitting.units import unit_names
from livewell.text import listed, plural

UNITS = ("well", "position", "picture", "image")
"""Columns whose values are held out whole, from coarse to fine: the first that labels allow."""
FOLDS = (5, 4, 3, 2)
VALIDATION = 0.25
"""Share of the other groups that thresholds are chosen on: of one or two they would be noise."""
LEAST = 3
"""Groups of each class: to learn from, to choose thresholds on, and to test."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """How few labels are cross-validated: by which column, in how many folds and groups.

    `torn` is the column of coarser groups, too few to hold out, that are learnt from and tested
    on; empty where there are none.
    """

    by: str
    folds: int
    groups: int
    torn: str = ""

    @property
    def scheme(self) -> KFolds:
        """The scheme of the split."""
        return KFolds(self.folds, VALIDATION)


def grouping(
    fields: pd.DataFrame, labels: pd.DataFrame, classes: Sequence[str], seed: int = 0
) -> Grouping:
    """The coarsest groups that labels (`schemas.LABELS`) can be cross-validated over.

    Raises
    ------
    SplitError
        A class is missing, or too few groups hold it: how many more of what are needed.
    """
    missing = [name for name in classes if name not in set(labels["label"])]
    if missing:
        there = labels["label"].value_counts()
        so_far = ", ".join(f"{there.get(name, 0)} {name}" for name in classes)
        raise SplitError(
            f"nothing is labelled {listed(missing)} yet, and a model learns to tell classes apart",
            expected=f"labels of {listed(classes)}, of each in at least {LEAST} images",
            got=so_far,
            remedy="annotate more, until there are some of each class",
        )
    tables = {by: _grouped(fields, labels, by) for by in UNITS}
    usable = {by: table for by, table in tables.items() if table is not None}
    for by, table in usable.items():
        for folds in FOLDS:
            try:
                KFolds(folds, VALIDATION).assign(table, seed)
            except SplitError:
                continue
            groups = table["group"].nunique()
            coarser = (name for name, of in usable.items() if of["group"].nunique() < groups)
            return Grouping(by, folds, groups, next(coarser, ""))
    by, table = list(usable.items())[-1]
    held = (group_counts(table) > 0).sum()
    lacking = [f"{LEAST - held[name]} more with {name}" for name in classes if held[name] < LEAST]
    raise SplitError(
        f"too few {by}s are labelled to learn from some and to test on others",
        expected=f"{LEAST} {by}s or more that hold each class, not all of them the same",
        got=listed(f"{plural(int(held[name]), by)} with {name}" for name in classes),
        remedy=f"annotate {by}s that have no answer yet: {listed(lacking) or 'one more of each'}",
    )


def _grouped(fields: pd.DataFrame, labels: pd.DataFrame, by: str) -> pd.DataFrame | None:
    """Label and group of every row; ``None`` where some of their images have no such group."""
    if by not in fields:
        return None
    groups = labels["image"].map(unit_names(fields, by))
    if groups.isna().any():
        return None
    return pd.DataFrame({"label": labels["label"], "group": groups})
