"""Labels of images by the cells boxed in them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import SpecError, TableError
from livewell.labels.by_boxes import Boxes, classed
from livewell.labels.by_boxes import by_boxes as of_route
from livewell.labels.made import Labels
from livewell.tables.schemas import BOX, LABELS

STATES = {"dead": "dead", "living": "living"}
CLASSES = ("living", "dead")
FIELDS = pd.DataFrame({"image": ["a", "b", "c", "d"]})


def cells(*rows: tuple[str, str | None]) -> pd.DataFrame:
    """One cell a row (image, state), each in a box of its own."""
    table = pd.DataFrame(rows, columns=["image", "kind"], dtype="str")
    for place, name in enumerate(BOX):
        table[name] = np.arange(len(table)) * 10 + (place > 1) * 10
    return table


BOXES = cells(
    ("a", "living"), ("b", "dead"), ("b", "living"), ("b", "dead"), ("c", "living"), ("d", "dead")
)


def by_boxes(fields, boxes, states, classes, **options) -> Labels:
    """Labels of boxes by a route with these settings."""
    return of_route(fields, boxes, Boxes(Path("cells.csv"), states, **options), classes)


def labels_of(made) -> dict[str, str]:
    """Label of each image."""
    return dict(zip(made.table["image"], made.table["label"], strict=True))


def test_one_dead_cell_makes_an_image_dead():
    """Each image gets one label for the whole of it; its score counts the dead cells."""
    made = by_boxes(FIELDS, BOXES, STATES, CLASSES)
    assert labels_of(made) == {"a": "living", "b": "dead", "c": "living", "d": "dead"}
    assert made.table["score"].tolist() == [0, 2, 0, 1]
    assert made.table[["t", *BOX]].isna().all(axis=None)
    assert set(made.table["route"]) == {"boxes"}
    assert LABELS.faults(made.table) == []
    assert made.notes == ()


def test_several_states_may_be_of_one_class():
    """States are classed by the mapping, whatever they are called."""
    boxes = cells(("a", "blebbing"), ("b", "lysed"), ("c", "flat"), ("d", "round"))
    states = {"blebbing": "sick", "lysed": "sick", "flat": "well", "round": "well"}
    made = by_boxes(FIELDS, boxes, states, ("well", "sick"))
    assert labels_of(made) == {"a": "sick", "b": "sick", "c": "well", "d": "well"}
    assert classed(boxes, states)["label"].tolist() == ["sick", "sick", "well", "well"]


def test_boxes_of_dead_cells_alone_are_enough():
    """Where only the dead were boxed no state has the negative class."""
    made = by_boxes(FIELDS, cells(("a", "dead")), {"dead": "dead"}, CLASSES, unboxed="negative")
    assert labels_of(made) == {"a": "dead"} | dict.fromkeys("bcd", "living")


def test_at_least_two_dead_cells():
    """With a higher count images of fewer dead cells are negative, and a note says how many."""
    made = by_boxes(FIELDS, BOXES, STATES, CLASSES, at_least=2)
    assert labels_of(made) == {"a": "living", "b": "dead", "c": "living", "d": "living"}
    assert made.notes == ("1 images with fewer than 2 cells of class dead are taken for living",)
    with pytest.raises(SpecError, match="at_least"):
        by_boxes(FIELDS, BOXES, STATES, CLASSES, at_least=0)


def test_images_without_a_box_are_refused_unless_said():
    """A table of boxes cannot tell an empty image from one never seen: the user has to say."""
    boxes = BOXES[BOXES["image"] != "a"]
    with pytest.raises(TableError, match=r"no-box.*1 of 4 images have no box: a") as refused:
        by_boxes(FIELDS, boxes, STATES, CLASSES)
    assert "--unboxed negative if images without a box were looked at" in refused.value.remedy
    assert "--unboxed drop" in refused.value.remedy
    negative = by_boxes(FIELDS, boxes, STATES, CLASSES, unboxed="negative")
    assert labels_of(negative)["a"] == "living"
    assert negative.notes[0].startswith("1 images without a box are taken for living")
    dropped = by_boxes(FIELDS, boxes, STATES, CLASSES, unboxed="drop")
    assert "a" not in labels_of(dropped)
    assert {count.step: count.count for count in dropped.counts} == {
        "images": 4,
        "boxes": 5,
        "state without a class, dropped": 0,
        "images undecided without these, dropped": 0,
        "images without a box, dropped": 1,
        "living": 1,
        "dead": 2,
    }


def test_an_unsure_cell_is_no_negative_image():
    """With others dropped, an image whose label hangs on a cell without a class is left out."""
    boxes = cells(("a", "unsure"), ("b", "dead"), ("b", "unsure"), ("c", "living"), ("d", None))
    with pytest.raises(TableError, match=r"unmapped-value.*unsure, \(empty\)") as refused:
        by_boxes(FIELDS, boxes, STATES, CLASSES)
    assert "--others drop" in refused.value.remedy
    made = by_boxes(FIELDS, boxes, STATES, CLASSES, others="drop")
    assert labels_of(made) == {"b": "dead", "c": "living"}
    counts = {count.step: count.count for count in made.counts}
    assert counts["state without a class, dropped"] == 3
    assert counts["images undecided without these, dropped"] == 2
    named = by_boxes(FIELDS, boxes.dropna(), STATES | {"unsure": "living"}, CLASSES, unboxed="drop")
    assert labels_of(named)["a"] == "living"


@pytest.mark.parametrize(
    ("boxes", "at_least", "told"),
    [
        ([(name, "dead") for name in "abcd"], 1, "all 4 images hold a cell of class 'dead'"),
        (["ad", "bl", "cl", "dl"], 2, "no image holds 2 cells of class 'dead'"),
        (["ad", "au", "bd", "bu", "cd", "cu", "dd", "du"], 2, "no image is left to label"),
    ],
    ids=["all dead", "none dead enough", "none left"],
)
def test_labels_all_of_one_class_are_refused(boxes, at_least, told):
    """Where all images come out alike the error says which class is missing, and what to try."""
    kinds = {"d": "dead", "l": "living", "u": "unsure"}
    table = cells(*((image, kinds.get(state, state)) for image, state in boxes))
    states = {kind: kind for kind in table["kind"].unique() if kind != "unsure"}
    with pytest.raises(TableError, match="one-class") as refused:
        by_boxes(FIELDS, table, states, CLASSES, at_least=at_least, others="drop")
    assert told in str(refused.value)
    assert "take images with and without such cells" in refused.value.remedy


def test_without_a_positive_box_the_remedy_is_more_images():
    """Correct boxes of the other class only: the class's name is to be checked, or images added."""
    with pytest.raises(TableError, match="unknown-value") as refused:
        by_boxes(FIELDS, BOXES[BOXES["kind"] == "living"], STATES, CLASSES, unboxed="drop")
    assert "no box is of class 'dead': check how its states are written" in refused.value.remedy
    assert "or add images that hold such cells" in refused.value.remedy


