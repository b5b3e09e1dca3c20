"""The page of a light budget, from the wells that were judged and their analysis."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from livewell.doses.analysis import DoseAnalysis
from livewell.inference.dosed_study import DosedStudy
from livewell.inference.judging import CrossFit
from livewell.models.profile import Profile
from livewell.report.budget import BudgetResults, blind, budget_page
from livewell.report.model import meaning
from livewell.report.page import noted, render
from livewell.study.runs import versions


def budget_report(
    dosed: DosedStudy,
    fitted: CrossFit,
    analysis: DoseAnalysis,
    used: Profile | Path,
    tried: Sequence[float],
    said: Mapping[str, Any],
) -> tuple[str, tuple[str, ...]]:
    """The page as HTML, and warnings beyond `fitted.warnings`.

    `used` is the recipe of the models that judged the wells, or where they lie; `tried` are all
    margins that were asked of this experiment.
    """
    wells, plan = analysis.wells, dosed.plan
    warnings = []
    if len(tried) > 1:
        listed = ", ".join(f"{each:g}" for each in tried)
        warnings.append(
            f"margins tried on this experiment: {listed}; one chosen afterwards is no promise"
        )
    if isinstance(used, Profile):
        by = f"{fitted.models} models of profile {used.name}"
    else:
        by = f"judged by {used}"
    tests = {"margin": analysis.budget.margin, "alpha": analysis.budget.alpha}
    settings = {key: value for key, value in said.items() if key != "profile"} | tests
    patches = int(wells["patches"].sum())
    results = BudgetResults(
        title=f"Light budget: {dosed.study.folder.name}",
        subtitle=f"{len(wells)} {plan.by}s, {patches:,} patches at {len(analysis.levels)} doses;"
        f" {by}",
        classes=fitted.card.class_names.pair,
        budget=analysis.budget,
        response=analysis.response,
        wells=wells,
        doses=analysis.levels,
        unit=dosed.unit,
        sees=fitted.sees,
        sick_from=plan.sick_from,
        elsewhere=fitted.elsewhere,
        proven=fitted.proven,
        group_name=plan.by,
        notes=noted((*fitted.warnings, *warnings), meaning(fitted.card)),
        audits=fitted.audits,
        settings=settings | ({"profile": used.name} if isinstance(used, Profile) else {}),
        versions=versions(),
    )
    if blind(results):
        warnings.append(
            "the net is not shown to see harm at all: a dose that passes says nothing yet"
        )
    return render(budget_page(results)), tuple(warnings)
