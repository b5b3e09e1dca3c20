"""One class against all others: what healthy-only training and its evaluation make of labels."""

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, SplitError
from livewell.tables.metadata import SplitMeta


def healthy_class(classes: ClassNames, named: str | None) -> str:
    """The class that is healthy: as named, or the negative one of two.

    Raises
    ------
    LabelError
        No such class, or more than two of which none is named.
    """
    if named is None and classes.binary:
        return classes[0]
    if named not in classes.names:
        raise LabelError(
            "no class is named for healthy-only training"
            if named is None
            else "no such class for healthy-only training",
            expected=f"one of {classes}",
            got=named or "",
            remedy="name the class that is healthy with --healthy",
        )
    return named


def relabelled(table: pd.DataFrame, classes: ClassNames) -> pd.DataFrame:
    """A table of labels in which every class but the first of `classes` is the second."""
    return table.assign(
        label=table["label"].astype("str").where(table["label"] == classes[0], classes[1])
    )


def one_against_others(
    patches: pd.DataFrame, meta: SplitMeta, healthy: str
) -> tuple[pd.DataFrame, SplitMeta]:
    """Patches of a split, and its description, of healthy and what is unlike it."""
    classes = ClassNames.unlike(healthy)
    two = {"classes": classes.names, "positive": classes.positive}
    return relabelled(patches, classes), meta.model_copy(update=two)


def healthy_alone(patches: pd.DataFrame, healthy: str) -> pd.DataFrame:
    """Patches of a fold (with part) without those that are trained on and not healthy.

    Raises
    ------
    SplitError
        Nothing is left to train on.
    """
    kept = patches[(patches["part"] == "test") | (patches["label"] == healthy)]
    if not kept["part"].isin(("train", "validation")).any():
        raise SplitError(
            f"no {healthy!r} in training and validation",
            expected="groups of the class that is learnt alone",
            remedy="split again with more groups of it, or name another class with --healthy",
        )
    return kept


def refuse_unmeasurable(patches: pd.DataFrame, classes: ClassNames, where: str) -> None:
    """Refuse to measure a healthy-only model where nothing but healthy is labelled."""
    if classes[1] not in set(patches["label"]):
        raise LabelError(
            f"nothing to measure: all labels are {classes[0]!r}, and what the model says of others"
            " only others can show",
            where=where,
            expected=f"labels of {classes[0]} and of another class",
            remedy="label some sick wells too, of this or another study, and hold the model"
            " against them with `livewell evaluate RUN --on STUDY`; until then `livewell assess`"
            " says what is unlike healthy",
        )
