"""The light budget end to end, on three simulated cultures whose truth is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.models import culture_study
from benchmarks.result import Result, shown
from livewell.inference.dosed import Plan
from livewell.models.profile import override
from livewell.models.recipes import FAST
from livewell.simulate.culture import CultureSpec
from livewell.simulate.dose import VISIBLE
from livewell.study.study import Study
from livewell.workflows.budget import BudgetResult, budget
from livewell.workflows.demo import SETTINGS, WINDOW_S
from livewell.workflows.evaluate import evaluate

MARGIN = 0.15
FRAME_S = 1800.0
ELSEWHERE = "light that does nothing"
"""A net trained on this plate has nothing to learn; so it is judged by another plate's too."""


@dataclass(frozen=True)
class Case:
    """A culture and what is to be learnt from it."""

    name: str
    doses_s: tuple[float, ...]
    wells: int | tuple[int, ...]
    sick_from: float
    folds: int


CASES = (
    Case("light that harms", (0, 5, 10, 20, 40, 160), (16, 9, 9, 8, 6, 12), 160, 4),
    Case("light that does nothing", (0, 0.5, 1, 2, 4), (16, 11, 11, 11, 11), 4, 4),
    Case("too few wells", (0, 10, 20, 40, 160), (3, 2, 2, 2, 3), 160, 3),
)


def cultures(*, runs: Path, seed: int = 0) -> Result:
    """Budget of three cultures, beside the share of cells that are visibly damaged in truth."""
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    for number, case in enumerate(CASES):
        at = runs / case.name.replace(" ", "-")
        made, truth = _one(case, at, seed + number)
        found = {case.name: made}
        if number == 0:
            evaluate(at / "budget" / "run", baselines=False, seed=seed)
        if case.name == ELSEWHERE:
            model = runs / CASES[0].name.replace(" ", "-") / "budget" / "run" / "fold-00"
            found[f"{case.name}, judged by a model of the first culture"] = _budget(
                case, at, "elsewhere", seed + number, model=model
            )
        for name, each in found.items():
            rows += _rows(name, each, truth)
            values[name] = each.as_json() | {"truth": truth.to_dict()}
            del values[name]["report"]
    return Result(
        title="The light budget end to end: three simulated cultures",
        header="culture | dose (s) | wells | damaged cells, truth | called sick"
        " | difference (one-sided bounds) | decision",
        rows=rows,
        lead="Plates of 512 px fields, two positions a well, two frames, an hour after the light"
        " and on. Cells die of 40 s in the median. Cross-fitted `FAST` with the demo's settings,"
        f" margin {100 * MARGIN:g} percentage points. Truth: share of cells with visible damage in"
        " these frames, mean over wells.",
        notes=[_note(name, found) for name, found in values.items()],
        values=values,
    )


def _one(case: Case, folder: Path, seed: int) -> tuple[BudgetResult, "pd.Series[float]"]:
    spec = CultureSpec(
        doses_s=case.doses_s,
        wells_per_dose=case.wells,
        positions_per_well=2,
        frames=5,
        frame_s=FRAME_S,
        seed=seed,
        plate=case.name,
    )
    study = culture_study(spec, folder)
    made = _budget(case, folder, "budget", seed)
    return made, _truth(folder / "plate", study.fields())


def _budget(
    case: Case, folder: Path, out: str, seed: int, model: Path | None = None
) -> BudgetResult:
    plan = Plan(case.sick_from, WINDOW_S, folds=case.folds, stride_px=SETTINGS["stride_px"])
    return budget(
        Study.open(folder / "study"),
        folder / out,
        plan,
        margin=MARGIN,
        profile=override(FAST, SETTINGS),
        model=model,
        seed=seed,
    )


def _truth(plate: Path, fields: pd.DataFrame) -> "pd.Series[float]":
    """Share of visibly damaged cells by dose, wells weighing alike, in the frames judged."""
    cells = pd.read_parquet(plate / "truth.parquet")
    times = cells["t"] * FRAME_S
    cells = cells[cells["inside"] & times.ge(WINDOW_S[0]) & times.lt(WINDOW_S[1])]
    cells = cells.merge(fields[["image", "well", "dose"]], on="image")
    wells = (cells["damage"] >= VISIBLE).groupby([cells["dose"], cells["well"]]).mean()
    shares: pd.Series[float] = wells.astype(float).groupby("dose").mean()
    return shares


def _rows(name: str, made: BudgetResult, truth: "pd.Series[float]") -> list[list[str]]:
    control = made.budget
    wells, fraction = str(control.control_wells), f"{control.control_fraction:.1%}"
    rows = [[name, "0", wells, f"{truth[0.0]:.1%}", fraction, "", ""]]
    for test in control.tests:
        seen, low, high = (100 * each for each in (test.difference, test.lower, test.upper))
        rows.append(
            [
                "",
                f"{test.dose:g}",
                str(test.wells),
                f"{truth[test.dose]:.1%}",
                f"{test.fraction:.1%}",
                f"{seen:+.1f} ({low:+.1f} to {high:+.1f})",
                test.decision,
            ]
        )
    return rows


def _note(name: str, found: dict[str, Any]) -> str:
    auc = "AUC between unlit and sick wells, unseen ones"
    return f"{name}: {found['told']} {auc}: {shown(found['sees'])}."
