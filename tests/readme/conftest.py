"""The README's commands, and how they are run."""

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from livewell.cli import main

README = Path(__file__).parents[2] / "README.md"
SHORT = ["--set", "steps=4", "--set", "steps_per_epoch=4", "--set", "batch=8", "--fold", "0"]
"""Appended to training commands, so that they take seconds."""
SMALLER = {
    "train": SHORT,
    "simulate culture": ["--wells-per-dose", "4"],
    "simulate shapes": ["--images", "40"],
    "budget": [*SHORT[:-2], "--folds", "2"],
    "explain demo/run --method": [],
    "explain mcf7-run --method": [],
    "explain": ["--steps", "5"],
    "quiz": ["--sizes", "1", "1", "1"],
}
"""What is appended to commands by their first words."""

EXAMPLES = ("demo", "light", "states", "shapes")
"""Folders of examples begin with these words; what names none is "real"."""
Commands = list[list[str]]
Runner = Callable[[str], Commands]


def commands_of(document: Path) -> Commands:
    """Command lines in a document's fenced blocks without a language, as words."""
    blocks = re.findall(r"^```\n(.*?)^```", document.read_text("utf-8"), re.M | re.S)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line.strip()]


def shortened(words: list[str], more: list[str]) -> list[str]:
    """A command with more words; settings that these say take the place of its own."""
    names = {word.partition("=")[0] for word in more if "=" in word}
    kept: list[str] = []
    for word in words:
        if kept and kept[-1] == "--set" and word.partition("=")[0] in names:
            kept.pop()
        else:
            kept.append(word)
    return kept + more


def run_commands_of(chosen: Commands) -> Commands:
    """Run commands in this process, those in `SMALLER` with less to do."""
    for words in chosen:
        line = " ".join(words[1:])
        more = (extra for first, extra in SMALLER.items() if line.startswith(f"{first} "))
        if words[1] == "serve":
            serve_and_stop(words[1:])
            continue
        given = shortened(words[1:], next(more, []))
        done = CliRunner().invoke(main, given, catch_exceptions=False)
        assert done.exit_code == 0, f"{shlex.join(words)}\n{done.output}"
    return chosen


def serve_and_stop(words: list[str]) -> None:
    """Run `livewell serve`, open the link that it prints, and stop it."""
    line = [sys.executable, "-m", "livewell", *words, "--no-browser", "--port", "0", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            text = ""
            for said in process.stdout:
                text += said
                if "}" in said:
                    break
            with urllib.request.urlopen(json.loads(text)["link"]) as page:
                assert page.status == 200
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def commands() -> Commands:
    """Command lines of the README."""
    return commands_of(README)


@pytest.fixture(scope="session")
def commands_in() -> Callable[[Path], Commands]:
    """Command lines of a document."""
    return commands_of


@pytest.fixture(scope="session")
def run_all() -> Callable[[Commands], Commands]:
    """Runner, in this process, of commands."""
    return run_commands_of


@pytest.fixture(scope="session")
def run_document() -> Callable[[Path], Commands]:
    """Runner, in this process, of all commands of a document."""
    return lambda document: run_commands_of(commands_of(document))


@pytest.fixture(scope="session")
def run_commands(commands: Commands) -> Runner:
    """Runner, in this process, of the commands of one of `EXAMPLES` or of "real"."""

    def example(words: list[str]) -> str:
        line = " ".join(words)
        return next((name for name in EXAMPLES if name in line), "real")

    def run(name: str) -> Commands:
        mine = [each for each in commands if each[0] == "livewell" and example(each) == name]
        return run_commands_of(mine)

    return run