def test_all_faults_of_boxes_come_at_once():
    """Images not known, states without a class or of a third, a box that is two things."""
    boxes = cells(("a", "dead"), ("a", "living"), ("B", "living"), ("c", "round"))
    boxes.loc[1, BOX] = boxes.loc[0, BOX]
    states = {"dead": "dead", "living": "living", "ded": "dead", "lost": "gone"}
    with pytest.raises(TableError) as refused:
        by_boxes(FIELDS, boxes, states, CLASSES)
    assert [fault.code for fault in refused.value.faults] == [
        "unknown-value",
        "unknown-value",
        "unmapped-value",
        "other-class",
        "two-classes",
        "unknown-image",
        "no-box",
    ]
    assert "rows 0, 1" in str(refused.value)
    assert "near it: b" in str(refused.value)
    assert "correct the boxes" in refused.value.remedy
    assert "no box is of" not in refused.value.remedy


def test_some_state_has_the_positive_class():
    """Without one the states that there are are told."""
    with pytest.raises(TableError, match="no-positive") as refused:
        by_boxes(FIELDS, BOXES, {"living": "living"}, CLASSES, others="drop")
    assert "dead, living" in str(refused.value)
    assert "no box is of class 'dead'" in refused.value.remedy


@pytest.mark.long
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["dead", "living", "unsure"])),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
@settings(max_examples=25)
def test_a_label_never_depends_on_an_unsure_cell(rows, at_least, random):
    """Whatever unsure cells are in truth and in whatever order rows stand, labels made stand."""
    rows = [("a", "dead"), ("a", "dead"), ("a", "dead"), ("g", "living"), *rows]
    fields = pd.DataFrame({"image": list("abcdefg")})
    options = {"at_least": at_least, "unboxed": "negative"}
    made = labels_of(by_boxes(fields, cells(*rows), STATES, CLASSES, others="drop", **options))
    for truth in ("dead", "living"):
        known = [(image, truth if kind == "unsure" else kind) for image, kind in rows]
        random.shuffle(known)
        sure = labels_of(by_boxes(fields, cells(*known), STATES, CLASSES, **options))
        assert {image: sure[image] for image in made} == made
