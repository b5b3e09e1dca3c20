"""Designs of a small study of two lines, from labels to tables, and what cannot be made."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray

from livewell.cli import main
from livewell.errors import OutputError, SpecError
from livewell.labels.by_column import Column
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.splitting.design_rows import DesignPlan
from livewell.study.study import Study
from livewell.workflows.design import DesignResult, design
from livewell.workflows.design_items import DesignSettings
from livewell.workflows.index import index
from livewell.workflows.label import label

pytestmark = pytest.mark.long

Painter = Callable[..., NDArray[np.uint16]]
SHORT = override(TINY, {"steps": 3, "steps_per_epoch": 3, "batch": 8})
SETTINGS = DesignSettings(SHORT, processes=0)
PLAN = DesignPlan("dish", folds=2)
FOUR = {f"{line}-{dead}": f"{line}-{dead}" for line in "HM" for dead in ("CPT", "DMSO")}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, paint: Painter) -> Study:
    """Two lines, four wells of either treatment each; a third line has one well of each."""
    folder = tmp_path_factory.mktemp("lines")
    rows = []
    (folder / "images").mkdir()
    for line, wells in (("H", 4), ("M", 4), ("X", 1)):
        for treatment, look in (("DMSO", "healthy"), ("CPT", "sick")):
            for number in range(wells):
                name = f"{line}-{treatment}-{number}.tif"
                image = paint(look, len(rows), (1, 64, 192))[0]
                tifffile.imwrite(folder / "images" / name, image)
                died = 2.0 if treatment == "CPT" else None
                kind = f"{line}-{treatment}"
                rows.append((name, name[:-4], line, treatment, kind, number % 2, died))
    names = ["image", "dish", "cell_line", "treatment", "kind", "hours", "died"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "plate.csv", index=False)
    made = index(folder / "images", folder / "study", metadata=folder / "plate.csv").study
    two = {"DMSO": "DMSO", "CPT": "CPT"}
    label(made, Column("treatment", two), ("DMSO", "CPT"))
    label(made, Column("kind", FOUR, others="drop"), tuple(FOUR), name="four")
    return made


@pytest.fixture(scope="module")
def made(study: Study, tmp_path_factory: pytest.TempPathFactory) -> DesignResult:
    """Lines together, alone and left out."""
    out = tmp_path_factory.mktemp("designs") / "out"
    return design(study, out, ("all-lines", "each-line", "leave-line-out"), PLAN, SETTINGS)


@pytest.mark.filterwarnings("default")
def test_tables_have_a_row_for_every_line(made: DesignResult) -> None:
    """All lines, each by the common model, each alone; and in the other table those left out."""
    one, two = (pd.read_csv(made.folder / f"table{number}.csv") for number in (1, 2))
    assert list(zip(one["design"], one["name"], strict=True)) == [
        ("all-lines", "all lines"),
        *(("all-lines", line) for line in "HMX"),
        ("each-line", "H"),
        ("each-line", "M"),
    ]
    assert two["name"].tolist() == ["H", "M", "X"]
    assert one["validation_mean"].notna().tolist() == [True, False, False, False, True, True]
    assert one["groups"].tolist() == [18, 8, 8, 2, 8, 8]
    assert two["regions"].tolist() == [24, 24, 6]
    assert (one["accuracy_low"] <= one["test_mean"]).all()
    results = json.loads((made.folder / "results.json").read_text("utf-8"))
    assert [row["name"] for row in results["table2"]] == ["H", "M", "X"]


def test_what_cannot_be_made_is_said_and_stops_nothing(made: DesignResult) -> None:
    """A line of one dish a treatment is no study of its own; page and tables say so."""
    (failure,) = made.failures.to_dict("records")
    assert failure["image"] == "each-line-02-X-s0"
    assert "too few groups" in failure["error"]
    page = made.page.read_text("utf-8")
    assert "Not made: each-line-02-X-s0" in page
    assert "Table 2" in page
    assert "resample whole dishes" in page


@pytest.mark.filterwarnings("default")
def test_a_design_goes_on_where_it_was(study: Study, made: DesignResult) -> None:
    """Only what is missing is trained again; another plan in the same folder is refused."""
    item = made.folder / "each-line-00-H-s0"
    cards = {path: path.stat().st_mtime_ns for path in made.folder.rglob("card.json")}
    (item / "item.json").unlink()
    shutil.rmtree(item / "run" / "fold-01")
    again = design(study, made.folder, ("all-lines", "each-line"), PLAN, SETTINGS)
    new = {path for path, time in cards.items() if path.stat().st_mtime_ns != time}
    assert new == {item / "run" / "fold-01" / "model" / "card.json"}
    pd.testing.assert_frame_equal(again.tables["table1"], made.tables["table1"])
    with pytest.raises(OutputError, match="other settings"):
        design(study, made.folder, ("all-lines",), replace(PLAN, seed=1), SETTINGS)


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_a_line_of_unknown_classes_is_asked_the_binary_question(
    study: Study, tmp_path: Path
) -> None:
    """A model of lines by treatment tells a line that it never learnt treated from not."""
    settings = replace(SETTINGS, labels="four", name="four")
    plan = replace(PLAN, test=("H-CPT-0", "H-DMSO-0", "M-CPT-0", "M-DMSO-0"))
    designs = ("all-lines", "leave-line-out")
    made = design(study, tmp_path / "out", designs, plan, settings, collapse=("treatment", "CPT"))
    one, two = made.tables["table1"], made.tables["table2"]
    assert one["question"].tolist()[:2] == ["4 classes", "DMSO or CPT"]
    assert two[["name", "question", "groups"]].to_numpy().tolist() == [
        ["H", "DMSO or CPT", 2], ["M", "DMSO or CPT", 2],
    ]  # fmt: skip
    with pytest.raises(SpecError, match="collapse"):
        design(study, tmp_path / "other", designs, plan, settings)


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_hours_and_early_warning_from_the_command_line(study: Study, tmp_path: Path) -> None:
    """One command trains by hour and before death; its tables and page are there."""
    words = ["design", str(study.folder), "--out", str(tmp_path / "out"), "--design", "hours"]
    words += ["--by", "dish", "--folds", "2", "--death", "died", "--profile", "TINY"]
    words += ["--name", "hourly"]
    words += [word for name in ("steps=3", "steps_per_epoch=3") for word in ("--set", name)]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("one group each of 'CPT'") == 1  # though three splits warn of it
    tables = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert [row["name"] for row in tables["table1"]] == ["0 h", "1 h", "early warning"]
    assert [row["hours_before_death"] for row in tables["early_warning"]] == [1, 2]
    assert "Early warning" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_pages_of_items_are_made_if_asked_for(study: Study, tmp_path: Path) -> None:
    """An item's own evaluation lies beside its run, and is where its scores are read from."""
    settings = replace(SETTINGS, pages=True, name="paged")
    made = design(study, tmp_path / "out", ("all-lines",), PLAN, settings)
    item = made.folder / "all-lines-00-all-lines-s0"
    assert (item / "evaluation" / "report.html").is_file()
    assert not (item / "scores.parquet").exists()
