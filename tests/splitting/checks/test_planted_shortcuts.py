"""Shortcuts planted in small studies, and the check that has to find each."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from livewell.splitting.audit import Check, decided
from livewell.splitting.checks.acquisition import acquisition
from livewell.splitting.checks.background import background
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import design
from livewell.splitting.checks.registry import Question
from livewell.splitting.checks.repeats import repeats
from livewell.study.study import Study
from tests.splitting.checks.planted import cells, study


def answered(made: Study, question: Question) -> tuple[str, Check]:
    """Verdict of a check by itself, and the check."""
    check = question(AuditData.of(made, "labels"))
    return decided([check])[0], check


def test_brighter_ground_fails(tmp_path: Path):
    """More light on one class is found where no cells are, and named."""
    made = study(tmp_path, lambda well, state: cells(well, state, 110.0 + 12 * state + well % 3))
    verdict, check = answered(made, acquisition)
    assert verdict == "fails"
    assert check.fails.startswith("Brightness where no cells are tells the classes: AUC 1.00")
    assert check.associations[0].what == "ground level"


def test_another_jpeg_quality_fails(tmp_path: Path):
    """Files of one class packed harder are found by what they state."""

    def write(path: Path, grey: np.ndarray, state: int) -> Path:
        path = path.with_suffix(".jpg")
        Image.fromarray(grey).save(path, quality=90 - 30 * state)
        return path

    verdict, check = answered(study(tmp_path, write=write), acquisition)
    assert verdict == "fails"
    (said,) = [each.text for each in check.associations if each.what == "jpeg quality"]
    assert "8 of 8 sick wells are of 60" in said


def test_another_ground_texture_fails(tmp_path: Path):
    """Stripes on the glass of one class are found in patches without cells."""

    def striped(well: int, state: int) -> np.ndarray:
        stripes = 1.2 * np.sin(np.arange(160) / (2.0 if state else 3.2))
        return np.clip(cells(well, state) + stripes.round(), 0, 255).astype(np.uint8)

    assert answered(study(tmp_path, striped), background)[0] == "fails"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"replicate": ["R1"] * 6 + ["R2", "R2"] + ["R2"] * 6 + ["R1", "R1"]}, "replicate"),
        ({"plate": ["P1"] * 8 + ["P2"] * 8}, "plate"),
        ({"order": list(range(16))}, "order"),
    ],
)
def test_a_label_that_goes_with_the_design_fails(tmp_path: Path, columns: dict, said: str):
    """Replicate, plate and order that know the label are each found and named."""
    made = study(tmp_path, states=[0] * 8 + [1] * 8, **columns)
    verdict, check = answered(made, design)
    assert verdict == "fails"
    assert said in " ".join(each.what for each in check.associations[:4])


def test_one_class_a_plate_is_said_to_be_beyond_testing(tmp_path: Path):
    """Where no plate holds both classes nobody can tell treatment from plate, and it says so."""
    made = study(tmp_path, states=[0] * 8 + [1] * 8, plate=["P1"] * 8 + ["P2"] * 8)
    answer = answered(made, design)[1].fails
    assert "none holds several classes" in answer
    assert "nor can a model be tested on a plate left out" in answer


def blobs(seed: int, darker: int) -> np.ndarray:
    """A field of smooth blobs."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(120, 160)), 3)
    return np.clip((120 + 400 * noise) / darker, 0, 255).astype(np.uint8)


def test_copies_are_found_and_copies_with_two_labels_fail(tmp_path: Path):
    """An image that stands there twice, or in other grey levels, asks for attention; with two
    labels it fails."""
    same = study(tmp_path / "one", lambda well, state: cells(well - 2 * (well == 10), state))
    assert answered(same, repeats)[0] == "attention"
    near = study(tmp_path / "near", lambda well, _: blobs(8, 2) if well == 10 else blobs(well, 1))
    assert "nearly the same" in answered(near, repeats)[1].fails
    torn = study(tmp_path / "two", lambda well, state: cells(well - (well == 5), 0))
    verdict, check = answered(torn, repeats)
    assert verdict == "fails"
    assert "several labels" in check.fails
