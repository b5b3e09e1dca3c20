"""Images to judge, what the undisturbed command says of them, and programs of the registry."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaign.commands import worked
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def examples() -> Path:
    """The folder of examples."""
    return ROOT / "examples"


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images``, a model ``run`` and the ``verdicts`` of one process on them."""
    return worked(tmp_path_factory.mktemp("judged") / "world", "assess")


@pytest.fixture
def same_verdicts(judged: Path) -> Callable[[Path], None]:
    """Holds a folder of results against that of one process."""

    def check(out: Path) -> None:
        for name in ("verdicts.csv", "failures.csv"):
            assert (out / name).read_bytes() == (judged / "verdicts" / name).read_bytes()
        assert (out / "report.html").is_file()

    return check


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Installs packages into an environment of their own; gives the folder of its programs."""

    def install(*packages: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        python = folder / "bin" / "python"
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
        words = [uv, "pip", "install", "-q", "-p", python, *packages]
        done = subprocess.run(words, capture_output=True, text=True, timeout=600)
        if done.returncode:
            pytest.skip(f"not to be had here: {' '.join(packages)}; {done.stderr[-300:]}")
        return folder / "bin"

    return install


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a shell in which ``livewell`` is found."""
    script = tmp_path / "bin" / "livewell"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m livewell "$@"\n')
    script.chmod(0o755)
    path = f"{script.parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
