"""Pages of three classes and more: every class is told by name, colour and pattern."""

from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from livewell.classes import ClassNames
from livewell.metrics.calibration import reliability
from livewell.metrics.multiclass import class_estimates, class_groups
from livewell.metrics.outcomes import ClassOutcomes
from livewell.outputs.heatmaps import MapTransform
from livewell.outputs.overlay import Look, class_tint, draw
from livewell.report.class_figures import class_areas, class_verdicts, roc_of_classes, spread
from livewell.report.evaluation import evaluation_page, headline, named, trust_notes
from livewell.report.maps import class_plate, still
from livewell.report.page import Page, Picture, render
from livewell.report.results import AssessResults, EvaluationResults, Gallery, HeatmapResults
from livewell.report.style import class_colours, class_look, edges
from livewell.report.verdicts import assess_page, heatmap_page
from livewell.report.vocabulary import Vocabulary

STATES = ClassNames(("healthy", "sick", "dead"), "sick")
MANY = ClassNames(tuple(f"state <{n}>" for n in range(14)))
WORDS = Vocabulary("frame", "plate")
NAN = float("nan")


def scored(classes: ClassNames, groups: int = 12, patches: int = 28) -> pd.DataFrame:
    """Scores of any number of classes, told apart with errors, some left unsure."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(groups), patches)
    y = np.arange(len(group)) % len(classes)
    logits = rng.normal(size=(len(y), len(classes))) + 1.6 * np.eye(len(classes))[y]
    p = softmax(logits, axis=1)
    called = np.where(p.max(axis=1) < 0.4, -1, p.argmax(axis=1))
    table = pd.DataFrame({"group": [f"p{n}" for n in group], "label": [classes[n] for n in y]})
    return table.assign(called=called, **{f"p_{n}": p[:, k] for k, n in enumerate(classes)})


@cache
def evaluated(classes: ClassNames) -> EvaluationResults:
    """Results of an evaluation on such scores."""
    scores = scored(classes)
    found = class_estimates(scores, classes, seed=0, resamples=60)
    top = ClassOutcomes.of(scores, classes).most_probable()
    return EvaluationResults(
        "Run",
        "12 plates",
        classes,
        named(found.together, WORDS, macro=True),
        scores,
        metric="macro AUC",
        words=WORDS,
        each=found.each,
        pooled=found.together["roc_auc"],
        within=found.together["within_auc"],
        per_group=class_groups(scores, classes),
        reliability=reliability(top.p, top.y, top.code),
        ece=0.2,
        galleries=[Gallery("Right", [np.eye(8)] * 3, list("abc"), [0, 1, 2])],
    )


def texts(picture: Picture) -> str:
    """All text in a figure."""
    root = ElementTree.fromstring(picture.data)
    nodes = root.iter("{http://www.w3.org/2000/svg}text")
    return " | ".join("".join(node.itertext()) for node in nodes)


def pictures(page: Page) -> list[Picture]:
    """All figures of a page."""
    return [picture for section in page.sections for picture in section.pictures]


@pytest.mark.long
def test_the_page_of_three_classes_holds_every_part() -> None:
    """Headline, table of classes, confusion matrix, curves, groups and calibration are there."""
    results = evaluated(STATES)
    page = evaluation_page(results)
    sentence, tone = headline(results, trust_notes(results))
    assert sentence.startswith(
        "On unseen plates, frames labelled sick, healthy and dead are told apart with macro AUC 0."
    )
    assert tone in ("good", "warn")
    assert "were left unsure" in page.lead
    first = page.sections[0]
    table = first.tables[0]
    assert [row[0] for row in table.rows] == ["healthy", "sick (sought)", "dead"]
    assert table.columns[:4] == ["class", "frames", "plates", "recall"]
    assert all("(" in value for row in table.rows for value in row[3:])
    curves, matrix = first.pictures[1:]
    for name in STATES:
        assert name in texts(curves)
        assert name in texts(matrix)
    assert "unsure" in texts(matrix)
    titles = [section.title for section in page.sections]
    assert titles[1:] == ["Plate by plate", "Right", "Do probabilities mean what they say?"]
    assert "blue healthy, orange sick, green dead" in page.sections[2].lead
    assert any("the chance of the most probable class" in note.text for note in page.trust)
    html = render(evaluation_page(replace(results, galleries=[])))
    assert "patch" not in html.split("<main>")[1].lower()


@pytest.mark.long
def test_fourteen_classes_stay_readable() -> None:
    """A headline says how many, areas stand in rows and not as curves, and a matrix leaves the
    zeros beside its diagonal out."""
    results = evaluated(MANY)
    page = evaluation_page(results)
    assert page.verdict.startswith("On unseen plates, frames of 14 classes are told apart")
    _, areas, matrix = page.sections[0].pictures
    assert "AUC of each class against the rest" in areas.alt
    assert all(name in texts(areas) for name in MANY)
    shares = [word for word in texts(matrix).split(" | ") if word == "0%"]
    assert not shares


@pytest.mark.long
@pytest.mark.parametrize("classes", [STATES, MANY], ids=["three", "fourteen"])
def test_figures_of_many_classes_are_valid_and_name_them(classes: ClassNames) -> None:
    """Pages of three and of fourteen classes are well-formed and every figure is described."""
    for picture in pictures(evaluation_page(evaluated(classes))):
        assert ElementTree.fromstring(picture.data).tag.endswith("svg")
        assert picture.alt


def test_a_class_that_was_never_tested_has_no_curve() -> None:
    """Curves are drawn of the classes that there are; with one there is none."""
    scores = scored(STATES)
    drawn = roc_of_classes(scores[scores["label"] != "dead"], STATES, {})
    assert "healthy" in texts(drawn)
    assert "dead" not in texts(drawn)
    assert "Only one class" in texts(roc_of_classes(scores.query("label == 'sick'"), STATES, {}))


def verdicts(rows: int = 6) -> pd.DataFrame:
    """Verdicts on pictures of three classes; the last had nothing to judge."""
    p = softmax(np.random.default_rng(1).normal(0, 2, (rows, 3)), axis=1)
    p[-1] = NAN
    table = pd.DataFrame(
        {"image": [f"{n // 2}.tif" for n in range(rows)], "t": np.arange(rows) % 2}
    )
    for code, name in enumerate(STATES):
        table = table.assign(**{f"p_{name}": p[:, code], f"called_{name}": p[:, code]})
    kinds = ["dead", "sick", "unsure", "healthy", "dead", *["sick"] * (rows - 6)]
    return table.assign(n_patches=4, well="B02", verdict=[*kinds, "nothing to judge"])


def test_verdicts_of_three_classes() -> None:
    """The headline counts every class, the strip names verdicts, the plate numbers classes."""
    page = assess_page(AssessResults("Verdicts", "x", STATES, verdicts()))
    assert page.verdict == (
        "Of 6 frames, 1 looks sick, 1 looks healthy, 2 look dead, 1 is unsure and 1 has nothing"
        " to judge."
    )
    strip, plate = (section.pictures[0] for section in page.sections[:2])
    for said in ("dead", "unsure", "0.tif, frame 1"):
        assert said in texts(strip)
    assert "3 dead" in texts(plate)
    assert any("No class is probable enough" in note.text for note in page.trust)
    assert texts(class_verdicts(verdicts(200), STATES)).count("tif") == 0
    assert "had anything to judge" in texts(class_verdicts(verdicts().tail(1), STATES))
    nothing = class_plate(["B02"], [[NAN] * 3], STATES, ["nothing to judge"])
    assert "nothing to judge" in nothing.caption


def test_areas_of_three_classes_over_time() -> None:
    """The page of a movie tells how much of the area is of each class, at first and at last."""
    curve = pd.DataFrame({"t": [0, 1, 2], "fraction_healthy": [0.8, NAN, 0.1]})
    curve = curve.assign(fraction_sick=[0.15, NAN, 0.3], fraction_dead=[0.05, NAN, 0.6])
    results = HeatmapResults("Heat map", "m", STATES, curve)
    page = heatmap_page(results)
    assert page.verdict == (
        "The judged area goes from 15% sick, 80% healthy and 5% dead to 30% sick, 10% healthy and"
        " 60% dead over 3 frames."
    )
    assert "dead" in texts(page.sections[0].pictures[0])
    one = heatmap_page(replace(results, curve=curve.head(1)))
    assert one.verdict == "The judged area looks 15% sick, 80% healthy and 5% dead."
    none = heatmap_page(replace(results, curve=curve.iloc[1:2]))
    assert "nothing to judge" in none.verdict
    nothing = class_areas([0], {name: [NAN] for name in STATES}, STATES)
    assert "nothing to judge" in texts(nothing)


def test_an_overlay_has_the_colour_of_the_most_probable_class() -> None:
    """Each pixel takes the colour of its most probable class, stronger where it is more probable;
    NaN is left alone, and the legend makes room for every name."""
    colours = class_colours(3)
    p = np.zeros((3, 1, 4))
    p[:, 0, 0], p[:, 0, 1], p[:, 0, 2], p[:, 0, 3] = (0.9, 0.1, 0), (0.5, 0.2, 0.3), (0, 0, 1), NAN
    tint = class_tint(p, colours)
    expected = [int(colours[2][at : at + 2], 16) / 255 for at in (1, 3, 5)]
    assert tint[0, 2, :3] == pytest.approx(expected, abs=1e-6)
    assert (tint[0, 0, :3] == tint[0, 1, :3]).all()
    assert tint[0, 0, 3] > tint[0, 1, 3] > tint[0, 3, 3] == 0
    frame = np.full((64, 96), 100, np.uint8)
    maps = np.zeros((3, 4, 6), np.float32)
    maps[2] = 1
    look = Look(
        MapTransform(16, (8.0, 8.0)), (0, 200), classes=dict(zip(STATES, colours, strict=True))
    )
    drawn = draw(frame, maps, 0.0, 0, look)
    red, green, blue = drawn[-200, 300]
    assert green > blue > red
    more = replace(look, classes=dict(zip(MANY, class_colours(14), strict=True)))
    empty = draw(frame, None, 0.0, 0, more)
    assert len(empty) > len(drawn)
    assert "dead 1.00" in still(frame, maps, look).alt


def test_every_class_has_a_look_of_its_own() -> None:
    """Colours of twenty-four classes differ, the first two are blue and vermillion."""
    colours = class_colours(24)
    assert len(set(colours)) == 24
    assert colours[:2] == ["#0072B2", "#D55E00"]
    assert class_look(8).hatch
    assert edges(("a", "b")) == "blue a, orange b"


def test_labels_are_kept_apart() -> None:
    """Labels of lines that end at one height stand apart in the order of their heights."""
    found = spread({"a": 50.0, "b": 50.0, "c": 90.0}, 6.0)
    assert found["b"] - found["a"] == 6
    assert sorted(found, key=lambda name: found[name]) == ["a", "b", "c"]
