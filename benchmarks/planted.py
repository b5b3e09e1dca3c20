"""Whether attribution finds planted sick cells, and whether averaged weights make crops agree."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from benchmarks.models import CLASSES, FORMS, split_culture, trained
from benchmarks.result import Result
from livewell.explain.crops import CropCam
from livewell.explain.places import PlaceCam
from livewell.metrics.intervals import wilson
from livewell.models.files import load_model
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.net import Net
from livewell.models.profile import override
from livewell.models.recipes import FAST, FROZEN
from livewell.progress import task
from livewell.simulate.culture import CultureSpec, positions, simulate_position
from livewell.simulate.dose import VISIBLE
from livewell.study.pixels import ArrayPixels, StudyPixels
from livewell.study.study import Study
from livewell.tables.schemas import regions_of
from livewell.workflows.demo import CULTURE, SETTINGS
from livewell.workflows.train import train

FIELDS = 60
MOST_AREA = 0.1
DOSE_S, SENSITIVE = 120.0, 0.1
"""Light of the planted fields, and the share of their cells that feel it."""
FRAME = 3
"""Frame looked at: an hour and a half after the light."""
FAST_KIND = "FAST, demo's patches, 1,000 steps, block3"
FAST_PROFILE = override(FAST, SETTINGS)
FROZEN_KIND = "FROZEN, demo's patches, all its blocks"
DEADNETS = {f"DeadNet, {form}, 600 steps, conv4_2": profile for form, profile in FORMS.items()}


def planted(*, runs: Path, seed: int = 0) -> Result:
    """Peaks of whole-field maps on sick cells that cover under a tenth of the area."""
    rows: list[list[str]] = []
    values = {}
    fields = planted_fields(seed + 1, FIELDS)
    for kind, net, study in _nets(runs, seed):
        for name, found in _looked(kind, net, study, fields).groupby("weights", sort=False):
            hits, count, apart = int(found["hit"].sum()), len(found), found["disagreement"]
            low, high = wilson(hits, count)
            share = f"{hits} of {count} = {hits / count:.0%} ({low:.0%}-{high:.0%})"
            chance = f"{found['chance'].mean():.1%}"
            rows.append(
                [
                    kind,
                    str(name),
                    share,
                    chance,
                    "" if apart.isna().all() else f"{apart.median():.2f}",
                ]
            )
            values[f"{kind}, {name}"] = {
                "hits": hits,
                "fields": count,
                "disagreement": apart.tolist(),
            }
    return Result(
        title="Evidence on simulated cultures with planted sick cells",
        header="net and layer | weights | highest peak on a sick cell | chance | disagreement",
        rows=rows,
        lead=f"{len(fields)} fields of another plate than the nets were trained on, {DOSE_S:g} s of"
        f" light that {SENSITIVE:.0%} of the cells feel; fields in which at least one harmed cell"
        f" lies whole, and harmed cells cover under {MOST_AREA:.0%} of the area (outlines with"
        " processes and fibres; cells that died by themselves do not count). Whole-field maps of"
        " the class sick from crops every eighth of a patch; a hit is a highest pixel on a harmed"
        " cell or within half the layer's stride of it. Chance: the share of the area that would be"
        " a hit. Disagreement of overlapping crops: 0 they agree, 1.41 they have nothing in common;"
        " median over fields.",
        notes=[
            "Crops every eighth of a patch were chosen on 60 other fields (plate of seed 7): 59"
            " hits for FAST of version 0.1, against 53 with a quarter.",
            "Behind an average pool (FAST) every crop has the class's weights, so averaging changes"
            " nothing there.",
            "FROZEN is not looked at by crops: its map is what each position adds to the scores of"
            " positions every 8 px, and a hit is within half the mean distance of its maps' cells.",
        ],
        values=values,
    )


@dataclass(frozen=True)
class Planted:
    """A frame, and which of its pixels lie on a harmed cell."""

    frame: NDArray[np.uint16]
    mask: NDArray[np.bool_]

    def near(self, widened_px: float) -> NDArray[np.bool_]:
        """Which pixels lie on a harmed cell, or so near."""
        found: NDArray[np.bool_] = distance_transform_edt(~self.mask) <= widened_px
        return found


def planted_fields(seed: int, number: int) -> list[Planted]:
    """Frames with few harmed cells, and nothing else wrong but what is so without light."""
    spec = CultureSpec(
        doses_s=(DOSE_S,),
        wells_per_dose=4 * number,
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
        if len(found) == number:
            break
    return found


def _visibly_harmed(truth: pd.DataFrame) -> pd.DataFrame:
    return truth[(truth["t"] == FRAME) & (truth["damage"] >= VISIBLE)]


def _nets(folder: Path, seed: int) -> Iterator[tuple[str, Net, Study]]:
    """Name, net and study of every net that is looked into."""
    spec = replace(CULTURE, seed=seed)
    study = split_culture(spec, folder / "fast", FAST_PROFILE, (0.7, 0.2, 0.1))
    run = train(study, folder / "fast" / "run", FAST_PROFILE, seed=seed).run
    yield FAST_KIND, load_model(run.model(0))[0], study
    run = train(study, folder / "fast" / "frozen", override(FROZEN, SETTINGS), seed=seed).run
    yield FROZEN_KIND, load_model(run.model(0))[0], study
    for name, profile in DEADNETS.items():
        made = trained(folder / "deadnet", profile, seed=seed)
        yield name, made.net, Study.open(folder / "deadnet" / "study")


def _looked(kind: str, net: Net, study: Study, fields: list[Planted]) -> pd.DataFrame:
    """One row a field and weights: hit, chance and disagreement."""
    cam = _cam(net, study)
    rows = []
    with task(f"looking, {kind}", total=len(fields)) as tick:
        for each in fields:
            target = each.near(cam.layer.margin_px)
            for name, found, apart in _maps(cam, ArrayPixels({"": each.frame[None]})):
                rows.append((name, peaks_at(found, target), float(target.mean()), apart))
            tick()
    return pd.DataFrame(rows, columns=["weights", "hit", "chance", "disagreement"])


def peaks_at(found: NDArray[np.float32], target: NDArray[np.bool_]) -> bool:
    """Whether the highest pixel of a map lies on a target."""
    return bool(target[np.unravel_index(np.nanargmax(found), found.shape)])


def _cam(net: Net, study: Study) -> CropCam | PlaceCam:
    if isinstance(net.module, FrozenNet):
        return PlaceCam(net)
    cam = CropCam(net)
    patches, folds, _ = study.split("split")
    train_groups = folds.loc[folds["part"] == "train", "group"]
    own: pd.DataFrame = patches[
        patches["group"].isin(train_groups) & (patches["label"] == CLASSES[1])
    ]
    drawn = np.random.default_rng(0).choice(len(own), min(len(own), 500), replace=False)
    cam.learn(StudyPixels(study), regions_of(own.iloc[np.sort(drawn)]), 1)
    return cam


def _maps(
    cam: CropCam | PlaceCam, source: ArrayPixels
) -> Iterator[tuple[str, NDArray[np.float32], float]]:
    """Weights, map and disagreement of the one field there is."""
    if isinstance(cam, PlaceCam):
        yield "each place's", cam.field(source, "", 0, 1)[0], float("nan")
        return
    for weights, made in cam.fields(source, "", 0, 1).items():
        yield f"{'each' if weights == 'crop' else 'the'} {weights}'s", made.map, made.disagreement
