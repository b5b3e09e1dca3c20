"""Labels from other labels, some of whose classes go together."""

from collections.abc import Mapping

import pandas as pd

from livewell.classes import ClassNames
from livewell.labels.made import Count, Labels, class_counts
from livewell.tables.schemas import LABELS

ROUTE = "merge"


def by_merging(labels: pd.DataFrame, classes: ClassNames, into: Mapping[str, str]) -> Labels:
    """Give every label the new name of its class.

    Parameters
    ----------
    labels
        Schema `schemas.LABELS`.
    classes
        Their classes.
    into
        New name of each class; classes of one new name go together.

    Returns
    -------
    Labels
        The same images, frames and patches in the same order, with the route and the score that
        they had: how a label was made still decides what it can be used for.

    Raises
    ------
    LabelError
        A class has no new name, a name is given for a class that is not there, or a label is none
        of the classes.
    SpecError
        Fewer than two classes are left.
    """
    merged = classes.merged(into)
    classes.codes(labels["label"])
    table = LABELS.check(
        labels.assign(label=labels["label"].map(dict(into))), where="merged labels"
    )
    counts = (
        Count("labels", len(labels)),
        *(
            Count(f"{count.step} taken for {into[count.step]}", count.count)
            for count in class_counts(labels, classes)
        ),
        *class_counts(table, merged),
    )
    return Labels(table, counts)
