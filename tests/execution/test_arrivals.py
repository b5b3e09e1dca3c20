"""Files that arrive: when they may be read, however they are written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from livewell.errors import ImageReadError
from livewell.execution.arrivals import RESTLESS, Arrivals

Names = Callable[[float], list[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to watch, which is not there yet."""
    return tmp_path / "images"


@pytest.fixture
def arrivals(folder: Path) -> Arrivals:
    """Looked at by hand, each second one look."""
    return Arrivals(folder, 1.0)


@pytest.fixture
def look(arrivals: Arrivals) -> Names:
    """Looks at a time, and gives names of what may be read then."""

    def at(now_s: float) -> list[str]:
        arrivals.look(now_s)
        return [each.name for each in arrivals.ready(now_s)]

    return at


def grow(path: Path, size: int) -> None:
    """Add bytes to a file, which shows in its size whatever the clock of the disk."""
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(b"x" * size)


def test_a_file_is_read_once_it_rests(folder: Path, look: Names, arrivals: Arrivals) -> None:
    """Two looks must find it the same, and it begins anew with each change; a folder may come
    later."""
    assert look(0) == []
    assert not arrivals.there
    grow(folder / "a.tif", 10)
    assert look(1) == []
    grow(folder / "a.tif", 10)
    assert look(2) == []
    assert look(3) == ["a.tif"]


def test_a_file_that_never_rests_is_read_all_the_same(folder: Path, look: Names) -> None:
    """A movie that is longer at every look is read after some of them."""
    found = []
    for now in range(RESTLESS + 2):
        grow(folder / "movie.tif", 10)
        found.append(look(now))
    assert found.index(["movie.tif"]) == RESTLESS
    assert not any(found[:RESTLESS])


def test_what_failed_is_tried_again_later_and_later(
    folder: Path, look: Names, arrivals: Arrivals
) -> None:
    """The same file is tried again after one, two, four seconds; a changed one once it rests."""
    grow(folder / "a.tif", 10)
    look(0)
    tried = []
    for now in range(1, 9):
        if look(now):
            arrivals.files["a.tif"].attempt(now)
            tried.append(now)
    assert tried == [1, 2, 4, 8]
    grow(folder / "a.tif", 1)
    assert look(9) == []
    assert look(10) == ["a.tif"]


def test_files_are_read_in_the_order_in_which_they_came(folder: Path, look: Names) -> None:
    """Those that were seen first come first, those of one look in the natural order of names."""
    grow(folder / "t9.tif", 10)
    look(0)
    for name in ("t10.tif", "t2.tif"):
        grow(folder / name, 10)
    look(1)
    assert look(2) == ["t9.tif", "t2.tif", "t10.tif"]


def test_a_settled_file_is_left_alone_until_it_changes(
    folder: Path, look: Names, arrivals: Arrivals
) -> None:
    """With a verdict on every frame it is not ready, but is again after a change of its content."""
    grow(folder / "a.tif", 10)
    look(0)
    assert look(1) == ["a.tif"]
    of = arrivals.files["a.tif"]
    of.attempt(1)
    of.done = of.version
    assert look(2) == []
    os.utime(folder / "a.tif", (5, 5))
    look(3)
    assert look(4) == ["a.tif"]


def test_what_is_never_whole_is_overdue_and_what_waits_its_turn_is_not(
    folder: Path, look: Names, arrivals: Arrivals
) -> None:
    """Only a file that was read in vain, or is gone, is given up; and none where the folder is
    gone."""
    for name in ("tried.tif", "waits.tif", "gone.tif"):
        grow(folder / name, 10)
    look(0)
    look(1)
    arrivals.files["tried.tif"].attempt(1)
    (folder / "gone.tif").unlink()
    look(2)
    assert arrivals.overdue(9, 10) == []
    assert sorted(each.name for each in arrivals.overdue(12, 10)) == ["gone.tif", "tried.tif"]
    shutil.rmtree(folder)
    look(20)
    assert arrivals.overdue(40, 10) == []


def test_a_file_that_is_renamed_into_place_is_one_file(
    folder: Path, look: Names, arrivals: Arrivals
) -> None:
    """A temporary name that was never judged is forgotten with the new one."""
    grow(folder / "writing.tif", 10)
    look(0)
    grow(folder / "writing.tif", 10)
    (folder / "writing.tif").rename(folder / "a.tif")
    look(1)
    assert list(arrivals.files) == ["a.tif"]
    assert look(2) == ["a.tif"]


def test_other_files_and_folders_of_results_are_not_looked_at(folder: Path, look: Names) -> None:
    """As everywhere: endings that livewell reads, and no folder of its own."""
    grow(folder / "notes.txt", 10)
    (folder / "out").mkdir()
    (folder / "out" / "watch.json").write_text("{}")
    grow(folder / "out" / "still.png", 10)
    look(0)
    assert look(1) == []


def test_a_folder_that_becomes_a_study_is_refused(folder: Path, arrivals: Arrivals) -> None:
    """A study is no acquisition."""
    folder.mkdir()
    (folder / "study.json").write_text("{}")
    with pytest.raises(ImageReadError, match="study"):
        arrivals.look(0)
