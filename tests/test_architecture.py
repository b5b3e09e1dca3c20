"""The walls of the house: who imports whom, how long a file may be, what an import costs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "livewell").rglob("*.py"))
LONGEST = 400
LINT = """
import sys
from importlinter.cli import lint_imports
sys.exit(lint_imports(config_filename="pyproject.toml", no_cache=True))
"""


def test_contracts_hold() -> None:
    """Every arrow between rooms points down, the hard science knows no torch, and none is round."""
    done = subprocess.run(
        [sys.executable, "-c", LINT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_is_too_long(path: Path) -> None:
    """A file that grows beyond what a person reads at once is two files."""
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def test_rooms_open_without_reexports() -> None:
    """A room's ``__init__.py`` is one docstring; only the package and ``cli`` say more."""
    for path in SOURCES:
        if path.name == "__init__.py" and path.parent.name not in ("livewell", "cli"):
            assert len(path.read_text("utf-8").splitlines()) <= 3, path


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("livewell", ("torch", "pandas", "numpy", "click")),
        ("livewell.cli", ("torch", "lightning", "pandas", "sklearn", "numpy")),
        ("livewell.models.recipes", ("lightning", "sklearn")),
        ("livewell.study.study", ("torch", "lightning", "sklearn", "matplotlib")),
        ("livewell.splitting.schemes", ("torch", "lightning")),
        ("livewell.workflows.index", ("torch", "lightning")),
        ("livewell.workflows.agreement", ("torch", "lightning")),
        ("livewell.web.app", ("torch", "lightning", "matplotlib", "sklearn")),
    ],
)
def test_import_is_free(module: str, absent: tuple[str, ...]) -> None:
    """Importing a room loads nothing heavy that it does not need."""
    script = f"import sys, {module}; print([n for n in {absent!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
