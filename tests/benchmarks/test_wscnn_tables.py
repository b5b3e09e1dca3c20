"""The tables of WSCNN, made with tiny trials, and their figures on a table made by hand."""

import math
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import rare, table1, table3
from benchmarks.result import Result
from benchmarks.table1 import Net, figures
from livewell.files import read_json
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import ShapeSpec
from livewell.study.runs import RUN

SMALL = partial(ShapeSpec, images=12, rows=2, columns=3, objects=(4, 6))
"""Pictures of 70 x 105 px."""
SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 2})
AVERAGE = {"global_pool": "average", "narrowing": (0, 0)}
NETS = (
    Net("highest", "max", {}, seeds=2, readings=("flat",)),
    Net("begun", "max", {"lr": 0.001}, readings=("literal",), begin="flat"),
    Net("mean", "average", AVERAGE, searched=4),
    Net("joined", "connected", AVERAGE | {"global_pool": "connected"}, readings=("flat",)),
)
pytestmark = pytest.mark.long
TRAINED = [
    ("flat", "highest", 0),
    ("flat", "highest", 1),
    ("flat", "mean", 0),
    ("flat", "joined", 0),
    ("literal", "begun", 0),
    ("literal", "mean", 0),
]
"""Reading, net and seed of every trial."""
IMAGES, OTHERS = 6, 2
"""Fresh pictures that are looked at, and of which no more where ellipses are literal."""
SHOWN = re.compile(r"-?[\d,.]+( \([\d.]+-[\d.]+\))?")
UNDEFINED = re.compile("undefined")


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    """Few small pictures, three steps."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (table1, rare):
            patch.setattr(module, "ShapeSpec", SMALL)
            patch.setattr(module, "WSCNN_FAST", SHORT)
        patch.setattr(table1, "NETS", NETS)
        patch.setattr(table3, "OTHERS_SEARCHED", OTHERS)
        patch.setattr(rare, "CIRCLES", (2, 1))
        patch.setattr(rare, "OBJECTS", 5)
        patch.setattr(rare, "SELDOM_WATCHED", {"steps_per_epoch": 3})
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that keeps pictures and models of this file."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def first(runs: Path) -> Result:
    """Table 1."""
    return table1.table(runs=runs, images=IMAGES)


@pytest.fixture(scope="module")
def third(runs: Path, first: Result) -> Result:
    """Table 3, of the nets of Table 1."""
    assert first.rows
    return table3.table(runs=runs, images=IMAGES)


@pytest.fixture(scope="module")
def curve(runs: Path) -> Result:
    """The rare-event curve."""
    return rare.curve(runs=runs, images=IMAGES)


@pytest.fixture
def nothing_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever draws, trains, scores or looks for places fails."""

    def made(*_: object, **__: object) -> None:
        raise AssertionError

    names = (
        "livewell.workflows.shapes.picture",
        "livewell.workflows.train.train_fold",
        "benchmarks.shapes.answer",
    )
    for name in names:
        monkeypatch.setattr(name, made)


