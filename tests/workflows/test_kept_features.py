"""The features that a study keeps: told, made ahead, taken by content, removed."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from click.testing import CliRunner

from livewell.cli import main
from livewell.errors import SpecError, StudyError
from livewell.labels.by_column import Column
from livewell.models.nets.lite0 import Lite0
from livewell.models.profile import Profile, override
from livewell.models.recipes import FAST, FROZEN
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.training import features as reading
from livewell.workflows.features import features
from livewell.workflows.index import index
from livewell.workflows.label import label

LIGHT = {"weights": "", "blocks": "0,2", "zooms": "1", "radii_px": "0,6"}
IMAGES = 10
Passes = Callable[[], int]


@pytest.fixture
def recipe() -> Profile:
    """FROZEN with few blocks and random weights."""
    return override(FROZEN, LIGHT)


@pytest.fixture
def labelled(states: Study) -> Study:
    """Ten small images, healthy and sick."""
    names = ("healthy", "sick")
    label(states, Column("state", {name: name for name in names}, others="drop"), names)
    return states


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    """How often the backbone has looked at something since it was last asked."""
    seen: list[int] = []
    forward = Lite0.forward

    def counting(self: Lite0, x: torch.Tensor, wanted: list[int]) -> list[torch.Tensor]:
        seen.append(1)
        return forward(self, x, wanted)

    monkeypatch.setattr(Lite0, "forward", counting)
    monkeypatch.setenv("LIVEWELL_BACKEND", "torch")

    def asked() -> int:
        count = len(seen)
        seen.clear()
        return count

    return asked


def test_features_are_made_once(labelled: Study, recipe: Profile, passes: Passes) -> None:
    """Made ahead, features of labelled frames are there for the next call; others are not made."""
    assert features(labelled).room.files == 0
    made = features(labelled, profile=recipe)
    assert (made.frames, made.room.files, passes()) == (IMAGES, IMAGES, IMAGES)
    assert 0 < made.room.used_gb < made.room.limit_gb == 20
    assert features(labelled, profile=recipe).room == made.room
    assert passes() == 0


def test_cached_features_equal_fresh_ones(labelled: Study, recipe: Profile) -> None:
    """What is read from the cache is, to the bit, what the backbone would say."""
    pixels = StudyPixels(labelled)
    image = str(labelled.labels("labels")["image"].iloc[0])
    crop = pixels.crop(image, 0, pixels.area(image, 0))
    places = np.array([(20.0, 30.0), (60.5, 3.0)])
    found = []
    for _ in range(2):
        reader = reading.reader_of(recipe, pixels, 1, 2, None)
        found.append(reader.places(crop, places, reader.module.embedded))
    reader.cache = None
    fresh = reader.places(crop + 0, places, reader.module.embedded)
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], fresh)


def test_features_go_by_content(
    labelled: Study, recipe: Profile, passes: Passes, tmp_path: Path
) -> None:
    """An image under another name has the same features; one with a pixel changed has new ones."""
    features(labelled, profile=recipe)
    passes()
    images = tmp_path / "other"
    shutil.copytree(labelled.root, images)
    for path in list(images.glob("*.tif")):
        path.rename(path.with_name(f"again-{path.name}"))
    table = tmp_path / "plate.csv"
    head, *rows = table.read_text().split()
    table.write_text("\n".join([head, *(f"again-{row}" for row in rows), ""]))
    again = index(images, tmp_path / "again", metadata=table).study
    names = ("healthy", "sick")
    label(again, Column("state", {name: name for name in names}, others="drop"), names)
    shutil.copytree(labelled.folder / "features", again.folder / "features")
    features(again, profile=recipe)
    assert passes() == 0

    path = next(images.glob("*A01*.tif"))
    pixels = tifffile.imread(path)
    pixels[5, 5] += 1
    tifffile.imwrite(path, pixels)
    assert features(again, profile=recipe).room.files == IMAGES + 1
    assert passes() == 1


def test_a_moved_study_keeps_its_features(
    labelled: Study, recipe: Profile, passes: Passes, tmp_path: Path
) -> None:
    """A study's folder that was moved is the same study, features and all."""
    features(labelled, profile=recipe)
    passes()
    shutil.move(labelled.folder, tmp_path / "moved")
    assert features(tmp_path / "moved", profile=recipe).room.files == IMAGES
    assert passes() == 0


