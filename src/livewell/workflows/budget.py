"""How much light is safe here: the highest dose shown to be not worse than none."""

import logging
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.doses.dose_response import DoseResponse, fit_dose_response
from livewell.doses.equivalence import Budget, light_budget
from livewell.doses.wells import by_dose, check_wells
from livewell.errors import SpecError
from livewell.files import AnyPath, claim_same, read_json, stamp, whole_file, write_json, write_text
from livewell.images.opening import Channels, noted_channels
from livewell.inference.dosed import Plan, doses_by_unit
from livewell.metrics.intervals import Estimate
from livewell.models.profile import Profile
from livewell.models.recipes import FAST
from livewell.progress import task
from livewell.report.budget import BudgetResults, blind, budget_page
from livewell.report.page import Note, render
from livewell.study.runs import versions
from livewell.study.study import Study, checked_name
from livewell.workflows.crossfit import cross_fit, judge, prepare

LOG = logging.getLogger(__name__)

KIND, STAMP, RESULTS = "light budget", "budget.json", "results.json"
RUN = "run"


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """What `budget` found.

    Parameters
    ----------
    folder
        Holds ``wells.csv``, ``doses.csv``, ``scores.parquet``, ``results.json``, ``report.html``
        and the run.
    budget, response
        The tests, and the curve of dose and response.
    wells
        One row a well.
    sees
        AUC between unlit wells and those learnt as sick, unseen ones.
    unit
        Of the doses; empty where nobody knows it.
    page, warnings
        The report, and what a careful user should know.
    """

    folder: Path
    budget: Budget
    response: DoseResponse
    wells: pd.DataFrame
    sees: Estimate
    unit: str
    page: Path
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            **results_json(self.budget, self.response, self.unit),
            "sees": asdict(self.sees),
            "warnings": list(self.warnings),
            "report": str(self.page),
        }


