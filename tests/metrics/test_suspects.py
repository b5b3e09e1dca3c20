"""The list of images whose label the net contradicts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError, TableError
from livewell.metrics.suspects import (
    direction,
    labels_on_patches,
    suspect_columns,
    suspects,
)
from livewell.tables.schemas import SCORES, score_columns

CLASSES = ClassNames(("wild type", "multinucleate"))
NEGATIVE, POSITIVE = (direction(CLASSES, y, 1 - y) for y in (0, 1))
STATES = ClassNames(("healthy", "sick", "dead"))


def scored(*rows: tuple[str, int, int, str, float], part: str = "test") -> pd.DataFrame:
    """Scores of (image, frame, row of the patch, label, p)."""
    table = pd.DataFrame(rows, columns=["image", "t", "y0", "label", "p"])
    table = table.assign(x0=0, y1=table["y0"] + 8, x1=8, fold=0, part=part, group=table["image"])
    return SCORES.check(table.assign(logit=0.0, called=(table["p"] > 0.5).astype(int)))


def test_both_directions_by_hand():
    """Negatives called positive come first, the surest on top; what agrees is not listed."""
    table = scored(
        ("a", 0, 0, "wild type", 0.6),
        ("b", 0, 0, "wild type", 0.9),
        ("c", 0, 0, "multinucleate", 0.2),
        ("d", 0, 0, "multinucleate", 0.95),
        ("e", 0, 0, "wild type", 0.5),
        ("f", 0, 0, "multinucleate", 0.1),
    )
    found = suspects(table, CLASSES)
    assert list(found.columns) == suspect_columns(CLASSES)
    assert found["image"].tolist() == ["b", "a", "f", "c"]
    assert found["rank"].tolist() == [1, 2, 1, 2]
    assert found["direction"].tolist() == [NEGATIVE] * 2 + [POSITIVE] * 2
    assert NEGATIVE == "labelled wild type, more likely multinucleate"
    assert found["p"].tolist() == [0.9, 0.6, 0.1, 0.2]
    assert found["sure"].tolist() == pytest.approx([0.9, 0.6, 0.9, 0.8])
    assert suspects(table, CLASSES, most=1)["image"].tolist() == ["b", "f"]
    assert suspects(table, CLASSES, least=0.85)["image"].tolist() == ["b", "f"]
    assert len(suspects(table, CLASSES, least=0.0)) == len(table)


def test_of_three_classes_the_most_probable_other_one_counts():
    """An image is listed with the other class that its patches together find most probable."""
    chances = [
        (0.2, 0.7, 0.1),
        (0.2, 0.5, 0.3),
        (0.1, 0.1, 0.8),
        (0.45, 0.3, 0.25),
        (0.1, 0.2, 0.7),
    ]
    table = pd.DataFrame(chances, columns=score_columns(STATES, "p"))
    table = table.assign(
        image=list("aabcd"), label=["healthy"] * 3 + ["dead"] * 2, t=0, part="test"
    )
    table = table.assign(y0=range(5), x0=0, y1=8, x1=8, fold=0, group="g")
    found = suspects(table, STATES)
    assert found["direction"].tolist() == [
        "labelled healthy, more likely sick",
        "labelled healthy, more likely dead",
    ]
    assert found["image"].tolist() == ["a", "b"]
    assert found["sure"].tolist() == pytest.approx([0.6, 0.8])
    assert found["p_dead"].tolist() == pytest.approx([0.2, 0.8])
    assert found.loc[0, ["y0", "patches"]].tolist() == [0, 2]
    assert list(found.columns) == suspect_columns(STATES)
    assert suspects(table, STATES, least=0.0)["image"].tolist() == ["a", "b", "c", "d"]


def test_an_image_is_judged_by_all_its_patches():
    """One patch of many does not make a suspect; the surest patch is the one that is shown."""
    table = scored(
        *[("a", 0, 8 * i, "wild type", p) for i, p in enumerate([0.1, 0.99, 0.2])],
        *[("b", t, 8 * i, "wild type", 0.5 + 0.1 * i + 0.1 * t) for t in (0, 1) for i in (0, 2)],
    )
    found = suspects(table, CLASSES)
    assert found["image"].tolist() == ["b"]
    assert found["p"].tolist() == pytest.approx([0.65])
    assert found[["patches", "t", "y0"]].to_numpy().tolist() == [[4, 1, 16]]


def test_frames_of_two_labels_are_listed_apart():
    """A movie that is labelled anew half way is held against each of its labels."""
    table = scored(("a", 0, 0, "wild type", 0.9), ("a", 1, 0, "multinucleate", 0.2))
    assert not labels_on_patches(table)
    found = suspects(table, CLASSES)
    assert found[["image", "label"]].to_numpy().tolist() == [
        ["a", "wild type"],
        ["a", "multinucleate"],
    ]


def test_labels_on_patches_are_judged_one_by_one():
    """Where one frame holds cells of both classes, each cell is a suspect of its own."""
    table = scored(
        ("a", 0, 0, "wild type", 0.9),
        ("a", 0, 8, "wild type", 0.1),
        ("a", 0, 16, "multinucleate", 0.9),
    )
    assert labels_on_patches(table)
    found = suspects(table, CLASSES)
    assert found[["image", "y0", "patches"]].to_numpy().tolist() == [["a", 0, 1]]


def test_nobody_is_judged_by_a_model_that_learnt_its_label():
    """Scores of training and validation parts never make a suspect."""
    own = scored(("a", 0, 0, "wild type", 0.99), part="validation")
    other = scored(("b", 0, 0, "wild type", 0.8)).assign(fold=1)
    found = suspects(pd.concat([own, other], ignore_index=True), CLASSES)
    assert found[["image", "fold"]].to_numpy().tolist() == [["b", 1]]
    nobody = suspects(own, CLASSES)
    assert nobody.empty
    assert list(nobody.columns) == suspect_columns(CLASSES)


def test_tables_that_cannot_be_judged_are_refused():
    """Columns that lack, probabilities beyond 1, foreign labels and lists of nothing are told."""
    table = scored(("a", 0, 0, "wild type", 0.9))
    with pytest.raises(TableError) as caught:
        suspects(table.drop(columns=["p", "t"]), CLASSES)
    assert {fault.where for fault in caught.value.faults} == {"p", "t"}
    with pytest.raises(TableError, match="probabilities"):
        suspects(table.assign(p=1.5), CLASSES)
    with pytest.raises(LabelError, match="wild type"):
        suspects(table, ClassNames(("a", "b")))
    for wrong in ({"most": 0}, {"least": 1.0}, {"least": -0.1}):
        with pytest.raises(SpecError, match="no such list"):
            suspects(table, CLASSES, **wrong)


@pytest.mark.long
@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 2), st.integers(0, 100)),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[:2],
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40)
def test_the_list_is_one_of_the_data(rows, random):
    """Order of rows changes nothing; ranks count up as sureness goes down, above one half."""
    label = {name: CLASSES[number % 2] for number, name in enumerate("abcde")}
    cells = [(name, 0, 8 * place, label[name], p / 100) for name, place, p in rows]
    found = suspects(scored(*cells), CLASSES)
    random.shuffle(cells)
    pd.testing.assert_frame_equal(
        found[["image", "p", "rank"]], suspects(scored(*cells), CLASSES)[["image", "p", "rank"]]
    )
    assert (found["sure"] > 0.5).all()
    assert found["image"].is_unique
    for _, part in found.groupby("direction"):
        assert part["rank"].tolist() == list(range(1, len(part) + 1))
        assert (np.diff(part["sure"]) <= 1e-12).all()