@pytest.mark.long
@pytest.mark.parametrize(
    "change", [{"zooms": "1,2"}, {"blocks": "0,3"}, {"input_um": "1"}, {"normalise": "patch"}]
)
def test_features_of_another_backbone_are_not_taken(
    labelled: Study, recipe: Profile, passes: Passes, change: dict[str, str]
) -> None:
    """Other blocks, zooms or grey levels are other features; the old ones stay beside them.

    Of images without a pixel size the backbone's own does not matter.
    """
    features(labelled, profile=recipe)
    passes()
    made = features(labelled, profile=override(recipe, change))
    other = change != {"input_um": "1"}
    assert made.room.files == IMAGES * (1 + other)
    assert (passes() > 0) == other


def test_features_of_another_version_are_not_taken(
    labelled: Study, recipe: Profile, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where livewell makes features in another way, older ones are of no use."""
    features(labelled, profile=recipe)
    passes()
    monkeypatch.setattr(reading, "FORMAT", "of tomorrow")
    features(labelled, profile=recipe)
    assert passes() == IMAGES


def test_a_study_that_cannot_be_written_warns_and_goes_on(
    labelled: Study, recipe: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    """Where features cannot be kept, all frames are still seen, and one warning says why."""
    (labelled.folder / "features").write_text("in the way")
    with caplog.at_level(logging.WARNING, "livewell.study"):
        made = features(labelled, profile=override(recipe, {"input_um": "0"}))
    assert (made.frames, made.room.files) == (IMAGES, 0)
    (record,) = caplog.records
    assert "features are not kept" in record.getMessage()


def test_a_limit_below_the_study_is_told(
    labelled: Study, recipe: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features that push out each other would be made anew every time: a warning says so."""
    limit = features(labelled, profile=recipe).room.used_gb * 0.55
    monkeypatch.setenv("LIVEWELL_FEATURES_GB", f"{limit:.9f}")
    made = features(labelled, profile=recipe, remove=True)
    assert made.removed is not None
    assert made.removed.files == IMAGES
    assert made.room.used_gb < limit
    (warning,) = made.warnings
    assert "LIVEWELL_FEATURES_GB" in warning


def test_wrong_use_is_refused(labelled: Study, recipe: Profile) -> None:
    """A recipe without such features, and labels that are not there, are errors."""
    with pytest.raises(SpecError, match="FROZEN"):
        features(labelled, profile=FAST)
    with pytest.raises(StudyError, match="nobody"):
        features(labelled, profile=recipe, labels="nobody")


def test_the_command_tells_makes_and_removes(labelled: Study) -> None:
    """``livewell features`` makes ahead, states number and size, and removes; for machines too."""

    def said(*words: str) -> str:
        done = CliRunner().invoke(main, ["features", str(labelled.folder), *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    settings = [word for pair in LIGHT.items() for word in ("--set", "=".join(pair))]
    made = json.loads(said("--profile", "frozen", *settings, "--json"))
    assert (made["frames"], made["files"], made["limit_gb"]) == (IMAGES, IMAGES, 20)
    assert f"kept: {IMAGES} files" in said()
    assert f"removed: {IMAGES} files" in said("--remove")
    assert json.loads(said("--remove", "--json"))["removed"] == {"files": 0, "gb": 0}
    done = CliRunner().invoke(main, ["features", str(labelled.folder), "--set", "zooms=1"])
    assert done.exit_code == 2
