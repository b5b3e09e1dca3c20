"""Labels for a study, by one of seven routes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError
from livewell.files import AnyPath
from livewell.labels.by_column import by_column
from livewell.labels.by_dose import DoseRule, by_dose
from livewell.labels.by_fluorescence import Fluorescence, by_fluorescence
from livewell.labels.by_merging import by_merging
from livewell.labels.by_words import by_words
from livewell.labels.made import Count, Labels, Others, two_classes
from livewell.labels.points import by_points
from livewell.measure import stain
from livewell.measure.occupancy import LEAST_SHARE, shares, textured
from livewell.progress import task
from livewell.region import RegionGrid
from livewell.study.box_labels import Boxes, label_boxes, sizes_of
from livewell.study.metadata import read_metadata
from livewell.study.pixels import StudyPixels
from livewell.study.runs import label_hash
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta, LabelSource
from livewell.tables.schemas import key_table


@dataclass(frozen=True, slots=True)
class Column:
    """Label images by a column of the fields table."""

    column: str
    classes: Mapping[str, str]
    others: Others = "refuse"


@dataclass(frozen=True, slots=True)
class Words:
    """Label images by words in their file names."""

    classes: Mapping[str, str]
    others: Others = "refuse"


@dataclass(frozen=True, slots=True)
class Dose:
    """Label frames by dose and time window (DeadNet's data set A)."""

    sick_from: float
    window_s: tuple[float, float]
    healthy_any_time: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """Label patches centred on the points of a CSV (image, y, x, state)."""

    csv: Path
    classes: Mapping[str, str]
    patch_px: int
    y: str = "y"
    x: str = "x"
    state: str = "state"
    score: str | None = None
    others: Others = "refuse"


@dataclass(frozen=True, slots=True)
class Stain:
    """Label patches of a grid by a death stain (Pattarone's mixture).

    Parameters
    ----------
    channel
        The stain's channel, name or number.
    patch_px, stride_px
        The grid.
    on
        The mean stain, or its ratio to the frame's background.
    offset_counts
        Camera offset taken off before the ratio.
    per
        Column whose values are fitted each by itself; ``None`` for the whole set.
    reference
        ``column=value`` of the images to fit on, such as ``treatment=none``; all by default.
    unfit
        Groups without two components: refuse or drop.
    transmitted
        Transmitted-light channel, name or number; found by its name where ``None``.
    empty
        Whether patches without any cell-scale texture in transmitted light are left out: they are
        dark in the stain, and would pass for living cells.
    """

    channel: str
    patch_px: int
    stride_px: int
    on: Literal["mean", "ratio"] = "ratio"
    offset_counts: float = 0.0
    per: str | None = None
    reference: tuple[str, str] | None = None
    unfit: Others = "refuse"
    transmitted: str | None = None
    empty: Literal["drop", "keep"] = "drop"


@dataclass(frozen=True, slots=True)
class Merge:
    """Label what another set of labels labels, with some of its classes taken together.

    Boxes that are kept with those labels are not carried over.

    Parameters
    ----------
    labels
        Name of that set.
    classes
        New name of each of its classes.
    """

    labels: str
    classes: Mapping[str, str]


Route = Column | Words | Dose | Points | Stain | Boxes | Merge


@dataclass(frozen=True, slots=True)
class LabelResult:
    """What `label` made: the labels, and what is written beside them."""

    labelled: Labels
    meta: LabelMeta


def label(
    study: Study | AnyPath,
    route: Route,
    classes: ClassNames | Sequence[str],
    *,
    name: str = "labels",
    seed: int = 0,
) -> LabelResult:
    """Label a study and write the labels into it.

    Parameters
    ----------
    study
        The study; its fields are not changed.
    route
        How labels are made.
    classes
        The classes that are found; two are ``(negative, positive)``, e.g. ``("healthy", "sick")``.
    name
        Name of this set of labels in the study.
    seed
        Of a fitted mixture.

    Returns
    -------
    LabelResult

    Raises
    ------
    LabelError
        The route gives one class only, other classes than said, or is given more classes than it
        can tell apart.
    SpecError
        These are no classes, or labels are merged into themselves.
    StudyError
        There are no labels to merge.
    TableError
        What the route found wrong, all at once.
    """
    study = Study.of(study)
    names, boxes = ClassNames.of(classes), None
    match route:
        case Column():
            labelled = by_column(study.fields(), route.column, route.classes, others=route.others)
        case Words():
            labelled = by_words(study.fields(), route.classes, others=route.others)
        case Dose():
            rule = DoseRule(route.sick_from, route.window_s, route.healthy_any_time)
            headers = study.headers()
            labelled = by_dose(study.fields(), headers, rule, classes=two_classes(names, "dose"))
        case Points():
            labelled = _by_points(study, route)
        case Stain():
            labelled = _by_stain(study, route, two_classes(names, "stain"), seed)
        case Boxes():
            labelled, boxes = label_boxes(study, route, two_classes(names, "boxes"))
        case Merge():
            labelled = _by_merging(study, route, name)
    found = set(labelled.table["label"])
    if found != set(names):
        raise LabelError(
            "one class only" if len(found) < 2 else "other classes than said",
            where=f"set of labels {name!r}",
            expected=f"{names[0]} (negative) and {names[1]} (positive)"
            if names.binary
            else str(names),
            got=", ".join(sorted(found)) or "no label at all",
            remedy="check the classes, the thresholds or the time window",
        )
    mixtures = labelled.mixtures if isinstance(labelled, Fluorescence) else {}
    meta = LabelMeta(
        route=type(route).__name__.lower(),
        settings=asdict(route),
        classes=names.names,
        positive=names.positive,
        counts=tuple((count.step, count.count) for count in labelled.counts),
        notes=labelled.notes,
        seed=seed,
        mixtures={
            group: asdict(mixture)
            | {"live_below": mixture.live_below, "dead_above": mixture.dead_above}
            for group, mixture in mixtures.items()
        },
        source=LabelSource(
            labels=route.labels,
            sha256=label_hash(study, route.labels),
            meta=study.label_meta(route.labels),
        )
        if isinstance(route, Merge)
        else None,
    )
    study.write_labels(name, labelled.table, meta)
    if boxes is not None:
        study.write_boxes(name, boxes)
    return LabelResult(labelled, meta)


def _by_merging(study: Study, route: Merge, name: str) -> Labels:
    if route.labels == name:
        raise SpecError(
            "labels cannot be merged into themselves",
            where=f"set of labels {name!r}",
            expected="another name for the merged labels",
            got=name,
            remedy="give another --name",
        )
    classes = study.label_meta(route.labels).class_names
    return by_merging(study.labels(route.labels), classes, route.classes)


def _by_points(study: Study, route: Points) -> Labels:
    return by_points(
        read_metadata(route.csv).table,
        route.classes,
        sizes_of(study.headers()),
        route.patch_px,
        others=route.others,
        y=route.y,
        x=route.x,
        state=route.state,
        score=route.score,
    )


def _by_stain(study: Study, route: Stain, classes: tuple[str, str], seed: int) -> Labels:
    every = measure_stain(study, route)
    measured = every[every["cells"] >= LEAST_SHARE] if route.empty == "drop" else every
    fields = study.fields()
    columns = [name for name in (route.per, (route.reference or (None,))[0]) if name]
    absent = [name for name in columns if name not in fields]
    if absent:
        raise LabelError(
            "the fields table has no such column",
            where=", ".join(absent),
            expected=", ".join(fields.columns),
        )
    if columns:
        measured = measured.merge(
            fields[["image", *dict.fromkeys(columns)]], on="image", validate="many_to_one"
        )
    reference = None
    if route.reference:
        column, value = route.reference
        reference = measured[column].astype("str") == value
    made = by_fluorescence(
        measured,
        route.on,
        seed,
        group=route.per,
        reference=reference,
        unfit=route.unfit,
        classes=classes,
    )
    first = (
        Count("on the grid", len(every)),
        Count("without cells, left out", len(every) - len(measured)),
    )
    return replace(made, counts=(*first, *made.counts))


def measure_stain(study: Study, route: Stain) -> pd.DataFrame:
    """Mean stain of every patch of a grid, its ratio to the background, and how much is cells.

    Parameters
    ----------
    study
        All its images are measured.
    route
        Channel, grid and camera offset.

    Returns
    -------
    DataFrame
        Columns `schemas.KEY`, ``mean`` (counts), ``ratio`` and ``cells``, the share of the
        patch with cell-scale texture in transmitted light; patches in registration borders of
        zeros of either channel are left out.
    """
    stained, seen = StudyPixels(study, route.channel), StudyPixels(study, route.transmitted)
    seen.prepare(study.fields()["image"])
    pixel_um = common_pixel_um(study, study.fields()["image"])
    headers = study.headers()
    grid = RegionGrid(route.patch_px, route.stride_px)
    tables = []
    with task("measuring the stain", total=len(headers)) as tick:
        for image, frames in zip(headers["image"], headers["frames"], strict=True):
            for t in range(int(frames)):
                key = str(image), t
                area = stained.area(*key).common(seen.area(*key))
                patches = list(grid.patches(*key, area)) if area else []
                boxes = [patch.box for patch in patches]
                frame = stained.frame(*key)
                table = key_table(patches)
                table["mean"] = stain.means(frame, boxes)
                table["cells"] = shares(textured(seen.frame(*key), pixel_um), boxes)
                level = stain.background(frame)
                table["ratio"] = stain.ratio(
                    table["mean"].to_numpy(float), level, route.offset_counts
                )
                tables.append(table)
            tick()
    return pd.concat(tables, ignore_index=True)
