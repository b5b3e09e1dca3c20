"""Every command of the README runs, in the order in which it stands there."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from livewell.cli import main
from livewell.jobs.demo import DemoSpec, demo
from livewell.jobs.split import Holdout
from livewell.profiles.recipes import TINY
from livewell.simulate.culture import CultureSpec

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SHORT = ["--set", "steps=4", "--set", "steps_per_epoch=4", "--set", "batch=8", "--fold", "0"]
"""Appended to training commands, so that they take seconds."""
SMALLER = {
    "train": SHORT,
    "simulate": ["--wells-per-dose", "4"],
    "budget": [*SHORT[:-2], "--folds", "2"],
    "explain": ["--steps", "5"],
}
"""What is appended to commands by their name."""


def commands() -> list[list[str]]:
    """Command lines in the README's fenced blocks without a language."""
    blocks = re.findall(r"^```\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def run(words: list[str]) -> None:
    """Run one livewell command in this process; a failure shows what it said."""
    extra = SMALLER.get(words[1], [])
    done = CliRunner().invoke(main, [*words[1:], *extra], catch_exceptions=False)
    assert done.exit_code == 0, f"{shlex.join(words)}\n{done.output}"


def kinds(words: list[str]) -> set[str]:
    """Which of the README's examples a command is of: the demo, the light budget, real images."""
    return {name for name in ("demo", "light") if name in " ".join(words)}


def test_every_command_is_livewell_or_a_target_of_make():
    """No block holds a command that the two tests below would miss."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z-]+):", makefile, re.M)
    known = {"make": targets, "source": [".venv/bin/activate"]}
    assert "BIN := .venv/bin\n" in makefile
    for words in commands():
        assert words[0] == "livewell" or words[1] in known[words[0]]


@pytest.mark.filterwarnings("default")
def test_commands_on_real_images_run(shared_data: Path, tmp_path, monkeypatch):
    """The tutorial's commands work as they stand, with a training cut short."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "data").symlink_to(shared_data)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    chosen = [w for w in commands() if w[0] == "livewell" and not {"demo", "light"} & kinds(w)]
    assert len(chosen) >= 9
    for words in chosen:
        run(words)


@pytest.mark.filterwarnings("default")
def test_commands_on_the_demo_run(tmp_path, monkeypatch):
    """Verdicts and heat map work on what the demo leaves, here a tiny one."""
    monkeypatch.chdir(tmp_path)
    small = {"positions_per_well": 1, "height_px": 256, "width_px": 256, "cells": 10}
    plate = CultureSpec((0.0, 120.0), 4, frames=4, frame_s=1800.0, **small)
    movie = CultureSpec((30.0,), 1, frames=2, **small)
    demo(Path("demo"), spec=DemoSpec(plate, movie, TINY, Holdout((0.5, 0.25, 0.25))))
    chosen = [words for words in commands() if words[0] == "livewell" and "demo" in kinds(words)]
    assert len(chosen) >= 4
    for words in chosen:
        run(words)


@pytest.mark.filterwarnings("default")
def test_commands_of_the_light_budget_run(tmp_path, monkeypatch):
    """From a simulated plate to its budget, with fewer wells and steps."""
    monkeypatch.chdir(tmp_path)
    chosen = [words for words in commands() if "light" in kinds(words)]
    assert [words[1] for words in chosen] == ["simulate", "index", "budget"]
    for words in chosen:
        run(words)
    assert (tmp_path / "light-budget" / "report.html").is_file()
