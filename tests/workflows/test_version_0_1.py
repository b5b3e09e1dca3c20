"""What version 0.1 wrote opens, and gives the figures and verdicts that it gave then."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.models.files import load_model
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate

KEPT = Path(__file__).parents[1] / "fixtures" / "version-0.1"
CLASSES = ClassNames(("healthy", "sick"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the fixtures; paths of images and study, which are absolute, are written anew."""
    folder = tmp_path / "old"
    shutil.copytree(KEPT, folder)
    for name, field, target in (("study", "root", "images"), ("run", "study", "study")):
        path = folder / name / f"{name}.json"
        said = json.loads(path.read_text())
        assert "format" not in said
        path.write_text(json.dumps(said | {field: str(folder / target)}))
    return folder


def test_study_labels_split_and_run_open(old: Path) -> None:
    """Every description is translated: classes get a positive one, a channel becomes a list."""
    study = Study.open(old / "study")
    assert (len(study.fields()), study.channels, study.sources[1]) == (10, (), "table plate.csv")
    labels = study.label_meta("labels")
    assert labels.class_names == CLASSES
    assert (labels.route, labels.counts[0], labels.seed) == ("column", ("images", 10), 0)
    assert labels.settings["column"] == "look"
    patches, folds, split = study.split("split")
    assert (len(patches), folds["group"].nunique()) == (40, 10)
    assert split.label_meta == labels
    assert (split.class_names, split.positive) == (CLASSES, "sick")
    assert (split.channels, split.pixel_um, split.patch_px) == (("phase contrast",), 0.5, 64)
    assert (split.grid or {})["empty"] == "keep"
    assert len(split.warnings) == 2
    run = Run.open(old / "run").spec
    assert (run.class_names, run.channels, run.folds) == (CLASSES, (), (0,))
    assert (run.profile["name"], run.seed, run.livewell) == ("TINY", 3, "0.1.0")
    assert set(run.inputs) == {"patches.parquet", "folds.parquet"}


def test_the_model_judges_as_it_did(old: Path, tmp_path: Path) -> None:
    """A model of version 0.1 loads, and its verdicts on the same images are those of then."""
    load_model(old / "run")
    assess(old / "images", old / "run", tmp_path / "out")
    new, then = (
        pd.read_csv(path / "verdicts.csv") for path in (tmp_path / "out", old / "expected")
    )
    assert new["verdict"].tolist() == then["verdict"].tolist()
    assert new["note"].fillna("").tolist() == then["note"].fillna("").tolist()
    for name in ("p_sick", "sick_fraction", "n_patches"):
        assert new[name].to_numpy() == pytest.approx(then[name].to_numpy(), abs=1e-5)


@pytest.mark.long
def test_the_run_is_worth_what_it_was(old: Path) -> None:
    """A run of version 0.1 is evaluated today with the figures of then."""
    figures = evaluate(old / "run", baselines=False).figures
    then = json.loads((old / "expected" / "results.json").read_text())["figures"]
    for name, known in then.items():
        if known["value"] is not None:
            assert figures[name].value == pytest.approx(known["value"], abs=1e-5), name
