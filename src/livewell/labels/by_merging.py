"""Labels from other labels, some of whose classes go together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.labels.made import Count, Labels, Request, Route, class_counts
from livewell.study.runs import label_hash
from livewell.tables.metadata import LabelSource
from livewell.tables.schemas import LABELS


@dataclass(frozen=True, slots=True)
class Merge(Route):
    """Label what another set of labels labels, with some of its classes taken together.

    Boxes that are kept with those labels are not carried over.

    Parameters
    ----------
    labels
        Name of that set.
    classes
        New name of each of its classes; classes of one new name go together.
    """

    labels: str
    classes: Mapping[str, str]

    def make(self, request: Request) -> Labels:
        """The labels, of those that the study has."""
        if self.labels == request.name:
            raise SpecError(
                "labels cannot be merged into themselves",
                where=f"set of labels {request.name!r}",
                expected="another name for the merged labels",
                got=request.name,
                remedy="give another --name",
            )
        study, meta = request.study, request.study.label_meta(self.labels)
        merged = by_merging(study.labels(self.labels), meta.class_names, self.classes)
        sha256 = label_hash(study, self.labels)
        return replace(merged, source=LabelSource(labels=self.labels, sha256=sha256, meta=meta))


def by_merging(labels: pd.DataFrame, classes: ClassNames, into: Mapping[str, str]) -> Labels:
    """Give every label (`schemas.LABELS`) of these classes the new name of its class.

    Rows, route and score stay: how a label was made still decides what it can be used for.
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
