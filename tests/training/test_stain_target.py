"""A stain as a second target: it follows the pixels, counts as it should, and is learnt."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from livewell.errors import TableError
from livewell.geometry import Box
from livewell.inference.stain import stain_ratio
from livewell.inference.windows import Windows
from livewell.models.building import build, net_of
from livewell.models.nets.field import FieldNet
from livewell.models.nets.layers import layer
from livewell.models.nets.unet import FIRST_PX, TILE_PX, UNet
from livewell.models.profile import override
from livewell.models.recipes import STAIN_UNET
from livewell.region import RegionGrid
from livewell.study.pixels import ArrayPixels
from livewell.training.data import Draw, LabelledRegions
from livewell.training.fields import FieldCrops, PlainFields
from livewell.training.fit import FitResult, fit
from livewell.training.stain import StainTargets, stain_loss

PLAIN = {"noise_sd": "0,0", "blur_share": 0, "sharpen_share": 0, "shade": 0, "contrast": 0}
"""No change of grey levels."""
RECIPE = override(
    STAIN_UNET,
    {
        "patch_px": 48,
        "input_px": 24,
        "normalise_px": 60,
        "crop_px": 185,
        "batch": 4,
        "steps": 9,
        "steps_per_epoch": 3,
        "balance": "class_and_group",
        "precision": "float32",
    },
)
BACKGROUND, OFFSET = 220, 20


def fields(count: int, size: int = 200) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
    """Frames of bright discs on noise, and their stain: eight times the background on the discs."""
    rng = np.random.default_rng(0)
    light, stain = {}, {}
    y, x = np.mgrid[:size, :size]
    for number in range(count):
        discs = np.zeros((size, size), dtype=bool)
        for cy, cx in rng.uniform(10, size - 10, (9, 2)):
            discs |= np.hypot(y - cy, x - cx) < 9
        grey = rng.normal(1000, 10, (1, size, size)) + 400 * discs
        light[f"f{number}"] = grey.astype(np.uint16)
        dyed = OFFSET + (BACKGROUND - OFFSET) * np.where(discs, 8, 1) + rng.normal(0, 2, grey.shape)
        stain[f"f{number}"] = dyed.astype(np.uint16)
    return light, stain


def part_of(names: range) -> LabelledRegions:
    """Regions of some frames, of two classes that mean nothing; each frame is a group."""
    grid, area = RegionGrid(48, 48), Box.of(0, 0, 200, 200)
    patches = [patch for name in names for patch in grid.patches(f"f{name}", 0, area)]
    codes = np.arange(len(patches)) % 2
    return LabelledRegions(patches, codes, [patch.image for patch in patches])


def targets(light: ArrayPixels, stain: ArrayPixels, count: int) -> StainTargets:
    return StainTargets.of(stain, light, [(f"f{n}", 0) for n in range(count)], OFFSET)


@given(seed=st.integers(0, 10**6))
def test_the_stain_follows_the_pixels(seed: int) -> None:
    """Rotated, mirrored and scaled crops have their stain where their discs are."""
    light, stain = (ArrayPixels(each) for each in fields(2))
    recipe = override(RECIPE, PLAIN | {"normalise_px": 400})
    crops = FieldCrops(light, part_of(range(2)), recipe, seed, targets(light, stain, 2))
    batch = crops.batch([Draw(row, 0, row) for row in (0, 5, 12)])
    assert batch.stain.shape == (3, 3, 185, 185)
    target, known, saturated = batch.stain.unbind(dim=1)
    wanted = known > 0.999
    assert 0.3 < wanted.float().mean() <= 1
    assert not saturated.any()
    pair = torch.stack([batch.crops[:, 0][wanted], target[wanted]])
    assert torch.corrcoef(pair)[0, 1] > 0.95
    assert target[wanted].max() == pytest.approx(np.log(8), abs=0.1)


def test_what_is_beyond_the_image_is_not_known() -> None:
    """Registration borders of either channel are left out, and so is what is mirrored beyond."""
    light, stain = fields(1)
    light["f0"][:, :, :30], stain["f0"][:, 170:] = 0, 0
    seen, dyed = ArrayPixels(light), ArrayPixels(stain)
    made = targets(seen, dyed, 1).crop("f0", 0, seen.area("f0", 0), Box.of(-20, -20, 220, 220))
    expected = np.zeros((240, 240))
    expected[20:190, 50:220] = 1
    np.testing.assert_array_equal(made[1], expected)


def test_saturated_pixels_are_at_least() -> None:
    """More than a saturated pixel costs nothing, less does; pixels that are not known never do."""
    plane = torch.zeros(1, 3, FIRST_PX + 4, FIRST_PX + 4)
    plane[0, 0], plane[0, 1] = 2.0, 1.0
    found = torch.full((1, 4, 4), 5.0)
    assert stain_loss(found, plane) == pytest.approx(2.5)
    plane[0, 2] = 1.0
    assert stain_loss(found, plane) == 0
    assert stain_loss(torch.full((1, 4, 4), 1.0), plane) == pytest.approx(0.5)
    plane[0, 1] = 0.0
    assert stain_loss(found, plane) == 0


def test_pixels_at_the_types_maximum_are_saturated() -> None:
    """The highest number of the file's type is told from what lies below."""
    light, stain = fields(1)
    stain["f0"][0, 100, 100] = np.iinfo(np.uint16).max
    seen, dyed = ArrayPixels(light), ArrayPixels(stain)
    made = targets(seen, dyed, 1).crop("f0", 0, Box.of(0, 0, 200, 200), Box.of(0, 0, 200, 200))
    assert np.argwhere(made[2]).tolist() == [[100, 100]]


