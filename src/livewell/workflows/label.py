"""Labels for a study, by one of its routes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.files import AnyPath, refuse_unwritable
from livewell.labels.by_stain import Stain
from livewell.labels.made import Labels, Request, Route, refuse_other_classes
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta

if TYPE_CHECKING:
    from livewell.inference.occupancy import ModelOccupancy


@dataclass(frozen=True, slots=True)
class LabelResult:
    """What `label` made: the labels, and what is written beside them.

    `page` is there of labels by a stain only.
    """

    labelled: Labels
    meta: LabelMeta
    page: Path | None = None


def label(
    study: Study | AnyPath,
    route: Route,
    classes: ClassNames | Sequence[str],
    *,
    name: str = "labels",
    occupied_by: AnyPath | None = None,
    healthy_only: bool = False,
    seed: int = 0,
    made_by: str = "",
    plan: str = "",
) -> LabelResult:
    """Label a study and write the labels into it.

    Parameters
    ----------
    study
        The study; its fields are not changed.
    route
        How labels are made, such as `livewell.Column`.
    classes
        The classes that are found; two are ``(negative, positive)``, e.g. ``("healthy", "sick")``.
    name
        Name of this set of labels in the study.
    occupied_by
        For labels by a stain of a grid: a model that tells empty patches, trained on marked ones;
        their texture does where ``None``.
    healthy_only
        Only the negative class is labelled, for `train` with HEALTHY_ONLY; by a column, words,
        points or dose.
    seed
        Of a fitted mixture.
    made_by, plan
        The workflow that labels for itself, and its plan; empty where a user does.

    Returns
    -------
    LabelResult

    Raises
    ------
    LabelError
        The route gives one class only, other classes than said, or is given more classes than it
        can tell apart.
    SpecError
        These are no classes, labels are merged into themselves, or `occupied_by` for a route that
        leaves no empty patches out.
    ModelFileError, ImageContentError
        `occupied_by` is no model for this, or of other channels or another magnification.
    StudyError
        There are no labels to merge.
    TableError
        What the route found wrong, all at once.
    """
    study = Study.of(study)
    refuse_unwritable(study.folder)
    names = ClassNames.of(classes)
    occupancy = None if occupied_by is None else _occupancy(study, route, occupied_by)
    request = Request(study, names, name, seed, occupancy, healthy_only)
    labelled = route.make(request)
    refuse_other_classes(labelled, request)
    meta = LabelMeta(
        route=route.name,
        settings=route.settings | ({"occupied_by": occupancy.weights_sha256} if occupancy else {}),
        classes=names.names,
        positive=names.positive,
        counts=tuple((count.step, count.count) for count in labelled.counts),
        notes=labelled.notes,
        seed=seed,
        mixtures={group: mixture.to_dict() for group, mixture in labelled.mixtures.items()},
        source=labelled.source,
        made_by=made_by,
        plan=plan,
        healthy_only=healthy_only,
    )
    study.write_labels(name, labelled.table, meta)
    if labelled.boxes is not None:
        study.write_boxes(name, labelled.boxes)
    return LabelResult(labelled, meta, _page(study, name, labelled, meta))


def _occupancy(study: Study, route: Route, model: AnyPath) -> "ModelOccupancy":
    """What tells empty patches of a route that leaves them out."""
    if not isinstance(route, Stain) or not route.drops_empty:
        raise SpecError(
            "there is a model that tells empty patches, and none is left out",
            where="occupied_by",
            expected="labels by a stain of a grid, with empty ones dropped",
            got=f"labels by {route.name}",
            remedy="leave --occupied-by out",
        )
    from livewell.inference.occupancy import ModelOccupancy  # torch, where it is needed

    return ModelOccupancy.of_study(model, study, study.fields()["image"], route.transmitted)


def _page(study: Study, name: str, labelled: Labels, meta: LabelMeta) -> Path | None:
    """Write the page and the counts of labels that were decided on by a stain."""
    decisions = labelled.decisions
    if decisions is None:
        return None
    # pages import torch, which other routes need not wait for
    from livewell.report.page import render
    from livewell.report.stain_labels import StainLabelResults, stain_labels_page

    results = StainLabelResults(
        title=f"Labels by a stain: {name} of {study.folder.name}",
        subtitle=f"{len(labelled.table):,} labels by the stain {meta.settings['channel']}",
        classes=meta.class_names.pair,
        decisions=decisions,
        mixtures=labelled.mixtures,
        measure=str(meta.settings["on"]),
        warnings=labelled.notes,
        settings={**meta.settings, "seed": meta.seed},
        versions=versions(),
    )
    page = render(stain_labels_page(results))
    return study.write_label_report(name, page, decisions.counts())
