"""Stain in boxes and nuclei."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.measure.stain import background, means, nuclei, ratio


@pytest.mark.parametrize("lit", [0.0, 0.1, 0.3, 0.45])
def test_background_is_found_beside_lit_areas(lit):
    """Up to nearly half of the frame may be lit without moving the background by 3%."""
    frame = np.random.default_rng(0).normal(500, 20, (200, 200))
    frame[: int(200 * lit)] += np.random.default_rng(1).uniform(500, 5000, (int(200 * lit), 200))
    frame[:, :9] = 0
    assert background(frame) == pytest.approx(500, rel=0.03)


def test_background_outside_a_mask_is_the_median_there():
    """With a mask, lit cells do not count at all, nor do border zeros."""
    frame, mask = np.full((10, 10), 7.0), np.zeros((10, 10), int)
    frame[0], frame[2:], mask[2:] = 0, 900, 1
    assert background(frame, mask) == 7
    with pytest.raises(ImageContentError, match="no background"):
        background(frame, np.ones_like(mask))


@given(gain=st.floats(0.1, 50), offset=st.floats(0, 500), value=st.floats(1, 9))
@settings(deadline=None, max_examples=40)
def test_the_ratio_knows_neither_gain_nor_offset(gain, offset, value):
    """A camera's gain and offset leave the ratio as it is."""
    assert ratio(np.array([gain * value + offset]), gain + offset, offset)[0] == pytest.approx(
        value, rel=1e-6
    )


def test_impossible_questions_are_refused():
    """A background at the offset, a box outside and a foreign mask each raise an error."""
    frame = np.ones((10, 10))
    with pytest.raises(ImageContentError, match="offset"):
        ratio(frame, 90, 90)
    with pytest.raises(ImageContentError, match="beyond"):
        means(frame, [Box.of(5, 5, 11, 9)])
    with pytest.raises(ImageContentError, match="mask"):
        nuclei(frame, np.zeros((9, 10), int))


def test_a_mean_of_a_box_is_that_of_its_pixels():
    """Means of 16-bit pixels neither overflow nor lose fractions."""
    frame = np.full((300, 300), 65535, np.uint16)
    frame[0, 0] = 65534
    assert means(frame, [Box.of(0, 0, 300, 300)])[0] == pytest.approx(65535 - 1 / 90000, abs=1e-9)


def test_nuclei_of_the_real_set_get_their_frozen_numbers(shared_data: Path):
    """Medians, backgrounds, ratios and states of all 2,515 nuclei are those of cells.csv."""
    folder = shared_data / "mcf7-pi"
    images = pd.read_csv(folder / "images.csv")
    tables = [
        nuclei(tifffile.imread(folder / image)[1], tifffile.imread(folder / mask)).assign(
            image=image
        )
        for image, mask in zip(images["image"], images["nuclei"], strict=True)
    ]
    ours = pd.concat(tables).sort_values(["image", "nucleus"], ignore_index=True)
    cells = pd.read_csv(folder / "cells.csv").sort_values(["image", "nucleus"], ignore_index=True)
    assert len(ours) == len(cells) == 2515
    for theirs, name, within in [
        ("pi_median", "median", 0),
        ("pi_background", "background", 0),
        ("pi_ratio", "ratio", 6e-4),
        ("y_px", "y_px", 0.051),
        ("x_px", "x_px", 0.051),
        ("area_px", "area_px", 0),
    ]:
        assert (ours[name] - cells[theirs]).abs().max() <= within, name
    assert ours["state"].tolist() == cells["state"].tolist()