def test_stains_that_cannot_be_learnt_are_all_told() -> None:
    """Frames of another size, other numbers of frames and dark backgrounds are told at once."""
    light, stain = fields(3)
    stain["f0"] = stain["f0"][:, :150]
    stain["f1"] = np.concatenate([stain["f1"]] * 2)
    with pytest.raises(TableError) as told:
        StainTargets.of(
            ArrayPixels(stain), ArrayPixels(light), [(f"f{n}", 0) for n in range(3)], 500
        )
    text = str(told.value)
    assert "f0, frame 0" in text
    assert "frames of another size" in text
    assert "background that is not above the camera's offset" in text
    assert len(told.value.faults) == 3


def test_validation_crops_hold_their_stain() -> None:
    """Regions scored on their own crops have the logits of before, and the stain of the crop."""
    light, stain = (ArrayPixels(each) for each in fields(1))
    part, net = part_of(range(1)), random_net()
    plain = PlainFields(light, part.patches, part.codes, RECIPE)
    dyed = PlainFields(light, part.patches, part.codes, RECIPE, targets(light, stain, 1))
    assert len(plain) == len(dyed)
    for number in range(len(plain)):
        one, other = plain[number], dyed[number]
        with torch.inference_mode():
            maps, found = net.both(other.crops)
            logits = net.pooling(net.maps(one.crops), one.regions)
        torch.testing.assert_close(net.pooling(maps, other.regions), logits, atol=1e-5, rtol=0)
        assert stain_loss(found, other.stain) > 0


def random_net() -> UNet:
    """A net whose norms do something, in evaluation mode."""
    torch.manual_seed(0)
    made = build(RECIPE).eval()
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.running_mean, std=0.1)
    assert isinstance(made, UNet)
    return made


def test_its_classes_are_those_of_a_net_of_fields() -> None:
    """Without the decoder it is a net of fields: same map, same layer to look at, same features."""
    net, plain = random_net(), FieldNet().eval()
    shared = {name: value for name, value in net.state_dict().items() if "decoder" not in name}
    plain.load_state_dict(shared)
    pixels = torch.randn(2, 1, 185, 200)
    with torch.inference_mode():
        maps, _ = net.both(pixels)
        for found in (maps, net.maps(pixels)):
            torch.testing.assert_close(found, plain.maps(pixels))
    assert layer(net).path == layer(plain).path
    windows = Windows(net_of(net, RECIPE, ("a", "b"), None))
    regions = part_of(range(1)).patches[:2]
    assert windows.embedded(ArrayPixels(fields(1)[0]), regions).shape == (2, 128)


