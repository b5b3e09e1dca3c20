"""Training on fields: region logits, crops with several regions, and a training from end to end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.inference.windows import Windows
from livewell.models.building import build, net_of
from livewell.models.nets.field import MARGIN_PX, STRIDE_PX, FieldNet
from livewell.models.nets.net import normalise
from livewell.models.profile import override
from livewell.models.recipes import FAST_FIELDS
from livewell.region import RegionGrid, centred
from livewell.study.pixels import ArrayPixels
from livewell.training.data import Draw, Draws, LabelledRegions
from livewell.training.fields import (
    FieldCrops,
    PlainFields,
    Similarity,
    drawn_similarity,
)
from livewell.training.fit import FitResult, fit
from livewell.training.loading import training_loader

PLAIN = {
    "noise_sd": "0,0",
    "blur_share": 0,
    "sharpen_share": 0,
    "shade": 0,
    "contrast": 0,
}
"""No change of grey levels."""
RECIPE = override(
    FAST_FIELDS,
    {
        "patch_px": 48,
        "input_px": 24,
        "normalise_px": 60,
        "batch": 4,
        "steps": 9,
        "steps_per_epoch": 3,
        "select": "best",
        "precision": "float32",
    },
)


def random_net(classes: int = 2, channels: int = 1) -> FieldNet:
    """A net whose norms do something, in evaluation mode."""
    torch.manual_seed(0)
    made = build(RECIPE, channels=channels, classes=classes).eval()
    for part in made.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.running_mean, std=0.1)
    assert isinstance(made, FieldNet)
    return made


NETS = {channels: random_net(3, channels) for channels in (1, 2)}


@settings(deadline=None, max_examples=20)
@given(
    channels=st.sampled_from(sorted(NETS)),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    rest=st.tuples(*[st.integers(0, 50)] * 4),
    seed=st.integers(0, 99),
)
def test_logits_of_the_frame_and_of_any_crop(channels, height, width, at, rest, seed) -> None:
    """A crop with the margin, on the net's grid, gives a region's logits of the whole frame."""
    around, shape = 20, (330, 310)
    grey = np.random.default_rng(seed).integers(200, 4000, (channels, *shape)).astype(np.float32)
    frame = normalise(torch.from_numpy(grey), "local_background", around)
    size = np.array([height, width])
    room = np.array(frame.shape[1:]) - 2 * MARGIN_PX - size
    first = MARGIN_PX + np.floor(room * at).astype(int)
    low = np.maximum(first - MARGIN_PX - rest[:2], 0) // STRIDE_PX * STRIDE_PX
    high = np.minimum(first + size + MARGIN_PX + rest[2:], frame.shape[1:])
    found = []
    for y0, x0, y1, x1 in ((0, 0, *frame.shape[1:]), (*low, *high)):
        pixels = grey[:, y0 : y1 + 2 * around, x0 : x1 + 2 * around]
        crop = normalise(torch.from_numpy(pixels), "local_background", around)
        box = [0, *(first - [y0, x0]), *(first + size - [y0, x0])]
        regions = torch.tensor([box], dtype=torch.float32)
        with torch.inference_mode():
            net = NETS[channels]
            found.append(net.pooling(net.maps(crop[None]), regions))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)


def test_pooling_is_exact_beside_half_precision() -> None:
    """Within mixed precision logits are pooled in float32 all the same."""
    maps, regions = torch.randn(1, 3, 8, 9), torch.tensor([[0, 60, 55, 110, 121]]).float()
    expected = NETS[1].pooling(maps, regions)
    with torch.autocast("cpu", torch.bfloat16):
        found = NETS[1].pooling(maps, regions)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)


def test_windows_pool_the_map_of_the_frame() -> None:
    """Logits of a patch are those pooled from the map of its frame, one channel or two."""
    for channels, module in NETS.items():
        net = net_of(module, RECIPE, ("a", "b", "c"), None)
        rng = np.random.default_rng(1)
        frame = rng.integers(500, 1500, (1, channels, 300, 260)).astype(np.uint16)
        source = ArrayPixels({"a": frame})
        patches = list(RegionGrid(48, 16).patches("a", 0, Box.of(64, 96, 180, 190)))
        around = net.radius_px
        pixels = source.crop("a", 0, Box.of(0, 0, 300, 260).widened(around))
        # the frame begins where a crop of the first patch does, so that all lie on one grid
        y0, x0 = (start + 12 - MARGIN_PX for start in (64, 96))
        whole = normalise(torch.from_numpy(pixels), net.how, around)[None, :, y0:, x0:]
        corners = [patch.box.corners for patch in patches]
        boxes = [(0, y + 12 - y0, x + 12 - x0, y + 36 - y0, x + 36 - x0) for y, x, *_ in corners]
        with torch.inference_mode():
            expected = module.pooling(module.maps(whole), torch.tensor(boxes).float())
        found = Windows(net).regions(source, patches)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_validation_logits_are_those_of_windows() -> None:
    """Regions that are scored together have the logits of their own crops."""
    rng = np.random.default_rng(2)
    source = ArrayPixels({name: rng.integers(500, 1500, (1, 220, 200)) for name in "ab"})
    points = [(float(y), float(x)) for y, x in rng.uniform(20, 180, (5, 2))]
    patches = [
        *RegionGrid(48, 16).patches("a", 0, Box.of(0, 0, 150, 120)),
        *centred("b", 0, points, 48),
    ]
    codes = np.arange(len(patches)) % 3
    found = PlainFields(source, patches, codes, RECIPE)
    assert 2 <= len(found) <= 1 + len(points)
    logits, classes = [], []
    with torch.inference_mode():
        for number in range(len(found)):
            batch = found[number]
            logits.append(NETS[1].pooling(NETS[1].maps(batch.crops), batch.regions).numpy())
            classes.append(batch.codes.numpy())
    expected = Windows(net_of(NETS[1], RECIPE, ("a", "b", "c"), None)).regions(source, patches)
    np.testing.assert_allclose(np.concatenate(logits), expected, atol=1e-5)
    np.testing.assert_array_equal(np.concatenate(classes), codes)


def world() -> tuple[ArrayPixels, LabelledRegions]:
    """A frame with a bright square at every region, of a level that tells its class."""
    frame = np.full((1, 300, 340), 1000, dtype=np.uint16)
    points = [(60, 70), (100, 250), (150, 150), (220, 90), (240, 300), (12, 12)]
    codes = np.array([0, 1, 2, 0, 1, 2])
    for (y, x), code in zip(points, codes.tolist(), strict=True):
        frame[0, y - 12 : y + 12, x - 12 : x + 12] = 1200 + 300 * code
    regions = list(centred("a", 0, points, 48))
    return ArrayPixels({"a": frame}), LabelledRegions(regions, codes, ["g"] * len(points))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_regions_follow_the_pixels(seed) -> None:
    """After rotation, flips and scale a region's box lies where its pixels are."""
    source, labelled = world()
    recipe = override(RECIPE, PLAIN | {"crop_px": 224, "batch": 3, "normalise_px": 300})
    crops = FieldCrops(source, labelled, recipe, seed)
    draws = list(Draws(labelled.codes, labelled.groups, recipe, seed))
    for first in range(0, len(draws), 3):
        batch = crops.batch(draws[first : first + 3])
        assert batch.crops.shape == (3, 1, 224, 224)
        assert set(batch.regions[:, 0].tolist()) == {0, 1, 2}
        for (row, *corners), code in zip(batch.regions.tolist(), batch.codes, strict=True):
            y, x = (corners[0] + corners[2]) / 2, (corners[1] + corners[3]) / 2
            level = float(batch.crops[int(row), 0, int(y), int(x)])
            # contrast in units of 0.2: (1200 + 300 code) / 1000 - 1; squares raise the mean a bit
            assert round((level - 0.9) / 1.5) == int(code)


