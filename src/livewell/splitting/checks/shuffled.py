"""Whether the classes differ by more than labels that were shuffled."""

import numpy as np
import pandas as pd

from livewell.metrics.ridge import Names, Permuted
from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.sample import SHOWN, Sample

NAME = "shuffled"
QUESTION = "Do the classes differ by more than labels that were shuffled?"
LEAK = 0.05
"""Shuffled labels that are told this far above guessing are told by what stands on both sides."""


def shuffled(sample: Sample, groups: Names | None = None, *, seed: int = 0) -> Check:
    """Where what is learnt from the labels stands among what is learnt from shuffled ones.

    `groups` are those of a split, row by row, and are left out together; units where ``None``.
    Shuffled labels that are told better than by guessing lay open a leak: what belongs to one unit
    stands in several groups.
    """
    if reason := sample.scarce(SHOWN):
        return Check(NAME, QUESTION, unchecked=reason)
    found = sample.permuted(groups, seed=seed)
    strongest, p = found.strongest, found.p_value
    value, null = float(found.areas[strongest]), found.null[:, strongest]
    high = float(np.nanquantile(null, 0.95))
    mean = float(np.nanmean(null))
    how = f"within {sample.within}" if sample.within else f"among {sample.noun}s"
    inside = f"within {sample.within} " * bool(sample.within)
    numbers = (
        f"AUC {value:.2f} {inside}with the labels as they are; shuffled {how}, 95 of 100 stay"
        f" below {high:.2f} (p {p:.2g}; looked at {sample.told})"
    )
    leaks = mean > 0.5 + LEAK
    if leaks:
        said = (
            f"Shuffled labels are told too, with a mean AUC of {mean:.2f}: what belongs to one"
            f" {sample.noun} stands on both sides of the split, so every figure is too high"
        )
        remedy = f"Split by {sample.noun}, or by something coarser."
    else:
        said = (
            "The learner of this audit does not tell the classes better than it tells shuffled"
            f" labels: {numbers}"
        )
        remedy = (
            f"Take more {sample.noun}s, for so few may not show it; check the labels. Else the"
            " classes do not differ in what a net that knows photographs sees."
        )
    return Check(
        NAME,
        QUESTION,
        found="fails" if leaks else "attention" if p > SHOWN else "passes",
        associations=(Association("labels", "AUC", value, text=numbers),),
        fails=f"{said}.",
        passes=f"The classes differ by more than chance: {numbers}.",
        remedy=remedy,
        table=areas_table(found),
    )


def areas_table(found: Permuted) -> pd.DataFrame:
    """One row a learner: ``labels`` (as they are, shuffled) and ``auc``, of the class told best."""
    null = found.null[:, found.strongest]
    return pd.DataFrame(
        {
            "labels": ["as they are", *["shuffled"] * len(null)],
            "auc": [found.areas[found.strongest], *null],
        }
    )
