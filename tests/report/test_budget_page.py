"""The page of a light budget says what was shown, what was not, and what would be needed."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from benchmarks.plates import PlateSpec, simulate_plate
from livewell.doses.dose_response import fit_dose_response
from livewell.doses.equivalence import Verdict, light_budget
from livewell.doses.wells import by_dose, check_wells
from livewell.metrics.intervals import Estimate
from livewell.report.budget import TONES, BudgetResults, budget_page, headline
from livewell.report.doses import DECISIONS, DoseAxis, differences, dose_curve, dose_text
from livewell.report.page import Page, Picture, render

NAN = float("nan")
SEES = Estimate(0.95, 0.9, 0.99, 8, "bca")
SHORT = (0.0, 10.0, 20.0, 40.0)
PLATES = {
    "harmless": PlateSpec("none", doses_s=SHORT, wells=12),
    "uncertain": PlateSpec("threshold", doses_s=SHORT, wells=12),
    "harm later": PlateSpec("threshold", doses_s=(0.0, 5.0, 60.0), wells=12),
    "harm at once": PlateSpec("smooth", ed50_s=2, doses_s=(0.0, 40.0, 80.0), wells=8),
    "few wells": PlateSpec("smooth", doses_s=SHORT, wells=2),
    "one well": PlateSpec("none", doses_s=(0.0, 10.0), wells=1),
}


def results_of(wells: pd.DataFrame, margin: float = 0.15, **changes: object) -> BudgetResults:
    """What a page of these wells shows."""
    table = check_wells(wells)
    made = BudgetResults(
        "Light budget",
        "some wells",
        ("healthy", "sick"),
        light_budget(table, margin),
        fit_dose_response(table),
        table,
        by_dose(table, seed=0),
        "s",
        sees=SEES,
        sick_from=40.0,
    )
    return replace(made, **changes)


@cache
def _tested(name: str, margin: float) -> BudgetResults:
    return results_of(simulate_plate(PLATES[name], 0), margin)


def simulated(name: str, margin: float = 0.15, **changes: object) -> BudgetResults:
    """What a page of a simulated plate shows."""
    return replace(_tested(name, margin), **changes)


def counted(positive: dict[float, Sequence[int]], patches: int = 50) -> pd.DataFrame:
    """Wells with so many patches called sick each, by dose."""
    rows = [
        (f"{row}{column + 1:02}", dose, count, patches)
        for row, (dose, counts) in zip("ABCDEFGH", positive.items(), strict=False)
        for column, count in enumerate(counts)
    ]
    return pd.DataFrame(rows, columns=["well", "dose", "positive", "patches"])


def said(page: Page, tone: str) -> str:
    return " ".join(note.text for note in page.trust if note.tone == tone)


def pictures(page: Page) -> list[Picture]:
    return [picture for section in page.sections for picture in section.pictures]


def words(picture: Picture) -> str:
    """All text in a figure."""
    root = ElementTree.fromstring(picture.data)
    return " ".join("".join(part.itertext()) for part in root.iter() if part.tag.endswith("text"))


@pytest.mark.parametrize(
    ("plate", "verdict", "tone", "sentence"),
    [
        (
            "harmless",
            "no harm found",
            "good",
            "No harm found up to 40 s, the highest dose tested (margin 15 percentage points, 95%"
            " sure).",
        ),
        (
            "uncertain",
            "budget",
            "good",
            "No harm found up to 10 s (margin 15 percentage points, 95% sure); at 20 s nothing is"
            " shown; about 5 wells a dose would tell if it does no harm.",
        ),
        (
            "harm later",
            "budget",
            "good",
            "Up to 5 s sick patches are not more frequent than without light by 15 percentage"
            " points or more (95% sure); at 60 s they are shown to be.",
        ),
        (
            "harm at once",
            "harm at the lowest dose",
            "bad",
            "The lowest dose tested, 40 s, already does harm: the budget lies below it.",
        ),
        (
            "one well",
            "cannot tell",
            "warn",
            "This experiment cannot tell: at 10 s, the lowest dose, there is one well only, so"
            " nobody knows how wells differ.",
        ),
    ],
)
def test_every_verdict_has_its_sentence_and_tone(
    plate: str, verdict: Verdict, tone: str, sentence: str
) -> None:
    """Each of the four verdicts is told in one sentence, and only safe doses are good news."""
    results = simulated(plate)
    assert results.budget.verdict == verdict
    page = budget_page(results)
    assert (page.verdict, page.tone) == (sentence, tone)
    assert html.escape(sentence, quote=False) in render(page)


def test_too_few_wells_cannot_tell_and_say_how_many_would() -> None:
    """Two wells a dose are a caution, and the wells needed stand in verdict and table."""
    results = simulated("few wells", margin=0.1)
    page = budget_page(results)
    assert (results.budget.verdict, page.tone) == ("cannot tell", "warn")
    needed = results.budget.tests[0].wells_needed
    assert needed is not None
    assert f"about {needed} wells a dose would tell" in page.verdict
    assert "Fewest wells at a dose: 2" in said(page, "warn")
    assert page.sections[1].tables[0].rows[0][-1] == str(needed)
    assert str(results.budget.wells_needed_as_observed) in page.sections[1].lead


def test_enough_wells_are_no_caution() -> None:
    """Twelve wells a dose and a net that sees harm leave nothing to warn of."""
    page = budget_page(simulated("harmless"))
    assert said(page, "warn") == ""
    assert "it sees the harm of those doses" in said(page, "good")


def test_every_verdict_has_a_tone() -> None:
    """No verdict of `light_budget` is without a tone, and no tone without a verdict."""
    assert set(TONES) == set(Verdict.__args__)


@pytest.mark.parametrize("plate", ["harmless", "harm later", "harm at once"])
def test_a_blind_net_is_no_good_news(plate: str) -> None:
    """Where the interval of the area under the curve holds 0.5, no verdict is told as sure."""
    page = budget_page(simulated(plate, sees=Estimate(0.6, 0.4, 0.8, 8, "bca")))
    assert page.tone == "warn"
    assert "does not tell unseen wells of 40 s or more from those without light" in said(
        page, "warn"
    )
    assert "AUC 0.60 (0.40-0.80)" in said(page, "warn")
    assert said(page, "good") == ""


def test_wells_from_elsewhere_say_nothing_of_a_net() -> None:
    """Without an area under the curve the page is silent on what the net sees."""
    page = budget_page(simulated("harmless", sees=None))
    assert page.tone == "good"
    assert "AUC" not in render(page)


def test_an_undefined_area_is_blind() -> None:
    """Where no sick well could be judged the net is not taken as seeing."""
    unknown = Estimate(NAN, NAN, NAN, 0, "undefined", "one class only")
    page = budget_page(simulated("harmless", sees=unknown))
    assert page.tone == "warn"
    assert "it sees the harm" not in said(page, "good")


def test_an_undefined_area_is_told_in_words() -> None:
    """An area that is not defined is told so, with its reason, not as nan."""
    unknown = Estimate(NAN, NAN, NAN, 0, "undefined", "one class only")
    page = budget_page(simulated("harmless", sees=unknown))
    assert "nan" not in said(page, "warn")


@pytest.mark.long
@pytest.mark.parametrize(
    ("proven", "tone", "words_"),
    [
        (None, "warn", "was never evaluated"),
        (Estimate(0.6, 0.4, 0.8, 8, "bca"), "warn", "it is not shown to see harm"),
        (SEES, "good", "Whether it sees harm in these cells as well is not measured"),
    ],
)
def test_a_model_of_other_images_is_believed_as_far_as_it_was_tested(
    proven: Estimate | None, tone: str, words_: str
) -> None:
    """What such a model sees is told by its own unseen groups; unknown or blind is no good news."""
    page = budget_page(simulated("harmless", elsewhere=True, proven=proven))
    assert page.tone == tone
    assert words_ in said(page, tone)
    assert ("this says nothing yet" in page.verdict) == (tone == "warn")


def test_a_dose_whose_wells_are_all_lost_cannot_tell() -> None:
    """Where no cell is left to judge the headline says so, and the table counts the lost wells."""
    wells = counted({0: [2, 3, 2, 1, 2, 3], 10: [2, 1, 2, 3, 2, 2]})
    results = results_of(wells)
    results = replace(results, budget=light_budget(results.wells, 0.15, lost={5.0: 6, 10.0: 1}))
    page = budget_page(results)
    assert page.tone == "warn"
    assert "at 5 s, the lowest dose, no cell is left to judge in any of its 6 wells" in page.verdict
    rows = page.sections[1].tables[0].rows
    assert [row[1] for row in rows] == ["0 + 6 lost", "6 + 1 lost"]
    assert "nan" not in " ".join(cell for row in rows for cell in row)
    for picture in pictures(page):
        ElementTree.fromstring(picture.data)
        assert "nan" not in picture.alt


@pytest.mark.long
def test_many_called_sick_without_light_is_told() -> None:
    """A control of which four patches in ten are called sick is a caution of its own."""
    wells = counted({0: [20, 21, 19, 20], 10: [20, 19, 22, 21]})
    page = budget_page(results_of(wells))
    assert "40% of patches without light are called sick" in said(page, "warn")
    few = budget_page(results_of(counted({0: [2, 3, 2, 1], 10: [2, 1, 2, 3]})))
    assert "without light are called" not in said(few, "warn")


@pytest.mark.long
@pytest.mark.parametrize(
    ("spec", "seed", "rows"),
    [
        (PLATES["harm at once"], 0, {"ED10": "below the doses tested to ", "ED50": "below the"}),
        (
            PlateSpec("smooth", ed50_s=60, doses_s=SHORT, wells=4),
            0,
            {"ED50": " to beyond the doses tested"},
        ),
        (PLATES["harmless"], 0, {"ED10": "any", "ED50": "any"}),
    ],
)
def test_open_intervals_of_doses_are_told(spec: PlateSpec, seed: int, rows: dict[str, str]) -> None:
    """An interval that has no end among the doses tested says so, instead of 0 or infinity."""
    table = budget_page(results_of(simulate_plate(spec, seed))).sections[2].tables[0]
    found = {row[0]: row[2] for row in table.rows}
    for name, text in rows.items():
        assert text in found[name]
    assert not re.search(r"\b(inf|nan)\b", " ".join(" ".join(row) for row in table.rows))


def test_no_curve_is_said_with_its_reason() -> None:
    """Without a rise the doses of a partial effect are unknown, and the section says why."""
    section = budget_page(simulated("harmless")).sections[2]
    assert [row[1] for row in section.tables[0].rows] == ["unknown", "unknown"]
    assert [note.text for note in section.notes] == ["no rise with dose is shown"]


@pytest.mark.long
@pytest.mark.parametrize("plate", PLATES)
def test_figures_are_valid_and_described(plate: str) -> None:
    """Every figure is SVG, its words for those who cannot see it name every dose and decision."""
    results = simulated(plate)
    page = budget_page(results)
    curve, steps, *rest = pictures(page)
    for picture in (curve, steps, *rest):
        ElementTree.fromstring(picture.data)
        assert f'alt="{html.escape(picture.alt)}"' in render(page)
    for row in results.doses.itertuples():
        assert f"{row.dose:g} s {100 * row.fraction:.0f}%" in curve.alt
    for test in results.budget.tests:
        assert f"{test.dose:g} s {100 * test.difference:+.0f}, {test.decision}" in steps.alt
        assert str(test.decision) in words(steps)
    shaded = results.budget.dose is not None
    assert ("Shaded: the budget." in curve.caption) == shaded
    assert ("fitted curve" in curve.caption) == results.response.fitted
    assert rest[0].alt.startswith(f"Plate map of {len(results.wells)} wells")


def test_decisions_are_told_apart_without_colour() -> None:
    """Every decision has a mark of its own."""
    assert len({mark for _, mark in DECISIONS.values()}) == len(DECISIONS)


def test_a_unit_that_nobody_knows_is_left_out() -> None:
    """Verdict, figures and notes say doses alone where the unit is empty."""
    assert (dose_text(20, ""), dose_text(20, "s"), dose_text(None, "s")) == (
        "dose 20",
        "20 s",
        "no dose",
    )
    results = simulated("harm later", unit="")
    assert headline(results).startswith("Up to dose 5 ")
    curve = dose_curve(
        results.wells, results.doses, results.budget, results.response, positive="sick"
    )
    assert "()" not in words(curve)
    assert re.search(r": dose 0 \d+%; dose 5 \d+%", curve.alt)
    assert re.search(r": dose 5 [+-]\d+, not worse", differences(results.budget).alt)


def test_a_unit_that_nobody_knows_leaves_no_brackets() -> None:
    """No table heads a column with empty brackets."""
    assert "()" not in render(budget_page(simulated("harm later", unit="")))


def test_one_dose_beside_the_control() -> None:
    """Doses 0 and one other have figures and a table of one row; no curve is fitted."""
    results = results_of(counted({0: [2, 3, 2, 1, 2, 3], 80: [45, 44, 46, 47, 45, 43]}))
    page = budget_page(results)
    assert page.verdict.startswith("The lowest dose tested, 80 s, already does harm")
    assert len(page.sections[1].tables[0].rows) == 1
    assert "at least two doses beside the control" in page.sections[2].notes[0].text
    render(page)


@pytest.mark.parametrize("lit", [[7.0], [1e-9, 1e9], [2.5, 5, 10, 20, 40]])
def test_the_axis_rises_with_dose_and_sets_no_light_apart(lit: list[float]) -> None:
    """Places rise with dose, no light stands left of all, at least a quarter of a decade away."""
    axis = DoseAxis(np.array([0.0, *lit, 0.0]))
    places = axis.at(np.array([0.0, *lit]))
    assert (np.diff(places) > 0).all()
    assert places[1] - places[0] >= 0.25
    assert np.allclose(places[1:], np.log10(lit))


@pytest.mark.parametrize("plate", ["harm later", "harm at once", "one well"])
def test_decisions_in_the_table_are_those_of_the_tests(plate: str) -> None:
    """One row a dose with difference, bounds and decision; nothing is invented for one well."""
    results = simulated(plate)
    rows = budget_page(results).sections[1].tables[0].rows
    for row, test in zip(rows, results.budget.tests, strict=True):
        assert row[0] == f"{test.dose:g}"
        assert row[2] == f"{100 * test.difference:+.1f}"
        assert row[5] == test.decision
        assert (row[4] == "") == (plate == "one well")
    if plate == "one well":
        assert (rows[0][3], rows[0][6]) == ("-100.0 to +100.0", "")


@pytest.mark.long
@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (lambda well: f"dish {well}", False),
        (lambda well: f"P1/{well}", True),
        (lambda well: f"{well}/A01", False),
        (lambda well: f"Z{well[1:]}{well[0]}", False),
    ],
)
def test_wells_that_are_no_plate_wells_have_no_map(names, shown: bool) -> None:
    """Dishes, and wells of one name on several plates, have curves but no plate map."""
    wells = simulate_plate(PLATES["harmless"], 0)
    page = budget_page(results_of(wells.assign(well=wells["well"].map(names))))
    assert ([section.title for section in page.sections][3:] == ["The plate"]) == shown
    assert page.verdict.startswith("No harm found")


def test_text_of_users_is_escaped() -> None:
    """Names of classes, units, studies and wells are text on the page and in its figures."""
    evil = "<b>&\"bad'</b>"
    results = simulated(
        "harm later",
        title=evil,
        subtitle=evil,
        unit=evil,
        classes=("healthy", evil),
        group_name=evil,
        settings={evil: evil},
        sees=Estimate(0.5, 0.3, 0.7, 8, "bca"),
    )
    results = replace(results, wells=results.wells.assign(well=evil + results.wells["well"]))
    page = budget_page(results)
    text = render(page)
    assert "<b>" not in text
    assert html.unescape(text).count(evil) >= 5
    for picture in pictures(page):
        assert b"<b>" not in picture.data
        ElementTree.fromstring(picture.data)
    assert evil in words(pictures(page)[0])


def test_formulas_of_users_are_text() -> None:
    """A dollar in a unit or class is drawn as it is, not read as a formula."""
    results = simulated("harm later", unit="$J$", classes=("healthy", "$x_1$"))
    curve = pictures(budget_page(results))[0]
    assert "dose ($J$)" in words(curve)
    assert "patches called $x_1$ (%)" in words(curve)
