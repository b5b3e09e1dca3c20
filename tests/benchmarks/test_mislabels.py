"""Labels flipped on purpose: how many, which, and how their share of a list is counted."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import mislabels
from benchmarks.mislabels import FLIPPED, flipped
from benchmarks.result import Result
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import ShapeSpec
from livewell.study.study import Study
from livewell.tables.schemas import BOX
from livewell.workflows.shapes import CLASSES

pytestmark = pytest.mark.long

SMALL = partial(ShapeSpec, rows=2, columns=3, objects=(2, 4))
"""Pictures of 70 x 105 px."""
SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 2})
IMAGES = 100
TWO_OF_EACH = 2
"""Seed that flips two labels of each class where four of a hundred are flipped."""
RANKED = (True, False, True, True, False, False)
"""Whether the label was flipped of those that the net is surest to be wrong, surest first."""


def study_of(folder: Path, seed: int) -> tuple[Study, pd.DataFrame]:
    return mislabels.flipped_study(folder, SMALL(images=IMAGES, seed=seed), seed)


def values_of(result: Result) -> Any:
    return result.values  # noqa: PD011


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Study, pd.DataFrame]:
    """Folder, study and truth of 100 pictures with 2% of wrong labels."""
    folder = tmp_path_factory.mktemp("flips")
    return folder, *study_of(folder, 0)


def test_as_many_labels_are_flipped_as_is_said(made: tuple[Path, Study, pd.DataFrame]) -> None:
    """Of 100 pictures two, with this seed one a class; they are told the other class, none else."""
    _, _, truth = made
    assert truth["flipped"].sum() == FLIPPED * IMAGES == 2
    assert set(truth.loc[truth["flipped"], "label"]) == set(CLASSES)
    assert (truth["told"] != truth["label"]).equals(truth["flipped"])
    assert set(truth["told"]) == set(CLASSES)


def test_the_truth_is_kept_and_the_net_is_told_otherwise(
    made: tuple[Path, Study, pd.DataFrame],
) -> None:
    """The true label is whether circles were drawn; the study's labels are the flipped ones."""
    folder, study, truth = made
    objects = pd.read_csv(folder / "pictures" / "objects.csv")
    holds = truth["image"].isin(objects.loc[objects["kind"] == "circle", "image"])
    assert truth["label"].tolist() == [CLASSES[int(each)] for each in holds]
    labels = study.labels("labels").set_index("image")["label"]
    assert labels[truth["image"]].tolist() == truth["told"].tolist()


def test_every_picture_is_judged_by_a_net_that_did_not_learn_its_label(
    made: tuple[Path, Study, pd.DataFrame],
) -> None:
    """Each is in the test part of one fold, and there in no other part."""
    _, study, truth = made
    patches, parts, _ = study.split("split")
    of_image = patches[["image", "group"]].merge(parts, on="group")
    tested = of_image.loc[of_image["part"] == "test", "image"]
    assert sorted(tested) == sorted(truth["image"])
    assert not of_image.duplicated(["image", "fold"]).any()


@pytest.mark.long
def test_the_seed_decides_which_labels_are_flipped(
    made: tuple[Path, Study, pd.DataFrame], tmp_path: Path
) -> None:
    """The same in another folder, and when asked again; others with another seed."""
    folder, _, truth = made
    pd.testing.assert_frame_equal(study_of(folder, 0)[1], truth)
    pd.testing.assert_frame_equal(study_of(tmp_path / "same", 0)[1], truth)
    other = study_of(tmp_path / "other", 2)[1]
    assert other["flipped"].sum() == truth["flipped"].sum()
    assert not other["flipped"].equals(truth["flipped"])


class Judged:
    """Stands in for `EvaluationSet`: scores that put suspects in the order of `RANKED`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_run(cls, run: Path) -> "Judged":
        return cls(run.parent)

    def scores(self) -> tuple[pd.DataFrame, dict[int, object]]:
        """The two surest suspects get the other class than they are told, all others their own.

        Suspects are by turns told to hold circles, and not.
        """
        truth = pd.read_csv(self.folder / "labels.csv")
        positive = (truth["told"] == CLASSES[1]).to_numpy()
        sure = np.where(truth["flipped"], 0.01, 0.1)
        for number, flip in enumerate(RANKED):
            fits = (truth["flipped"] == flip) & (positive == (number % 2 == 0)) & (sure <= 0.1)
            sure[np.flatnonzero(fits)[0]] = 0.9 - 0.1 * number
        table = truth[["image"]].assign(
            t=0, **dict(zip(BOX, (0, 0, 70, 105), strict=True)), group=truth["image"], part="test"
        )
        p, called = np.where(positive, 1 - sure, sure), np.where(sure > 0.75, ~positive, positive)
        return table.assign(fold=0, label=truth["told"], p=p, called=called.astype(int)), {}


def test_shares_of_the_list_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four flipped labels the list names one, two, three, and then no more, of both directions.

    Accuracy is held against the truth: one wrong label is seen through and three are believed, one
    right one is doubted, so 96 of 100; 98 agree with what was told.
    """
    monkeypatch.setattr(mislabels, "ShapeSpec", SMALL)
    monkeypatch.setattr(mislabels, "FLIPPED", 0.04)
    monkeypatch.setattr(mislabels, "train", lambda *_, **__: None)
    monkeypatch.setattr(mislabels, "EvaluationSet", Judged)
    found = flipped(runs=tmp_path, images=IMAGES, seed=TWO_OF_EACH)
    assert found.rows == [
        ["first 1%", "1", "1", "100.0%", "25.0%"],
        ["first 4%", "4", "3", "75.0%", "75.0%"],
        ["first 3%", "3", "2", "66.7%", "50.0%"],
        ["first 5%", "5", "3", "60.0%", "75.0%"],
    ]
    assert all(len(row) == len(found.columns) for row in found.rows)
    assert values_of(found) == {"hits": 3, "flipped": 4, "accuracy": 0.96}


@pytest.mark.long
def test_what_stands_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With real nets of three steps: the second call tells the same and trains nothing."""
    monkeypatch.setattr(mislabels, "ShapeSpec", SMALL)
    monkeypatch.setattr(mislabels, "WSCNN_FAST", SHORT)
    first = flipped(runs=tmp_path, images=IMAGES, seed=0)
    assert [row[1] for row in first.rows] == ["1", "2", "3", "5"]
    assert values_of(first)["flipped"] == 2
    assert 0 <= values_of(first)["accuracy"] <= 1

    def trained(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("livewell.workflows.train.train_fold", trained)
    again = flipped(runs=tmp_path, images=IMAGES, seed=0)
    assert (again.rows, values_of(again)) == (first.rows, values_of(first))
