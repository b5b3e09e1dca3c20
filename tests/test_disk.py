"""What cannot be written, what killed processes leave, and what two of them do to each other."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from livewell.disk import ABANDONED_S, TEMPORARY, clear, clear_once, refused, restore, unfinished
from livewell.errors import ImageReadError, OutputError
from livewell.files import whole_file, whole_files, whole_folder, write_json
from livewell.study.study import Study


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def killed(code: str, *words: object) -> None:
    """A process that runs `code` and kills itself where that says `die()`."""
    head = "import os, signal, sys\nfrom pathlib import Path\n"
    head += "die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    command = [sys.executable, "-c", head + code, *map(str, words)]
    assert subprocess.run(command, timeout=120).returncode == -signal.SIGKILL


WRITES = """
from livewell.files import whole_file, whole_folder
path = Path(sys.argv[1])
with whole_file(path / "a.txt") as file, whole_folder(path / "model", ("b",)) as folder:
    (folder / "b").write_text("half")
    file.write_text("half")
    die()
"""
SWAPS = """
import livewell.files
from livewell.files import whole_folder
rename, count = Path.rename, 0
def once(self, target):
    if self.name.startswith(".livewell-tmp-"):
        die()
    return rename(self, target)
Path.rename = once
with whole_folder(Path(sys.argv[1]) / "model", ("b",)) as folder:
    (folder / "b").write_text("new")
"""


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    """Row L1: unfinished files and folders of a dead process go when the folder is used again."""
    killed(WRITES, tmp_path)
    assert len(names(tmp_path)) == 2
    clear_once.cache_clear()
    write_json(tmp_path / "other.json", {})
    assert names(tmp_path) == ["other.json"]


def test_what_may_be_in_use_stays(tmp_path: Path) -> None:
    """Row L1: what a living process writes stays, here or on another machine; for days."""
    ours = unfinished(tmp_path / "a.txt")
    theirs = tmp_path / f"{TEMPORARY}00000000-1-00000000.txt"
    older = tmp_path / f"{TEMPORARY}a1b2c3d4-a.txt"
    for path in (ours, theirs, older):
        path.write_text("half")
    clear(tmp_path)
    assert len(names(tmp_path)) == 3
    then = time.time() - ABANDONED_S - 1
    for path in (ours, theirs, older):
        os.utime(path, (then, then))
    clear(tmp_path)
    assert names(tmp_path) == [ours.name]


def test_a_folder_whose_change_was_broken_off_is_back(tmp_path: Path) -> None:
    """Killed between its two renames, an older folder is found in its place by the next use."""
    for text in ("old", "older"):
        with whole_folder(tmp_path / "model", ("b",)) as folder:
            (folder / "b").write_text(text)
    killed(SWAPS, tmp_path)
    assert not (tmp_path / "model").exists()
    restore(tmp_path)
    assert (tmp_path / "model" / "b").read_text() == "older"
    clear(tmp_path)
    assert names(tmp_path) == ["model"]


def test_a_split_whose_change_was_broken_off_is_known(states: Study) -> None:
    """A study's split, moved aside by a writer that was killed, is a split of the study."""
    splits = states.folder / "splits"
    (splits / "mine").mkdir(parents=True)
    (splits / "mine" / "split.json").write_text("{}")
    killed(SWAPS.replace("model", "mine").replace('("b",)', '("b", "split.json")'), splits)
    assert states.split_names() == ["mine"]


TWIN = """
import random, time
from livewell.files import whole_file, whole_files, whole_folder
path, text = Path(sys.argv[1]), sys.argv[2]
for number in range(60):
    with whole_folder(path / "model", ("a", "b")) as folder:
        (folder / "a").write_text(text)
        (folder / "b").write_text(text)
    with whole_file(path / "file") as file:
        file.write_text(text * 1000)
"""


def test_two_writers_at_once(tmp_path: Path) -> None:
    """Two processes that write the same file and folder end well, and both are of one of them."""
    twins = [
        subprocess.Popen([sys.executable, "-c", WRITERS_HEAD + TWIN, str(tmp_path), text])
        for text in "xy"
    ]
    assert [twin.wait(120) for twin in twins] == [0, 0]
    parts = {(tmp_path / "model" / name).read_text() for name in "ab"}
    assert parts < {"x", "y"}
    assert set((tmp_path / "file").read_text()) < {"x", "y"}
    assert names(tmp_path) == ["file", "model"]


WRITERS_HEAD = "import sys\nfrom pathlib import Path\n"


