"""The models that benchmarks of dense maps run: DeadNet in both forms, trained on one culture."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from livewell.geometry import Box, WindowGrid
from livewell.inference.windows import View
from livewell.labels.by_dose import Dose
from livewell.models.files import Card, load_model
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import DEADNET_2017_SHORT, DEADNET_DENSE
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.simulate import PATTERN, simulate_culture
from livewell.workflows.split import split
from livewell.workflows.train import train

HEIGHT, WIDTH, STRIDE = 1024, 1344, 16
CLASSES, WINDOW_S = ("healthy", "sick"), (3600.0, 7200.0)
STEPS = {"steps": DEADNET_DENSE.fit.steps, "steps_per_epoch": DEADNET_DENSE.fit.steps_per_epoch}
FORMS = {
    "paper's form": override(DEADNET_2017_SHORT, STEPS),
    "dense-consistent form": DEADNET_DENSE,
}


@dataclass(frozen=True)
class TrainingResult:
    """A model of the simulated culture, and test frames with their truth."""

    net: Net
    card: Card
    views: list[View]
    sick: list[bool]
    grid: WindowGrid


CULTURE = CultureSpec(
    doses_s=(0.0, 120.0),
    wells_per_dose=12,
    positions_per_well=1,
    frames=5,
    frame_s=1800.0,
    height_px=HEIGHT,
    width_px=WIDTH,
    cells=147,
)
"""24 wells, half of them lit for 120 s, frames as large as the paper's."""


def culture_study(spec: CultureSpec, folder: Path) -> Study:
    """The study of a simulated culture in `folder`, with its doses."""
    images, table = simulate_culture(spec, folder / "plate"), folder / "plate" / "plate.csv"
    return index(images, folder / "study", pattern=PATTERN, metadata=table).study


def split_culture(
    spec: CultureSpec, folder: Path, profile: Profile, shares: tuple[float, float, float]
) -> Study:
    """The study of a culture, labelled by dose, and split by well for the crops of a profile."""
    study = culture_study(spec, folder)
    if "labels" not in study.label_names():
        label(study, Dose(120.0, WINDOW_S), CLASSES, seed=spec.seed)
    if "split" not in study.split_names():
        grid = Grid(profile.input.patch_px, profile.input.stride_px)
        split(study, by="well", scheme=Holdout(shares), grid=grid, seed=spec.seed)
    return study


def trained(folder: Path, profile: Profile, *, seed: int) -> TrainingResult:
    """`profile` trained on the simulated culture in `folder`, or as it was trained there before."""
    study = split_culture(replace(CULTURE, seed=seed), folder, profile, (0.5, 0.2, 0.3))
    run = train(study, folder / profile.name, profile, seed=seed).run
    net, card = load_model(run.model(0))
    pixels = StudyPixels(study)
    patches, folds, _ = study.split("split")
    tested = folds.loc[folds["part"] == "test", "group"]
    frames = (
        patches[patches["group"].isin(tested)][["image", "t", "label"]]
        .drop_duplicates()
        .sort_values(["image", "t"])
    )
    # the paper's 71 x 51 windows of 220 px; patches reach 18 px beyond the frame, mirrored
    beyond = (net.patch_px - net.input_px) // 2
    whole = Box.of(0, 0, HEIGHT, WIDTH).widened(beyond)
    grid16 = WindowGrid.over(whole, net.patch_px, STRIDE)
    wanted = np.ones(grid16.shape, dtype=bool)
    views = [
        View(pixels.frame(image, t), pixels.area(image, t), wanted, t)
        for image, t in zip(frames["image"], frames["t"], strict=True)
    ]
    return TrainingResult(net, card, views, (frames["label"] == CLASSES[1]).tolist(), grid16)
