"""Cell line by treatment, from columns to the coarser question, as a user types it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

from livewell.cli import main
from livewell.study.study import Study

CLASSES = ["H9 CPT", "H9 DMSO", "PC3 CPT", "PC3 DMSO"]


def livewell(*words: object) -> dict[str, object]:
    """What a command says as JSON."""
    made = CliRunner().invoke(main, [*map(str, words), "--json"], catch_exceptions=False)
    assert made.exit_code == 0, made.stderr
    return json.loads(made.stdout)


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_line_by_treatment(tmp_path: Path) -> None:
    """Four classes of two columns: these are no confounders of themselves, and the report answers
    the question of the treatment beside that of all classes."""
    rng, rows = np.random.default_rng(0), []
    (tmp_path / "images").mkdir()
    for name in CLASSES:
        line, treatment = name.split()
        for dish in range(4):
            grey = 90 + 40 * (line == "H9") * (np.indices((96, 96)).sum(axis=0) % 7 < 3)
            grey = grey + 30 * (treatment == "CPT") * (np.indices((96, 96))[0] % 5 < 2)
            file = f"{line}-{treatment}-{dish}.tif"
            noisy = (grey + rng.normal(0, 5, grey.shape)).clip(0, 255).astype("uint8")
            tifffile.imwrite(tmp_path / "images" / file, noisy)
            rows.append((file, line, treatment, f"{line}-{treatment}-{dish}"))
    table = pd.DataFrame(rows, columns=["path", "cell_line", "treatment", "dish"])
    table.to_csv(tmp_path / "dishes.csv", index=False)
    study, run = tmp_path / "study", tmp_path / "run"
    livewell("index", tmp_path / "images", "--out", study, "--metadata", tmp_path / "dishes.csv")
    both = ("--column", "cell_line", "--column", "treatment")
    assert livewell("label", "column", study, *both)["classes"] == CLASSES
    grid = ("--by", "dish", "--patch-px", 48, "--empty", "keep")
    livewell("split", study, *grid)
    assert not [text for text in Study.open(study).split("split")[2].warnings if "confound" in text]
    small = ("patch_px=48", "input_px=48", "steps=20", "steps_per_epoch=10")
    settings = [word for text in small for word in ("--set", text)]
    livewell("train", study, "--out", run, "--profile", "TINY", *settings)
    less = ("--no-baselines", "--no-random-split")
    made = livewell("evaluate", run, *less, "--collapse", "treatment=CPT")
    assert made["random_split"] == {}
    assert made["collapse"]["into"]["PC3 CPT"] == "CPT"
    assert set(made["collapse"]["figures"]) >= {"roc_auc", "sensitivity"}
    page = (run / "evaluation" / "report.html").read_text("utf-8")
    assert page.index("The same answers by treatment") < page.index("Surest")
    livewell("explain", run, "--no-models", "--fields", 0)