def test_crops_hold_neighbours_of_the_training_part_alone() -> None:
    """A crop shows all labelled regions in it, and no region that was not given."""
    source, labelled = world()
    recipe = override(RECIPE, {"crop_px": 280, "rotate_deg": 0, "scale": "1,1"})
    rows = [0, 2, 3]
    part = LabelledRegions(
        [labelled.patches[row] for row in rows], labelled.codes[rows], ["g"] * len(rows)
    )
    crops = FieldCrops(source, part, recipe, 0)
    numbers = set()
    for number in range(20):
        batch = crops.batch([Draw(0, 0, number)])
        numbers.add(len(batch.codes))
        assert set(batch.codes.tolist()) <= {0, 2}
    assert max(numbers) > 1


def test_a_view_shows_its_region_whole() -> None:
    """Whatever is drawn, the region lies in the crop with half a cell's field around it."""
    _, labelled = world()
    for number in range(50):
        rng = np.random.default_rng(number)
        corners = np.array(labelled.patches[number % 6].box.widened(-12).corners)
        view = drawn_similarity(corners, Box.of(0, 0, 300, 340), 160, RECIPE, rng)
        assert isinstance(view, Similarity)
        half = 12 * view.scale
        (middle,) = view.seen(np.array([(corners[:2] + corners[2:]) / 2]))
        assert (middle - half >= 45 - 1e-6).all()
        assert (middle + half <= 160 - 45 + 1e-6).all()