def values_of(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = result.values["rows"]  # noqa: PD011
    return found


def assert_told(result: Result, about: int) -> None:
    """Rows as wide as the head; figures after the first few cells, precision alone undefined."""
    for row in result.rows:
        assert len(row) == len(result.columns)
        for name, cell in zip(result.columns[about:], row[about:], strict=True):
            if "precision" in name and "average" not in name and UNDEFINED.match(cell):
                continue
            empty = not cell and name != "AUC"
            assert empty or SHOWN.fullmatch(cell), f"{name}: {cell}"


def assert_shown(row: Sequence[str], value: float, digits: int) -> None:
    """A percentage stands in a row; one that is not defined need not."""
    text = f"{100 * value:.{digits}f}"
    assert math.isnan(value) or any(cell.split(" ")[0] == text for cell in row), text


def test_figures_of_a_table_made_by_hand() -> None:
    """Three of four positives called, one of six negatives too, two pairs of 24 ranked wrong."""
    table = pd.DataFrame(
        {
            "y": [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
            "called": [1, 1, 1, 0, 1, 0, 0, 0, 0, 0],
            "logit": [4, 3, 2, -1, 1.5, -0.5, -2, -3, -4, -5],
        }
    )
    expected = {"accuracy": 0.8, "precision": 3 / 4, "recall": 3 / 4, "auc": 22 / 24}
    # Wilson (1927) of 8 of 10: (p + z^2 / 2n -+ z sqrt(p q / n + z^2 / 4n^2)) / (1 + z^2 / n)
    expected |= {"low": 0.490162, "high": 0.943318}
    assert figures(table) == pytest.approx(expected, abs=1e-6)
    fewer = table.assign(called=[1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    expected |= {"accuracy": 0.6, "precision": 1 / 2, "recall": 1 / 4}
    expected |= {"low": 0.312674, "high": 0.831820}
    assert figures(fewer) == pytest.approx(expected, abs=1e-6)


def test_figures_where_nothing_is_called() -> None:
    """Precision is not defined, recall is zero; equal scores rank like guessing."""
    table = pd.DataFrame({"y": [1, 0, 1, 0], "called": [0] * 4, "logit": [0.5] * 4})
    found = figures(table)
    assert math.isnan(found["precision"])
    assert (found["accuracy"], found["recall"], found["auc"]) == (0.5, 0, 0.5)


def test_table_1_has_a_row_a_trial_and_set(first: Result) -> None:
    """Nets of max pooling are tested on Sim 2 too; every figure stands in its row."""
    pooling = {net.told: net.pooling for net in NETS}
    expected = [
        (data, *each)
        for each in TRAINED
        for data in (("Sim 1", "Sim 2") if pooling[each[1]] == "max" else ("Sim 1",))
    ]
    values = values_of(first)
    assert [(one["data"], one["reading"], one["net"], one["seed"]) for one in values] == expected
    assert_told(first, 4)
    for row, one in zip(first.rows, values, strict=True):
        assert {one["data"], one["net"], str(one["seed"])} <= set(row)
        for name in ("accuracy", "precision", "recall"):
            assert_shown(row, one[name], 2)
        assert 0 <= one["low"] <= one["accuracy"] <= one["high"] <= 1
        assert f"{one['auc']:.5f}" in row


def test_table_1_is_of_the_nets_that_it_names(first: Result, runs: Path) -> None:
    """Each run has its recipe and seed, pictures of its reading, and a table of each set."""
    assert first.rows
    found = {}
    for path in runs.glob(f"table1-*/{RUN}"):
        run = read_json(path, kind="run")
        made = read_json(Path(run["study"]).parent / "pictures" / "shapes.json", kind="shapes")
        assert made["spec"]["seed"] == run["seed"]
        about = (made["spec"]["ellipses"], run["profile"]["net"]["global_pool"], run["seed"])
        found[about] = {kept.name.rsplit("-", 1)[0] for kept in path.parent.glob("fresh-*.csv")}
    both, one = {"fresh-0.1-6", "fresh-0.2-6"}, {"fresh-0.1-6"}
    assert found == {
        ("flat", "max", 0): both,
        ("flat", "max", 1): both,
        ("flat", "average", 0): one,
        ("flat", "connected", 0): one,
        ("literal", "max", 0): both,
        ("literal", "average", 0): one,
    }


@pytest.mark.usefixtures("nothing_made")
def test_table_1_is_not_made_again(first: Result, runs: Path) -> None:
    """The second call tells the same and draws, trains and scores nothing."""
    again = table1.table(runs=runs, images=IMAGES)
    assert again.rows == first.rows
    assert repr(values_of(again)) == repr(values_of(first))
    assert again.notes == first.notes


def test_table_3_has_a_row_a_net_that_shows_places(third: Result) -> None:
    """All but the connected one; in as many pictures as its net and reading are searched."""
    expected = [each for each in TRAINED if each[1] != "joined"]
    values = values_of(third)
    assert [(one["reading"], one["net"], one["seed"]) for one in values] == expected
    assert_told(third, 3)
    searched = {"highest": "6", "mean": "4"}
    for row, one in zip(third.rows, values, strict=True):
        assert {one["net"], str(one["seed"])} <= set(row)
        assert row[3] == ("2" if one["reading"] == "literal" else searched[one["net"]])
        counts, total = one["paper"], sum(one["paper"].values())
        assert_shown(row, (counts["true_positives"] + counts["true_negatives"]) / total, 2)
        for name in ("precision", "recall", "f1"):
            assert_shown(row, one[name], 2)
        assert f"{one['average_precision']:.4f}" in row
        assert f"{one['froc']:.4f}" in row


def test_table_3_is_of_table_1s_nets(third: Result, runs: Path, nothing_made: None) -> None:
    """It adds no run, and the second call tells the same and makes nothing."""
    assert len(list(runs.glob("table1-*"))) == len(TRAINED)
    again = table3.table(runs=runs, images=IMAGES)
    assert again.rows == third.rows
    assert repr(values_of(again)) == repr(values_of(third))


def test_the_curve_has_a_row_a_pooling_and_rarity(curve: Result) -> None:
    """Both poolings, two circles of five and one; every figure stands in its row."""
    values = values_of(curve)
    expected = [("max", 2), ("max", 1), ("average", 2), ("average", 1)]
    assert [(one["pool"], one["circles"]) for one in values] == expected
    assert_told(curve, 2)
    for row, one in zip(curve.rows, values, strict=True):
        assert row[:2] == [one["pool"], f"{one['circles']} of 5"]
        assert_shown(row, one["accuracy"], 1)
        assert f"{one['auc']:.4f}" in row
        for found, name in [("places", "precision"), ("places", "recall"), ("places", "f1")]:
            assert_shown(row, one[found][name], 1)
        assert_shown(row, one["paper"]["recall"], 1)
        assert f"{one['places']['average_precision']:.3f}" in row


@pytest.mark.parametrize("circles", [2, 1])
def test_the_curves_pictures_hold_as_many_circles_as_it_says(
    curve: Result, runs: Path, circles: int
) -> None:
    """Half of them that many among five objects, the others none; learnt by both poolings."""
    assert curve.rows
    folder = runs / "data" / f"flat-{circles}-0"
    objects = pd.read_csv(folder / "pictures" / "objects.csv")
    round_ones = (objects["kind"] == "circle").groupby(objects["image"]).sum()
    assert sorted(round_ones) == [0] * 6 + [circles] * 6
    assert set(objects.groupby("image").size()) == {5}
    for pool in ("max", "average"):
        run = read_json(runs / f"rare-{pool}-{circles}-0" / RUN, kind="run")
        assert Path(run["study"]) == (folder / "study").resolve()
        assert run["profile"]["net"]["global_pool"] == pool


@pytest.mark.usefixtures("nothing_made")
def test_the_curve_is_not_made_again(curve: Result, runs: Path) -> None:
    """The second call tells the same and draws, trains, scores and looks for nothing."""
    again = rare.curve(runs=runs, images=IMAGES)
    assert again.rows == curve.rows
    assert repr(values_of(again)) == repr(values_of(curve))
