"""Fields unlike those that a model learnt from: how many are flagged, how well they are judged."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

from benchmarks.result import Result, shown
from livewell.inference.model import Model
from livewell.labels.by_column import Column
from livewell.metrics.intervals import estimates, wilson
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
NEW, FURTHER, NEW_FIELDS = range(12, 22), range(22, 42), 4
"""Plates that are judged, as they are and changed; further ones, as they are; fields of each."""
EDGE_PX, PIXEL_UM, PAD_PX = 512, 0.645, 32
CELLS, STEPS, STEP_H, DOSE_S = 28.0, 3, 0.5, 20.0
"""Cells of a field in the mean; steps after the light until it is seen; seconds of light."""
CLASSES = ("healthy", "sick")
SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True)
class Change:
    """What is other about some fields: magnification, culture, optics."""

    zoom: float = 1.0
    culture: Callable[[Culture], Culture] = lambda culture: culture
    optics: Callable[[Optics], Optics] = lambda optics: optics
    plates: range = NEW


def _small_and_round(culture: Culture) -> Culture:
    return replace(
        culture,
        size=0.55 * culture.size,
        elongation=0.6 * culture.elongation,
        dome=2 * culture.dome,
        granules=0.3 * culture.granules,
        density=2.5 * culture.density,
    )


def _large_and_full(culture: Culture) -> Culture:
    return replace(
        culture,
        size=1.8 * culture.size,
        granules=3 * culture.granules,
        vesicles=3 * culture.vesicles,
        density=culture.density / 2,
    )


def _defocused(um: float) -> Change:
    return Change(optics=lambda optics: replace(optics, focus_um=optics.focus_um + um))


def _lit(share: float, tilt: float) -> Change:
    return Change(
        optics=lambda optics: replace(
            optics, tilt_x=optics.tilt_x + tilt, background=share * optics.background
        )
    )


CHANGES = {
    "nothing": Change(),
    "nothing: further plates": Change(plates=FURTHER),
    **{
        f"magnification {zoom:g}, pixel size unknown": Change(zoom=zoom)
        for zoom in (0.5, 0.7, 1.4, 2)
    },
    **{f"{um} um out of focus": _defocused(um) for um in (4, 12, 40)},
    "light from one side": _lit(1, 0.8),
    "light of a thirtieth": _lit(1 / 30, 0),
    "light of a tenth, from one side": _lit(0.1, 1.4),
    "other cells: small, round, dense": Change(culture=_small_and_round),
    "other cells: large, full of granules": Change(culture=_large_and_full),
}


def unlike(*, runs: Path, seed: int = 0) -> Result:
    """Fields of new plates, as they are and with something changed, by one model."""
    model = _model(runs, seed)
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    total = NEW_FIELDS * sum(len(change.plates) for change in CHANGES.values())
    with task("judging fields", total=total) as tick:
        for name, change in CHANGES.items():
            fields, regions = _judged(model, change, seed, tick)
            count, flagged = len(fields), int(fields["unlike"].sum())
            low, high = wilson(flagged, count)
            figures = estimates(regions, seed=seed, names=["roc_auc", "calibration_error"])
            share = f"{flagged} of {count} = {flagged / count:.0%} ({low:.0%}-{high:.0%})"
            far = f"{fields['distance'].median():.2f}"
            rows.append([name, share, far, *map(shown, figures.values())])
            values[name] = fields.to_dict("list")
            values[name] |= {figure: asdict(found) for figure, found in figures.items()}
    rule = model.card.familiarity_rule
    limit = (
        "none" if rule is None else f"{rule.limit:.2f} ({rule.fields} fields, {rule.groups} plates)"
    )
    return Result(
        title="Fields unlike what a model learnt: flagged, and how well judged",
        header="what is changed | flagged | distance, median | AUC of regions"
        " | calibration error of regions",
        rows=rows,
        lead=f"`FROZEN`, trained on {PLATES} simulated plates of {FIELDS} fields (every second one"
        f" lit for {DOSE_S:g} s, {STEPS * STEP_H:g} h before), judges fields of {len(NEW)} new"
        f" plates, the same with every change, and of {len(FURTHER)} further ones as they are."
        " Every plate has a culture, optics and camera of its own; no pixel size is known."
        " AUC between patches of lit and of unlit fields; intervals resample plates.",
        notes=[
            f"Limit of the distance: {limit}. At most one in twenty fields of new plates should be"
            " flagged where nothing is changed.",
            "A patch of another magnification holds more or fewer cells, which alone changes the"
            " AUC of patches.",
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
    edge_px: int = EDGE_PX,
) -> NDArray[np.uint16]:
    """One field of a plate some steps after a dose; by default every second one is lit.

    The number of cells is that of a field of `EDGE_PX`, smaller fields have fewer.
    """

    def rng(*of: int) -> np.random.Generator:
        return np.random.default_rng([seed, plate, *of])

    culture = change.culture(draw_culture(rng(0), rng(1, number)))
    optics = change.optics(draw_optics(rng(2), rng(3, number)))
    view = FrameSize(edge_px, edge_px, PIXEL_UM / change.zoom, PAD_PX)
    cells = CELLS * (edge_px / EDGE_PX) ** 2 / change.zoom**2
    dose_s = DOSE_S * (number % 2) if dose_s is None else dose_s
    colony = Colony(rng(4, number), culture, cells, view, dose_s)
    for _ in range(steps):
        colony.step(STEP_H)
    phase, _ = Scene(rng(5, number), culture, view).draw(colony)
    return Camera(rng(6, number), optics, view).shoot(phase)


def _judged(
    model: Model, change: Change, seed: int, tick: Tick
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fields with cells (group, y, distance, unlike), and their regions (group, y, p, called)."""
    fields, regions = [], []
    for plate in change.plates:
        for number in range(NEW_FIELDS):
            found = model.predict(field(plate, number, change, seed))
            tick(1)
            if found.distance is None:
                continue
            known = {"group": plate, "y": number % 2}
            fields.append(known | {"distance": found.distance, "unlike": bool(found.unlike)})
            p = found.probabilities[:, 1]
            regions.append(pd.DataFrame(known | {"p": p, "called": found.codes}))
    return pd.DataFrame(fields), pd.concat(regions, ignore_index=True)


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