@pytest.mark.long
def test_weights_undo_how_often_regions_come_in() -> None:
    """However crowded a frame is, classes count as their share of the draws says."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform(240, 320, (12, 2)), rng.uniform(350, 460, (3, 2))])
    regions = list(centred("a", 0, [(float(y), float(x)) for y, x in points], 12))
    codes = np.array([0] * 9 + [1] * 6)
    labelled = LabelledRegions(regions, codes, ["g"] * 15)
    recipe = override(RECIPE, {"input_px": 12, "patch_px": 12, "crop_px": 170, "scale": "1,1"})
    source = ArrayPixels({"a": rng.integers(900, 1100, (1, 700, 700)).astype(np.uint16)})
    shares = Draws(codes, labelled.groups, recipe, 0).shares
    assert shares.sum() == pytest.approx(1)
    crops = FieldCrops(source, labelled, recipe, 0)
    total = np.zeros(2)
    for number in range(60):
        batch = crops.batch([Draw(row, 0, 15 * number + row) for row in range(15)])
        of_draw = torch.from_numpy(shares)[batch.regions[:, 0].long()]
        for code in (0, 1):
            chosen = batch.codes == code
            total[code] += float((batch.weights[chosen] * of_draw[chosen]).sum()) / 60
    np.testing.assert_allclose(total, 0.5, atol=0.05)


def test_batches_are_the_same_however_many_processes() -> None:
    """Two loading processes give the batches of none, and another seed gives others."""
    source, labelled = world()
    alone, two, other = (
        list(training_loader(source, labelled, RECIPE, seed, processes=processes))
        for seed, processes in ((3, 0), (3, 2), (4, 0))
    )
    assert len(alone) == RECIPE.fit.steps_per_epoch
    for one, same in zip(alone, two, strict=True):
        for left, right in zip(one, same, strict=True):
            assert torch.equal(left, right)
    assert not torch.equal(alone[0].crops, other[0].crops)


def textures(classes: int, channels: int) -> dict[str, NDArray[np.uint16]]:
    """Two frames a class, the classes of different texture in the last channel."""
    rng = np.random.default_rng(0)
    frames = {}
    for name in range(3 * classes):
        noise = rng.normal(size=(1, channels, 128, 128))
        sigma = (0.0, 1.5, 6.0)[name % classes]
        noise[:, -1:] = ndimage.gaussian_filter(noise[:, -1:], (0, 0, sigma, sigma))
        noise /= noise.std(axis=(2, 3), keepdims=True)
        frames[f"f{name}"] = (1000 + 150 * noise).clip(1).astype(np.uint16)
    return frames


def part_of(names: range, classes: int) -> LabelledRegions:
    """Regions of some frames, each frame a group."""
    grid, area = RegionGrid(48, 24), Box.of(0, 0, 128, 128)
    patches = [patch for name in names for patch in grid.patches(f"f{name}", 0, area)]
    codes = np.array([int(patch.image[1:]) % classes for patch in patches])
    return LabelledRegions(patches, codes, [patch.image for patch in patches])


def trained(folder: Path, classes: int = 2, channels: int = 1, **changed: object) -> FitResult:
    return fit(
        override(RECIPE, {"balance": "class_and_group"} | changed),
        ArrayPixels(textures(classes, channels)),
        part_of(range(2 * classes), classes),
        part_of(range(2 * classes, 3 * classes), classes),
        folder,
        seed=1,
        processes=0,
        channels=channels,
    )


@pytest.mark.long
@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (3, 2)])
def test_it_learns_an_easy_difference(tmp_path: Path, classes: int, channels: int) -> None:
    """Textures of unseen frames are told apart, and windows call what validation called."""
    length = {"steps": 60, "steps_per_epoch": 30, "precision": "bfloat16"}
    fitted = trained(tmp_path, classes, channels, **length)
    assert fitted.log["val_auc"].iloc[-1] > 0.95
    held = part_of(range(2 * classes, 3 * classes), classes)
    net = net_of(fitted.module, RECIPE, [f"c{code}" for code in range(classes)], None)
    logits = Windows(net).regions(ArrayPixels(textures(classes, channels)), held.patches)
    assert logits.shape == (len(held.patches), classes)
    assert (logits.argmax(axis=1) == held.codes).mean() > 0.8


@pytest.mark.long
def test_a_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """Broken off after an epoch and resumed, weights and log are those of an undisturbed run."""
    whole = trained(tmp_path / "whole", ema=0.5)

    class BrokenError(RuntimeError):
        """What stops the training."""

    class Breaking(ArrayPixels):
        left = 4 * 4 + 6

        def crop(self, image, t, box):
            self.left -= 1
            if self.left < 0:
                raise BrokenError
            return super().crop(image, t, box)

    recipe = override(RECIPE, {"balance": "class_and_group", "ema": 0.5})
    parts = part_of(range(4), 2), part_of(range(4, 6), 2)
    with pytest.raises(BrokenError):
        fit(recipe, Breaking(textures(2, 1)), *parts, tmp_path / "b", seed=1, processes=0)
    assert (tmp_path / "b" / "last.ckpt").is_file()
    again = trained(tmp_path / "b", ema=0.5)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name]), name
    pd.testing.assert_frame_equal(
        whole.log.drop(columns="seconds"), again.log.drop(columns="seconds")
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"normalise": "patch"}, "needs a local normalisation"),
        ({"normalise": "background"}, "needs a local normalisation"),
        ({"mixup": 0.2}, "without warp_sigma_px, translate_px and mixup"),
        ({"warp_sigma_px": 3}, "without warp_sigma_px, translate_px and mixup"),
        ({"crop_px": 119}, "crop_px must be 0 or at least 120"),
        ({"input_px": 200}, "input_px is larger than patch_px"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, object], told: str) -> None:
    """Settings that a net of fields cannot be trained with are told with their rule."""
    with pytest.raises(SpecError, match=told):
        override(FAST_FIELDS, changed)
