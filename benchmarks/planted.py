"""Whether Grad-CAM finds planted sick cells, and whether averaged weights make crops agree."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmarks.models import FORMS, trained
from benchmarks.result import Result
from livewell.explain.fields import field_map
from livewell.explain.gradcam import Cam, class_weights
from livewell.geometry import Box, WindowGrid
from livewell.labels.by_dose import Dose
from livewell.metrics.intervals import wilson
from livewell.models.files import load_model
from livewell.models.nets.net import Net
from livewell.models.profile import override
from livewell.models.recipes import FAST
from livewell.progress import task
from livewell.simulate.culture import CultureSpec, positions, simulate_position
from livewell.simulate.dose import VISIBLE
from livewell.splitting.schemes import Holdout
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.schemas import regions_of
from livewell.workflows.demo import SETTINGS, WINDOW_S
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.simulate import PATTERN, simulate_culture
from livewell.workflows.split import split
from livewell.workflows.train import train

CLASSES = ("healthy", "sick")
FIELDS = 60
MOST_AREA = 0.1
DOSE_S, SENSITIVE = 120.0, 0.1
"""Light of the planted fields, and the share of their cells that feel it."""
FRAME = 3
"""Frame looked at: an hour and a half after the light."""


FAST_KIND = "FAST, demo's patches, 1,000 steps, block3"
FAST_PROFILE = override(FAST, SETTINGS | {"steps": 1_000})
DEADNETS = {f"DeadNet, {form}, 600 steps, conv4_2": profile for form, profile in FORMS.items()}


@dataclass
class Found:
    """What was found with one kind of weights."""

    hits: list[bool] = field(default_factory=list)
    disagreement: list[float] = field(default_factory=list)
    chance: list[float] = field(default_factory=list)


def planted(*, runs: Path | None = None, seed: int = 0) -> Result:
    """Peaks of whole-field maps on sick cells that cover under a tenth of the area.

    Parameters
    ----------
    runs
        Where plate and runs are kept, to go on after a stop; a temporary folder by default.
    seed
        Of everything.
    """
    began = time.monotonic()
    rows: list[list[str]] = []
    values = {}
    with TemporaryDirectory() as temporary:
        folder = runs or Path(temporary)
        fields = _fields(seed + 1)
        for kind, net, study, split_name in _nets(folder, seed):
            found = _looked(kind, net, study, split_name, fields)
            for name, each in found.items():
                hits, low, high = sum(each.hits), *wilson(sum(each.hits), len(each.hits))
                share = f"{hits} of {len(each.hits)} = {hits / len(each.hits):.0%}"
                rows.append(
                    [
                        kind,
                        name,
                        f"{share} ({low:.0%}-{high:.0%})",
                        f"{np.mean(each.chance):.1%}",
                        f"{np.median(each.disagreement):.2f}",
                    ]
                )
                values[f"{kind}, {name}"] = {
                    "hits": hits,
                    "fields": len(each.hits),
                    "disagreement": each.disagreement,
                }
    return Result(
        "explain-planted",
        "Grad-CAM on simulated cultures with planted sick cells",
        f"python -m benchmarks explain-planted --seed {seed}",
        seed,
        ["net and layer", "weights", "highest peak on a sick cell", "chance", "disagreement"],
        rows,
        f"{len(fields)} fields of another plate than the nets were trained on, {DOSE_S:g} s of"
        f" light that {SENSITIVE:.0%} of the cells feel; fields in which at least one harmed cell"
        f" lies whole, and harmed cells cover under {MOST_AREA:.0%} of the area (outlines with"
        " processes and fibres; cells that died by themselves do not count). Whole-field maps of"
        " the class sick from crops every eighth of a patch; a hit is a highest pixel on a harmed"
        " cell or within half the layer's stride of it. Chance: the share of the area that would be"
        " a hit. Disagreement of overlapping crops: 0 they agree, 1.41 they have nothing in common;"
        " median over fields.",
        time.monotonic() - began,
        ["Crops every eighth of a patch were chosen on 60 other fields (plate of seed 7): 59 hits"
         " for FAST, against 53 with a quarter.",
         "Behind an average pool (FAST) every crop has the class's weights, so averaging changes"
         " nothing there."],
        values,
    )  # fmt: skip


@dataclass(frozen=True)
class Planted:
    """A frame, and which of its pixels lie on a harmed cell."""

    frame: NDArray[np.uint16]
    mask: NDArray[np.bool_]

    def near(self, widened_px: float) -> NDArray[np.bool_]:
        """Which pixels lie on a harmed cell, or so near."""
        found: NDArray[np.bool_] = distance_transform_edt(~self.mask) <= widened_px
        return found


def _fields(seed: int) -> list[Planted]:
    """Frames with few harmed cells, and nothing else wrong but what is so without light."""
    spec = CultureSpec(
        doses_s=(DOSE_S,),
        wells_per_dose=4 * FIELDS,
        positions_per_well=1,
        frames=FRAME + 1,
        frame_s=1800.0,
        sensitive=SENSITIVE,
        seed=seed,
        plate="planted",
    )
    nobody = replace(spec, sensitive=0.0)
    found: list[Planted] = []
    for key in positions(spec):
        movie = simulate_position(spec, key, footprints=True)
        # cells that died by themselves are there without light too, and are not planted
        others = _visibly_harmed(simulate_position(nobody, key).truth)["cell"]
        cells = _visibly_harmed(movie.truth)["cell"]
        lying = np.asarray(movie.footprints)[FRAME]
        numbers = cells[~cells.isin(others)].to_numpy() + 1
        rim = np.concatenate([lying[0], lying[-1], lying[:, 0], lying[:, -1]])
        whole = np.isin(np.setdiff1d(numbers, rim), lying)
        each = Planted(movie.frames[FRAME], np.isin(lying, numbers))
        if whole.any() and each.mask.mean() < MOST_AREA:
            found.append(each)
        if len(found) == FIELDS:
            break
    return found


def _visibly_harmed(truth: pd.DataFrame) -> pd.DataFrame:
    return truth[(truth["t"] == FRAME) & (truth["damage"] >= VISIBLE)]


def _study(folder: Path, seed: int) -> Study:
    """The demo's plate, labelled by dose."""
    spec = CultureSpec(
        doses_s=(0.0, 120.0),
        wells_per_dose=30,
        positions_per_well=2,
        frames=5,
        frame_s=1800.0,
        seed=seed,
    )
    images = simulate_culture(spec, folder / "plate")
    table = folder / "plate" / "plate.csv"
    study = index(images, folder / "study", pattern=PATTERN, metadata=table).study
    if "labels" not in study.label_names():
        label(study, Dose(120.0, WINDOW_S), CLASSES, seed=seed)
    return study


