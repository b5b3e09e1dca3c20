"""The three reports: what they say is what the numbers allow."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.metrics.intervals import Estimate
from livewell.report.evaluation import evaluation_page, headline, named, trust_notes
from livewell.report.page import Note, Video, render
from livewell.report.results import (
    AssessResults,
    EvaluationResults,
    Gallery,
    HeatmapResults,
)
from livewell.report.verdicts import assess_page, heatmap_page
from livewell.report.vocabulary import Vocabulary, short, span

NAN = float("nan")


def estimate(
    value: float, low: float = NAN, high: float = NAN, groups: int = 0, note: str = ""
) -> Estimate:
    """A figure with its interval, or with none."""
    return Estimate(value, low, high, groups, "t", note)


TWO = ClassNames(("healthy", "sick"))
WELLS = [f"B{i:02d}" for i in range(1, 13)]


def scores(wells: list[str] = WELLS) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    y = np.tile([0, 1, 1, 0], len(wells))
    p = np.clip(0.2 + 0.6 * y + rng.normal(0, 0.15, y.size), 0, 1)
    return pd.DataFrame(
        {"group": np.repeat(wells, 4), "y": y, "p": p, "called": (p > 0.5).astype(int), "fold": 0}
    )


GOOD = EvaluationResults(
    "Run",
    "12 wells",
    TWO,
    [("AUC", estimate(0.96, 0.92, 0.99, 12)), ("accuracy", estimate(0.9, 0.8, 0.95, 12, "x"))],
    scores(),
)


def said(results: EvaluationResults, tone: str) -> str:
    return " ".join(note.text for note in trust_notes(results) if note.tone == tone)


def with_auc(*auc: float, groups: int = 12) -> EvaluationResults:
    return replace(GOOD, estimates=[("AUC", estimate(*auc, groups=groups))])


def test_a_good_result_is_said_in_one_sentence() -> None:
    """Metric, interval and number of wells stand in the verdict."""
    sentence, tone = headline(GOOD, trust_notes(GOOD))
    assert sentence == (
        "On unseen wells, patches labelled sick and healthy are told apart with AUC 0.96 "
        "(95% interval 0.92-0.99, 12 wells)."
    )
    assert tone == "good"


@pytest.mark.parametrize("auc", [(0.7, 0.45, 0.9), (0.5, 0.3, 0.7), (0.2, 0.1, 0.3)])
def test_an_interval_with_guessing_in_it_is_no_success(auc: tuple[float, ...]) -> None:
    """Whatever the value, the verdict says that the classes cannot be told apart."""
    results = with_auc(*auc)
    sentence, tone = headline(results, trust_notes(results))
    assert "cannot be told apart" in sentence
    assert tone == "bad"


def test_worse_than_guessing_hints_at_swapped_labels() -> None:
    """An interval wholly below 0.5 is named as such."""
    assert "labels may be swapped" in said(with_auc(0.2, 0.1, 0.3), "bad")


def test_an_undefined_metric_is_no_success() -> None:
    """With one class only there is no verdict on the net."""
    results = with_auc(NAN, NAN, NAN)
    sentence, tone = headline(results, trust_notes(results))
    assert "could not be compared" in sentence
    assert tone == "bad"
    render(evaluation_page(results))


@pytest.mark.parametrize(("groups", "scarcer"), [(6, 6), (12, 4)])
def test_few_groups_make_intervals_rough(groups: int, scarcer: int) -> None:
    """Below ten groups, in all or of the scarcer class, the report says so."""
    results = replace(with_auc(0.96, 0.92, 0.99, groups=scarcer), scores=scores(WELLS[:groups]))
    assert "rough" in said(results, "warn")
    assert f"{groups} wells" in said(results, "warn")
    assert headline(results, trust_notes(results))[1] == "warn"


def test_enough_groups_are_not_called_rough() -> None:
    """With twelve wells of either class there is no such caution."""
    assert "rough" not in said(GOOD, "warn")


def test_groups_of_one_image_are_not_set_against_images() -> None:
    """Where every group is one image, resampling groups is no merit over resampling images."""
    assert "resample whole wells (12), not patches" in said(GOOD, "good")
    single = replace(GOOD, scores=scores().drop_duplicates("group"), words=Vocabulary("image"))
    assert "intervals resample wells (12)." in said(single, "good")
    assert "not images" not in said(single, "good")


@pytest.mark.parametrize(("many", "there"), [([1, 1, 1, 9], False), ([1, 2, 2, 9], True)])
def test_groups_of_one_frame_have_no_strip(many: list[int], there: bool) -> None:
    """Where most groups are one frame, an accuracy for each of them says nothing."""
    per_group = pd.DataFrame({"group": WELLS[:4], "patches": many, "positives": 1, "accuracy": 1.0})
    titles = [s.title for s in evaluation_page(replace(GOOD, per_group=per_group)).sections]
    assert ("Well by well" in titles) == there


@pytest.mark.parametrize(
    ("baseline", "tone", "words"),
    [
        (0.97, "bad", "A simple rule does better"),
        (0.93, "warn", "not clear"),
        (0.7, "good", "best simple rule"),
    ],
)
def test_the_net_is_held_against_simple_rules(baseline: float, tone: str, words: str) -> None:
    """A rule that does as well is a problem, one within the interval a caution."""
    rival = estimate(baseline, 0.5, 0.99, 12)
    rules = [("this net", GOOD.estimates[0][1]), ("trees", rival), ("nothing", estimate(NAN))]
    results = replace(GOOD, baselines=rules)
    assert words in said(results, tone)
    assert headline(results, trust_notes(results))[1] == tone
    assert "trees" in render(evaluation_page(results))


@pytest.mark.parametrize(("ece", "tone"), [(0.02, "good"), (0.07, "info"), (0.3, "warn")])
def test_poor_calibration_is_said(ece: float, tone: str) -> None:
    """The larger the calibration error, the stronger the words."""
    assert "calibration error" in said(replace(GOOD, ece=ece), tone)


def test_a_flattering_pooled_score_is_named() -> None:
    """A pooled area far above the one within groups is a caution."""
    within = estimate(0.7, groups=GOOD.scores["group"].nunique())
    results = replace(GOOD, pooled=estimate(0.96), within=within)
    assert "tells one well from another" in said(results, "warn")
    assert not said(replace(results, within=replace(within, value=0.95)), "warn")
    few = replace(results, within=replace(within, groups=0))
    assert not said(few, "warn")
    assert "hold both classes" in said(few, "info")


def test_problems_come_first() -> None:
    """Notes are sorted by how serious they are."""
    results = replace(
        GOOD, warnings=["Treatment and replicate are tied."], notes=[Note("bad", "worst")]
    )
    tones = [note.tone for note in trust_notes(results)]
    assert tones == sorted(tones, key=["bad", "warn", "info", "good"].index)
    assert "tied" in said(results, "warn")


def test_the_whole_page_holds_every_part() -> None:
    """Scores, groups, rules, examples, calibration, training and data each have a heading."""
    log = pd.DataFrame({"epoch": [0, 1], "val_auc": [0.6, 0.9], "train_loss": [0.6, 0.3]})
    log.attrs["best_epoch"] = 1
    per_group = pd.DataFrame(
        {"group": WELLS, "patches": 4, "positives": 2, "accuracy": np.linspace(0.5, 1, 12)}
    )
    results = replace(
        GOOD,
        per_group=per_group,
        reliability=pd.DataFrame({"p": [0.2, 0.8], "observed": [0.1, 0.9], "patches": [9, 9]}),
        logs={"fold 0": log, "fold 1": log},
        galleries=[Gallery("Wrong calls", [np.eye(8)] * 2, ["a", "b"], [0, 1])],
        baselines=[("this net", estimate(0.9)), ("intensity", estimate(0.6, 0.5, 0.7, 12))],
        counts=pd.DataFrame({"part": ["train"], "patches": [9]}),
        settings={"seed": 1},
        versions={"torch": "2"},
    )
    page = evaluation_page(results)
    titles = [section.title for section in page.sections]
    assert titles == [
        "Scores on unseen wells",
        "Well by well",
        "Against simple rules",
        "Wrong calls",
        "Do probabilities mean what they say?",
        "Training",
        "Data",
    ]
    assert "http" not in render(page)


def test_the_evaluation_rooms_names_are_spelt_out() -> None:
    """`roc_auc` becomes AUC, and the group is called by its name."""
    rows = named(
        {"roc_auc": estimate(1), "within_auc": estimate(1), "odd": estimate(1)}, Vocabulary()
    )
    assert [name for name, _ in rows] == ["AUC", "AUC within one well", "odd"]


def test_estimates_are_short() -> None:
    """Two digits and the interval, or that there is none."""
    assert short(estimate(0.961, 0.92, 0.99)) == "0.96 (0.92-0.99)"
    assert short(estimate(0.5)) == "0.50"
    assert short(estimate(NAN)) == "not defined"
    assert span(estimate(0, -0.2, 0.1)) == "-0.20 to 0.10"


VERDICTS = pd.DataFrame(
    {
        "image": ["a", "b", "c", "d"],
        "t": 0,
        "well": ["B02", "B02", "B03", "B04"],
        "n_patches": [9, 9, 9, 0],
        "sick_fraction": [0.9, 0.8, 0.1, NAN],
        "p_sick": [0.9, 0.5, 0.1, NAN],
        "verdict": ["sick", "unsure", "healthy", "nothing to judge"],
    }
)
ASSESSED = AssessResults("Verdicts", "x", TWO, VERDICTS, threshold=0.5)


def test_verdicts_are_counted_in_the_headline() -> None:
    """How many look sick, healthy, are unsure, or show nothing."""
    page = assess_page(ASSESSED)
    assert page.verdict == (
        "Of 4 images, 1 looks sick, 1 looks healthy, 1 is unsure and 1 has nothing to judge."
    )
    assert "Plate" in [section.title for section in page.sections]
    render(page)


def test_failures_are_a_problem_and_are_listed() -> None:
    """An input that could not be read stands in the headline, the notes and a table."""
    failures = pd.DataFrame({"image": ["bad<.tif"], "error": ["truncated"]})
    page = assess_page(replace(ASSESSED, failures=failures))
    assert "1 input could not be read" in page.verdict
    assert page.trust[0].tone == "bad"
    assert "bad&lt;.tif" in render(page)


def test_no_verdict_at_all_is_said() -> None:
    """Without a single picture the page still stands."""
    page = assess_page(replace(ASSESSED, verdicts=VERDICTS.iloc[:0]))
    assert page.verdict == "No image was judged."
    assert page.tone == "bad"
    render(page)


def test_wells_may_be_unknown() -> None:
    """Without wells there is no plate."""
    page = assess_page(replace(ASSESSED, verdicts=VERDICTS.drop(columns="well")))
    assert "Plate" not in [section.title for section in page.sections]


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        ([0.1, NAN, 0.4], "goes from 10% to 40%"),
        ([0.25], "25% of the judged area looks sick"),
        ([NAN, NAN], "nothing to judge in any of 2 frames"),
    ],
)
def test_a_heat_map_page_says_how_the_area_went(fraction: list[float], words: str) -> None:
    """First, last and largest share, over whatever frames had anything to judge."""
    curve = pd.DataFrame({"t": range(len(fraction)), "fraction": fraction})
    results = HeatmapResults("Heat map", "m", TWO, curve, 0.5)
    page = heatmap_page(replace(results, video=Video(b"x", "video/webm", "v")))
    assert words in page.verdict
    assert "<video" in render(page)
    assert any("as far as these images were taken like those" in note.text for note in page.trust)


@pytest.mark.parametrize(
    ("step_s", "label"), [(480, "time (h)"), (60, "time (min)"), (1, "time (s)"), (NAN, "frame")]
)
def test_time_has_a_fitting_unit(step_s: float, label: str) -> None:
    """Hours, minutes or seconds by the movie's length; frames where times are unknown."""
    curve = pd.DataFrame({"t": range(30), "time_s": np.arange(30) * step_s, "fraction": 0.2})
    page = heatmap_page(HeatmapResults("Heat map", "m", TWO, curve, 0.5))
    assert label.encode() in page.sections[0].pictures[0].data
