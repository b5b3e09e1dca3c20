"""Scores of many classes read as answers to a coarser question, such as treated or not."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError
from livewell.metrics.outcomes import chances
from livewell.metrics.rules import RegionRule, scored
from livewell.tables.schemas import score_columns

LEAST = 1e-300
"""A probability of zero has no logarithm."""


def collapsed(
    scores: pd.DataFrame,
    classes: ClassNames,
    into: Mapping[str, str],
    positive: str | None = None,
) -> tuple[pd.DataFrame, ClassNames]:
    """Scores (`schemas.SCORES`) of some classes as scores of the fewer that these become.

    The probability of a new class is the sum of those of its old ones, and the most probable one is
    called, never unsure: of many classes none may be probable though some together are. Logits are
    those of these probabilities.

    Parameters
    ----------
    scores
        Their labels are among the keys of `into`, not necessarily among `classes`: a model that
        knows other cell lines can still be asked whether cells were treated.
    into
        New name of every class, and of every further label.
    positive
        Positive one of the new classes.

    Raises
    ------
    LabelError
        A class or a label has no new name.
    SpecError
        Fewer than two classes are left.
    """
    nameless = sorted({*classes, *scores["label"].astype(str)} - set(into))
    if nameless:
        raise LabelError(
            "classes that become no other class",
            expected="a new name for every class and label",
            got=f"none for {', '.join(nameless[:5])}",
        )
    new = classes.merged({name: into[name] for name in classes}, positive)
    member = np.array([[into[old] == name for name in new] for old in classes])
    logits = np.log(np.maximum(chances(scores, classes) @ member, LEAST))
    old = [*score_columns(classes, "logit"), *score_columns(classes, "p"), "called"]
    table = scores.drop(columns=old, errors="ignore").assign(label=scores["label"].map(dict(into)))
    rule = RegionRule(temperature=1.0, threshold=0.5 if new.binary else 0.0)
    return scored(table, logits, rule, new), new