def _nets(folder: Path, seed: int) -> Iterator[tuple[str, Net, Study, str]]:
    """Name, net, study and split of every net that is looked into."""
    study = _study(folder / "fast", seed)
    if "split" not in study.split_names():
        grid = Grid(FAST_PROFILE.input.patch_px, FAST_PROFILE.input.stride_px)
        scheme = Holdout((0.7, 0.2, 0.1))
        split(study, by="well", scheme=scheme, grid=grid, seed=seed)
    run = train(study, folder / "fast" / "run", FAST_PROFILE, seed=seed).run
    yield FAST_KIND, load_model(run.model(0))[0], study, "split"
    for name, profile in DEADNETS.items():
        made = trained(folder / "deadnet", profile, seed=seed)
        yield name, made.net, Study.open(folder / "deadnet" / "study"), "split"


def _looked(
    kind: str,
    net: Net,
    study: Study,
    split_name: str,
    fields: list[Planted],
) -> dict[str, Found]:
    cam = Cam(net)
    patches, folds, _ = study.split(split_name)
    train_groups = folds.loc[folds["part"] == "train", "group"]
    own: pd.DataFrame = patches[
        patches["group"].isin(train_groups) & (patches["label"] == CLASSES[1])
    ]
    weights = class_weights(cam, StudyPixels(study), regions_of(own), 1, most=500)
    ways: dict[str, torch.Tensor | None] = {"each crop's": None, "the class's": weights}
    found = {name: Found() for name in ways}
    with task(f"looking, {kind}", total=len(fields) * len(ways)) as tick:
        for each in fields:
            area = Box.of(0, 0, *each.frame.shape)
            whole = area.widened((net.patch_px - net.input_px) // 2)
            grid = WindowGrid.over(whole, net.patch_px, net.patch_px // 8)
            target = each.near(cam.layer.margin_px)
            for name, weighed in ways.items():
                made = field_map(cam, each.frame, area, grid, 1, weights=weighed)
                peak = np.unravel_index(np.nanargmax(made.map), made.map.shape)
                found[name].hits.append(bool(target[peak]))
                found[name].chance.append(float(target.mean()))
                found[name].disagreement.append(made.disagreement)
                tick()
    return found
