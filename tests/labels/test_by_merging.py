"""Labels whose classes go together."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError
from livewell.labels.by_merging import by_merging
from livewell.labels.made import label_table

STATES = ClassNames(("healthy", "sick", "dead"))


def states(*labels: str) -> pd.DataFrame:
    images = pd.DataFrame({"image": [f"{i}.tif" for i in range(len(labels))]})
    return label_table(images, labels, "column", range(len(labels)))


@given(
    st.lists(st.sampled_from(STATES.names), min_size=1, max_size=9),
    st.tuples(*[st.sampled_from("abc")] * 3).filter(lambda names: len(set(names)) > 1),
)
def test_every_label_gets_its_new_name_and_nothing_else_changes(labels, names):
    """Whatever goes with whatever: rows, route and score stay, the label is the new name."""
    old, into = states(*labels), dict(zip(STATES, names, strict=True))
    made = by_merging(old, STATES, into)
    assert made.table["label"].tolist() == [into[label] for label in labels]
    pd.testing.assert_frame_equal(made.table.drop(columns="label"), old.drop(columns="label"))
    counts = {count.step: count.count for count in made.counts}
    assert sum(counts[name] for name in set(names)) == counts["labels"] == len(labels)


def test_steps_are_counted():
    """Each class is counted with the name it was taken for, then each new class."""
    into = {"healthy": "well", "sick": "unwell", "dead": "unwell"}
    made = by_merging(states("healthy", "sick", "dead", "dead"), STATES, into)
    assert [(count.step, count.count) for count in made.counts] == [
        ("labels", 4),
        ("healthy taken for well", 1),
        ("sick taken for unwell", 1),
        ("dead taken for unwell", 2),
        ("well", 1),
        ("unwell", 3),
    ]


@pytest.mark.parametrize(
    ("into", "error", "named"),
    [
        ({"healthy": "well", "sick": "unwell"}, LabelError, "none for dead"),
        ({"healthy": "a", "sick": "b", "dead": "b", "ded": "b"}, LabelError, "one for ded"),
        (dict.fromkeys(STATES, "all"), SpecError, "at least two classes"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(into, error, named):
    """A class without a new name, a strange one, or one class left is refused by name."""
    with pytest.raises(error, match=named):
        by_merging(states("healthy", "sick", "dead"), STATES, into)
