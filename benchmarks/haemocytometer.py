"""Dead cells in a counting chamber, found from labels of whole images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.boxed import BoxSupervision
from benchmarks.darkness import DARKNESS, area, darkness
from benchmarks.result import Result, shown
from livewell.classes import ClassNames
from livewell.detection.intervals import detection_estimates
from livewell.detection.matching import matched
from livewell.errors import StudyError
from livewell.execution.folds import Fitter
from livewell.inference.evaluation_set import EvaluationSet
from livewell.labels.by_boxes import Boxes
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.metrics.outcomes import outcomes
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN_IMAGES, WSCNN_FAST_CELLS
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Whole
from livewell.study.study import Study
from livewell.tables.schemas import BOX
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

CLASSES = ("living", "dead")
RESNET = override(
    WSCNN_FAST_CELLS,
    {
        "net": "wscnn_resnet18",
        "global_pool": "average",
        "narrowing": (0, 0),
        "lr": 0.001,
        "steps": 600,
        "steps_per_epoch": 100,
    },
)
"""ResNet-18 from scratch under average pooling, as most tools classify images."""
DEVELOPED = 0
"""Seed of the folds whose first one recipes were developed on: its validation and test images."""


@dataclass(frozen=True)
class Rival:
    """A net of the table: its name, recipe, and what trains it."""

    told: str
    name: str
    profile: Profile
    boxes: bool = False


RIVALS = (
    Rival("WSCNN_FAST_CELLS, image labels", "fast", WSCNN_FAST_CELLS),
    Rival("FROZEN_IMAGES, image labels", "frozen", FROZEN_IMAGES),
    Rival("ResNet-18, average pooling, image labels", "resnet", RESNET),
    Rival("WSCNN_FAST_CELLS, box supervision (upper bound)", "boxed", WSCNN_FAST_CELLS, boxes=True),
)


def study_of(data: Path, folder: Path, *, seed: int) -> Study:
    """The study of ``haemocytometer`` in `folder`, labelled from boxes, split in five folds."""
    images = data / "haemocytometer"
    if not (folder / "splits").is_dir():
        index(images, folder, files="*.png", metadata=images / "images.csv")
        study = Study.open(folder)
        states = {name: name for name in CLASSES}
        label(study, Boxes(images / "cells.csv", states, unboxed="negative"), CLASSES, seed=seed)
        split(
            study,
            by="duplicate_cluster",
            scheme=KFolds(5),
            grid=Whole(),
            merge_duplicates=True,
            seed=seed,
        )
    return Study.open(folder)


def table(data: Path, *, runs: Path, seed: int = 0) -> Result:
    """Train and evaluate the nets, and find dead cells by darkness alone."""
    study = study_of(data, runs / "haemocytometer" / "study", seed=seed)
    boxes = study.boxes("labels")
    dead = boxes[boxes["label"] == CLASSES[1]]
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    for rival in RIVALS:
        folder = runs / "haemocytometer" / rival.name
        fitter: Fitter | None = BoxSupervision(dead) if rival.boxes else None
        train(study, folder, rival.profile, seed=seed, fitter=fitter)
        made = evaluate(folder, baselines=False, seed=seed)
        rows += _rows(rival.told, made.figures["roc_auc"], made.places.figures)
        values[rival.name] = {
            "auc": made.figures["roc_auc"].value,
            "places": dict(made.places.figures),
        }
        if seed == DEVELOPED:
            rows.append(_apart(EvaluationSet.of_run(folder), made, dead, seed))
    tested = EvaluationSet.of_run(runs / "haemocytometer" / RIVALS[0].name)
    rows += darkness(tested, dead, seed)
    rows.append(["name prefix alone", shown(_prefix(tested, seed)), *[""] * 6])
    images = study.fields()
    return Result(
        title="Dead cells in a counting chamber, from labels of images",
        header="method | image AUC | threshold from | precision | recall | F1 | average precision"
        " | FROC",
        rows=rows,
        lead=f"{len(images)} images, {len(dead)} dead cells; five folds by duplicate_cluster, every"
        " image judged by the net that did not learn from its cluster; 95% intervals resample"
        " clusters. Nets learnt 'holds at least one dead cell' alone, but for the upper bound."
        " A detection is right where its peak lies in a dead cell's box that no surer one claimed,"
        " over all images.",
        notes=[
            "Aims: image AUC 0.97, F1 0.85 from image labels alone.",
            "Recipes were developed, and gradient times input was chosen, on validation and test"
            " images of the first fold of seed 0. Each of them was left out of its own net's"
            " training, but the choices have seen them: figures without their clusters stand below"
            " each net's.",
            "Labels hold some errors (data/README): what a net finds beside the boxes may be dead.",
            DARKNESS,
        ],
        values=values,
    )


def _apart(tested: EvaluationSet, made: Evaluation, dead: pd.DataFrame, seed: int) -> list[str]:
    """The figures of one net without the clusters of images on which recipes were developed."""
    looked_at = [tested.part(name, 0)["group"] for name in ("validation", "test")]
    some = tested.part("test")
    some = some[~some["group"].isin(pd.concat(looked_at))]
    images = some[["image", "group"]]
    objects = dead[dead["image"].isin(images["image"])][["image", "kind", *BOX]]
    objects = objects.reset_index(drop=True)
    places = made.places.detections
    if places is None:
        raise StudyError("places were not held against boxes", where=str(made.folder))
    places = places[places["image"].isin(images["image"])]
    found = matched(places.assign(score=places["relative"]), objects, images)
    figures = detection_estimates(found, objects, images, 0.0, seed=seed)
    scores = outcomes(made.scores, ClassNames.of(CLASSES))
    auc = cluster_interval(scores[scores["group"].isin(images["group"])], "roc_auc", seed=seed)
    return [
        f"the same on {len(images)} images of other clusters",
        shown(auc),
        "from_labels",
        *(shown(figures[name]) for name in ("precision", "recall", "f1")),
        shown(figures["average_precision"]),
        "",
    ]


def _rows(told: str, auc: Estimate, places: Mapping[str, Any]) -> list[list[str]]:
    """One row a threshold."""
    rows = []
    for number, (how, found) in enumerate(places["thresholds"].items()):
        three = [shown(found[name]) for name in ("precision", "recall", "f1")]
        first = number == 0
        rest = [shown(places["average_precision"]), shown(places["froc_score"])]
        rows.append(
            [told if first else "", shown(auc) if first else "", how, *three]
            + (rest if first else ["", ""])
        )
    return rows


def _prefix(tested: EvaluationSet, seed: int) -> Estimate:
    """What the name's prefix alone tells: its share of dead in training."""
    prefix = tested.study.fields().set_index("image")["prefix"]
    tables = []
    for fold in tested.own_run.folds:
        learnt, part = tested.part("train", fold), tested.part("test", fold)
        share = (learnt["label"] == CLASSES[1]).groupby(learnt["image"].map(prefix)).mean()
        p = part["image"].map(prefix).map(share).fillna(share.mean())
        y = (part["label"] == CLASSES[1]).to_numpy(int)
        tables.append(pd.DataFrame({"group": part["group"], "y": y, "p": p.to_numpy(float)}))
    return area(pd.concat(tables, ignore_index=True), seed)
