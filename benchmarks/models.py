"""The models that benchmarks of dense maps run: DeadNet in both forms, trained on one culture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livewell.geometry import Box, WindowGrid
from livewell.inference.engine import View
from livewell.labels.by_dose import Dose
from livewell.models.files import Card, load_model
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import DEADNET_2017_SHORT, DEADNET_DENSE
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
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


def culture(seed: int) -> CultureSpec:
    """24 wells, half of them lit for 120 s, frames as large as the paper's."""
    return CultureSpec(
        doses_s=(0.0, 120.0),
        wells_per_dose=12,
        positions_per_well=1,
        frames=5,
        frame_s=1800.0,
        height_px=HEIGHT,
        width_px=WIDTH,
        cells=147,
        seed=seed,
    )


def trained(folder: Path, profile: Profile, *, seed: int) -> TrainingResult:
    """`profile` trained on the simulated culture in `folder`, or as it was trained there before."""
    images = simulate_culture(culture(seed), folder / "plate")
    study = index(
        images, folder / "study", pattern=PATTERN, metadata=folder / "plate" / "plate.csv"
    ).study
    if "split" not in study.split_names():
        label(study, Dose(120.0, WINDOW_S), CLASSES, seed=seed)
        grid = Grid(profile.input.patch_px, profile.input.stride_px)
        scheme = Holdout((0.5, 0.2, 0.3))
        split(study, by="well", scheme=scheme, grid=grid, seed=seed)
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
    grid16 = _grid(net)
    wanted = np.ones(grid16.shape, dtype=bool)
    views = [
        View(pixels.frame(image, t), pixels.area(image, t), wanted, t)
        for image, t in zip(frames["image"], frames["t"], strict=True)
    ]
    return TrainingResult(net, card, views, (frames["label"] == CLASSES[1]).tolist(), grid16)


def _grid(net: Net) -> WindowGrid:
    """The paper's 71 x 51 windows of 220 px; patches reach 18 px beyond the frame, mirrored."""
    beyond = (net.patch_px - net.input_px) // 2
    return WindowGrid.over(Box.of(0, 0, HEIGHT, WIDTH).widened(beyond), net.patch_px, STRIDE)
