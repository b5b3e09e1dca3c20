"""Damaged files of a study: refused with a way out, or computed anew; never half believed."""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from livewell.errors import LivewellError, OutputError, StudyError
from livewell.labels.by_column import Column
from livewell.splitting.schemes import Holdout
from livewell.study.content import content, first_frames
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split

CLASSES = ("healthy", "sick")
SPLIT = {"by": "well", "scheme": Holdout((0.4, 0.3, 0.3)), "grid": Grid(32, 32, empty="keep")}


@pytest.fixture
def whole(states: Study) -> Study:
    """A study with labels, a split and all that is kept beside them."""
    label(states, Column("state", {name: name for name in CLASSES}, "drop"), CLASSES)
    split(states, **SPLIT)
    used(states.folder)
    return states


def used(folder: Path) -> dict[str, np.ndarray]:
    """Read whatever a study holds; the pixels of its images."""
    study = Study.open(folder)
    study.labels("labels")
    study.label_meta("labels")
    patches, *_ = study.split("split")
    study.split_images("split")
    study.headers()
    pixels = StudyPixels(study)
    pixels.prepare()
    content(study, pixels, patches[["image", "t"]].drop_duplicates())
    first_frames(study, patches["image"])
    return {name: pixels.frame(name, 0) for name in study.fields()["image"]}


@contextmanager
def remedied() -> Iterator[None]:
    """Every error within says what to do."""
    try:
        yield
    except LivewellError as error:
        if "What to do" not in str(error):
            raise AssertionError(str(error)) from error
        raise


def damaged(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cut off, emptied, overwritten, an archive, and single bits of its head."""
    yield data[: rng.randrange(len(data))]
    yield b""
    yield rng.randbytes(100)
    yield b"PK\x03\x04" + bytes(50)
    for _ in range(2):
        spoilt = bytearray(data)
        spoilt[rng.randrange(10)] ^= 1 << rng.randrange(8)
        yield bytes(spoilt)


@pytest.mark.long
def test_every_damaged_file_has_a_way_out(whole: Study) -> None:
    """Rows L6, L10: caches are made anew, to the same pixels; all else says what to do."""
    before, rng = used(whole.folder), random.Random(17)
    files = [path for path in sorted(whole.folder.rglob("*")) if path.is_file()]
    ours = [path for path in files if path.suffix in (".json", ".parquet")]
    for path in [*ours, *[path for path in files if path.suffix == ".npy"][:4]]:
        data = path.read_bytes()
        for spoilt in damaged(data, rng):
            path.write_bytes(spoilt)
            kept = "cache" in path.parts or path.name == "headers.parquet"
            if kept:
                after = used(whole.folder)
                if path.suffix == ".npy":
                    np.testing.assert_equal(after, before)
            else:
                with suppress(LivewellError), remedied():
                    used(whole.folder)
            path.write_bytes(data)


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_a_study_whose_marker_is_damaged(whole: Study, spoilt: bytes) -> None:
    """Rows L5, L10: a damaged study.json is refused; index makes it anew and keeps the labels."""
    stamp = whole.folder / "study.json"
    for damage in (lambda: stamp.write_bytes(spoilt), stamp.unlink):
        damage()
        with pytest.raises(StudyError, match="What to do"):
            Study.open(whole.folder)
        index(whole.root, whole.folder, metadata=whole.root.parent / "plate.csv")
        assert Study.open(whole.folder).label_names() == ["labels"]


def test_a_study_that_can_only_be_read(whole: Study) -> None:
    """Row L18: one error that names the study's folder, before any image is looked at."""
    words = ["mount", "--bind", str(whole.folder), str(whole.folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
        words = ["mount", "-o", "remount,ro,bind", str(whole.folder)]
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    try:
        for path in whole.root.iterdir():
            path.touch()
        with pytest.raises(OutputError, match="can only be read") as caught:
            split(whole, **SPLIT, name="other")
        assert caught.value.where == str(whole.folder)
        with pytest.raises(OutputError, match="can only be read") as caught:
            StudyPixels(whole).prepare()
        assert str(whole.folder) in caught.value.where
    finally:
        subprocess.run(["umount", str(whole.folder)], check=True)
