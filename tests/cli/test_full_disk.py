"""A full disk: one sentence that says what to free, nothing lost, and the same command goes on."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

resource = pytest.importorskip("resource", reason="only where a system limits files")
Run = Callable[..., Result]
Words = tuple[object, ...]
LABELS = ("--negative", "healthy", "--positive", "sick", "--sick-from", 30)
GRID = ("--by", "well", "--patch-px", 64)
TRAIN = ("--profile", "tiny", "--set", "test_turns=false")


def commands(world: Path, out: Path) -> dict[str, Words]:
    """Every command that writes much, into the world's study or below `out`."""
    study, run, image = world / "study", world / "run", world / "images" / "A01_p1.ome.tif"
    judged = (image, "--model", run, "--out")
    return {
        "index": ("index", world / "images", "--out", out / "index"),
        "label": ("label", "dose", study, *LABELS, "--window-s", 0, 1800, "--name", "new"),
        "split": ("split", study, *GRID, "--stride-px", 64, "--name", "new"),
        "train": ("train", study, "--out", out / "train", *TRAIN),
        "evaluate": ("evaluate", run),
        "assess": ("assess", *judged, out / "assess"),
        "heatmap": ("heatmap", *judged, out / "heatmap"),
        "timelapse": ("timelapse", study, "--model", run, "--out", out / "timelapse"),
        "explain": ("explain", run, "--out", out / "explain"),
        "simulate": ("simulate", "shapes", "--out", out / "shapes"),
    }


NAMES = tuple(commands(Path(), Path()))
SHORT = ("index", "label", "split")


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Whatever would write more than so many bytes into one file is told that it cannot.

    By the system itself, so that it holds for every library, as a full disk does.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(made: Result) -> bool:
    """Whether the command could not write, and said so as it should."""
    if made.exit_code == 0:
        return False
    told = json.loads(made.stdout)
    assert (made.exit_code, told["error"]) == (2, "output"), made.stderr
    assert re.search("free room on this disk|shared memory", told["message"]), told["message"]
    assert "Traceback" not in made.stderr
    return True


def of(names: Iterable[str]) -> list[object]:
    """Names of commands; those that take long are left to the long tests."""
    return [n if n in SHORT else pytest.param(n, marks=pytest.mark.long) for n in names]


@pytest.mark.long
@pytest.mark.parametrize("name", of(NAMES))
def test_no_room(name: str, world: Path, livewell: Run, tmp_path: Path) -> None:
    """Row 17, M9: at the first byte, later and late, each is refused; then the same goes on."""
    words = commands(world, tmp_path)[name]
    for size in (0, 700, 9_000, 70_000):
        refused(limited(livewell, words, size))
    again = livewell(*words, "--json")
    assert again.exit_code == 0, again.stderr
    assert not list(tmp_path.rglob(".livewell-tmp-*"))


def limited(livewell: Run, words: Words, size: int) -> Result:
    """What came of a command while no file could be larger."""
    with no_file_beyond(size):
        return livewell(*words, "--json")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes; skips where disks cannot be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("left", [0, 60_000, 400_000])
@pytest.mark.parametrize(
    "name", of(["index", "train", "assess", "heatmap", "timelapse", "simulate"])
)
def test_a_small_disk(name: str, left: int, world: Path, livewell: Run, small: Path) -> None:
    """Row 17: what is begun on a disk with little room goes on once there is some."""
    words = commands(world, small)[name]
    filler = small / "filler"
    filler.write_bytes(bytes(3 * 2**20 - left - 4096))
    made = livewell(*words, "--json")
    full = refused(made)
    assert full or made.exit_code == 0
    if left == 0:
        assert full
        assert "MB left" in json.loads(made.stdout)["message"]
    filler.unlink()
    again = livewell(*words, "--json")
    assert again.exit_code == 0 or refused(again), again.stderr
