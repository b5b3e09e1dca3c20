"""Labels of patches centred on points."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import GeometryError, TableError
from livewell.labels.by_points import Points
from livewell.labels.by_points import by_points as of_route
from livewell.labels.made import Labels
from livewell.tables.schemas import LABELS

STATES = {"live": "live", "dead": "dead"}
SHAPES = {"a": (100, 120), "b": (100, 120)}
POINTS = pd.DataFrame(
    {
        "image": ["a", "a", "b", "b"],
        "y": [10.2, 50.0, 0.0, 99.9],
        "x": [10.0, 119.9, 0.0, 60.0],
        "state": ["live", "dead", "live", "between"],
        "ratio": [1.0, 4.0, 1.2, 2.0],
    }
)


def by_points(points, states, sizes, patch_px, **options) -> Labels:
    """Labels of points by a route with these settings."""
    return of_route(points, Points(Path("cells.csv"), states, patch_px, **options), sizes)


def test_patches_are_centred_on_their_points():
    """Each patch has the asked size, its point in the middle pixel, and the state's class."""
    made = by_points(POINTS, STATES, SHAPES, 20, others="drop", score="ratio")
    assert made.table[["y0", "x0", "y1", "x1"]].to_numpy().tolist() == [
        [0, 0, 20, 20],
        [40, 110, 60, 130],
        [-10, -10, 10, 10],
    ]
    assert made.table["label"].tolist() == ["live", "dead", "live"]
    assert made.table["score"].tolist() == [1.0, 4.0, 1.2]
    assert LABELS.faults(made.table) == []
    assert {count.step: count.count for count in made.counts}["state without a class, dropped"] == 1


@given(
    st.lists(st.tuples(st.floats(0, 99.9), st.floats(0, 119.9)), min_size=2, max_size=30),
    st.integers(1, 90),
)
@settings(deadline=None, max_examples=40)
def test_any_point_inside_gives_a_patch_around_it(places, size_px):
    """A patch's middle is within half a pixel of its point, for every size and place."""
    points = pd.DataFrame(places, columns=["y", "x"])
    points = points.assign(image="a", state="live", t=range(len(points)))
    points.loc[0, "state"] = "dead"
    made = by_points(points, STATES, SHAPES, size_px).table
    assert len(made) == len(points)
    assert ((made["y1"] - made["y0"]) == size_px).all()
    middle = (made["y0"] + made["y1"]) / 2
    assert (middle.astype(float) - points["y"]).abs().max() <= 0.5 + 1e-9


def test_a_frame_number_may_be_written_with_a_point():
    """Frame ``2.0``, as tables with gaps are written, is frame 2."""
    made = by_points(POINTS.assign(t="2.0"), STATES, SHAPES, 20, others="drop")
    assert made.table["t"].tolist() == [2, 2, 2]


def test_points_that_share_a_patch_count_once_if_they_agree():
    """Two points of one state in one place give one label; of two states, an error."""
    twice = pd.concat([POINTS[:3], POINTS[:1]], ignore_index=True)
    assert len(by_points(twice, STATES, SHAPES, 20).table) == 3
    twice.loc[3, "state"] = "dead"
    with pytest.raises(TableError, match="two-classes"):
        by_points(twice, STATES, SHAPES, 20)


def test_all_faults_of_a_table_of_points_come_at_once():
    """Unknown images, points outside or not numbers, states without a class or not there."""
    points = pd.DataFrame(
        {
            "image": ["a", "c", "b", "b"],
            "y": [100.0, 5, 5, None],
            "x": [5.0, 5, -1, 5],
            "state": ["live", "dead", "between", "live"],
        }
    )
    with pytest.raises(TableError) as caught:
        by_points(points, {**STATES, "ded": "dead"}, SHAPES, 20)
    assert [fault.code for fault in caught.value.faults] == [
        "unknown-image",
        "wrong-type",
        "outside",
        "outside",
        "unknown-value",
        "unmapped-value",
    ]


def test_columns_and_sizes_that_cannot_be_are_refused():
    """A column that is not there is named with what comes near; a patch has a pixel at least."""
    with pytest.raises(TableError, match="missing-column"):
        by_points(POINTS, STATES, SHAPES, 20, y="y_px")
    with pytest.raises(GeometryError):
        by_points(POINTS, STATES, SHAPES, 0, others="drop")


def test_nuclei_of_the_real_set_become_patches(shared_data: Path):
    """The 401 dead and 1,968 live nuclei of mcf7-pi give one patch each."""
    folder = shared_data / "mcf7-pi"
    images = pd.read_csv(folder / "images.csv").set_index("image")
    shapes = {name: (row["height"], row["width"]) for name, row in images.iterrows()}
    cells = pd.read_csv(folder / "cells.csv")
    made = by_points(cells, STATES, shapes, 80, others="drop", y="y_px", x="x_px")
    assert made.table["label"].value_counts().to_dict() == {"live": 1968, "dead": 401}
