"""Figures: valid, described, and not thrown by thin or broken data."""

import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from livewell.classes import ClassNames
from livewell.errors import GeometryError, OutputError
from livewell.metrics.intervals import Estimate
from livewell.outputs.heatmaps import MapTransform
from livewell.outputs.overlay import Look, draw
from livewell.report.figures import (
    comparison,
    estimates,
    group_strip,
    reliability,
    roc,
    score_histogram,
    verdict_strip,
)
from livewell.report.galleries import patch_gallery
from livewell.report.maps import WIDEST_PX, confusion, plate_view, still
from livewell.report.page import Picture
from livewell.report.timecourses import learning_curves, sick_curve
from livewell.report.vocabulary import Vocabulary

RNG = np.random.default_rng(0)
NAN = float("nan")


def estimate(
    value: float, low: float = NAN, high: float = NAN, groups: int = 0, note: str = ""
) -> Estimate:
    """A figure with its interval, or with none."""
    return Estimate(value, low, high, groups, "t", note)


CLASSES = ClassNames(("healthy", "sick"))
Y = RNG.integers(0, 2, 200)
P = np.clip(0.3 + 0.4 * Y + RNG.normal(0, 0.2, 200), 0, 1)
GROUP = np.repeat(["B02", "B03", "C<02>", "$x_2$"], 50)
GROUPS = pd.DataFrame(
    {
        "group": ["B02", "<b>", "$D_04$"],
        "patches": [30, 20, 5],
        "positives": [10, 20, 0],
        "accuracy": [0.9, 0.8, NAN],
    }
)
RELIABILITY = pd.DataFrame(
    {
        "p": [0.1, 0.5, 0.9],
        "observed": [0.0, NAN, 1.0],
        "low": [0.0, NAN, 0.8],
        "high": [0.2, NAN, 1.0],
        "patches": [50, 0, 40],
    }
)
LOG = pd.DataFrame(
    {"epoch": [0, 1, 2], "train_loss": [0.7, 0.5, 0.4], "val_loss": [0.7, NAN, 0.5],
     "val_auc": [0.5, 0.8, 0.9]}
)  # fmt: skip
VERDICTS = pd.DataFrame(
    {
        "image": ["a.tif", "a.tif", "b & c.tif", "d.tif"],
        "t": [0, 1, 0, 0],
        "p_sick": [0.9, 0.2, 0.5, NAN],
        "verdict": ["sick", "healthy", "unsure", "nothing to judge"],
    }
)
ROWS = [
    ("AUC", estimate(0.96, 0.92, 0.99, 12)),
    ("specificity $a_b$", estimate(1.0, 0.7, 1.0, 5)),
    ("undefined", estimate(NAN)),
    ("no interval", estimate(0.7)),
]
LOOK = Look(MapTransform(8, (16.0, 16.0)), (0.0, 255.0))
FRAME = RNG.integers(0, 255, (64, 80)).astype(np.uint8)

