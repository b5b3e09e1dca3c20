"""Labels of a study from answers of several persons, through the command and the library."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from livewell.cli import main
from livewell.errors import SpecError, TableError
from livewell.labels.by_votes import Votes
from livewell.study.study import Study
from livewell.workflows.label import label

CLASSES = {"healthy": "healthy", "sick": "sick"}
SAID = {"A01": "hh", "A02": "hs", "B01": "ss", "B02": "sSu", "B03": "s"}
WORDS = {"h": "healthy", "s": "sick", "S": "SICK", "u": "unsure"}


@pytest.fixture
def copy(study: Study, tmp_path: Path) -> Study:
    """A copy of the study that a test may change; the images are the same."""
    shutil.copytree(study.folder, tmp_path / "study")
    return Study.open(tmp_path / "study")


def answers(**more: object) -> pd.DataFrame:
    """Answers to sequences of two frames of wells, as `SAID` says."""
    rows = [
        (f"{well}:0", person, WORDS[letter], f"{well}_p1.ome.tif", 1, 2, 0, 0, 64, 64)
        for well, letters in SAID.items()
        for person, letter in zip(("ann", "bob", "cyd"), letters, strict=False)
    ]
    columns = ["item", "person", "answer", "image", "t", "frames", "y0", "x0", "y1", "x1"]
    return pd.DataFrame(rows, columns=columns).assign(**more)


def labels_of(study: Study, name: str = "labels") -> dict[str, str]:
    """Label of each well that has one."""
    table = study.labels(name)
    return dict(zip(table["image"].astype("str").str[:3], table["label"], strict=True))


def test_all_frames_of_a_sequence_get_its_label(copy: Study) -> None:
    """Unanimous: agreed sequences label their frames, a repeat changes nothing."""
    table = answers(round=0, task="t")
    again = table.tail(1).assign(answer="healthy", round=1)
    made = label(copy, Votes(pd.concat([table, again]), CLASSES, task="t"), ("healthy", "sick"))
    assert labels_of(copy) == {"A01": "healthy", "B01": "sick", "B03": "sick"}
    found = copy.labels("labels")
    assert sorted(found["t"].unique().tolist()) == [1, 2]
    assert found["y1"].tolist() == [64] * 6
    counts = dict(made.meta.counts)
    assert counts["answers left aside: hidden repeats"] == 1
    assert counts["persons disagree, dropped"] == 1
    assert counts["somebody unsure, dropped"] == 1
    assert "first two disagree on 1 (25.0%): at most 66.7%" in made.meta.notes[0]
    assert made.meta.settings["task"] == "t"
    assert len(made.meta.settings["answers_sha256"]) == 64


def test_single_answers_say_little_of_persons(copy: Study) -> None:
    """Dawid and Skene's rule warns where few items have two answers; the majority need not."""
    once = answers().drop_duplicates("item")
    for rule, warned in (("dawid-skene", True), ("majority", False)):
        votes = Votes(once, CLASSES, rule=rule, posterior=0.51)
        made = label(copy, votes, ("healthy", "sick"))
        assert any("majority" in note for note in made.meta.notes) is warned


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_command_reads_files(copy: Study, tmp_path: Path, ending: str) -> None:
    """CSV and Parquet give the same labels, of one frame each; other rules, no box too."""
    table = answers().drop(columns=["y0", "x0", "y1", "x1"])
    path = tmp_path / f"answers.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    words = ["label", "votes", str(copy.folder), "--csv", str(path), "--class", "healthy"]
    words += ["--class", "sick", "--positive", "sick", "--rule", "majority", "--unsure", "ignore"]
    words += ["--frames-each", "1"]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["route"] == "votes"
    assert labels_of(copy) == {"A01": "healthy", "B01": "sick", "B02": "sick", "B03": "sick"}
    assert copy.labels("labels")["y0"].isna().all()
    assert len(copy.labels("labels")) == 4


def test_the_command_says_what_it_lacks(copy: Study, tmp_path: Path) -> None:
    """Neither a task nor a file, a file without classes, a task that nobody answered."""
    base = ["label", "votes", str(copy.folder), "--positive", "sick"]
    for more, said in (
        ([], "--task NAME or --csv"),
        (["--csv", str(tmp_path / "a.csv")], "--class"),
        (["--task", "mine"], "nobody has answered"),
    ):
        done = CliRunner().invoke(main, [*base, *more])
        assert done.exit_code != 0
        assert said in done.output


def test_marked_cells_become_patches(copy: Study) -> None:
    """Two persons' marks make patches; a cell that one did not mark is disputed; centres count."""
    marks = {
        "ann": [("sick", 30, 30), ("healthy", 80, 100), ("sick", 100, 40)],
        "bob": [("sick", 33, 30), ("healthy", 80, 97)],
    }
    rows = [
        (
            "f",
            person,
            "done",
            "A01_p1.ome.tif",
            0,
            "cells",
            json.dumps([{"class": c, "y": y, "x": x} for c, y, x in said]),
        )
        for person, said in marks.items()
    ]
    columns = ["item", "person", "answer", "image", "t", "kind", "marks"]
    table = pd.DataFrame(rows, columns=columns)
    made = label(copy, Votes(table, CLASSES, patch_px=32), ("healthy", "sick"), name="cells")
    found = copy.labels("cells")
    assert found["label"].tolist() == ["sick", "healthy"]
    assert found[["y0", "x0"]].to_numpy(int).tolist() == [[16, 14], [64, 82]]
    assert made.meta.of_centres
    with pytest.raises(SpecError, match="patch"):
        label(copy, Votes(table, CLASSES), ("healthy", "sick"))


def test_what_the_study_lacks_is_refused(copy: Study) -> None:
    """Unknown images, boxes and frames beyond the image, answers without a class; all at once."""
    table = answers()
    table.loc[0, "image"] = "none.tif"
    table.loc[2, "frames"] = 99
    table.loc[4, "y1"] = 5000
    with pytest.raises(TableError) as caught:
        label(copy, Votes(table, CLASSES), ("healthy", "sick"))
    assert {fault.code for fault in caught.value.faults} == {"unknown-image", "outside"}
    with pytest.raises(TableError, match="unknown-answer"):
        label(copy, Votes(answers(answer="odd"), CLASSES), ("healthy", "sick"))
