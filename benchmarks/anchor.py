"""Features relative to each plate's untreated wells: what that is worth on simulated plates."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from benchmarks.result import Result, shown
from benchmarks.unlike import Change, field
from livewell.labels.by_column import Column
from livewell.metrics.paired import Comparison
from livewell.models.recipes import FROZEN
from livewell.progress import task
from livewell.simulate.nature import SPREAD, Culture
from livewell.simulate.optics import Optics
from livewell.splitting.schemes import Named
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.metadata import Anchor
from livewell.workflows.compare import compare
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

PLATES, TEST = 20, 10
"""Plates, and how many of them are tested."""
WELLS = ("control",) * 3 + ("medium",) * 3 + ("light",) * 6
"""Of a plate, one field each; controls are the anchor, and healthy like those in medium."""
DOSE_S, STEPS, PIXEL_UM = 20.0, 2, 0.645
"""Half the light that kills the median cell, seen after one hour."""
CLASSES = {"control": "healthy", "medium": "healthy", "light": "sick"}
STRENGTHS = {"as usual": 0.0, "twice as much": 3**0.5}
"""How much plates differ: standard deviation of what is added to their usual differences."""
ARMS = {
    "as they are": (None, True),
    "as they are, controls not learnt": (None, False),
    "relative to controls": (Anchor(by="plate", column="treatment", value="control"), True),
}
"""Anchor, and whether controls are among the labels; the first is what others are compared with."""
SURE = 0.1
"""Share of healthy regions whose spread over plates is told."""
FIGURES = ("roc_auc", "within_auc", "calibration_error")


def anchor(*, runs: Path, seed: int = 0) -> Result:
    """The same test regions of new plates, by models with an anchor and without one."""
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    for name, strength in STRENGTHS.items():
        folder = runs / f"strength-{strength:.2f}"
        study = _study(folder, strength, seed)
        for arm, (anchored, controls) in ARMS.items():
            chosen = "all" if controls else "beside"
            train(study, folder / arm, FROZEN, split=chosen, anchor=anchored, seed=seed)
        made = compare([folder / arm for arm in ARMS], folder / "compared", min_each=1, seed=seed)
        rows += [[name, *row] for row in _rows(made.found, made.scores)]
        values[name] = made.found.table(made.found.differences).to_dict("list")
    return Result(
        title="Features relative to each plate's untreated wells",
        header="plates differ | features | AUC | AUC within plates | calibration error"
        " | SD of plates, false positives | AUC above the first",
        rows=rows,
        lead=f"`FROZEN` on {PLATES} simulated plates of {len(WELLS)} wells:"
        f" {WELLS.count('control')} controls (the anchor), {WELLS.count('medium')} untreated,"
        f" {WELLS.count('light')} lit for {DOSE_S:g} s and seen after {STEPS / 2:g} h. Every plate"
        f" has a culture, optics and camera of its own. {PLATES - TEST} plates are learnt from;"
        f" regions of the other {TEST} are judged, but for those of controls. Intervals of 95%"
        " resample plates.",
        notes=[
            "Without an anchor controls may be learnt from as healthy wells, with it they may not:"
            " the models of the first kind expect more healthy regions than are judged, which is"
            " part of their calibration error.",
            f"False positives: share of a plate's healthy regions among the {SURE:.0%} of all"
            " healthy ones that look most sick.",
            f"Differences in AUC are of {TEST} plates, and a difference whose interval holds 0 may"
            " be chance.",
        ],
        values=values,
    )


def _rows(found: Comparison, scores: dict[str, pd.DataFrame]) -> list[list[str]]:
    rows = []
    for arm, table in scores.items():
        healthy = table[table["label"] == "healthy"]
        surest = healthy["p"] > healthy["p"].quantile(1 - SURE)
        apart = surest.groupby(healthy["group"]).mean().std()
        other = found.differences.get(arm)
        rows.append(
            [
                arm,
                *(shown(found.figures[arm][figure]) for figure in FIGURES),
                f"{apart:.3f}",
                "" if other is None else shown(other["roc_auc"]),
            ]
        )
    return rows


def _study(folder: Path, strength: float, seed: int) -> Study:
    """A study of all plates, with a split of all labels, and one of those beside the controls."""
    images, table = folder / "plates", []
    images.mkdir(parents=True, exist_ok=True)
    with task("simulating plates", total=PLATES * len(WELLS)) as tick:
        for plate in range(PLATES):
            change = _change(np.random.default_rng([seed, plate, 7]), strength)
            for number, treatment in enumerate(WELLS):
                name = f"{plate:02}-{number:02}.tif"
                dose_s = DOSE_S * (treatment == "light")
                pixels = field(plate, number, change, seed, dose_s, STEPS)
                tifffile.imwrite(images / name, pixels)
                table.append({"image": name, "plate": f"P{plate:02}", "treatment": treatment})
                tick()
    pd.DataFrame(table).to_csv(folder / "plates.csv", index=False)
    study = index(images, folder / "study", metadata=folder / "plates.csv", pixel_um=PIXEL_UM).study
    tested = tuple(f"P{plate:02}" for plate in range(PLATES - TEST, PLATES))
    for name in ("all", "beside"):
        classes = {
            value: each for value, each in CLASSES.items() if name == "all" or value != "control"
        }
        route = Column("treatment", classes, others="drop")
        label(study, route, ("healthy", "sick"), name=name)
        grid = Grid(FROZEN.input.patch_px, FROZEN.input.patch_px)
        split(study, by="plate", scheme=Named(tested), grid=grid, labels=name, name=name, seed=seed)
    return study


def _change(rng: np.random.Generator, strength: float) -> Change:
    """What a plate has beyond its usual differences, drawn like these."""

    def culture(usual: Culture) -> Culture:
        more = {
            name: np.exp(strength * z[name] * of_well) for name, (_, of_well, _) in SPREAD.items()
        }
        return replace(usual, **{name: getattr(usual, name) * float(more[name]) for name in more})

    def optics(usual: Optics) -> Optics:
        ring = float(np.clip(usual.ring + strength * 0.05 * z["ring"], 0.66, 0.88))
        blur_um = float(np.clip(usual.blur_um + strength * 0.06 * z["blur"], 0.3, 0.7))
        focus_um = usual.focus_um + strength * 0.5 * z["focus"]
        return replace(usual, ring=ring, blur_um=blur_um, focus_um=focus_um)

    z = {name: float(rng.normal()) for name in (*SPREAD, "ring", "blur", "focus")}
    return Change(culture=culture, optics=optics)
