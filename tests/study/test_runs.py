"""Run folders: claimed once, continued with the same settings only."""

import hashlib
import json
from pathlib import Path

import pytest

from livewell.errors import OutputError, StudyError
from livewell.files import sha256, write_text
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.study.runs import EXTRAS, PACKAGES, RUN, Run, versions
from livewell.tables.metadata import RunMeta

SPEC = RunMeta(
    study="/data/study",
    split="split",
    profile=TINY.model_dump(mode="json"),
    seed=3,
    classes=("healthy", "sick"),
    group="well",
    folds=(0, 2),
    inputs={},
    versions={"livewell": "0.1.0"},
)


def changed(**fields: object) -> RunMeta:
    """The run with other values."""
    return SPEC.model_copy(update=fields)


def test_a_run_is_begun_and_continued(tmp_path: Path) -> None:
    """The same settings go on in the same folder; other versions do not stand in the way."""
    folder = tmp_path / "run"
    begun = Run.claim(folder, SPEC)
    assert json.loads((folder / RUN).read_text())["seed"] == 3
    again = Run.claim(folder, changed(versions={"livewell": "0.2.0"}))
    assert again.spec.versions == {"livewell": "0.1.0"}
    for run in (begun, again, Run.open(folder)):
        assert run.spec == SPEC
        assert run.folds == [0, 2]
        assert run.fold(2) == folder / "fold-02"
        assert run.model(0) == folder / "fold-00" / "model"


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    """What differs is told with both values, and the begun run stays as it was."""
    Run.claim(tmp_path, SPEC)
    other = changed(seed=4, profile=override(TINY, {"lr": 0.5}).model_dump(mode="json"))
    with pytest.raises(OutputError, match="begun with other settings") as caught:
        Run.claim(tmp_path, other)
    assert caught.value.expected == f"lr={TINY.fit.lr}, seed=3"
    assert caught.value.got == "lr=0.5, seed=4"
    assert Run.open(tmp_path).spec.seed == 3


def test_another_profile_is_named(tmp_path: Path) -> None:
    """A run of another profile is refused by the profile's name; its words alone are told too."""
    Run.claim(tmp_path, SPEC)
    profile = SPEC.profile
    for change, told in ({"name": "FAST"}, "profile=FAST"), ({"source": "me"}, "source=me"):
        with pytest.raises(OutputError) as caught:
            Run.claim(tmp_path, changed(profile=dict(profile) | change))
        assert caught.value.got == told


def test_a_foreign_folder_is_no_run(tmp_path: Path) -> None:
    """A folder with other files is not written to; one without a run is not opened."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        Run.claim(tmp_path, SPEC)
    with pytest.raises(StudyError, match="no training run here"):
        Run.open(tmp_path)
    (tmp_path / RUN).write_text('{"kind": "marathon"}')
    with pytest.raises(StudyError, match="a marathon"):
        Run.open(tmp_path)


def test_versions_name_every_package() -> None:
    """Python and every package that decides results has a version."""
    found = versions()
    assert {"python", *PACKAGES} <= set(found) <= {"python", *PACKAGES, *EXTRAS}
    assert found["python"].startswith("3.")
    assert found["torch"][0].isdigit()


@pytest.mark.parametrize("content", [b"", b"abc", bytes(2_000_000)])
def test_hashes_are_those_of_the_bytes(tmp_path: Path, content: bytes) -> None:
    """The hash of a file is the SHA-256 of its bytes."""
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_text_is_written_whole(tmp_path: Path) -> None:
    """Text is UTF-8, replaces what was there, and leaves nothing beside it."""
    for text in ("old", "2 µm"):
        write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_text("utf-8") == "2 µm"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
