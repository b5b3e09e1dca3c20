"""A model fitted of people's answers: labels, split, run, figures first, then maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from livewell.errors import LabelError, SplitError
from livewell.outputs.heatmaps import read_map
from livewell.study.study import Study
from livewell.workflows.fit import FitPlan, fit, frames_of

PLAN = FitPlan("task-0001", "sequence", ("healthy", "sick"))
BOX = ["y0", "x0", "y1", "x1"]


def items_of(study: Study) -> pd.DataFrame:
    """Sequences of three frames of 64 px: two of each movie of the plate."""
    rows = [
        (f"{image}:0:{y}:{x}", image, 0, 3, y, x, y + 64, x + 64)
        for image in study.fields()["image"]
        for y, x in ((0, 0), (64, 64))
    ]
    return pd.DataFrame(rows, columns=["item", "image", "t", "frames", *BOX])


def answers_of(items: pd.DataFrame, *people: str) -> pd.DataFrame:
    """What people say of items of rows A (healthy) and B (sick), all of them right."""
    some = items[items["image"].str[0].isin(["A", "B"])]
    said = np.where(some["image"].str.startswith("A"), "healthy", "sick")
    table = some.assign(answer=said, reason="random", round=0, kind="sequence")
    return pd.concat([table.assign(person=person) for person in people], ignore_index=True)


def test_some_frames_of_a_sequence() -> None:
    """Two of ten frames are the middles of its halves; a short one gives what it has."""
    items = pd.DataFrame(
        [("a", "m", 10, 10, 0, 0, 8, 8), ("b", "m", 0, 1, 0, 0, 8, 8)],
        columns=["item", "image", "t", "frames", *BOX],
    )
    found = frames_of(items, 2)
    assert found["item"].tolist() == ["a", "a", "b"]
    assert found["t"].tolist() == [12, 17, 0]


def test_what_cannot_be_fitted(study: Study, tmp_path: Path) -> None:
    """One class alone, and items of several sizes, are refused before anything is computed."""
    items = items_of(study)
    answers = answers_of(items, "ann")
    with pytest.raises((SplitError, LabelError), match="one class"):
        fit(study, answers[answers["answer"] == "healthy"], items, PLAN, tmp_path / "a")
    uneven = items.assign(y1=items["y1"].where(items.index > 0, 60))
    with pytest.raises(LabelError, match="items are of several"):
        fit(study, answers, uneven, PLAN, tmp_path / "b")


@pytest.mark.long
def test_a_fit(study: Study, tmp_path: Path) -> None:
    """Wells are held out whole; the figure is told before maps; every item has an uncertainty, and
    those between the classes are the least sure; giving it again goes on where it was."""
    items = items_of(study)
    answers = answers_of(items, "ann", "bob")
    # bob is wrong on one item, and carl agrees with ann there
    wrong = (answers["person"] == "bob") & (answers["item"] == answers["item"].iloc[0])
    answers.loc[wrong, "answer"] = "sick"
    third = answers[(answers["person"] == "ann") & (answers["item"] == answers["item"].iloc[0])]
    answers = pd.concat([answers, third.assign(person="carl")], ignore_index=True)
    told: list[dict[str, Any]] = []
    found = fit(study, answers, items, PLAN, tmp_path / "run", told.append)
    assert [next(iter(each)) for each in told][:3] == ["labels", "figures", "maps"]
    labels, figures = told[0]["labels"], told[1]["figures"]
    assert labels["classes"] == {"healthy": 10, "sick": 10}
    assert (labels["by"], labels["groups"], labels["people"]) == ("well", 10, 3)
    area = figures["every"]["area"]
    assert area["value"] > 0.9
    assert area["low"] < area["value"] <= area["high"] <= 1
    assert "wells that the model had not learnt from" in figures["every"]["words"][0]
    assert (tmp_path / "run" / told[-1]["report"]).is_file()
    patches, folds, _ = study.split(PLAN.name)
    assert len(patches) == 40
    assert not folds.duplicated(["fold", "group"]).any()
    assert set(found["item"]) == set(items["item"])
    assert found["uncertainty"].between(0, 1).all()
    maps, _ = read_map(tmp_path / "run" / told[2]["maps"][0]["folder"] / "map.ome.tif")
    assert len(maps) == 3
    assert np.isfinite(maps).any(axis=(1, 2)).sum() == 1
    again = fit(study, answers, items, PLAN, tmp_path / "run")
    pd.testing.assert_frame_equal(again, found)


@pytest.mark.long
def test_items_that_a_model_chose_are_left_out_of_the_first_figure(
    study: Study, tmp_path: Path
) -> None:
    """Where some items were chosen for being uncertain, there is a figure of the others alone."""
    items = items_of(study)
    answers = answers_of(items, "ann")
    answers.loc[answers.index % 4 == 0, "reason"] = "uncertain"
    told: list[dict[str, Any]] = []
    plan = FitPlan("task-0002", "sequence", PLAN.classes)
    fit(study, answers, items, plan, tmp_path / "run", told.append)
    figures = told[1]["figures"]
    assert figures["others"] == 5
    assert figures["chance"]["area"]["value"] is not None
