"""Fields unlike those that a model learnt from: how many are flagged, how well they are judged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

from benchmarks.darkness import area
from benchmarks.result import Result, shown
from livewell.inference.model import Model
from livewell.labels.by_column import Column
from livewell.metrics.intervals import wilson
from livewell.models.recipes import FROZEN
from livewell.progress import Tick, task
from livewell.simulate.cells import Colony
from livewell.simulate.nature import Culture, draw_culture
from livewell.simulate.optics import Camera, Optics, draw_optics
from livewell.simulate.phase import FrameSize
from livewell.simulate.scene import Scene
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

PLATES, FIELDS = 12, 5
"""Plates that the model learns from, and fields of each, every second one lit."""
NEW_PLATES, NEW_FIELDS = 8, 4
EDGE_PX, PIXEL_UM, PAD_PX = 512, 0.645, 32
CELLS, STEPS, STEP_H, DOSE_S = 28.0, 3, 0.5, 120.0
"""Cells of a field in the mean; steps after the light until it is seen; seconds of light."""
CLASSES = ("healthy", "sick")
SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Change:
    """What is other about some fields: magnification, culture, optics."""

    zoom: float = 1.0
    culture: Callable[[Culture], Culture] = lambda culture: culture
    optics: Callable[[Optics], Optics] = lambda optics: optics


def _small_and_round(culture: Culture) -> Culture:
    return replace(
        culture,
        size=0.55 * culture.size,
        elongation=0.6 * culture.elongation,
        dome=2 * culture.dome,
        granules=0.3 * culture.granules,
        density=2.5 * culture.density,
    )


def _defocused(optics: Optics) -> Optics:
    return replace(optics, focus_um=optics.focus_um + 8)


def _one_sided(optics: Optics) -> Optics:
    return replace(optics, tilt_x=1.4, background=optics.background / 10)


CHANGES = {
    "nothing: new plates": Change(),
    "magnification 0.7, pixel size unknown": Change(zoom=0.7),
    "magnification 1.4, pixel size unknown": Change(zoom=1.4),
    "8 um out of focus": Change(optics=_defocused),
    "light of a tenth, from one side": Change(optics=_one_sided),
    "other cells: small, round, dense": Change(culture=_small_and_round),
}


def unlike(*, runs: Path, seed: int = 0) -> Result:
    """Fields of new plates, as they are and with something changed, by one model."""
    model = _model(runs, seed)
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    with task("judging fields", total=len(CHANGES) * NEW_PLATES * NEW_FIELDS) as tick:
        for name, change in CHANGES.items():
            table = pd.DataFrame(_judged(model, change, seed, tick))
            count, flagged = len(table), int(table["unlike"].sum())
            low, high = wilson(flagged, count)
            auc = area(table, seed)
            share = f"{flagged} of {count} = {flagged / count:.0%} ({low:.0%}-{high:.0%})"
            rows.append([name, share, f"{table['distance'].median():.2f}", shown(auc)])
            values[name] = table.to_dict("list")
    rule = model.card.familiarity_rule
    limit = (
        "none" if rule is None else f"{rule.limit:.2f} ({rule.fields} fields, {rule.groups} plates)"
    )
    return Result(
        title="Fields unlike what a model learnt: flagged, and how well judged",
        header="what is changed | flagged | distance, median | AUC of fields",
        rows=rows,
        lead=f"`FROZEN`, trained on {PLATES} simulated plates of {FIELDS} fields (half of them lit"
        f" for {DOSE_S:g} s), judges fields of {NEW_PLATES} new plates. Every plate has a culture,"
        " optics and camera of its own, and no pixel size is known. AUC of the fields' mean log"
        " odds between lit and unlit ones.",
        notes=[
            f"Limit of the distance: {limit}. At most one in twenty fields of new plates should be"
            " flagged where nothing is changed."
        ],
        values=values,
    )


def field(
    plate: int,
    number: int,
    change: Change,
    seed: int,
    dose_s: float | None = None,
    steps: int = STEPS,
) -> NDArray[np.uint16]:
    """One field of a plate some steps after a dose; by default every second one is lit."""

    def rng(*of: int) -> np.random.Generator:
        return np.random.default_rng([seed, plate, *of])

    culture = change.culture(draw_culture(rng(0), rng(1, number)))
    optics = change.optics(draw_optics(rng(2), rng(3, number)))
    view = FrameSize(EDGE_PX, EDGE_PX, PIXEL_UM / change.zoom, PAD_PX)
    cells = CELLS / change.zoom**2
    dose_s = DOSE_S * (number % 2) if dose_s is None else dose_s
    colony = Colony(rng(4, number), culture, cells, view, dose_s)
    for _ in range(steps):
        colony.step(STEP_H)
    phase, _ = Scene(rng(5, number), culture, view).draw(colony)
    return Camera(rng(6, number), optics, view).shoot(phase)


def _judged(model: Model, change: Change, seed: int, tick: Tick) -> Iterator[dict[str, float]]:
    """Group, y, p, distance and unlike of every field of the new plates that has cells."""
    for plate in range(PLATES, PLATES + NEW_PLATES):
        for number in range(NEW_FIELDS):
            found = model.predict(field(plate, number, change, seed))
            tick(1)
            if found.distance is not None:
                odds = float(np.diff(found.image_logits)[0])
                known = {"group": plate, "y": number % 2, "p": odds}
                yield known | {"distance": found.distance, "unlike": bool(found.unlike)}


def _model(runs: Path, seed: int) -> Model:
    """The model of the plates in `runs`, trained there or as it was trained there before."""
    images, table = runs / "plates", []
    images.mkdir(parents=True, exist_ok=True)
    for plate in range(PLATES):
        for number in range(FIELDS):
            name = f"{plate:02}-{number}.tif"
            if not (images / name).is_file():
                tifffile.imwrite(images / name, field(plate, number, Change(), seed))
            table.append({"image": name, "plate": plate, "light": ("no", "yes")[number % 2]})
    pd.DataFrame(table).to_csv(runs / "plates.csv", index=False)
    study = index(images, runs / "study", metadata=runs / "plates.csv").study
    if "labels" not in study.label_names():
        label(study, Column("light", dict(zip(("no", "yes"), CLASSES, strict=True))), CLASSES)
    if "split" not in study.split_names():
        grid = Grid(FROZEN.input.patch_px, FROZEN.input.stride_px)
        split(study, by="plate", scheme=Holdout(SHARES), grid=grid, seed=seed)
    return Model.load(train(study, runs / "run", FROZEN, seed=seed).run.model(0))
