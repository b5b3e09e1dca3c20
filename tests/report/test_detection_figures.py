"""Curves of detections and frames with their marks: valid, described, not thrown by thin data."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from livewell.classes import ClassNames
from livewell.detection.froc import RATES, Froc
from livewell.detection.matching import DetectionCounts
from livewell.detection.places import FROM_BOXES, FROM_LABELS, AtThreshold, PlaceFigures
from livewell.metrics.intervals import Estimate
from livewell.report import trust
from livewell.report.examples import SuspectsResults, suspects_section
from livewell.report.figures import group_strip, reliability, roc, score_histogram
from livewell.report.galleries import FOUND, MISSED, WRONG, MarkedFrame, marked_frames
from livewell.report.maps import confusion
from livewell.report.overlays import levels
from livewell.report.page import Page, Picture, render
from livewell.report.places import (
    PlacesResults,
    Point,
    froc_curve,
    headline,
    places_sections,
    precision_recall,
)
from livewell.report.vocabulary import Vocabulary
from livewell.text import chance, several, threshold_p

NAN = float("nan")
RNG = np.random.default_rng(0)
CURVE = pd.DataFrame(
    {"threshold": [2.0, 1.0, 0.0], "precision": [1.0, 1.0, 2 / 3], "recall": [0.25, 0.5, 0.5]}
)
FROC = pd.DataFrame(
    {
        "threshold": [np.inf, 2.0, 1.0, 0.0],
        "sensitivity": [0.0, 0.25, 0.5, 0.5],
        "false_positives_per_image": [0.0, 0.0, 0.0, 0.25],
    }
)
AREA = Estimate(0.5, 0.2, 0.8, 12, "percentile")
POINTS = [Point("from labels alone", 1.0, 0.5, 0.0), Point("from validation boxes", NAN, 0.0, 0.0)]
BOX = np.array([[10, 12, 20, 24]])
PEAK = np.array([[15.0, 18.0]])
GREY = RNG.normal(100, 20, (60, 80)).astype(np.float32)
MASK = np.zeros((60, 80), dtype=bool)
MASK[8:22, 10:26] = True
HELD = MarkedFrame(GREY, "a & b <1>\n1 right", 1, right=PEAK, wrong=PEAK + 20, found=BOX,
              missed=BOX + 30, mask=MASK)  # fmt: skip

CASES: dict[str, Callable[[], Picture]] = {
    "precision and recall": lambda: precision_recall(CURVE, POINTS, AREA),
    "without a point": lambda: precision_recall(CURVE, []),
    "nothing found": lambda: precision_recall(CURVE[:0], POINTS, AREA),
    "nothing to find": lambda: precision_recall(CURVE.assign(recall=NAN), POINTS, AREA),
    "froc": lambda: froc_curve(FROC, POINTS, RATES, AREA),
    "froc of nothing": lambda: froc_curve(FROC[:1], POINTS, RATES),
    "froc without objects": lambda: froc_curve(FROC.assign(sensitivity=NAN), [], RATES),
    "frames": lambda: marked_frames([HELD, MarkedFrame(GREY, "plain")]),
    "frames of places": lambda: marked_frames([MarkedFrame(GREY, "x", 0, places=PEAK)]),
    "no frame": lambda: marked_frames([]),
    "wide frame": lambda: marked_frames([MarkedFrame(np.zeros((40, 2000), np.uint16), "wide")]),
    "frame of NaN": lambda: marked_frames([MarkedFrame(np.full((9, 9), NAN), "empty")]),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_are_whole(name):
    """Each is an SVG with a size, a text for those who cannot see it, and no NaN in it."""
    picture = CASES[name]()
    root = ElementTree.fromstring(picture.data)
    assert root.tag.endswith("svg")
    assert picture.alt
    assert not re.search(rb'="[^"]*\bnan\b', picture.data)


def test_captions_tell_the_figures():
    """Average precision and mean sensitivity stand in the captions, thresholds in the texts."""
    curve, rates = CASES["precision and recall"](), CASES["froc"]()
    assert "average precision 0.50 (0.20-0.80)" in curve.caption
    assert "mean sensitivity 0.50 (0.20-0.80)" in rates.caption
    assert "from labels alone: precision 1.00, recall 0.50" in curve.alt
    assert b">1/8<" in rates.data
    assert b">from labels alone<" in rates.data
    # a threshold that calls nothing has no precision: it is on one curve, not on the other
    assert b">from validation boxes<" not in curve.data


@pytest.mark.long
def test_the_legend_names_what_is_there():
    """Right, wrong, missed and pixels each have a sign; what no frame shows is not explained."""
    all_signs = CASES["frames"]().data.decode()
    for name in ("right detection", "wrong detection", "true box, found", "true box, missed"):
        assert f">{name}<" in all_signs
    assert ">detection<" not in all_signs
    places = CASES["frames of places"]().data.decode()
    assert ">detection<" in places
    assert ">right detection<" not in places
    assert "1 right, 1 wrong, 1 missed" in CASES["frames"]().alt
    assert "Means of up to 5 x 5 pixels are drawn." in CASES["wide frame"]().caption


def test_colours_differ_for_those_who_see_few():
    """Right, wrong and missed keep apart in grey and for those blind to red or green."""
    # Vienot, Brettel and Mollon 1999, equations in linear RGB
    blind = {
        "none": np.eye(3),
        "protan": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
        "deutan": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
    }
    for matrix in blind.values():
        seen = [matrix @ np.array(to_rgb(name)) ** 2.2 for name in (FOUND, WRONG, MISSED)]
        for one, other in product(range(3), repeat=2):
            if one < other:
                assert np.abs(seen[one] - seen[other]).max() > 0.15


def results(**others: object) -> PlacesResults:
    each = dict.fromkeys(("precision", "recall", "f1"), AREA)
    counts = DetectionCounts(5, 2, 5, 20)
    figures = PlaceFigures(
        {FROM_LABELS: AtThreshold(each, counts), FROM_BOXES: AtThreshold(each, counts)},
        AREA,
        AREA,
        CURVE,
        Froc(FROC, dict.fromkeys(RATES, 0.5), 0.5),
        {"accuracy": AREA, "precision": AREA, "recall": AREA},
    )
    made = PlacesResults(
        "dead", "image", "well", 20, 6, 10, 40, 3, figures, [HELD], 1, ["A remark."]
    )
    return replace(made, **others)


def test_the_section_says_what_used_boxes():
    """What was chosen by labels, what by boxes, how folds are joined, and what is missing."""
    page = render(Page("t", "s", "v", sections=places_sections(results())))
    for text in (
        "20 unseen images, 6 of them with boxes of class dead, 10 in all",
        "<h2>Detections of class dead</h2>",
        "the first threshold too was chosen by these; boxes only measure",
        "best F1 on boxes of validation images",
        "Each of the 3 models has its own thresholds",
        "A remark.",
        "As Table 3 of Sailem et al.",
        "wrong ones an image",
        "intervals resample whole wells",
    ):
        assert text in page, text
    assert "precision 0.50 (0.20-0.80), recall 0.50 (0.20-0.80)" in headline(results())
    figures = results().figures
    alone = replace(figures, thresholds={FROM_LABELS: figures.thresholds[FROM_LABELS]}, covered={})
    page = render(Page("t", "s", "v", sections=places_sections(results(folds=1, figures=alone))))
    for text in ("best F1", "own thresholds", "Table 3", "from validation boxes"):
        assert text not in page, text


@pytest.mark.parametrize(
    ("by_lot", "said"),
    [
        (4, "The first 4 were drawn by lot among the images with such boxes, the last 2 are those"
            " with the most errors."),
        (5, "The first 5 were drawn by lot among the images with such boxes, the last one has the"
            " most errors."),
        (1, "The first one was drawn by lot"),
        (6, "They were drawn by lot among the images with such boxes."),
        (0, "They are the images with the most errors."),
    ],
)  # fmt: skip
def test_which_frames_are_shown_is_said(by_lot, said):
    """How many were drawn by lot, and how many for their errors."""
    assert said in places_sections(results(frames=[HELD] * 6, by_lot=by_lot))[1].lead


def covered(**others: object) -> dict[str, str]:
    """The table of covered boxes, by column."""
    table = places_sections(results(**others))[0].tables[-1]
    assert "Table 3" in table.caption
    return dict(zip(table.columns, table.rows[0], strict=True))


def test_a_net_that_covers_nothing_shows_no_accuracy():
    """Without a covered box accuracy is only the share of the other boxes: it is left out."""
    none, zero = replace(AREA, value=NAN), replace(AREA, value=0.0, low=NAN, high=NAN)
    nothing = {"accuracy": AREA, "precision": none, "recall": zero}
    figures = replace(results().figures, covered=nothing)
    assert covered(figures=figures, unmarked=0.9) == {"precision": "not defined", "recall": "0.00"}


def test_accuracy_stands_beside_that_of_marking_nothing():
    """What a mask of nothing would reach is told first, where it is known."""
    known = covered(unmarked=0.9)
    assert list(known) == ["accuracy", "accuracy of marking nothing", "precision", "recall"]
    assert known["accuracy of marking nothing"] == "0.90"
    assert list(covered()) == ["accuracy", "precision", "recall"]


def test_marked_frames_are_stretched_without_their_borders():
    """What registration left at the edges of a frame does not change how the rest is shown."""
    framed = np.pad(GREY, ((9, 0), (0, 16)))
    assert levels(framed) == levels(GREY)
    known = np.where(GREY > 150, NAN, GREY)
    assert np.isfinite(levels(known)).all()
    assert levels(np.zeros((9, 9))) == (0.0, 0.0)


def suspected(**others: object) -> str:
    made = SuspectsResults(
        classes=ClassNames(("live", "dead")),
        noun="image",
        contradicted={"labelled live, more likely dead": 3},
        scored=40,
        labelled=40,
        pictures=[],
    )
    return suspects_section(replace(made, **others)).lead


def test_suspects_are_for_people_and_honest_about_what_was_scored():
    """A list is no verdict; with one test part the rest of the images was not looked at."""
    assert "for a person to look at" in suspected()
    assert "Nothing is relabelled" in suspected()
    assert "All 40 labelled images were scored" in suspected()
    assert "Only 12 of the 40 labelled images were scored" in suspected(scored=12)
    assert "Split into folds to have all of them scored" in suspected(scored=12)
    folds = suspected(scored=12, folds=1, of_folds=3)
    assert "the test parts of 1 of 3 folds. Train the other folds too" in folds
    assert "Split into folds" not in folds
    assert "Split into folds" not in suspected(scored=12, folds=3, of_folds=3)
    many = {"labelled live, more likely dead": 201}
    assert "the 200 surest of each direction" in suspected(contradicted=many)
    none = suspected(contradicted={"labelled live, more likely dead": 0})
    assert "no image's other class" in none
    assert "3 patches" in suspected(noun="patch")


def test_pages_of_frames_do_not_speak_of_patches():
    """Captions, notes and axes are said of what the net sees."""
    words = Vocabulary("image", "plate")
    y, p = [0, 1, 0, 1], [0.2, 0.7, 0.4, 0.9]
    classes = ClassNames(("live", "dead"))
    groups = pd.DataFrame({"group": ["a"], "patches": [4], "positives": [2], "accuracy": [1.0]})
    bins = pd.DataFrame({"p": [0.2, 0.8], "observed": [0.1, 0.9], "patches": [9, 9]})
    drawn = [
        roc(y, p, words=words),
        score_histogram(y, p, classes.names, words=words),
        reliability(bins, "dead", words=words),
        group_strip(groups, classes, words=words),
        confusion([[1, 1], [0, 2]], classes.names, words=words),
    ]
    for picture in drawn:
        said = picture.data.decode() + picture.caption + picture.alt
        assert "atches" not in said
        assert "image" in picture.caption.lower()
    assert "share of the class's images (%)" in drawn[1].data.decode()
    assert drawn[4].caption.startswith("Images by true and called class")
    assert "not images" in trust.group_count(20, 20, words).text
    assert [several(noun) for noun in ("patch", "frame", "image")] == [
        "patches",
        "frames",
        "images",
    ]


@pytest.mark.parametrize(
    ("p", "digits", "shown"),
    [(0.9996, 3, ">0.999"), (0.9994, 3, "0.999"), (0.996, 2, ">0.99"), (1.0, 2, ">0.99"),
     (0.0, 3, "<0.001"), (0.0004, 3, "<0.001"), (0.5, 2, "0.50"), (NAN, 2, "")],
)  # fmt: skip
def test_no_probability_is_shown_as_sure(p, digits, shown):
    """A probability is never rounded to 0 or to 1."""
    assert chance(p, digits) == shown


@pytest.mark.parametrize(
    ("p", "shown"), [(0.68, "0.68"), (0.9996, "0.99960"), (0.052, "0.052"), (1.0, "1.00")]
)
def test_thresholds_near_one_are_told_from_it(p, shown):
    """A threshold has as many digits as it takes to tell how far from 0 and 1 it is."""
    assert threshold_p(p) == shown