CASES: dict[str, Callable[[], Picture]] = {
    "roc": lambda: roc(Y, P, GROUP),
    "roc with its area": lambda: roc(Y, P, auc=ROWS[0][1]),
    "roc with NaN": lambda: roc(np.append(Y, 1), np.append(P, NAN), np.append(GROUP, "x")),
    "roc of one class": lambda: roc(np.ones(5), P[:5], GROUP[:5]),
    "roc of nothing": lambda: roc([], []),
    "histogram": lambda: score_histogram(Y, P, CLASSES.names, 0.5),
    "histogram of one class": lambda: score_histogram(np.zeros(5), P[:5], CLASSES.names),
    "histogram of NaN": lambda: score_histogram([0, 1], [NAN, NAN], CLASSES.names, NAN),
    "reliability": lambda: reliability(RELIABILITY, ece=0.02),
    "reliability without intervals": lambda: reliability(RELIABILITY[["p", "observed", "patches"]]),
    "reliability of nothing": lambda: reliability(RELIABILITY.iloc[1:2]),
    "learning": lambda: learning_curves(LOG, 2),
    "learning without auc": lambda: learning_curves(LOG[["epoch", "train_loss"]]),
    "learning of nothing": lambda: learning_curves(LOG.iloc[:0]),
    "sick": lambda: sick_curve([0, 1, 2], [0.1, NAN, 0.3]),
    "sick of nothing": lambda: sick_curve([0, 1], [NAN, NAN]),
    "one frame": lambda: sick_curve([0], [0.5], x_label="time (h)"),
    "groups": lambda: group_strip(GROUPS, CLASSES),
    "many groups": lambda: group_strip(
        pd.concat([GROUPS] * 30), CLASSES, words=Vocabulary(group="well")
    ),
    "groups without value": lambda: group_strip(GROUPS.iloc[2:], CLASSES),
    "no groups": lambda: group_strip(GROUPS.iloc[:0], CLASSES),
    "verdicts": lambda: verdict_strip(VERDICTS, 0.5, (0.4, 0.6)),
    "many verdicts": lambda: verdict_strip(
        pd.concat([VERDICTS.assign(image=f"{i}.tif") for i in range(60)]), 0.5, (0.4, 0.6)
    ),
    "verdicts of other classes": lambda: verdict_strip(
        VERDICTS.assign(verdict=["dead", "live", "unsure", ""]), positive="dead"
    ),
    "no verdicts": lambda: verdict_strip(VERDICTS.iloc[3:]),
    "estimates": lambda: estimates(ROWS),
    "no estimates": lambda: estimates([]),
    "below zero": lambda: estimates([("r", estimate(-0.2, -0.5, 0.1, 4))]),
    "comparison": lambda: comparison(ROWS),
    "confusion": lambda: confusion([[8, 2], [0, 0]], CLASSES.names),
    "three classes": lambda: confusion(np.eye(3), ("a", "b<", "c")),
    "plate": lambda: plate_view(["B02", "C03"], [0.1, NAN], ["unsure", "nothing to judge"]),
    "large plate": lambda: plate_view(["P24"], [1.0]),
    "gallery": lambda: patch_gallery([FRAME, FRAME * 0.1], ["a\n0.9", "<b>"]),
    "gallery of odd patches": lambda: patch_gallery(
        [np.full((9, 9), NAN), np.zeros((5, 7), np.uint16), np.array([[1.0, NAN]])],
        ["", "$", "x"], tones=["#0072B2", None, "#D55E00"],
    ),
    "empty gallery": lambda: patch_gallery([], []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_every_figure_is_valid_described_and_alone(name: str) -> None:
    """Each is well-formed SVG with something drawn, an alternative text, and no outer address."""
    picture = CASES[name]()
    assert picture.kind == "svg"
    root = ElementTree.fromstring(picture.data)
    assert root.tag.endswith("svg")
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 0 or len(picture.data) > 800
    assert picture.alt
    links = re.findall(rb'(?:href|src)="(?!#|data:)([^"]+)"', picture.data)
    assert links == []


@pytest.mark.parametrize(
    "name",
    ["roc", "histogram", "reliability", "learning", "sick", "groups", "verdicts", "estimates",
     "confusion"],
)  # fmt: skip
def test_axes_are_labelled(name: str) -> None:
    """Every figure says in text what its axes are."""
    words = {
        "roc": "false positive rate",
        "histogram": "probability of sick",
        "reliability": "share that is sick",
        "learning": "epoch",
        "sick": "% of judged area",
        "groups": "accuracy",
        "verdicts": "probability of sick (calibrated)",
        "estimates": "95% interval",
        "confusion": "called",
    }
    assert words[name] in texts(CASES[name]())


def texts(picture: Picture) -> str:
    root = ElementTree.fromstring(picture.data)
    return " | ".join(
        "".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")
    )


def test_names_of_users_stay_as_they_are() -> None:
    """Dollars and angle brackets in a name are shown, not read as formula or markup."""
    shown = texts(CASES["groups"]())
    assert "<b>" in shown
    assert "$D_04$" in shown


def test_left_out_scores_are_counted() -> None:
    """A patch without score is left out, and the caption says so."""
    assert "want of a score: 1." in CASES["roc with NaN"]().caption


def test_only_one_class_is_said() -> None:
    """Instead of a curve stands why there is none."""
    assert "Only one class" in texts(CASES["roc of one class"]())


@pytest.mark.long
def test_many_groups_are_shown_in_part_and_the_caption_says_so() -> None:
    """The lowest of many groups are shown."""
    assert "48 lowest of 90" in CASES["many groups"]().caption


def test_the_same_data_give_the_same_figure() -> None:
    """Nothing random and no date goes into a figure."""
    assert CASES["roc"]().data == CASES["roc"]().data


def test_figures_leave_matplotlibs_settings_alone() -> None:
    """Drawing changes no setting of a user's own figures."""
    import matplotlib

    before = dict(matplotlib.rcParams)
    CASES["groups"]()
    assert dict(matplotlib.rcParams) == before


def test_the_gallery_says_how_grey_levels_are_shown() -> None:
    """Percentiles of each patch."""
    assert "0.5th to its 99.5th percentile" in CASES["gallery"]().caption


def test_wells_that_are_none_or_lie_outside_are_refused() -> None:
    """A misspelt well, and one beyond the plate, are errors that name it."""
    from livewell.plate import PLATES

    with pytest.raises(GeometryError, match="Q99"):
        plate_view(["Q99"], [0.5])
    with pytest.raises(OutputError, match="H12"):
        plate_view(["H12"], [0.5], plate=PLATES[24])


@pytest.mark.parametrize("map01", [None, np.full((5, 7), 0.8, np.float32), np.full((5, 7), NAN)])
def test_a_still_is_a_picture(map01: np.ndarray | None) -> None:
    """A frame under its heat map, judged or not, can be opened and is not too wide."""
    picture = still(np.tile(FRAME, (1, 20)), map01, LOOK, index=4)
    assert "Frame 4" in picture.alt
    with Image.open(BytesIO(picture.data)) as image:
        assert image.format == "WEBP"
        assert image.width == WIDEST_PX


@pytest.mark.parametrize("name", ["a\nb", "\ud800", "\x1b[31m", "\u202ex", "$x^", "_x", "l" * 300])
def test_names_that_break_layouts(name: str) -> None:
    """Row L8: a class of any name is written over a movie and into a figure, and SVG stays XML."""
    draw(np.ones((60, 80)), np.ones((5, 7), np.float32), None, 0, replace(LOOK, class_name=name))
    colours = {name: "#0072B2", "other": "#D55E00", "third": "#009E73"}
    maps = np.ones((3, 5, 7), np.float32)
    draw(np.ones((60, 80)), maps, None, 0, replace(LOOK, classes=colours))
    for picture in (
        confusion(np.array([[1, 2], [3, 4]]), [name, "b"]),
        score_histogram([0, 1], [0.1, 0.9], [name, f"not {name}"]),
    ):
        ElementTree.fromstring(picture.data)
