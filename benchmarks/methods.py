"""MCF7 cells with a death stain: every method on the same cells, leave one experiment out."""

import time
from pathlib import Path
from statistics import median

import torch

from benchmarks.mcf7 import CLASSES, LEAST_EACH, judged, prepare, row_of, study_of
from benchmarks.result import Result, shown
from livewell.classes import ClassNames
from livewell.inference.model import Model
from livewell.metrics.baselines import baseline_estimates
from livewell.models.nets.backbones import BackboneKind
from livewell.models.pretrained import IMAGENET
from livewell.models.profile import Profile
from livewell.models.recipes import FAST, FINE_TUNED, FROZEN, PATTARONE_2021_SHORT, STAIN_UNET
from livewell.study.pixels import StudyPixels
from livewell.study.runs import Run
from livewell.study.study import Study

EDGE_PX = 112
"""Of the patch round every cell, for all methods."""


def _changed(base: Profile, **settings: object) -> Profile:
    """A recipe with other settings, which its name says."""
    name = " ".join([base.name, *(f"{name}={value}" for name, value in settings.items())])
    return base.updated(name, base.source, **settings)


def _pattarone(net: BackboneKind, **settings: object) -> Profile:
    """Pattarone's data path in few steps, on patches that hold one cell rather than several."""
    edges = {"patch_px": EDGE_PX, "input_px": EDGE_PX}
    return _changed(PATTARONE_2021_SHORT, net=net, **edges, **settings)


METHODS = (
    FROZEN,
    _changed(FROZEN, hidden=16, weight_decay=1),
    FINE_TUNED,
    FAST,
    STAIN_UNET,
    _pattarone("resnet18", steps=120),
    _pattarone("inception_v3", steps=120),
    _pattarone("lite0", weights=IMAGENET, steps=120),
)
"""Names say what was changed: a hidden layer; of Pattarone's the steps, so that no training is
longer than half an hour."""


def table(data: Path, *, runs: Path, seed: int = 0) -> Result:
    """Dead and live cells of unseen experiments: nets of all kinds, trees, and the plate alone."""
    study = study_of(data, runs / "study")
    nets, seconds = {}, {}
    for profile in METHODS:
        folder = runs / f"run-{profile.name.replace(' ', '-')}-{seed}"
        nets[profile.name] = judged(study, data, profile, folder, seed)
        seconds[profile.name] = _seconds_a_field(study, folder)
    rows = [
        [
            *net.row[:4],
            shown(net.figures["calibration_error"]),
            f"{net.seconds:,.0f}",
            f"{seconds[name]:.2f}",
        ]
        for name, net in nets.items()
    ]
    plate = nets[FAST.name].figures["prevalence_auc"]
    rows += [
        *_trees(study, data, seed),
        ["the experiment's share of dead alone (plate-only line)", "0.5", shown(plate)],
    ]
    return Result(
        title="Real images: all methods on the same cells, leave one experiment out",
        header="method | AUC within experiments | pooled AUC | balanced accuracy"
        " | calibration error | training, s | a field, s",
        rows=[[*row, *[""] * (7 - len(row))] for row in rows],
        lead="The cells of `mcf7-cells`, each in the middle of a patch of 112 px, leave one"
        " experiment out. Intervals resample experiments. Training: of all nine folds together,"
        " features that an earlier row has left in the study are not computed again. A field:"
        " `Model.predict` of one image of 512 x 512 px without any kept features, patches side by"
        " side where there are cells.",
        notes=[
            *(f"{name}: {net.each}." for name, net in nets.items()),
            "PATTARONE_2021_SHORT is made for patches of 224 px, which hold several cells of this"
            " density; here its patches are those of the other methods. Of these nets weights"
            " are random where none are named; FROZEN and FINE_TUNED begin with ImageNet's.",
            "STAIN_UNET also learns propidium iodide. The time of trees is that of both together.",
            f"Times: {torch.get_num_threads()} thread of torch beside the processes that crop, on"
            " two cores that other work used as well; a run that is kept keeps its time.",
        ],
        values={name: net.plain | {"field_s": seconds[name]} for name, net in nets.items()},
    )


def _trees(study: Study, data: Path, seed: int) -> list[list[str]]:
    """Rows of trees on plain features of the same patches."""
    name, classes = f"cells-{EDGE_PX}", ClassNames(CLASSES)
    prepare(study, data, name, EDGE_PX, seed)
    patches, folds, _ = study.split(name)
    pixels, began = StudyPixels(study), time.perf_counter()
    found = baseline_estimates(patches, folds, classes, pixels, min_each=LEAST_EACH, seed=seed)
    seconds = f"{time.perf_counter() - began:,.0f}"
    return [[*row_of(tree, figures, "")[:4], "", seconds] for tree, figures in found.items()]


def _seconds_a_field(study: Study, run: Path, repeats: int = 5) -> float:
    """Median of the time that a model of the run takes for one image, once it is made ready."""
    model = Model.load(Run.open(run).model(0))
    path = study.path(study.fields()["image"].iloc[0])
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        model.predict(path)
        seconds.append(time.perf_counter() - began)
    return median(seconds[1:])
