"""Nets trained on simulated shapes, and fresh pictures that they are tested on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed

from livewell.files import whole_file
from livewell.inference.windows import Windows
from livewell.labels.by_column import Column
from livewell.models.files import Card, load_model
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.progress import task
from livewell.simulate.shapes import Ellipses, Picture, ShapeSpec, picture
from livewell.splitting.schemes import Holdout, Scheme
from livewell.study.regions import Whole
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.shapes import CLASSES, simulate_shapes
from livewell.workflows.split import split
from livewell.workflows.train import train

READINGS: dict[Ellipses, str] = {
    "flat": "ratio 0.5-0.75",
    "literal": "both axes 15-20 px, 2 px apart",
}
THIRDS = Holdout((1 / 3, 1 / 3, 1 / 3))
"""The paper's three equal parts."""
FRESH = 1_000_000
"""Added to the seed for pictures that no training has seen."""
TOGETHER = 50
T = TypeVar("T")


@dataclass(frozen=True)
class Trial:
    """One net on one set of images, which are split into thirds; trials on one set share a study.

    `name` is the folder of its run; `begin` a trial whose net the training begins with.
    """

    spec: ShapeSpec
    profile: Profile
    name: str
    begin: "Trial | None" = None


@dataclass(frozen=True)
class Model:
    """A trained net, its card and its log."""

    net: Net
    card: Card
    log: pd.DataFrame
    folder: Path

    @property
    def minutes(self) -> float:
        """How long training took: its median epoch times its epochs, for some wait for others."""
        return float(self.log["seconds"].median() * len(self.log)) / 60

    def kept(self, spec: ShapeSpec, images: int, kind: str) -> Path:
        """File that keeps what these weights say of so many fresh pictures like `spec`."""
        share = spec.circles or f"{spec.circle_share:g}"
        return self.folder / f"fresh-{share}-{images}-{self.card.weights_sha256[:8]}.{kind}"


def split_whole(
    images: Path, metadata: Path, out: Path, column: str, scheme: Scheme, seed: int
) -> Study:
    """The study of images in `out`, labelled by a column of metadata, split by image."""
    if not (out / "splits").is_dir():
        study = index(images, out, metadata=metadata).study
        label(study, Column(column, {name: name for name in CLASSES}), CLASSES, seed=seed)
        split(study, by="picture", scheme=scheme, grid=Whole(), seed=seed)
    return Study.open(out)


def study_of(spec: ShapeSpec, folder: Path) -> Study:
    """The study of a set of images in `folder`, split into thirds, or the one that is there.

    Refuses a folder that holds others.
    """
    images = simulate_shapes(spec, folder / "pictures")
    table = folder / "pictures" / "images.csv"
    return split_whole(images, table, folder / "study", "label", THIRDS, spec.seed)


def trained(trial: Trial, runs: Path, *, seed: int) -> Model:
    """The net of a trial, trained now or before; a training that was stopped goes on."""
    spec = trial.spec
    data = f"{spec.ellipses}-{spec.circles or f'{spec.circle_share:g}'}-{spec.seed}"
    study = study_of(spec, runs / "data" / data)
    start = None
    if trial.begin:
        first = trained(trial.begin, runs, seed=seed)
        start = first.folder / "fold-00" / "model"
    out = runs / trial.name
    made = train(study, out, trial.profile, begin_with=start, seed=seed)
    net, card = load_model(made.run.model(0))
    return Model(net, card, pd.read_csv(made.run.fold(0) / "log.csv"), made.run.folder)


def on_fresh(told: Callable[[list[Picture]], T], spec: ShapeSpec, images: int) -> Iterator[T]:
    """What is told of pictures like those of `spec` that nothing was trained on, some at a time."""
    other = replace(spec, images=images, seed=spec.seed + FRESH)
    parts = [range(at, min(at + TOGETHER, images)) for at in range(0, images, TOGETHER)]
    pool = Parallel(n_jobs=min(cpu_count(), len(parts)), return_as="generator")
    yield from pool(delayed(answer)(told, other, part) for part in parts)


def answer(told: Callable[[list[Picture]], T], spec: ShapeSpec, numbers: range) -> T:
    """What `told` says of the simulated images of these numbers."""
    return told([picture(spec, number) for number in numbers])


def scored(model: Model, spec: ShapeSpec, images: int) -> pd.DataFrame:
    """Truth and call of fresh pictures: columns y, logit, called; threshold from validation.

    They are kept in the model's folder, and not scored again.
    """
    kept = model.kept(spec, images, "csv")
    if not kept.is_file():
        with whole_file(kept) as temporary:
            fresh_scores(model.net, spec, images).to_csv(temporary, index=False)
    table = pd.read_csv(kept)
    logits = np.stack([np.zeros(len(table)), table["logit"]], axis=1)
    return table.assign(called=model.card.region_rule.codes(logits))


def fresh_scores(net: Net, spec: ShapeSpec, images: int) -> pd.DataFrame:
    """Truth and logit of fresh pictures: columns y, logit."""
    parts = []
    with task("scoring fresh pictures", total=images) as tick:
        for part in on_fresh(partial(_logits, net), spec, images):
            parts.append(part)
            tick(len(part))
    return pd.concat(parts, ignore_index=True)


def _logits(net: Net, pictures: list[Picture]) -> pd.DataFrame:
    pixels = torch.from_numpy(np.stack([made.pixels for made in pictures])).float()[:, None]
    logits = Windows(net).logits(pixels)
    logit = logits[:, 1] - logits[:, 0]
    return pd.DataFrame({"y": [int(made.positive) for made in pictures], "logit": logit})
