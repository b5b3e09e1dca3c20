"""The command line in this process, and what its first commands make of the plate."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from livewell.cli import main

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def livewell() -> Run:
    """``livewell`` with the given words; exit code, standard output and error in its result."""

    def run(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)

    return run


@pytest.fixture(scope="session")
def chain(
    plate: Path, livewell: Run, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Result]:
    """Results of the commands from images to a measured model, each with ``--json``."""
    folder = tmp_path_factory.mktemp("chain")
    study, run = folder / "study", folder / "run"
    pattern = "{well}_p{position:int}.ome.tif"
    labels = ("--negative", "healthy", "--positive", "sick", "--sick-from", 30)
    steps: dict[str, tuple[object, ...]] = {
        "index": (
            plate / "images",
            "--out",
            study,
            "--pattern",
            pattern,
            "--metadata",
            plate / "plate.csv",
        ),
        "label": ("dose", study, *labels, "--window-s", 0, 1800),
        "split": (study, "--by", "well", "--patch-px", 64, "--stride-px", 64),
        "train": (study, "--out", run, "--profile", "tiny", "--set", "test_turns=false"),
        "evaluate": (run,),
        "assess": (
            plate / "images" / "A01_p1.ome.tif",
            "--model",
            run,
            "--out",
            folder / "verdicts",
        ),
    }
    return {name: livewell(name, *words, "--json") for name, words in steps.items()}


@pytest.fixture
def world(
    chain: dict[str, Result], plate: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> Path:
    """A copy of what these commands made, ``study``, ``run``, ``verdicts``, and of the plate."""
    assert {name: made.exit_code for name, made in chain.items()} == dict.fromkeys(chain, 0)
    made = next(tmp_path_factory.getbasetemp().glob("chain*"))
    folder = tmp_path / "world"
    shutil.copytree(made, folder)
    shutil.copytree(plate, folder, dirs_exist_ok=True, copy_function=os.link)
    return folder
