"""Help comes at once: nothing heavy is imported before a command runs."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from livewell.cli import main
from livewell.models.recipes import PROFILES

HEAVY = ("torch", "torchvision", "lightning", "pandas", "sklearn", "scipy", "skimage", "matplotlib")


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Words of every command and group, the whole program first."""
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


ALL = list(commands(main))

BLOCKED = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Blocker())
from livewell.cli import main
for words in {ALL!r}:
    try:
        main.main([*words, "--help"])
    except SystemExit as stop:
        assert stop.code == 0, words
    print("-- done", *words)
"""


def test_help_imports_nothing_heavy() -> None:
    """Every --help comes in one process in which torch, pandas and the like cannot be imported."""
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("-- done") == len(ALL) > 15


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_has_its_help(words: tuple[str, ...]) -> None:
    """Every command says in a sentence what it does, and has no option without a word on it."""
    shown = CliRunner().invoke(main, [*words, "-h"] if not words else [*words, "--help"])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[2].strip().endswith((".", ":")) or len(words) == 0
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert command.help
    if words and not isinstance(command, click.Group):
        assert "--json" in shown.stdout
        assert "--quiet" in shown.stdout


def test_commands_stand_in_the_order_of_the_work() -> None:
    """The list of commands follows the work, not the alphabet."""
    names = list(main.commands)
    work = ["inspect", "index", "label", "split", "train", "evaluate", "assess", "heatmap"]
    assert [name for name in names if name in work] == work
    shown = CliRunner().invoke(main, ["--help"]).stdout
    places = [shown.index(f"\n  {name}") for name in work]
    assert places == sorted(places)


def test_train_tells_its_recipes_and_their_settings() -> None:
    """The help of train names the recipes; --settings-of lists one's settings and ends."""
    shown = CliRunner().invoke(main, ["train", "--help"]).stdout
    for name in PROFILES:
        assert name in shown or name == "TINY"
    listed = CliRunner().invoke(main, ["train", "--settings-of", "fast"])
    assert listed.exit_code == 0
    assert f"lr={PROFILES['FAST'].fit.lr}" in listed.stdout.splitlines()
    wrong = CliRunner().invoke(main, ["train", "--settings-of", "fats"])
    assert wrong.exit_code == 2
    assert "no such profile" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["asses"], "asses"),
        (["index", "x"], "--out"),
        (["train", "x", "--out", "y", "--steps", "3"], "--steps"),
        (["index", "x", "--out", "y", "--value", "treatment"], "PART:FOUND=MEANT"),
        (["train", "x", "--out", "y", "--set", "=3"], "NAME=VALUE"),
        (["train", "x", "--out", "y", "--set", "steps"], "'steps' is not NAME=VALUE"),
        (["train", "x", "--out", "y", "--set", "lr=1", "--set", "lr=2"], "'lr' is given twice"),
        (["index", "x", "--out", "y", "--column", "dose"], "write dose=VALUE"),
        (["index", "x", "--out", "y", "--metadata", "a", "--metadata", "b"], "given 2 times"),
        (["index", "x", "--out", "y", "--value", "t:a=b", "--value", "t:a=c"], "t:a is given twi"),
        (
            ["label", "column", "x", "--column", "d", "--class", "0=h", "--class", "0=s"],
            "'0' is given twice",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_wrong_use_is_exit_2(words: list[str], told: str) -> None:
    """A command, option or value that cannot be is told on standard error, with exit code 2."""
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 2
    assert made.stdout == ""
    assert told in made.stderr
