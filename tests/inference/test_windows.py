"""Patches scored one by one, from a study and from a frame."""

import numpy as np
import pytest
import torch

from livewell.geometry import Box, tiles
from livewell.inference.windows import BATCH, Windows
from livewell.metrics.rules import log_odds
from livewell.models.building import build
from livewell.models.nets.net import Net
from livewell.models.recipes import TINY
from livewell.region import Region, RegionGrid
from livewell.study.pixels import ArrayPixels

MOVIE = np.random.default_rng(0).integers(1, 60_000, (2, 150, 170), dtype=np.uint16)
AREA = Box.of(0, 0, 150, 170)


@pytest.fixture(scope="module")
def windows() -> Windows:
    torch.manual_seed(0)
    module = build(TINY)
    return Windows(Net(module, ("healthy", "sick"), 0.5, TINY.input.patch_px, TINY.input.input_px))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, ">u2"])
def test_a_frame_scores_as_its_patches_do(windows: Windows, dtype: str) -> None:
    """Windows of a frame get the scores of the same boxes read as patches, in order."""
    movie = (MOVIE // 256).astype(dtype)
    patches = list(RegionGrid(TINY.input.patch_px, 20).patches("a", 1, AREA))
    told: list[int] = []
    by_patch = windows.regions(
        ArrayPixels({"a": movie}), patches, lambda n=1, note="": told.append(n)
    )
    by_frame = windows.boxes(movie[1], AREA, [patch.box for patch in patches])
    assert by_frame.shape == by_patch.shape == (len(patches), 2)
    np.testing.assert_allclose(by_frame, by_patch, atol=1e-4)
    assert by_patch.dtype == np.float64
    assert len(np.unique(log_odds(by_patch))) == len(patches)
    assert sum(told) == len(patches)
    assert max(told) <= BATCH


def test_scores_do_not_depend_on_the_company(windows: Windows) -> None:
    """A patch scores the same alone as among others, whatever the batch."""
    boxes = list(tiles(AREA, TINY.input.patch_px, 7))
    assert len(boxes) > BATCH
    together = windows.boxes(MOVIE[0], AREA, boxes)
    for number in range(0, len(boxes), len(boxes) // 5):
        (alone,) = windows.boxes(MOVIE[0], AREA, [boxes[number]])
        np.testing.assert_allclose(alone, together[number], atol=1e-4)


def test_gain_and_offset_of_the_camera_do_not_matter(windows: Windows) -> None:
    """Twice as bright or on a higher floor, a frame scores the same."""
    boxes = list(tiles(AREA, TINY.input.patch_px, 50))
    plain, other = (
        windows.boxes(frame, AREA, boxes)
        for frame in (MOVIE[0].astype(np.float32), 2 * MOVIE[0].astype(np.float32) + 500)
    )
    np.testing.assert_allclose(plain, other, atol=1e-3)


def test_the_frame_is_not_changed(windows: Windows) -> None:
    """Scoring leaves the frame and torch's gradients alone."""
    frame = MOVIE[0].copy()
    windows.boxes(frame, AREA, list(tiles(AREA, TINY.input.patch_px, 50)))
    np.testing.assert_array_equal(frame, MOVIE[0])
    assert torch.is_grad_enabled()


def test_nothing_to_score(windows: Windows) -> None:
    """No patches and no boxes give no scores."""
    assert windows.regions(ArrayPixels({"a": MOVIE}), []).shape == (0, 2)
    assert windows.boxes(MOVIE[0], AREA, []).shape == (0, 2)


def test_the_net_is_scored_as_trained_to_be_used(windows: Windows) -> None:
    """Dropout and batch norm are in evaluation mode: the same patch scores the same again."""
    assert not any(part.training for part in windows.net.module.modules())
    patch = [Region("a", 0, Box.of(3, 4, 3 + TINY.input.patch_px, 4 + TINY.input.patch_px))]
    source = ArrayPixels({"a": MOVIE})
    again = windows.regions(source, patch)
    np.testing.assert_array_equal(windows.regions(source, patch), again)
