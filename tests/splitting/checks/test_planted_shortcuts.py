"""Shortcuts planted in small studies, and the check that has to find each."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from livewell.labels.by_column import Column
from livewell.labels.by_points import Points
from livewell.splitting.audit import Check, decided
from livewell.splitting.checks.acquisition import acquisition
from livewell.splitting.checks.appearance import appearance
from livewell.splitting.checks.background import background
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import design
from livewell.splitting.checks.registry import Question
from livewell.splitting.checks.repeats import repeats
from livewell.study.study import Study
from livewell.workflows.label import label
from tests.splitting.checks.planted import STATES, cells, study


def answered(made: Study, question: Question, labels: str = "labels") -> tuple[str, Check]:
    """Verdict of a check by itself, and the check."""
    check = question(AuditData.of(made, labels))
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
    assert "8 of 8 sick wells are of" in said


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
    assert "Labels differ in" in check.fails


@pytest.mark.long
def test_what_files_state_alike_is_said_in_one_sentence(tmp_path: Path):
    """Where nothing that files state differs the answer says so."""
    verdict, check = answered(study(tmp_path), acquisition)
    assert verdict == "passes"
    assert "files state the same of all" in check.passes


def test_regions_of_mixed_images_are_held_against_what_files_state(tmp_path: Path):
    """Images of two classes each, one class in the majority everywhere, are counted by region."""

    def write(path: Path, grey: np.ndarray, state: int) -> Path:
        path = path.with_suffix(".jpg")
        Image.fromarray(grey).save(path, quality=90 - 30 * state)
        return path

    made = study(tmp_path, write=write)
    lines = ["image,y,x,state"]
    for image in made.fields()["image"]:
        lines += [f"{image},{y},{x},healthy" for y, x in ((40, 40), (40, 110), (110, 40))]
        lines += [f"{image},110,110,sick"]
    (tmp_path / "cells.csv").write_text("\n".join(lines))
    same = {name: name for name in STATES}
    label(made, Points(tmp_path / "cells.csv", same, 32), STATES, name="cells")
    check = answered(made, acquisition, "cells")[1]
    (said,) = [each.text for each in check.associations if each.what == "jpeg quality"]
    assert "labelled regions" in said


def test_a_day_that_only_files_state_is_a_batch_of_appearance(tmp_path: Path):
    """Days in the files go with the label and change contrast within a class: that is told."""

    def write(path: Path, grey: np.ndarray, state: int) -> Path:
        column = int(path.stem[1:])
        late = column != 3 if state else column in (4, 5)
        rng = np.random.default_rng(column + 100 * state)
        grey = np.clip(128 + rng.normal(0, 10 + 20 * late + 6 * state, grey.shape), 0, 255)
        tifffile.imwrite(
            path, grey.astype(np.uint8), datetime=f"2020:01:0{1 + late} 10:00:00", metadata=None
        )
        return path

    verdict, check = answered(study(tmp_path, write=write), appearance)
    assert verdict == "fails"
    assert "differs between days too" in check.fails
    assert "day" in check.table


def test_labels_of_several_columns_are_not_confounded_with_these(tmp_path: Path):
    """A class that is made of two columns goes with both, which is no fault of the design."""
    made = study(tmp_path, cell_line=["a", "a", "b", "b"] * 4)
    classes = [f"{line} {state}" for line in "ab" for state in STATES]
    label(made, Column(("cell_line", "state")), classes, name="both")
    verdict, check = answered(made, design, "both")
    assert verdict == "passes"
    assert "cell_line" not in [each.what for each in check.associations]
