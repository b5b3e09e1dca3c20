"""Labels and splits of three classes, and three classes merged to two."""

from pathlib import Path

import pytest

from livewell.classes import ClassNames
from livewell.errors import LabelError, LivewellError, SpecError
from livewell.labels.by_boxes import Boxes
from livewell.labels.by_column import Column
from livewell.labels.by_dose import Dose
from livewell.labels.by_merging import Merge
from livewell.labels.by_points import Points
from livewell.labels.by_stain import Stain
from livewell.labels.by_words import Words
from livewell.labels.made import Route
from livewell.papers.dataset import DeadNetA, DeadNetB, deadnet_a, deadnet_b
from livewell.papers.endings import LastFrames
from livewell.splitting.schemes import Holdout, KFolds
from livewell.study.regions import Grid
from livewell.study.runs import label_hash
from livewell.study.study import Study
from livewell.workflows.label import label
from livewell.workflows.split import split

STATES = ClassNames(("healthy", "sick", "dead"), "dead")
SAME = {name: name for name in STATES}
TWO = {"healthy": "well", "sick": "unwell", "dead": "unwell"}


@pytest.fixture
def cells(states: Study, tmp_path: Path) -> Path:
    """A table of one cell an image with its state and its box."""
    fields = states.fields()
    table = fields[["image", "state"]].assign(y=30, x=30, ymin=20, xmin=20, ymax=40, xmax=40)
    table.to_csv(tmp_path / "cells.csv", index=False)
    return tmp_path / "cells.csv"


@pytest.mark.parametrize("which", ["column", "words", "points"])
def test_three_classes_by_every_route_that_gives_them(
    states: Study, cells: Path, which: str
) -> None:
    """Columns, words and points label three classes, and the positive one is kept."""
    routes = {
        "column": Column("state", SAME),
        "words": Words(SAME),
        "points": Points(cells, SAME, 32),
    }
    made = label(states, routes[which], STATES)
    assert made.meta.class_names == states.label_meta("labels").class_names == STATES
    table = states.labels("labels").merge(states.fields()[["image", "state"]], on="image")
    assert (table["label"] == table["state"]).all()
    assert len(table) == 15
    assert label(states, routes[which], STATES.names).meta.positive is None


@pytest.mark.parametrize("which", ["dose", "stain", "boxes"])
def test_routes_of_two_classes_refuse_three(states: Study, cells: Path, which: str) -> None:
    """A rule that tells two classes apart says so, and what else there is."""
    routes: dict[str, Route] = {
        "dose": Dose(30, (0, 10)),
        "stain": Stain("PI", 32, 32),
        "boxes": Boxes(cells, SAME),
    }
    with pytest.raises(LabelError, match=f"labels by {which} tell two classes apart.*points"):
        label(states, routes[which], STATES)
    assert states.label_names() == []


def test_data_sets_of_experts_refuse_three(states: Study, cells: Path) -> None:
    """DeadNet's data sets are of two classes, by doses as by votes."""
    for route, make in (
        ("dose", lambda: deadnet_a(states, DeadNetA(30, (0, 10), LastFrames()), STATES.names)),
        ("votes", lambda: deadnet_b(states, DeadNetB(cells), STATES.names)),
    ):
        with pytest.raises(LabelError, match=f"labels by {route} tell two classes apart"):
            make()


def test_other_classes_than_said_are_refused(states: Study) -> None:
    """A class too many or too few is refused with all that were expected and found."""
    for said in (("healthy", "sick"), (*STATES, "dying")):
        with pytest.raises(
            LabelError, match=r"(?is)other classes than said.*got: dead, healthy, sick"
        ):
            label(states, Column("state", SAME), said)


def test_merged_labels_say_what_they_were_merged_from(states: Study) -> None:
    """Rows stay, classes are merged, and the older labels are kept with their hash and route."""
    label(states, Column("state", SAME), STATES, name="states")
    made = label(states, Merge("states", TWO), ("well", "unwell"), name="two")
    old, new = states.labels("states"), states.labels("two")
    assert new["label"].tolist() == old["label"].map(TWO).tolist()
    meta = states.label_meta("two")
    assert meta == made.meta
    assert (meta.route, meta.class_names) == ("merge", ClassNames(("well", "unwell")))
    assert meta.settings == {"labels": "states", "classes": TWO}
    assert meta.source is not None
    assert meta.source.sha256 == label_hash(states, "states")
    assert meta.source.meta == states.label_meta("states")
    label(states, Merge("two", {"well": "fit", "unwell": "unfit"}), ("fit", "unfit"), name="three")
    assert states.label_meta("three").origin == states.label_meta("states")


def test_merged_boxes_are_labels_without_boxes(states: Study, cells: Path) -> None:
    """Labels merged from labels by boxes keep that route, which grids refuse, but no boxes."""
    two = {"healthy": "living", "sick": "living", "dead": "dead"}
    label(states, Boxes(cells, two), ("living", "dead"), name="mil")
    label(states, Merge("mil", {"living": "no", "dead": "yes"}), ("no", "yes"), name="merged")
    assert len(states.boxes("mil")) == 15
    with pytest.raises(LivewellError, match="no boxes were kept"):
        states.boxes("merged")
    with pytest.raises(LabelError, match="labels by boxes say what an image holds"):
        split(states, by="well", scheme=Holdout(), grid=Grid(32, 32), labels="merged")


def test_merging_that_cannot_be_is_refused(states: Study) -> None:
    """Labels are not merged into themselves, nor from labels that are not there."""
    label(states, Column("state", SAME), STATES, name="states")
    with pytest.raises(SpecError, match="merged into themselves"):
        label(states, Merge("states", TWO), ("well", "unwell"), name="states")
    with pytest.raises(LivewellError, match="no labels named 'stats'"):
        label(states, Merge("stats", TWO), ("well", "unwell"))
    with pytest.raises(LabelError, match="none for dead"):
        label(states, Merge("states", {"healthy": "a", "sick": "b"}), ("a", "b"))
    assert states.label_names() == ["states"]


def test_a_split_of_three_classes(states: Study) -> None:
    """Wells are never torn, every part holds every class, and the split knows the classes."""
    label(states, Column("state", SAME), STATES)
    grid = Grid(32, 32, empty="keep")
    made = split(states, by="well", scheme=KFolds(3, 0.3), grid=grid)
    dealt = made.patches.merge(made.folds, on="group")
    assert dealt.groupby(["fold", "group"])["part"].nunique().max() == 1
    assert (dealt.groupby(["fold", "part"])["label"].nunique() == 3).all()
    assert states.split("split")[2].class_names == STATES
    assert {f"patches_{name}" for name in STATES} <= set(made.balance.columns)
