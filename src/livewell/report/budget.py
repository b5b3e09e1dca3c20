"""The report of a light budget: sick share against dose, what was tested, what would be needed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from livewell.doses.dose_response import DoseResponse
from livewell.doses.equivalence import Budget
from livewell.errors import GeometryError
from livewell.metrics.intervals import Estimate
from livewell.report.doses import differences, dose_curve, dose_head, dose_text
from livewell.report.maps import plate_view
from livewell.report.page import Note, Page, Section, Table, Tone, cell, good, info, warn
from livewell.report.results import PageResults
from livewell.report.trust import beats_guessing
from livewell.report.vocabulary import short
from livewell.text import plural, sentence

TONES: dict[str, Tone] = {
    "no harm found": "good",
    "budget": "good",
    "harm at the lowest dose": "bad",
    "cannot tell": "warn",
}


@dataclass(frozen=True)
class BudgetResults(PageResults):
    """What `budget_page` shows; classes are (negative, positive).

    `wells` has one row a well (well, dose, patches, positive, fraction), `doses` one a dose (dose,
    wells, fraction, low, high, patches). `sees` is the area under the ROC curve between unseen
    wells without light and the sickest ones, which begin at `sick_from`; ``None`` where the wells'
    table came from elsewhere. `elsewhere` says whether the model was trained on other images,
    `proven` its AUC on unseen groups of these.
    """

    classes: tuple[str, str]
    budget: Budget
    response: DoseResponse
    wells: pd.DataFrame
    doses: pd.DataFrame
    unit: str
    sees: Estimate | None = None
    sick_from: float = math.nan
    elsewhere: bool = False
    proven: Estimate | None = None
    group_name: str = "well"

    @property
    def margin(self) -> str:
        """The margin in words."""
        return f"{100 * self.budget.margin:g} percentage points"


def budget_page(results: BudgetResults) -> Page:
    """The page of a light budget."""
    return results.page(
        headline(results),
        "warn" if blind(results) else TONES[results.budget.verdict],
        [_curve(results), _tests(results), _response(results), _plate(results)],
        [*_notes(results), *results.notes],
        lead=f"Every {results.group_name} was judged by a model that never saw it. A dose is safe"
        f" here where the share of patches called {results.classes[1]} is shown to be less than"
        f" {results.margin} above that without light. That margin was chosen by whoever ran this;"
        " another one gives another budget.",
    )


def headline(results: BudgetResults) -> str:
    """The budget in one plain sentence; a net that sees nothing is not believed."""
    budget, margin = results.budget, results.margin
    sure = f"{100 * (1 - budget.alpha):g}% sure"
    most, stop = (dose_text(dose, results.unit) for dose in (budget.dose, budget.stopped_at))
    if budget.verdict == "no harm found":
        said = f"No harm found up to {most}, the highest dose tested (margin {margin}, {sure})."
    elif budget.verdict == "harm at the lowest dose":
        said = f"The lowest dose tested, {stop}, already does harm: the budget lies below it."
    elif budget.verdict != "budget":
        said = f"This experiment cannot tell: at {stop}, the lowest dose, {_ending(budget)}."
    else:
        said = f"No harm found up to {most} (margin {margin}, {sure})"
        if next(t for t in budget.tests if t.dose == budget.stopped_at).decision == "worse":
            said = f"Up to {most} {results.classes[1]} patches are not more frequent than without"
            said += f" light by {margin} or more ({sure})"
        said += f"; at {stop} {_ending(budget)}."
    if blind(results) and budget.dose is not None:
        said += " But the net is not shown to see harm at all, so this says nothing yet."
    return said


def _ending(budget: Budget) -> str:
    """Why testing stopped, and what would be needed."""
    stop = next(test for test in budget.tests if test.dose == budget.stopped_at)
    if stop.decision == "worse":
        return "they are shown to be"
    if not stop.wells:
        return f"no cell is left to judge in any of its {stop.lost} wells"
    if stop.wells < 2 or budget.control_wells < 2:
        return "there is one well only, so nobody knows how wells differ"
    text = "nothing is shown"
    if stop.wells_needed:
        text += f"; about {stop.wells_needed} wells a dose would tell if it does no harm"
    return text


def blind(results: BudgetResults) -> bool:
    """Whether the net is not shown to see harm: here, or where it was trained."""
    if results.elsewhere:
        return results.proven is None or not beats_guessing(results.proven)
    return results.sees is not None and not beats_guessing(results.sees)


def _notes(results: BudgetResults) -> Iterator[Note]:
    budget, group = results.budget, results.group_name
    proof = results.proven if results.elsewhere else results.sees
    auc = f"AUC {short(proof)}" if proof is not None else ""
    least = f"{dose_text(results.sick_from, results.unit)} or more"
    own = f"On unseen groups of its own images the model tells the classes apart with {auc}"
    if results.elsewhere and not auc:
        yield warn(
            "The model was never evaluated on groups that it had not seen: nobody knows whether it"
            " sees harm. Run livewell evaluate on its training run."
        )
    elif results.elsewhere and blind(results):
        yield warn(f"{own}: it is not shown to see harm.")
    elif results.elsewhere:
        yield good(f"{own}. Whether it sees harm in these cells as well is not measured.")
    elif blind(results):
        yield warn(
            f"The net does not tell unseen {group}s of {least} from those without light: {auc}."
            " Either there is no harm, or this net does not see it; only a dose that is known"
            " to harm tells these two apart."
        )
    elif auc:
        yield good(
            f"The net tells unseen {group}s without light from those of {least} with {auc}: it"
            " sees the harm of those doses."
        )
    fewest = min(budget.control_wells, *(test.wells for test in budget.tests))
    if fewest < 4:
        yield warn(f"Fewest {group}s at a dose: {fewest}. Only large differences show.")
    if budget.control_fraction > 0.3:
        yield warn(
            f"{budget.control_fraction:.0%} of patches without light are called"
            f" {results.classes[1]}: the net errs often, or the cells were not well before."
        )
    yield info(
        "The margin is one of called patches. A net that misses some and errs on others makes "
        "a true difference look smaller; the share at the highest dose shows by how much."
    )
    yield info("Holds for these cells, this light, and the time after it that was judged.")


def _curve(results: BudgetResults) -> Section:
    positive, unit, doses = results.classes[1], results.unit, results.doses
    rows = [
        (
            *map(cell, (row["dose"], row["wells"], row["patches"])),
            f"{row['fraction']:.1%}",
            f"{row['low']:.1%} to {row['high']:.1%}",
        )
        for row in doses.to_dict("records")
    ]
    picture = dose_curve(
        results.wells, doses, results.budget, results.response, unit=unit, positive=positive
    )
    return Section(
        f"{sentence(positive)} patches against dose",
        "One mark a well; wells of a dose weigh alike. Bars are 95% intervals that resample wells.",
        [picture],
        [Table((dose_head(unit), "wells", "patches", positive, "95% interval"), rows, "", "rrrll")],
    )


def _tests(results: BudgetResults) -> Section:
    budget, unit = results.budget, results.unit
    rows = []
    for test in budget.tests:
        needed = "more than can be asked for" if test.wells_needed is None else test.wells_needed
        rows.append(
            (
                f"{test.dose:g}",
                f"{test.wells}" + (f" + {test.lost} lost" if test.lost else ""),
                _points(test.difference),
                f"{_points(test.lower)} to {_points(test.upper)}",
                "" if math.isnan(test.p) else f"{test.p:.3g}",
                test.decision,
                "" if min(test.wells, budget.control_wells) < 2 else str(needed),
            )
        )
    names = (dose_head(unit), "wells", "difference", "bounds", "p", "decision", "wells needed")
    lead = (
        f"Difference from no light ({plural(budget.control_wells, 'well')}, "
        f"{budget.control_fraction:.1%} called {results.classes[1]}), in percentage points, with "
        f"one-sided bounds of {100 * (1 - budget.alpha):g}% each. Doses are tested from the lowest"
        " up, and the first that fails ends it, so the chance of naming any harmful dose safe stays"
        f" at about {100 * budget.alpha:g}%, whatever the shape of the curve, where the wells of a"
        " dose are alike; not for harm that takes some wells whole and leaves the others. Wells"
        " needed: at this dose and as many without light, for four chances in five of showing a"
        " harmless dose to be so."
    )
    if budget.wells_needed_as_observed and budget.stopped_at is not None:
        lead += (
            f" If the difference observed at {dose_text(budget.stopped_at, unit)} is the true one, "
            f"{budget.wells_needed_as_observed} wells would be needed there."
        )
    table = Table(names, rows, align="rrrrrlr")
    return Section("Dose by dose", lead, [differences(budget, unit=unit)], [table])


def _response(results: BudgetResults) -> Section:
    response = results.response
    rows = [
        (
            f"ED{100 * share:g}",
            f"{found.value:.3g}" if np.isfinite(found.value) else "unknown",
            _interval(found),
            found.note,
        )
        for share, found in response.doses.items()
    ]
    return Section(
        "Doses that do a tenth and half of the harm",
        "Four-parameter log-logistic curve of the wells' shares. ED50 is the dose half way from"
        " the lower to the upper end of the curve, ED10 a tenth of the way: a net's misses and"
        " false alarms move both ends, not these doses.",
        tables=[Table(("", dose_head(results.unit), "95% interval", ""), rows, align="lrll")],
        notes=[info(response.note)] if response.note else [],
    )


def _plate(results: BudgetResults) -> Section | None:
    names = [str(name).rsplit("/", 1)[-1] for name in results.wells["well"]]
    if len(set(names)) < len(names):
        return None
    shares = results.wells["fraction"].to_numpy(float)
    try:
        picture = plate_view(names, shares, positive=results.classes[1])
    except GeometryError:
        return None
    return Section(
        "The plate", "A gradient over the plate would be another reason than light.", [picture]
    )


def _points(value: float) -> str:
    return f"{100 * value:+.1f}" if np.isfinite(value) else ""


def _interval(found: Any) -> str:
    if not math.isfinite(found.value) and found.low <= 0 and math.isinf(found.high):
        return "any"
    low = f"{found.low:.3g}" if found.low > 0 else "below the doses tested"
    high = f"{found.high:.3g}" if math.isfinite(found.high) else "beyond the doses tested"
    return f"{low} to {high}"
