"""Cross-fitting: every group is scored by one model, and by one that never saw it."""

import numpy as np
import pandas as pd

from livewell.errors import SplitError


def scoring_folds(doses: "pd.Series[float]", folds: pd.DataFrame, seed: int) -> "pd.Series[int]":
    """Which fold's model scores every group.

    `doses` holds the dose of every group, `folds` the parts of those that models were trained on.
    These are scored by the fold that tests them. Groups that no model was trained on (doses between
    none and the sick ones) are assigned to the folds within each dose, as evenly as their number
    allows: so a model that calls more patches sick than the others does so at all doses nearly
    alike (`livewell.splitting.schemes.Stratified` assigns the others so).
    """
    tested = folds[folds["part"] == "test"]
    seen = set(folds.loc[folds["part"].isin(["train", "validation"]), "group"])
    untested = sorted(set(doses.index) & seen - set(tested["group"]))
    twice = sorted(set(tested.loc[tested["group"].duplicated(), "group"]))
    if untested or twice:
        raise SplitError(
            "no cross-fitting: a group must be tested by exactly one fold",
            expected="folds that together test every group once",
            got=f"never tested: {', '.join(untested[:4]) or 'none'};"
            f" tested twice: {', '.join(twice[:4]) or 'none'}",
            remedy="split with --scheme folds",
        )
    found = dict(zip(tested["group"], tested["fold"].astype(int), strict=True))
    numbers = sorted(found[group] for group in found)
    levels = np.unique(numbers)
    rng = np.random.default_rng([seed, 7])
    for _, members in doses[~doses.index.isin(found)].groupby(doses, sort=True):
        order = rng.permutation(sorted(members.index))
        turn = rng.permutation(levels)
        found |= {group: int(turn[place % len(turn)]) for place, group in enumerate(order)}
    return pd.Series([found[group] for group in doses.index], index=doses.index, dtype="int64")
