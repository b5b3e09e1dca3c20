"""Many classes collapsed to a coarser question."""

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError
from livewell.metrics.collapse import collapsed
from livewell.metrics.rules import RegionRule, scored
from livewell.tables.schemas import check_scores

FOUR = ClassNames(("A-DMSO", "A-CPT", "B-DMSO", "B-CPT"))
INTO = {name: name[2:] for name in (*FOUR, "C-DMSO", "C-CPT")}


def table(labels: list[str], p: list[list[float]], classes: ClassNames = FOUR) -> pd.DataFrame:
    """Scores of single patches with these probabilities."""
    regions = pd.DataFrame(
        {
            "fold": 0,
            "part": "test",
            "image": [f"{n}.png" for n in range(len(labels))],
            "t": 0,
            "y0": 0,
            "x0": 0,
            "y1": 9,
            "x1": 9,
            "group": "g",
            "label": labels,
        }
    )
    return scored(regions, np.log(np.maximum(p, 1e-300)), RegionRule(1.0, 0.9), classes)


def test_probabilities_are_sums_and_the_most_probable_new_class_is_called():
    """A patch that is unsure among four classes is called where two of them together are likely."""
    scores = table(["A-CPT", "B-DMSO"], [[0.1, 0.4, 0.1, 0.4], [0.5, 0.1, 0.3, 0.1]])
    assert scores["called"].tolist() == [-1, -1]
    found, new = collapsed(scores, FOUR, INTO)
    assert new == ClassNames(("DMSO", "CPT"))
    assert found["p"].tolist() == pytest.approx([0.8, 0.2])
    assert found["called"].tolist() == [1, 0]
    assert found["label"].tolist() == ["CPT", "DMSO"]
    check_scores(found, new)
    turned, other = collapsed(scores, FOUR, INTO, "DMSO")
    assert other.names == ("CPT", "DMSO")
    assert turned["p"].tolist() == pytest.approx([0.2, 0.8])


def test_labels_that_the_model_does_not_know_are_asked_the_coarser_question():
    """A line that the model never learnt is still told treated from not."""
    found, _ = collapsed(table(["C-CPT"], [[0.1, 0.6, 0.1, 0.2]]), FOUR, INTO)
    assert found["label"].tolist() == ["CPT"]
    assert found["p"].tolist() == pytest.approx([0.8])


def test_certainty_stays_finite_and_more_than_two_classes_may_be_left():
    """A probability of one gives a finite logit; three classes of four have a column each."""
    scores = table(["A-CPT"], [[0.0, 1.0, 0.0, 0.0]])
    found, _ = collapsed(scores, FOUR, INTO)
    assert np.isfinite(found["logit"]).all()
    three = {"A-DMSO": "well", "B-DMSO": "well", "A-CPT": "A", "B-CPT": "B"}
    found, new = collapsed(table(["A-CPT"], [[0.2, 0.4, 0.3, 0.1]]), FOUR, three)
    assert found[[f"p_{name}" for name in new]].to_numpy().tolist()[0] == pytest.approx(
        [0.5, 0.4, 0.1]
    )
    assert new.called(int(found["called"].iloc[0])) == "well"


def test_what_cannot_be_collapsed_is_refused():
    """A class without a new name, a label without one, and one class left are errors."""
    scores = table(["A-CPT"], [[0.1, 0.4, 0.1, 0.4]])
    with pytest.raises(LabelError, match="B-CPT"):
        collapsed(scores, FOUR, dict.fromkeys(FOUR.names[:3], "x"))
    with pytest.raises(LabelError, match="A-CPT"):
        collapsed(scores.assign(label="D"), FOUR, {})
    with pytest.raises(SpecError, match="two classes"):
        collapsed(scores, FOUR, dict.fromkeys(FOUR, "all"))
