"""Every command of the README runs, in the order in which it stands there."""

import re
from pathlib import Path

import pandas as pd
import pytest

from livewell.models.files import find_model
from livewell.models.recipes import TINY
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.workflows.demo import DemoSpec, demo

MAKEFILE = Path(__file__).parents[2] / "Makefile"
README = Path(__file__).parents[2] / "README.md"


def test_every_command_is_livewell_or_a_target_of_make(commands):
    """No block holds a command that the tests of this folder would miss."""
    makefile = MAKEFILE.read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.M)
    known = {"make": targets, "source": [".venv/bin/activate"]}
    assert "BIN := .venv/bin\n" in makefile
    for words in commands:
        assert words[0] == "livewell" or words[1] in known[words[0]]


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_commands_on_the_demo_run(run_commands, tmp_path, monkeypatch):
    """Verdicts and heat map work on what the demo leaves, here a tiny one."""
    monkeypatch.chdir(tmp_path)
    small = {"positions_per_well": 1, "height_px": 256, "width_px": 256, "cells": 10}
    plate = CultureSpec((0.0, 120.0), 4, frames=4, frame_s=1800.0, **small)
    movie = CultureSpec((30.0,), 1, frames=2, **small)
    demo(Path("demo"), spec=DemoSpec(plate, movie, TINY, Holdout((0.5, 0.25, 0.25))))
    assert len(run_commands("demo")) >= 4
    (python,) = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
    exec(compile(python, "README.md", "exec"), {})


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_commands_of_the_light_budget_run(run_commands, tmp_path, monkeypatch):
    """From a simulated plate to its budget, with fewer wells and steps."""
    monkeypatch.chdir(tmp_path)
    assert [words[1] for words in run_commands("light")] == ["simulate", "index", "budget"]
    assert (tmp_path / "light-budget" / "report.html").is_file()


@pytest.mark.filterwarnings("default")
def test_commands_on_shapes_run(run_commands, tmp_path, monkeypatch):
    """From simulated shapes to a model of whole frames, with fewer pictures and steps."""
    monkeypatch.chdir(tmp_path)
    names = [words[1] for words in run_commands("shapes")]
    assert names == ["simulate", "index", "label", "split", "train"]
    assert find_model(tmp_path / "shapes-run").is_dir()


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_commands_on_three_states_run(run_commands, tmp_path, monkeypatch):
    """From a simulated plate to an evaluation of three classes, with fewer wells and steps."""
    monkeypatch.chdir(tmp_path)
    names = [words[1] for words in run_commands("states")]
    assert names == ["simulate", "index", "label", "split", "train", "evaluate", "label", "design"]
    assert (tmp_path / "states-run" / "evaluation" / "report.html").is_file()
    assert len(pd.read_csv(tmp_path / "states-designs" / "table1.csv")) >= 2