def budget(
    study: Study | AnyPath,
    out: AnyPath,
    plan: Plan,
    *,
    margin: float,
    profile: Profile = FAST,
    model: AnyPath | None = None,
    alpha: float = 0.05,
    classes: tuple[str, str] = ("healthy", "sick"),
    name: str = "budget",
    channels: Channels = None,
    seed: int = 0,
    processes: int | None = None,
) -> BudgetResult:
    """Learn sick from a study's extremes, judge every well unseen, and test dose by dose.

    Parameters
    ----------
    study
        With doses of wells, and times of frames.
    out
        Folder for everything; a budget that was stopped goes on.
    plan
        What is learnt and what is judged.
    margin
        The smallest difference in the share of patches called sick that would be harm, in (0, 1).
        To be chosen before the result is seen.
    profile
        The recipe of the models that are trained.
    model
        A model of other images to judge by, or a run of several folds on this study, instead of
        training: then `profile` is of no matter.
    alpha
        Chance of naming a harmful dose safe.
    classes
        (negative, positive).
    name
        Of labels and split in the study.
    channels
        Channels to look at, by name or number; by default the study's, else the transmitted light.
    seed
        Of everything.
    processes
        As in `livewell.workflows.train.train`.

    Raises
    ------
    TableError
        Everything wrong with the doses at once.
    SpecError
        A margin or a level that cannot be; a recipe whose net sees whole frames.
    SplitError
        Too few wells to learn from.
    OutputError
        `out` holds something else, or a budget with other settings; another margin or alpha may be
        asked of the same one, and all margins that were tried are told.
    """
    study = Study.of(study)
    model = None if model is None else Path(model)
    out = Path(out)
    _check(margin, alpha)
    if model is None and profile.sees_frames:
        raise SpecError(
            "a budget counts patches, and this recipe's net sees whole frames",
            where=f"profile {profile.name}",
            remedy="take FAST; for places in whole frames use `livewell localise`",
        )
    checked_name(name)
    doses_by_unit(study, plan)
    said = {
        "study": str(study.folder.resolve()),
        "plan": asdict(plan),
        "profile": profile.model_dump(mode="json") if model is None else None,
        "model": None if model is None else str(model.resolve()),
        "channel": noted_channels(channels),
        "seed": seed,
    }
    claim_same(out, KIND, STAMP, said)
    if model is None:
        prepared = prepare(
            study,
            profile,
            plan,
            classes=classes,
            name=name,
            channels=channels,
            seed=seed,
        )
        # only now: what is wrong with the settings must not claim the folder for them
        stamp(out, STAMP, KIND, **said, versions=versions())
        fitted = cross_fit(
            prepared,
            out / RUN,
            profile,
            seed=seed,
            processes=processes,
        )
        by = f"{fitted.models} models of profile {profile.name}"
    else:
        fitted = judge(study, model, plan, channels=channels, seed=seed)
        stamp(out, STAMP, KIND, **said, versions=versions())
        by = f"judged by {model}"
    wells = check_wells(fitted.wells)
    with task("testing dose by dose", total=3) as tick:
        found = light_budget(wells, margin, alpha=alpha, lost=fitted.lost)
        tick()
        response = fit_dose_response(wells)
        tick()
        levels = by_dose(wells, seed=seed)
        tick()
    tried = _margins(out, margin)
    warnings = [*fitted.warnings]
    if len(tried) > 1:
        listed = ", ".join(f"{each:g}" for each in tried)
        text = f"margins tried on this experiment: {listed}; one chosen afterwards is no promise"
        warnings.append(text)
        LOG.warning(text)
    unit = _unit(study)
    for file, table in (("wells.csv", wells), ("doses.csv", levels)):
        with whole_file(out / file) as temporary:
            table.to_csv(temporary, index=False)
    with whole_file(out / "scores.parquet") as temporary:
        fitted.scores.to_parquet(temporary, index=False)
    results = BudgetResults(
        title=f"Light budget: {study.folder.name}",
        subtitle=f"{len(wells)} {plan.by}s, {int(wells['patches'].sum()):,} patches at"
        f" {len(levels)} doses; {by}",
        classes=classes,
        budget=found,
        response=response,
        wells=wells,
        doses=levels,
        unit=unit,
        sees=fitted.sees,
        sick_from=plan.sick_from,
        elsewhere=fitted.elsewhere,
        proven=fitted.proven,
        group_name=plan.by,
        notes=[Note("warn", text) for text in warnings],
        settings={k: v for k, v in said.items() if k != "profile"}
        | {"margin": margin, "alpha": alpha}
        | ({} if model else {"profile": profile.name}),
        versions=versions(),
    )
    write_text(out / "report.html", render(budget_page(results)))
    if blind(results):
        text = "the net is not shown to see harm at all: a dose that passes says nothing yet"
        warnings.append(text)
        LOG.warning(text)
    page = out / "report.html"
    made = BudgetResult(out, found, response, wells, fitted.sees, unit, page, tuple(warnings))
    write_json(
        out / RESULTS,
        {"kind": KIND, "margins_tried": tried, **made.as_json(), "versions": versions()},
    )
    return made


def _margins(out: Path, margin: float) -> list[float]:
    """Every margin that was tried in this folder, in order."""
    before: list[float] = []
    if (out / RESULTS).is_file():
        before = list(read_json(out / RESULTS, kind=KIND).get("margins_tried", []))
    return list(dict.fromkeys([*before, margin]))


def results_json(found: Budget, response: DoseResponse, unit: str) -> dict[str, Any]:
    """Tests and curve as plain values."""
    values = asdict(found)
    values["tests"] = [asdict(test) for test in found.tests]
    return {
        "verdict": found.verdict,
        "budget": found.dose,
        "unit": unit,
        "told": found.told(unit),
        "test": values,
        "effective_doses": {
            f"ED{100 * share:g}": {"value": each.value, "low": each.low, "high": each.high}
            for share, each in response.doses.items()
        },
    }


def _check(margin: float, alpha: float) -> None:
    """Refuse what cannot be before anything is trained."""
    for option, value, top in (("--margin", margin, 1.0), ("--alpha", alpha, 0.5)):
        if not (math.isfinite(value) and 0 < value < top):
            raise SpecError(
                "out of range",
                where=option,
                expected=f"a share above 0 and below {top:g}, such as 0.1 for ten percentage points"
                if option == "--margin"
                else f"above 0 and below {top:g}",
                got=f"{value:g}",
            )


def _unit(study: Study) -> str:
    fields = study.fields()
    if "dose_unit" not in fields or fields["dose_unit"].isna().all():
        return ""
    return str(fields["dose_unit"].dropna().iloc[0])
