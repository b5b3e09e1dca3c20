"""``livewell compare`` in text, in JSON, and where it refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

pytestmark = pytest.mark.long

Run = Callable[..., Result]


def test_compare_in_three_ways(world: Path, livewell: Run) -> None:
    """Text says the common regions, a sentence a difference and the page; --json has the numbers of
    the tables; --quiet nothing but warnings."""
    shutil.copytree(world / "run", world / "copy")
    words = ("compare", world / "run", world / "copy", "--out", world / "out", "--min-each", 1)
    plain = livewell(*words)
    assert plain.exit_code == 0
    assert "regions are held out in all 2 runs" in plain.stdout
    assert "both give the same answers" in plain.stdout
    assert f"report: {world / 'out' / 'report.html'}" in plain.stdout
    quiet = livewell(*words, "--quiet")
    assert (quiet.exit_code, quiet.stdout) == (0, "")
    made = json.loads(livewell(*words, "--json").stdout)
    assert (made["reference"], made["headline"]) == ("run", "roc_auc")
    assert made["differences"]["copy"]["roc_auc"]["value"] == 0
    assert made["differences"]["copy"]["within_auc"]["value"] is None
    figures = pd.read_csv(made["tables"]["figures"]).set_index(["run", "figure"])
    assert figures.loc[("copy", "roc_auc"), "value"] == made["figures"]["copy"]["roc_auc"]["value"]
    assert made["common"] == len(pd.read_csv(made["tables"]["scores"])) / 2
    turned = livewell(*words[:-4], "--out", world / "turned", "--reference", world / "copy")
    assert "AUC of run is that of copy" in turned.stdout


def test_compare_refuses(world: Path, livewell: Run) -> None:
    """One run, a folder that is no run, and a reference that is none of the runs: exit code 2."""
    alone = livewell("compare", world / "run", "--out", world / "out")
    assert alone.exit_code == 2
    assert "two training runs or more" in alone.stderr
    for runs in ((world / "run", world / "study"), (world / "run", world / "absent")):
        made = livewell("compare", *runs, "--out", world / "out")
        assert made.exit_code == 2
        assert "no training run here" in made.stderr
    shutil.copytree(world / "run", world / "copy")
    both = ("compare", world / "run", world / "copy", "--out", world / "out")
    assert livewell(*both, "--reference", world / "study").exit_code == 2


def test_evaluate_with_a_stain(world: Path, livewell: Run) -> None:
    """`evaluate --stain` tells the correlations, also in JSON; a channel that no image has is
    refused."""
    words = ("evaluate", world / "run", "--no-baselines", "--stain")
    plain = livewell(*words, "phase contrast")
    assert plain.exit_code == 0
    assert "pearson_p_within" in plain.stdout
    assert set(json.loads(livewell(*words, "0", "--json").stdout)["stain"]) == {
        *("pearson_p", "pearson_p_within", "pearson_log_odds", "pearson_log_odds_within")
    }
    refused = livewell(*words, "PI")
    assert refused.exit_code == 2
    assert "no channel 'PI'" in refused.stderr