def test_files_that_belong_together(tmp_path: Path) -> None:
    """A process killed between two files that belong together leaves no old one beside a new."""
    code = """
from livewell.files import whole_files
replace = Path.replace
def once(self, target):
    replace(self, target)
    die()
Path.replace = once
with whole_files(*(Path(sys.argv[1]) / name for name in "ab")) as files:
    for file in files:
        file.write_text("new")
"""
    for name in "ab":
        (tmp_path / name).write_text("old")
    killed(code, tmp_path)
    assert (tmp_path / "a").read_text() == "new"
    assert not (tmp_path / "b").exists()
    with pytest.raises(ValueError), whole_files(tmp_path / "a", tmp_path / "b"):  # noqa: PT011
        raise ValueError
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "free room on this disk .*MB left.*goes on"),
        (errno.EDQUOT, "free room on this disk"),
        (errno.EROFS, "can only be read"),
        (errno.EIO, "there and sound"),
        (errno.ESTALE, "there and sound"),
        (errno.EACCES, "folder that you may write"),
        (errno.ENOENT, "was removed"),
        (errno.ENAMETOOLONG, "shorter path"),
        (errno.EISDIR, "another kind"),
    ],
)
def test_each_refusal_of_a_disk_has_its_remedy(tmp_path: Path, number: int, says: str) -> None:
    """Row 17: whatever fails while a file is written names that file and what to do."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OutputError, match=rf"a\.txt: cannot be written.*{says}"), whole_file(path):
        raise OSError(number, os.strerror(number))
    with pytest.raises(OutputError, match=says), whole_folder(tmp_path / "b", ()):
        raise OSError(number, os.strerror(number))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_what_libraries_say_of_a_full_disk(tmp_path: Path) -> None:
    """Row 17: numpy and Pillow give no reason; what they say is taken for a full disk."""
    for text in ("262144 requested and 1024 written", "encoder error -2 when writing image file"):
        assert "free room" in refused(tmp_path / "a", OSError(text)).remedy
    with Path("/dev/full").open("wb") as full, pytest.raises(OSError, match="written") as caught:
        np.zeros(10**6).tofile(full)
    assert "free room" in refused(tmp_path / "a", caught.value).remedy


def test_errors_of_what_is_read_stay_what_they_are(tmp_path: Path) -> None:
    """While a file is written another may be read: its errors are not those of writing."""
    with pytest.raises(ImageReadError), whole_file(tmp_path / "a"):
        raise ImageReadError("no image")
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a"):
        (tmp_path / "elsewhere" / "gone").read_bytes()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that can be mounted anew; skips where that is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_becomes_read_only(mounted: Path) -> None:
    """A disk that turns read-only while a file is written is told, and so at the beginning."""
    with pytest.raises(OutputError, match="can only be read"), whole_file(mounted / "a") as file:  # noqa: PT012
        file.write_text("new")
        subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
        file.with_name("b").write_text("new")
    with pytest.raises(OutputError, match="can only be read"), whole_folder(mounted / "c", ()):
        pass


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    """An output folder that is removed in the midst of writing is told by its name."""
    folder = tmp_path / "out"
    for make in (whole_file, lambda path: whole_folder(path, ())):
        with pytest.raises(OutputError, match=r"out.*was removed"), make(folder / "a"):
            shutil.rmtree(folder)


def test_a_folder_by_a_link_and_by_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A linked folder is filled where the link leads; ``out/.`` and ``.`` are the folder meant."""
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    monkeypatch.chdir(tmp_path / "far")  # which a new one takes the place of
    for path in (Path(), tmp_path / "near", tmp_path / "far" / "."):
        with whole_folder(path, ("a",)) as folder:
            (folder / "a").write_text(str(path))
        assert (tmp_path / "far" / "a").read_text() == str(path)
    assert (tmp_path / "near").is_symlink()
    assert names(tmp_path) == ["far", "near"]


def test_a_name_of_all_the_bytes_that_a_disk_takes(tmp_path: Path) -> None:
    """Row 19: a name of 80 letters of three bytes is written, for the unfinished one is short."""
    for name in ("细" * 80, "细" * 80 + ".json"):
        write_json(tmp_path / name, {})
        with whole_folder(tmp_path / "folder" / name, ()):
            pass
        with whole_folder(tmp_path / "folder" / name, ()):
            pass


def test_files_are_as_readable_as_the_user_wants(tmp_path: Path) -> None:
    """Row L14: a library's 0600 becomes what umask says, in files and in folders."""
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a") as file:
            file.unlink()
            os.close(os.open(file, os.O_CREAT, 0o600))
        with whole_folder(tmp_path / "b", ()) as folder:
            os.close(os.open(folder / "c", os.O_CREAT, 0o600))
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "b" / "c").stat().st_mode & 0o777 == 0o640
