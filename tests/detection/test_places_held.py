"""Places of several models held against boxes together."""

import math

import pandas as pd
import pytest

from livewell.detection.places import (
    FROM_BOXES,
    FROM_LABELS,
    MatchedDetections,
    frame_names,
    held,
    place_figures,
)

POSITIVE = "dead"


def boxes(*rows: tuple[str, int, str | None]) -> pd.DataFrame:
    """Boxes of 10 x 10 px: image, first row and column, class."""
    table = pd.DataFrame(rows, columns=["image", "y0", "label"])
    kinds = table["label"].map({"dead": "shrunken", "live": "round"}).fillna("blurred")
    return table.assign(kind=kinds, x0=table["y0"], y1=table["y0"] + 10, x1=table["y0"] + 10)


def places(*rows: tuple[int, str, int, float, float]) -> pd.DataFrame:
    """Places on the diagonal: fold, image, frame, row and column, relative score."""
    table = pd.DataFrame(rows, columns=["fold", "image", "t", "y", "relative"])
    return table.assign(x=table["y"], score=table["relative"] + 100 * table["fold"])


def frames(*names: str, t: int = 0) -> pd.DataFrame:
    """Frames, each a group of its own."""
    return pd.DataFrame({"image": list(names), "t": t, "group": list(names)})


def test_places_are_right_where_their_peak_lies_in_a_box_of_the_class():
    """A box of another class makes a place wrong; one of no known class leaves it out."""
    truth = boxes(("a", 0, "dead"), ("a", 20, "live"), ("a", 40, None), ("z", 0, "dead"))
    found = places((0, "a", 0, 5.0, 1.0), (0, "a", 0, 25.0, 2.0), (0, "a", 0, 45.0, 3.0))
    judged = held(found, frames("a", "b"), truth, POSITIVE)
    assert judged.places["right"].tolist() == [True, False]
    assert judged.places["file"].tolist() == ["a", "a"]
    assert judged.places["score"].tolist() == [1.0, 2.0]
    assert (judged.others, judged.unknown, len(judged.objects)) == (1, 1, 1)
    assert judged.images["image"].tolist() == ["a", "b"]


def test_an_unknown_cell_over_a_known_one_takes_nothing_away():
    """A place that is right stays right, though it lies on a cell of no known class too."""
    truth = boxes(("a", 0, "dead"), ("a", 2, None))
    judged = held(places((0, "a", 0, 5.0, 1.0)), frames("a"), truth, POSITIVE)
    assert judged.places["right"].tolist() == [True]
    assert judged.unknown == 0


def test_boxes_lie_on_the_first_frame():
    """Of a movie without boxes every frame is one of its own, with false alarms only."""
    table = pd.concat([frames("m"), frames("m", t=3)], ignore_index=True).assign(group="m")
    assert frame_names(table).tolist() == ["m", "m, frame 3"]
    found = places((0, "m", 3, 5.0, 1.0))
    judged = held(found, table, boxes(("m", 0, "dead")), POSITIVE)
    assert judged.places["right"].tolist() == [False]


def two_folds() -> tuple[MatchedDetections, dict[int, float]]:
    """Fold 0 finds a and errs in b below its threshold; fold 1 finds c 1 above and d 1 below."""
    truth = boxes(("a", 0, "dead"), ("c", 0, "dead"), ("d", 0, "dead"), ("a", 30, "live"))
    found = places(
        (0, "a", 0, 5.0, 2.0),
        (0, "b", 0, 5.0, -0.5),
        (1, "c", 0, 5.0, 1.0),
        (1, "c", 0, 50.0, 0.5),
        (1, "d", 0, 5.0, -1.0),
    )
    return held(found, frames("a", "b", "c", "d"), truth, POSITIVE), {0: 0.0, 1: -2.0}


SHARES = pd.DataFrame(
    {"image": ["a", "a", "c", "d"], "kind": ["dead", "live", "dead", "dead"],
     "share": [0.95, 0.2, 0.9, 0.0]}
)  # fmt: skip


def test_every_model_has_its_own_thresholds():
    """Counts at the threshold from labels are at 0; those from boxes at each fold's own."""
    judged, moved = two_folds()
    figures = place_figures(judged, moved, SHARES, POSITIVE, seed=0)
    labels, by_boxes = (figures.thresholds[name].counts for name in (FROM_LABELS, FROM_BOXES))
    assert (labels.true_positives, labels.false_positives, labels.false_negatives) == (2, 1, 1)
    assert (by_boxes.true_positives, by_boxes.false_positives) == (3, 1)
    assert figures.thresholds[FROM_LABELS].estimates["recall"].value == pytest.approx(2 / 3)
    assert set(figures.thresholds[FROM_LABELS].estimates) == {"precision", "recall", "f1"}
    assert figures.curve["recall"].iloc[-1] == 1.0
    assert figures.covered["recall"].value == pytest.approx(2 / 3)
    assert figures.covered["precision"].value == 1.0
    said = figures.as_json()
    assert said["thresholds"]["from_labels"]["true_positives"] == 2
    assert set(said["sensitivity_at"]) == {"0.125", "0.25", "0.5", "1", "2", "4", "8"}


def test_a_fold_without_anything_right_in_validation_calls_nothing():
    """Its objects count as missed; where no fold has a threshold from boxes there is no column."""
    judged, _ = two_folds()
    figures = place_figures(judged, {0: 0.0, 1: math.inf}, SHARES, POSITIVE, seed=0)
    counts = figures.thresholds[FROM_BOXES].counts
    assert (counts.true_positives, counts.false_positives, counts.false_negatives) == (1, 0, 2)
    never = place_figures(judged, {0: math.inf, 1: math.inf}, SHARES, POSITIVE, seed=0)
    assert list(never.thresholds) == [FROM_LABELS]


def test_table3_needs_other_objects():
    """Where only the class sought is boxed, nothing can be a false alarm: recall alone is told."""
    judged, moved = two_folds()
    alone = SHARES[SHARES["kind"] == POSITIVE]
    assert set(place_figures(judged, moved, alone, POSITIVE, seed=0).covered) == {"recall"}


def test_nothing_found_and_nothing_to_find():
    """Without places recall is 0; without objects it is undefined; neither breaks."""
    judged, moved = two_folds()
    blind = held(places()[:0], frames("a", "c"), boxes(("a", 0, "dead")), POSITIVE)
    figures = place_figures(blind, moved, SHARES[:3], POSITIVE, seed=0)
    assert figures.thresholds[FROM_LABELS].estimates["recall"].value == 0.0
    empty = held(judged.places.assign(image=judged.places["file"], score=0.0).drop(
        columns=["right", "object", "file", "log_odds"]), judged.images.assign(t=0), boxes()[:0],
        POSITIVE)  # fmt: skip
    none = place_figures(empty, moved, SHARES[:0], POSITIVE, seed=0)
    assert math.isnan(none.average_precision.value)
    assert math.isnan(none.froc_score.value)
