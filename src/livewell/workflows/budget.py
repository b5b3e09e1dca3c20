"""How much light is safe here: the highest dose shown to be not worse than none."""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.doses.analysis import DoseAnalysis, analysis_json
from livewell.doses.dose_response import DoseResponse
from livewell.doses.equivalence import Budget, check_levels
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, read_json, write_json
from livewell.images.opening import Channels, noted_channels
from livewell.inference.dosed import Plan
from livewell.inference.dosed_study import DosedStudy, refuse_frame_recipe
from livewell.metrics.intervals import Estimate
from livewell.models.profile import Profile
from livewell.models.recipes import FAST
from livewell.report.budget_results import budget_report
from livewell.study.runs import versions
from livewell.study.study import Study, checked_name
from livewell.tables.metadata import AuditSummary
from livewell.tables.schemas import write_table
from livewell.workflows.crossfit import KIND, CrossFitSettings, cross_fit, judge, prepare

LOG = logging.getLogger(__name__)
RESULTS = "results.json"


@dataclass(frozen=True, slots=True)
class BudgetResult:
    """What `budget` found; `sees` is the AUC of unseen unlit wells against those learnt as sick."""

    folder: Path
    budget: Budget
    response: DoseResponse
    wells: pd.DataFrame
    sees: Estimate
    unit: str
    page: Path
    warnings: tuple[str, ...]
    classes: tuple[str, str]
    audit: AuditSummary

    def as_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            **analysis_json(self.budget, self.response, self.unit, self.classes[1]),
            "sees": asdict(self.sees),
            "audit": self.audit.model_dump(),
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
        training: then `profile` is of no matter. Wells that it has learnt from are left out.
    alpha
        Chance of naming a harmful dose safe.
    classes
        (negative, positive), of the labels that are made; a model given has classes of its own.
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
        Too few wells to learn from; a model given has learnt from all wells of a dose.
    OutputError
        `out` holds something else, or a budget with other settings; another margin or alpha may be
        asked of the same one, and all margins that were tried are named.
    """
    study, out = Study.of(study), Path(out)
    model = None if model is None else Path(model)
    check_levels(margin, alpha)
    if model is None:
        refuse_frame_recipe(profile)
    dosed = DosedStudy.of(study, plan)
    training = CrossFitSettings(profile, classes, checked_name(name), channels, seed, processes)
    said = {
        "study": str(study.folder.resolve()),
        "plan": asdict(plan),
        "profile": profile.model_dump(mode="json") if model is None else None,
        "model": None if model is None else str(model.resolve()),
        "channel": noted_channels(channels),
        "seed": seed,
    }
    folder = ResultFolder.claim(out, KIND, "budget.json", said)
    # begun only then: what is wrong with the settings must not claim the folder for them
    if model is None:
        dealt = prepare(dosed, training)
        folder.begin()
        fitted = cross_fit(dosed, dealt, training, out / "run")
    else:
        fitted = judge(dosed, model, channels, seed)
        folder.begin()
    analysis = DoseAnalysis.of(fitted.wells, margin, alpha, fitted.lost, seed)
    earlier = read_json(out / RESULTS, kind=KIND) if (out / RESULTS).is_file() else {}
    tried = list(dict.fromkeys([*earlier.get("margins_tried", []), margin]))
    page, warnings = budget_report(dosed, fitted, analysis, model or profile, tried, said)
    for text in warnings:
        LOG.warning(text)
    write_table(out / "scores.parquet", fitted.scores)
    path = folder.write(page, {"wells": analysis.wells, "doses": analysis.levels})
    found = (analysis.wells, fitted.sees, dosed.unit, path, (*fitted.warnings, *warnings))
    judged = (fitted.card.class_names.pair, fitted.audits[0])
    made = BudgetResult(out, analysis.budget, analysis.response, *found, *judged)
    values = {"kind": KIND, "margins_tried": tried, **made.as_json(), "versions": versions()}
    write_json(out / RESULTS, values)
    return made