@pytest.mark.long
@given(
    height=st.integers(60, 260),
    width=st.integers(60, 260),
    most=st.integers(TILE_PX, 400),
    border=st.tuples(*[st.integers(0, 20)] * 4),
)
def test_tiles_are_the_whole_field(
    height: int, width: int, most: int, border: tuple[int, int, int, int]
) -> None:
    """However a field is cut into tiles, every pixel of its area has the stain of one pass."""
    pixels = np.random.default_rng(1).integers(200, 4000, (1, height, width)).astype(np.uint16)
    top, left, bottom, right = border
    area = Box.of(top, left, height - bottom, width - right)
    net = net_of(random_net(), RECIPE, ("a", "b"), None)
    found = stain_ratio(net, pixels, area, most)
    assert found.shape == (height, width)
    assert np.isnan(found).sum() == height * width - area.y.size * area.x.size
    np.testing.assert_allclose(found, stain_ratio(net, pixels, area, 2000), rtol=1e-4)


def test_the_stain_of_any_crop_on_the_grid_is_that_of_the_field() -> None:
    """Crops that begin on the net's grid of cells have the stain of the whole field."""
    net, field = random_net().double(), torch.randn(1, 1, 330, 350).double()
    with torch.inference_mode():
        _, whole = net.both(field)
        for y, x in ((0, 0), (16, 48), (96, 32)):
            _, part = net.both(field[..., y : y + 190, x : x + 201])
            height, width = part.shape[1:]
            own = whole[:, y : y + height, x : x + width]
            torch.testing.assert_close(part, own, atol=1e-12, rtol=0)


def trained(folder: Path, source: ArrayPixels | None = None, **changed: object) -> FitResult:
    light, stain = fields(6)
    seen = source or ArrayPixels(light)
    dyed = targets(ArrayPixels(light), ArrayPixels(stain), 6)
    recipe = override(RECIPE, changed)
    parts = part_of(range(4)), part_of(range(4, 6))
    return fit(recipe, seen, *parts, folder, seed=1, processes=0, stain=dyed)


@pytest.mark.long
def test_it_learns_where_the_stain_is(tmp_path: Path) -> None:
    """Without labels, of weight 0, the stain of unseen frames is found pixel by pixel."""
    fitted = trained(tmp_path, steps=60, steps_per_epoch=30, label_weight=0)
    assert fitted.log["val_stain"].iloc[-1] < 0.05
    light, stain = fields(6)
    net = net_of(fitted.module, RECIPE, ("a", "b"), None)
    found = stain_ratio(net, light["f5"], Box.of(0, 0, 200, 200))
    pair = np.log([found.ravel(), stain["f5"].ravel() - OFFSET])
    assert np.corrcoef(pair)[0, 1] > 0.8


@pytest.mark.long
def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """Broken off after an epoch and resumed, weights and log are those of an undisturbed run."""
    whole = trained(tmp_path / "whole")

    class BrokenError(RuntimeError):
        """What stops the training."""

    class Breaking(ArrayPixels):
        left = 3 * 4 + 20

        def crop(self, image, t, box):
            self.left -= 1
            if self.left < 0:
                raise BrokenError
            return super().crop(image, t, box)

    with pytest.raises(BrokenError):
        trained(tmp_path / "b", Breaking(fields(6)[0]))
    assert (tmp_path / "b" / "last.ckpt").is_file()
    again = trained(tmp_path / "b")
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name
    pd.testing.assert_frame_equal(*(each.log.drop(columns="seconds") for each in (whole, again)))


def test_a_weight_of_none_needs_no_stain(tmp_path: Path) -> None:
    """The same net learns labels alone, without a stain, and its validation loss is theirs."""
    parts = part_of(range(2)), part_of(range(2, 4))
    recipe = override(RECIPE, {"stain_weight": 0})
    fitted = fit(recipe, ArrayPixels(fields(4)[0]), *parts, tmp_path, seed=1, processes=0)
    assert "val_stain" not in fitted.log
