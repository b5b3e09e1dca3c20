"""Features of images are kept within their limit, and never stop the work."""

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from livewell.errors import SpecError
from livewell.files import TEMPORARY
from livewell.study.features import LIMIT, FeatureCache

EACH_GB = 1e5 / 1e9
ARRAYS = {"000": np.arange(50_000, dtype=np.float16)}
Keep = Callable[..., FeatureCache]


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Maker of a cache in one folder that has room for some arrays and a half."""

    def make(arrays: float = 3) -> FeatureCache:
        monkeypatch.setenv(LIMIT, f"{(arrays + 0.5) * EACH_GB:.9f}")
        return FeatureCache(tmp_path / "features")

    return make


def names(cache: FeatureCache) -> set[str]:
    """Digests of what is kept."""
    return {path.stem for path in cache.folder.iterdir()}


def aged(cache: FeatureCache, digest: str, seconds: float) -> None:
    """Make a file as old as that."""
    then = time.time() - seconds
    os.utime(cache.folder / f"{digest}.safetensors", (then, then))


def test_arrays_come_back_as_they_were(keep: Keep) -> None:
    """What is kept is read back equal, by another process's cache too, and can be removed."""
    keep().put("a", ARRAYS)
    found = keep().get("a")
    assert found is not None
    np.testing.assert_array_equal(found["000"], ARRAYS["000"])
    assert keep().get("b") is None
    assert keep().room().files == keep().remove().files == 1
    assert keep().room().files == 0


def test_what_is_unused_for_longest_goes_first(keep: Keep) -> None:
    """Beyond the limit the file goes that nobody has read or written for longest."""
    cache = keep(3)
    for age, digest in enumerate("cba"):
        cache.put(digest, ARRAYS)
        aged(cache, digest, 100 - age)
    assert cache.get("c") is not None
    cache.put("d", ARRAYS)
    assert names(cache) == {"a", "c", "d"}
    assert cache.evicted == 1
    assert cache.room().used_gb <= cache.room().limit_gb


def test_nothing_is_kept_where_nothing_may_be(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A limit of 0, or below the size of one image, keeps nothing and removes nothing."""
    cache = keep(1)
    cache.put("a", ARRAYS)
    cache.put("b", {"000": np.zeros(10**6, np.float16)})
    assert names(cache) == {"a"}
    monkeypatch.setenv(LIMIT, "0")
    FeatureCache(cache.folder).put("c", ARRAYS)
    assert names(cache) == {"a"}
    assert not caplog.records


@pytest.mark.parametrize("limit", ["much", "-1", "nan"])
def test_a_limit_that_is_no_amount_is_refused(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit that cannot be meant is an error that names the variable."""
    monkeypatch.setenv(LIMIT, limit)
    with pytest.raises(SpecError, match=LIMIT):
        FeatureCache(tmp_path).room()


@pytest.mark.parametrize("spoil", [lambda whole: whole[:-7], lambda _: b"", lambda _: b"nonsense"])
def test_a_spoilt_file_is_as_if_it_were_not_there(
    keep: Keep, spoil: Callable[[bytes], bytes]
) -> None:
    """A file that was cut short, emptied or overwritten is not taken, and is written anew."""
    cache = keep()
    cache.put("a", ARRAYS)
    (path,) = cache.folder.iterdir()
    path.write_bytes(spoil(path.read_bytes()))
    assert cache.get("a") is None
    cache.put("a", ARRAYS)
    assert cache.get("a") is not None


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_full_disk_is_told_once(
    keep: Keep, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the disk has no room, one warning says so for all who use the folder."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(10**9, 10**9, 0))
    with caplog.at_level(logging.WARNING, "livewell"):
        for _ in range(2):
            cache = keep()
            for digest in "ab":
                cache.put(digest, ARRAYS)
                assert cache.get(digest) is None
    (record,) = caplog.records
    assert "computed anew every time" in record.getMessage()
    assert str(cache.folder) in record.getMessage()
    assert "0 GB free" in record.getMessage()


def test_a_folder_that_may_not_be_written_is_told_once(
    keep: Keep, caplog: pytest.LogCaptureFixture
) -> None:
    """A study that cannot be written, here for a file in the folder's place, is a warning."""
    cache = keep()
    cache.folder.write_text("in the way")
    with caplog.at_level(logging.WARNING, "livewell"):
        cache.put("a", ARRAYS)
        cache.put("b", ARRAYS)
    assert len(caplog.records) == 1
    assert cache.get("a") is None
    assert cache.room().files == 0


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may write all")
def test_a_read_only_study_is_told_once(keep: Keep, caplog: pytest.LogCaptureFixture) -> None:
    """In a study that is read-only features are read, and those that are new not kept."""
    cache = keep()
    cache.put("a", ARRAYS)
    cache.folder.chmod(0o500)
    try:
        with caplog.at_level(logging.WARNING, "livewell"):
            keep().put("b", ARRAYS)
        assert keep().get("a") is not None
    finally:
        cache.folder.chmod(0o700)
    assert len(caplog.records) == 1


def test_only_what_a_killed_process_left_is_taken_for_litter(keep: Keep) -> None:
    """A file that somebody may be writing right now stays and does not count; an old one goes."""
    cache = keep()
    cache.put("a", ARRAYS)
    cache.put(f"{TEMPORARY}now", ARRAYS)
    cache.put(f"{TEMPORARY}old", ARRAYS)
    aged(cache, f"{TEMPORARY}old", 10_000_000)
    assert cache.room().files == 1
    cache.remove()
    assert names(cache) == {f"{TEMPORARY}now"}


def test_a_large_folder_is_not_listed_for_every_file(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two hundred files that are kept, also beyond the limit, few look at all others."""
    listed, scandir = [], os.scandir

    def counting(path: object) -> object:
        listed.append(path)
        return scandir(path)  # type: ignore[call-overload]

    cache = keep(99)
    monkeypatch.setattr(os, "scandir", counting)
    for number in range(200):
        cache.put(f"{number}", ARRAYS)
    assert 90 <= len(names(cache)) <= 99
    assert len(listed) <= 200 / 3


WRITER = """
import sys
from pathlib import Path
import numpy as np
from livewell.study.features import FeatureCache

cache = FeatureCache(Path(sys.argv[1]))
for number in range(40):
    for digest in (f"{number}", f"{sys.argv[2]}-{number}"):
        found = cache.get(digest)
        assert found is None or (found["000"] == number).all()
        cache.put(digest, {"000": np.full(50_000, number, np.float16)})
cache.room()
"""


def test_two_processes_share_a_folder(keep: Keep) -> None:
    """Two processes that write, read and make room at once see whole files only, in silence."""
    cache = keep(8)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(cache.folder), name],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    said = [each.communicate()[1] for each in running]
    assert [each.returncode for each in running] == [0, 0], said
    assert said == ["", ""]
    room = cache.room()
    assert room.used_gb <= room.limit_gb + 2 * EACH_GB
