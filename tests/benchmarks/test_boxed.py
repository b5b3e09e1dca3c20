"""Box supervision: targets lie where the boxes are, go with the pixels, and are learnt."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks import boxed
from benchmarks.boxed import MOST_WEIGHT, BoxSupervision
from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.models.nets.catalog import NETS
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import WeaklySupervised, map_shape
from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY, WSCNN_FAST
from livewell.region import Region
from livewell.study.pixels import ArrayPixels
from livewell.tables.schemas import BOX
from livewell.training.data import LabelledRegions

HEIGHT, WIDTH, STRIDE = 64, 96, 8
"""Of a frame, and of the class maps of nets that take it."""
CELL_PX, FRAMES = 16, 12
CORNERS = {
    "upper left": (0, 0, 24, 40),
    "upper right": (0, 56, 24, 96),
    "lower left": (40, 0, 64, 40),
    "lower right": (40, 56, 64, 96),
}
"""Boxes of 3 x 5 places of 8 x 12, as BOX."""
SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 4, "precision": "float32"})


def boxes(*rows: tuple[object, ...]) -> pd.DataFrame:
    """A table of boxes: image and corners."""
    return pd.DataFrame(rows, columns=["image", *BOX])


def small(shape: tuple[int, int] = (HEIGHT, WIDTH), body: str = "wscnn_small") -> WeaklySupervised:
    """A net of random weights whose blocks do more than hand on."""
    torch.manual_seed(0)
    net = NETS[body]().build(NetShape(frame_px=shape))
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
    return net.eval()


def mask_of(corners: tuple[int, ...], shape: tuple[int, int]) -> NDArray[np.float32]:
    """(1, h, w): 1 in the box."""
    mask = np.zeros((1, *shape), dtype=np.float32)
    y0, x0, y1, x1 = corners
    mask[0, y0:y1, x0:x1] = 1
    return mask


class Marked:
    """Frames of grey 100, every other one with a square of 140 in a random place, and its box."""

    def __init__(self, shape: tuple[int, int]) -> None:
        rng = np.random.default_rng(0)
        frames = 100 + rng.normal(0, 0.5, (FRAMES, 1, *shape)).astype(np.float32)
        rows = []
        for number in range(1, FRAMES, 2):
            y, x = (int(rng.integers(0, edge - CELL_PX + 1)) for edge in shape)
            frames[number, 0, y : y + CELL_PX, x : x + CELL_PX] += 40
            rows.append((f"p{number}", y, x, y + CELL_PX, x + CELL_PX))
        names = [f"p{number}" for number in range(FRAMES)]
        self.pixels = ArrayPixels(dict(zip(names, frames, strict=True)))
        self.boxes = boxes(*rows)
        self.labelled = LabelledRegions(
            [Region(name, 0, Box.of(0, 0, *shape)) for name in names],
            np.arange(FRAMES) % 2 == 1,
            names,
        )

    def trained(self, profile: Profile, folder: Path, seed: int = 0) -> Any:
        """What training on the boxes leaves."""
        part = self.labelled
        return BoxSupervision(self.boxes)(profile, self.pixels, part, part, folder, seed=seed)


def test_masks_lie_where_boxes_are_in_the_frame() -> None:
    """A frame cut at (10, -4) has its boxes moved with it and cut off at its ends, others none."""
    noise = np.random.default_rng(0).integers(1, 200, (1, 60, 60)).astype(np.uint8)
    pixels = ArrayPixels({"a": noise, "b": noise})
    inside, across, above = (12, 0, 15, 6), (0, 20, 14, 26), (0, 0, 5, 5)
    beyond, below = (38, 40, 50, 60), (45, 10, 50, 20)
    told = boxes(*(("a", *corners) for corners in (inside, across, above, beyond, below)))
    part = Box.of(10, -4, 40, 46)
    _, (mine, others) = BoxSupervision(told)._loaded(
        pixels, [Region("a", 0, part), Region("b", 0, part)]
    )
    expected = np.zeros((30, 50), dtype=np.float32)
    expected[2:5, 4:10] = 1
    expected[0:4, 24:30] = 1
    expected[28:30, 44:50] = 1
    np.testing.assert_array_equal(mine, expected)
    assert not others.any()


@pytest.mark.parametrize("where", CORNERS)
def test_a_box_in_a_corner_makes_targets_in_that_corner(where: str) -> None:
    """3 x 5 of the 8 x 12 places, neither mirrored nor transposed nor one too many."""
    net, corners = small(), CORNERS[where]
    shape = map_shape(net.body, (HEIGHT, WIDTH))
    assert shape == (8, 12)
    target = boxed.at_places(net, mask_of(corners, (HEIGHT, WIDTH)), shape)
    expected = mask_of(tuple(end // STRIDE for end in corners), shape)
    np.testing.assert_array_equal(target.numpy(), expected)


@pytest.mark.long
@pytest.mark.parametrize("body", ["wscnn4", "wscnn6", "wscnn_small"])
def test_a_target_lies_on_the_place_that_looks_at_the_box(body: str) -> None:
    """A box of a stride's size about the middle of what a place sees makes that place a target."""
    shape = (144, 192)
    net = small(shape, body)
    rows, columns = map_shape(net.body, shape)
    row, column = rows // 2, columns // 2 + 1
    pixels = torch.randn(8, 1, *shape, requires_grad=True)
    torch.autograd.backward(net.maps(pixels)[:, :, row, column].sum())
    assert pixels.grad is not None
    seen = pixels.grad.abs().sum(dim=(0, 1)).numpy().astype(float)
    y, x = (
        round(float(np.average(np.arange(edge), weights=seen.sum(axis=1 - axis))))
        for axis, edge in enumerate(shape)
    )
    half = STRIDE // 2
    mask = mask_of((y - half, x - half, y + half, x + half), shape)
    target = boxed.at_places(net, mask, (rows, columns))
    assert target.nonzero().tolist() == [[0, row, column]]


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (WIDTH, WIDTH)], ids=["oblong", "square"])
def test_boxes_turn_with_the_pixels(
    shape: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every batch the bright squares are where the masks say, and frames come turned."""
    marked, learnt, seen = Marked(shape), boxed.place_loss, []

    def watched(net: Any, inputs: Tensor, masks: NDArray[np.float32], precision: str) -> Tensor:
        bright = (inputs[:, 0] > 0.5 * inputs.max()).numpy()
        np.testing.assert_array_equal(bright, masks > 0.5)
        seen.extend(np.argwhere(mask)[0].tolist() for mask in masks if mask.any())
        return learnt(net, inputs, masks, precision)

    monkeypatch.setattr(boxed, "place_loss", watched)
    marked.trained(override(SHORT, {"batch": 8}), tmp_path)
    as_they_are = marked.boxes[["y0", "x0"]].to_numpy().tolist()
    assert len(seen) == 12
    assert any(corner not in as_they_are for corner in seen)


def test_oblong_frames_keep_their_shape_and_square_ones_turn_all_ways() -> None:
    """Half turns and mirrors of the one, all eight of the other."""
    rng = np.random.default_rng(0)
    assert set(boxed.turns_of((HEIGHT, WIDTH), 100, rng).tolist()) == {0, 2, 4, 6}
    assert set(boxed.turns_of((WIDTH, WIDTH), 100, rng).tolist()) == set(range(8))


def loss_of(odds: NDArray[np.float32], corners: tuple[int, ...]) -> float:
    """The loss of a net that says these log odds, place by place, of a frame with one box."""
    net = small()
    maps = torch.from_numpy(np.stack([-odds, odds], axis=1) / 2)
    net.maps = lambda _: maps  # type: ignore[method-assign]
    mask = mask_of(corners, (HEIGHT, WIDTH))
    return float(boxed.place_loss(net, torch.zeros(1, 1, HEIGHT, WIDTH), mask, "float32"))


@pytest.mark.parametrize("where", CORNERS)
def test_the_loss_falls_as_places_score_right(where: str) -> None:
    """Sure and right is almost nothing, less sure is more, and any turned answer far more."""
    sign = 2 * mask_of(tuple(end // STRIDE for end in CORNERS[where]), (8, 12)) - 1
    losses = [loss_of(sure * sign, CORNERS[where]) for sure in (8.0, 2.0, 0.0)]
    assert losses[0] < 0.001
    assert losses == sorted(losses)
    for wrong in (-sign, sign[:, ::-1], sign[:, :, ::-1], sign[:, ::-1, ::-1]):
        assert loss_of(8 * np.ascontiguousarray(wrong), CORNERS[where]) > 2


@pytest.mark.parametrize(
    ("corners", "places", "weight"),
    [((0, 0, 24, 40), 15, 81 / 15), ((24, 48, 32, 56), 1, MOST_WEIGHT)],
)
def test_places_in_boxes_weigh_as_much_as_others(
    corners: tuple[int, ...], places: int, weight: float
) -> None:
    """Of 96 places, 15 weigh as much as the other 81; a single one only twenty times its share."""
    expected = np.log(2) * (places * weight + 96 - places) / 96
    found = loss_of(np.zeros((1, 8, 12), dtype=np.float32), corners)
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_frames_score_becomes_that_of_its_surest_place() -> None:
    """The negative map is nothing, the positive one their difference, and a frame its highest."""
    net, pixels = small(), torch.randn(3, 1, HEIGHT, WIDTH)
    with torch.no_grad():
        before = net.maps(pixels)
        boxed.say_difference(net)
        after, scores = net.maps(pixels), net(pixels)
    odds = before[:, 1] - before[:, 0]
    assert float((before[:, 0]).abs().max()) > 0.01
    torch.testing.assert_close(after[:, 0], torch.zeros_like(odds))
    torch.testing.assert_close(after[:, 1], odds)
    torch.testing.assert_close(scores[:, 1] - scores[:, 0], odds.amax(dim=(1, 2)))


def test_training_finds_the_boxes(tmp_path: Path) -> None:
    """After 40 steps the loss is lower, frames are told apart, and the surest place is in the box.

    The log has a row an epoch, and stands in the folder.
    """
    marked = Marked((HEIGHT, WIDTH))
    made = marked.trained(override(SHORT, {"steps": 40, "steps_per_epoch": 20}), tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "log.csv"), made.log)
    assert made.log["step"].tolist() == [20, 40]
    assert made.log["train_loss"].iloc[1] < made.log["train_loss"].iloc[0]
    assert made.log["val_auc"].iloc[1] == 1
    frames, masks = BoxSupervision(marked.boxes)._loaded(marked.pixels, marked.labelled.patches)
    inputs = boxed.normalise(torch.from_numpy(frames), SHORT.input.normalise)[:, None]
    with torch.no_grad():
        maps = made.module.maps(inputs)
    odds = (maps[:, 1] - maps[:, 0]).flatten(1)
    inside = boxed.at_places(made.module, masks, maps.shape[-2:]).flatten(1)
    surest = inside.gather(1, odds.argmax(dim=1, keepdim=True))[:, 0]
    assert surest[1::2].mean() == 1


def test_the_seed_decides_the_training(tmp_path: Path) -> None:
    """The same seed gives the same weights, another one others."""
    marked = Marked((HEIGHT, WIDTH))
    made = [
        torch.cat(
            [
                part.flatten()
                for part in marked.trained(SHORT, tmp_path, seed).module.state_dict().values()
            ]
        )
        for seed in (1, 1, 2)
    ]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_nets_of_patches_have_no_maps_to_train(tmp_path: Path) -> None:
    """They are refused in words."""
    with pytest.raises(SpecError, match="class maps"):
        Marked((HEIGHT, WIDTH)).trained(TINY, tmp_path)
