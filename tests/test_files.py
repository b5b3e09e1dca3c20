"""Files and folders that are whole or not there."""

import json
import math
import os
from functools import partial
from pathlib import Path

import pytest

from livewell import __version__
from livewell.errors import OutputError, StudyError
from livewell.files import (
    TEMPORARY,
    claim,
    read_json,
    stamp,
    whole_file,
    whole_folder,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_whole(tmp_path: Path) -> None:
    """While it is written the old file stands; afterwards the new one, and nothing else."""
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("one")
        assert temporary.name.startswith(TEMPORARY)
        assert not path.exists()
    with whole_file(path) as temporary:
        temporary.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    assert names(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """After an error or an interruption the old file stands as it was, and nothing else."""
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_appears_when_whole(tmp_path: Path) -> None:
    """A folder takes the old one's place, all of it, only at the end."""
    path = tmp_path / "model"
    for text in ("one", "two"):
        with whole_folder(path, ("one", "a.txt")) as temporary:
            (temporary / text).mkdir()
            (temporary / text / "a.txt").write_text(text)
            assert names(path) == ["one"] if path.exists() else text == "one"
    assert names(path) == ["two"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_folder_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """After an error the old folder stands as it was, and nothing else."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "a.txt").write_text("old")
    with pytest.raises(error), whole_folder(path, ("one", "a.txt")) as temporary:  # noqa: PT012
        (temporary / "b.txt").write_text("half")
        raise error
    assert names(path) == ["a.txt"]
    assert names(tmp_path) == ["model"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    """A folder of images given by mistake is refused, and keeps its images."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.tif").write_text("pixels")
    (images / "a.txt").write_text("old")
    with (
        pytest.raises(OutputError, match=r"would be lost.*a\.tif"),
        whole_folder(images, ["a.txt"]),
    ):
        pass
    assert names(images) == ["a.tif", "a.txt"]
    assert names(tmp_path) == ["images"]


def test_what_stands_in_the_way_is_told(tmp_path: Path) -> None:
    """A file where a folder should be, and a folder where a file should be, are told by name."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for make, path in (
        (whole_file, tmp_path / "file" / "a"),
        (partial(whole_folder, holds=()), tmp_path / "file" / "a"),
        (partial(whole_folder, holds=()), tmp_path / "file"),
        (whole_file, tmp_path / "folder"),
    ):
        with pytest.raises(OutputError, match="cannot be written") as caught, make(path):
            pass
        assert caught.value.where == str(path)
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    """A folder without permission to write is refused with the reason."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="ermission"), whole_file(tmp_path / "a"):
            pass
        with pytest.raises(OutputError, match="ermission"):
            claim(tmp_path, "study", "study.json")
    finally:
        tmp_path.chmod(0o700)


def test_json_goes_there_and_back(tmp_path: Path) -> None:
    """What is written is read back; letters stay readable; NaN and infinite become null."""
    path = tmp_path / "a.json"
    write_json(path, {"µm": [1, 0.5, None], "nan": math.nan, "far": (math.inf, 2)})
    assert "µm" in path.read_text("utf-8")
    assert read_json(path, kind="thing") == {"µm": [1, 0.5, None], "nan": None, "far": [None, 2]}


def test_what_cannot_be_json_leaves_the_old_file(tmp_path: Path) -> None:
    """A value that JSON does not know fails before anything is replaced."""
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path, kind="thing") == {"a": 1}
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no card here"), (b"{", "cannot be read"), (b"[1]", "list"), (b"\xff\xfe", "card")],
)
def test_what_is_no_json_object(tmp_path: Path, content: bytes | None, says: str) -> None:
    """Missing, broken and foreign files are told with their path and what they should be."""
    path = tmp_path / "card.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StudyError, match=says) as caught:
        read_json(path, kind="card")
    assert caught.value.where == str(path)


def test_a_folder_is_claimed_once_and_for_all(tmp_path: Path) -> None:
    """A new folder, an empty one and one with our stamp are ours; leftovers do not matter."""
    folder = tmp_path / "deep" / "study"
    claim(folder, "study", "study.json")
    (folder / f"{TEMPORARY}abc-a.txt").write_text("half")
    claim(folder, "study", "study.json")
    stamp(folder, "study.json", "study", seed=3)
    (folder / "more.txt").write_text("")
    claim(folder, "study", "study.json")
    content = json.loads((folder / "study.json").read_text())
    assert content == {"kind": "study", "livewell": __version__, "seed": 3}


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    """Files of others, another kind of ours and a plain file are refused and left alone."""
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match=r"not empty.*thesis\.txt"):
        claim(tmp_path, "study", "study.json")
    assert names(tmp_path) == ["thesis.txt"]
    run = tmp_path / "run"
    claim(run, "training run", "run.json")
    stamp(run, "run.json", "training run")
    with pytest.raises(OutputError, match=r"not a study.*a training run"):
        claim(run, "study", "run.json")
    with pytest.raises(OutputError, match="cannot be written"):
        claim(tmp_path / "thesis.txt", "study", "study.json")
