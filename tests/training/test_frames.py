"""Training of whole frames: augmentation that keeps their shape, the mean image, going on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from livewell.geometry import Box
from livewell.models.building import build
from livewell.models.nets.wscnn import WeaklySupervised
from livewell.models.profile import Profile, override
from livewell.models.recipes import WSCNN_2017, WSCNN_2017_CELLS, WSCNN_FAST
from livewell.region import Region
from livewell.study.pixels import ArrayPixels
from livewell.training.augment import augmented, generator
from livewell.training.data import LabelledRegions
from livewell.training.fit import FitResult, fit, set_mean_image
from livewell.training.module import Classifier

HEIGHT, WIDTH = 40, 56
STILL = {"rotate_deg": 0, "scale": "1,1", "move_px": 0, "turns": False}
"""WSCNN_2017 without anything random in its pictures."""
SHORT = {
    "net": "wscnn_small",
    "batch": 8,
    "steps": 16,
    "steps_per_epoch": 2,
    "precision": "float32",
    "select": "last",
}


class BrokenError(RuntimeError):
    """What a test breaks a training with."""


class Breaking:
    """Pixels that break off after so many crops."""

    def __init__(self, pixels: ArrayPixels, crops: int) -> None:
        self._pixels, self._left = pixels, crops

    def crop(self, image: str, t: int, box: Box) -> NDArray[np.float32]:
        """A crop, or an error."""
        self._left -= 1
        if self._left < 0:
            raise BrokenError
        return self._pixels.crop(image, t, box)


@pytest.fixture(scope="module")
def frames() -> ArrayPixels:
    """Frames of 40 x 56 px of noise: nothing to be learnt, so validation soon stands still."""
    rng = np.random.default_rng(0)
    return ArrayPixels(
        {f"p{n}": rng.normal(1000, 30, (1, HEIGHT, WIDTH)).astype(np.uint16) for n in range(24)}
    )


def labelled(numbers: range) -> LabelledRegions:
    """Whole frames, every other one positive, each a group of its own."""
    patches = [Region(f"p{n}", 0, Box.of(0, 0, HEIGHT, WIDTH)) for n in numbers]
    return LabelledRegions(
        patches, np.array([n % 2 == 1 for n in numbers]), [f"p{n}" for n in numbers]
    )


TRAIN, VALIDATION = labelled(range(16)), labelled(range(16, 24))


def trained(profile: Profile, source: object, folder: Path, processes: int = 0) -> FitResult:
    return fit(profile, source, TRAIN, VALIDATION, folder, seed=1, processes=processes)


def still(**changes: object) -> Profile:
    """WSCNN_2017 with these augmentations and no others."""
    return override(WSCNN_2017, STILL | changes)


def rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return [generator(seed, ("frame", n)) for n in range(count)]


def grey_augmented(
    frames: NDArray[np.float32], profile: Profile, rngs: list[np.random.Generator]
) -> NDArray[np.float32]:
    """Frames of one channel, (n, h, w), augmented."""
    return augmented(frames[:, None], profile, rngs)[:, 0]


def noise(count: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> NDArray[np.float32]:
    made = np.random.default_rng(count).normal(100, 20, (count, *shape))
    return ndimage.gaussian_filter(made, (0, 2, 2)).astype(np.float32)


def test_without_augmentation_grey_levels_stay() -> None:
    """With the mean image normalised by the net, frames come through as in the file."""
    given_ = noise(5)
    np.testing.assert_array_equal(grey_augmented(given_, still(), rngs(5)), given_)


@pytest.mark.parametrize(
    "profile",
    [
        WSCNN_2017,
        WSCNN_FAST,
        override(
            WSCNN_FAST,
            {
                "warp_sigma_px": 3,
                "warp_grid_px": 20,
                "rotate_deg": 180,
                "scale": "0.8,1.2",
                "move_px": 9,
                "blur_px": "0.1,2",
                "blur_share": 0.5,
                "sharpen": 1,
                "sharpen_share": 0.3,
                "shade": 0.3,
                "gamma": "0.8,1.2",
                "contrast": 0.3,
                "noise_sd": "0,0.2",
                "erase": 0.7,
            },
        ),
    ],
    ids=["WSCNN_2017", "WSCNN_FAST", "everything"],
)
def test_a_frame_does_not_depend_on_its_batch(profile: Profile) -> None:
    """What becomes of a frame is the same alone and among others, bit by bit."""
    given_ = noise(7, (210, 280))
    together = grey_augmented(given_, profile, rngs(7))
    assert together.shape == given_.shape
    for number, (frame, rng) in enumerate(zip(given_, rngs(7), strict=True)):
        alone = grey_augmented(frame[None], profile, [rng])
        np.testing.assert_array_equal(alone[0], together[number])
    other = grey_augmented(given_[::-1], profile, rngs(7)[::-1])
    np.testing.assert_array_equal(other[::-1], together)


def views(frame: NDArray[np.float32]) -> list[bytes]:
    """The four turns and mirrors of a frame that keep its shape."""
    made = (frame, frame[::-1], frame[:, ::-1], frame[::-1, ::-1])
    return [np.ascontiguousarray(view).tobytes() for view in made]


def test_frames_keep_their_shape_in_four_turns() -> None:
    """Of a frame that is not square there are its mirrors and the half turn, equally often."""
    frame = noise(1)[0]
    many = np.repeat(frame[None], 200, axis=0)
    made = grey_augmented(many, still(turns=True), rngs(200))
    kinds = [views(frame).index(each.tobytes()) for each in made]
    assert np.bincount(kinds, minlength=4).min() > 30


def test_square_frames_have_eight_turns() -> None:
    """Of a square frame all right angles and their mirrors come up."""
    frame = noise(1, (40, 40))[0]
    made = grey_augmented(np.repeat(frame[None], 200, axis=0), still(turns=True), rngs(200))
    want = {np.rot90(each, k).tobytes() for each in (frame, frame[::-1]) for k in range(4)}
    assert {each.tobytes() for each in made} == want


@given(seed=st.integers(0, 10_000), far=st.floats(1, 15))
@settings(max_examples=20)
def test_moving_is_a_plain_shift(seed: int, far: float) -> None:
    """All that is seen moves by the two numbers drawn, mirrored at the edges."""
    frame = noise(1)[0]
    found = grey_augmented(frame[None], still(move_px=far), rngs(1, seed))[0]
    (rng,) = rngs(1, seed)
    by = [rng.uniform(-far, far) for _ in range(2)]
    want = ndimage.shift(frame.astype(float), [-part for part in by], order=1, mode="mirror")
    np.testing.assert_allclose(found, want, atol=0.02)


def blob(y: float, x: float, shape: tuple[int, int] = (120, 160)) -> NDArray[np.float32]:
    down, along = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((down - y) ** 2 + (along - x) ** 2) / 18)[None].astype(np.float32)


def middle(frame: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centre of mass."""
    return np.array(ndimage.center_of_mass(frame.astype(float)))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_frames_are_turned_about_their_middle(seed: int) -> None:
    """A rotation keeps distances from the middle, by at most the angle asked for."""
    found = middle(grey_augmented(blob(80, 110), still(rotate_deg=20), rngs(1, seed))[0])
    before, after = np.array([80 - 59.5, 110 - 79.5]), found - [59.5, 79.5]
    assert np.hypot(*after) == pytest.approx(np.hypot(*before), abs=0.2)
    turned = np.degrees(np.arctan2(*after) - np.arctan2(*before))
    assert abs(turned) <= 20.5


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_frames_are_scaled_about_their_middle(seed: int) -> None:
    """Scaling is alike in both axes, from 230 to 330 px of 280."""
    profile = still(scale=f"{230 / 280},{330 / 280}")
    found = middle(grey_augmented(blob(80, 110), profile, rngs(1, seed))[0])
    factors = (found - [59.5, 79.5]) / [80 - 59.5, 110 - 79.5]
    assert factors[0] == pytest.approx(factors[1], abs=0.02)
    assert 230 / 280 - 0.02 <= factors[0] <= 330 / 280 + 0.02


def test_the_papers_numbers() -> None:
    """WSCNN_2017 as in the paper's sections 3.2 and 3.3, and its optimiser as torch has it."""
    assert WSCNN_2017.fit.batch == 50
    assert (WSCNN_2017.fit.lr, WSCNN_2017.fit.momentum, WSCNN_2017.fit.weight_decay) == (
        0.0001,
        0.9,
        0.0005,
    )
    assert (
        WSCNN_2017.augment.rotate_deg,
        WSCNN_2017.augment.flips,
        WSCNN_2017.augment.translate_px,
    ) == (20, True, 40)
    assert WSCNN_2017.augment.scale == pytest.approx(((280 - 50) / 280, (280 + 50) / 280))
    assert (WSCNN_2017.input.normalise, WSCNN_2017.net.global_pool) == ("mean_image", "max")
    assert WSCNN_2017.net.narrowing == (0, 0)
    augment, fit = WSCNN_2017.augment, WSCNN_2017.fit
    off = (augment.warp_sigma_px, augment.shade, augment.contrast, augment.erase)
    assert {*off, augment.mixup, fit.ema, fit.label_smoothing} == {0}
    assert (WSCNN_2017.net.second_kernel, WSCNN_2017_CELLS.net.second_kernel) == (3, 7)
    made = Classifier(build(WSCNN_2017, (64, 64)), WSCNN_2017, 0).configure_optimizers()
    optimiser = made["optimizer"]
    assert isinstance(optimiser, SGD)
    (group,) = optimiser.param_groups
    assert (group["momentum"], group["nesterov"]) == (0.9, False)
    assert (group["lr"], group["weight_decay"]) == (0.0001, 0.0005)
    schedule = made["lr_scheduler"]["scheduler"]
    assert isinstance(schedule, ReduceLROnPlateau)
    assert schedule.factor == 0.1


def test_the_mean_image_is_that_of_the_training_frames(frames: ArrayPixels, tmp_path: Path) -> None:
    """Pixel by pixel the mean of training frames alone, and training does not change it."""
    want = np.mean([frames.frame(patch.image, 0) for patch in TRAIN.patches], axis=0)
    net = build(override(WSCNN_2017, {"net": "wscnn_small"}), (HEIGHT, WIDTH))
    set_mean_image(net, frames, TRAIN)
    np.testing.assert_allclose(net.get_buffer("mean.mean")[0, 0], want, rtol=1e-6)
    short = override(WSCNN_2017, SHORT | {"steps": 4, "ema": 0.5})
    fitted = trained(short, frames, tmp_path)
    np.testing.assert_allclose(fitted.module.get_buffer("mean.mean")[0, 0], want, rtol=1e-5)


def watched(monkeypatch: pytest.MonkeyPatch, read: Callable[[Classifier], float]) -> list[float]:
    """What `read` says of the module at every step, as the steps are done."""
    seen: list[float] = []
    step = Classifier.training_step

    def reading(self: Classifier, batch: tuple[torch.Tensor, torch.Tensor], n: int) -> torch.Tensor:
        seen.append(read(self))
        return step(self, batch, n)

    monkeypatch.setattr(Classifier, "training_step", reading)
    return seen


def rate(module: Classifier) -> float:
    return float(module.optimizers().param_groups[0]["lr"])


PLATEAU = override(WSCNN_2017, SHORT | {"plateau_epochs": 1, "lr": 0.05})
NARROWING = override(WSCNN_FAST, SHORT | {"narrowing": "0.25,0.75"})


def plateaus(losses: list[float]) -> list[float]:
    """Rates of the epochs by hand: a tenth after more than one epoch without a better loss."""
    rates, best, bad = [PLATEAU.fit.lr], float("inf"), 0
    for loss in losses[:-1]:
        # torch calls a loss better from a ten-thousandth on
        better = loss < best * (1 - 1e-4)
        best, bad = (loss, 0) if better else (best, bad + 1)
        lowered = bad > PLATEAU.fit.plateau_epochs
        rates.append(rates[-1] * (0.1 if lowered else 1))
        bad = 0 if lowered else bad
    return rates


def test_the_rate_falls_when_the_loss_stands_still(
    frames: ArrayPixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `plateau_epochs` epochs without a better one the rate is divided by ten."""
    seen = watched(monkeypatch, rate)
    log = trained(PLATEAU, frames, tmp_path).log
    want = plateaus(log["val_loss"].tolist())
    assert want[-1] < PLATEAU.fit.lr
    np.testing.assert_allclose(seen, np.repeat(want, PLATEAU.fit.steps_per_epoch))


def test_narrowing_runs_from_start_to_end(
    frames: ArrayPixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide open before the first share of the steps, shut after the second, straight between."""

    def width(module: Classifier) -> float:
        assert isinstance(module.net, WeaklySupervised)
        return module.net.head.open

    seen = watched(monkeypatch, width)
    trained(NARROWING, frames, tmp_path)
    done = np.arange(NARROWING.fit.steps) / NARROWING.fit.steps
    np.testing.assert_allclose(seen, np.clip((0.75 - done) / 0.5, 0, 1), atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize(
    "profile",
    [
        PLATEAU,
        NARROWING,
        override(NARROWING, {"ema": 0.5, "mixup": 0.4, "normalise": "mean_image"}),
    ],
    ids=["plateau", "narrowing", "everything"],
)
def test_a_broken_training_goes_on_as_if_it_had_not_been(
    frames: ArrayPixels, tmp_path: Path, profile: Profile
) -> None:
    """Broken off in several epochs and resumed, weights and log are those of an undisturbed run."""
    whole = trained(profile, frames, tmp_path / "whole")
    folder = tmp_path / "broken"
    epoch = profile.fit.batch * profile.fit.steps_per_epoch + len(VALIDATION.patches)
    mean = len(TRAIN.patches) if profile.input.normalise == "mean_image" else 0
    # three lives: into the fourth epoch, two epochs more, and right after the next
    for crops in (3 * epoch + 9, 2 * epoch + 9, epoch + 1):
        with pytest.raises(BrokenError):
            trained(profile, Breaking(frames, mean + crops), folder)
    fitted = trained(profile, frames, folder)
    logs = [each.log.drop(columns="seconds") for each in (fitted, whole)]
    pd.testing.assert_frame_equal(*logs)
    a, b = fitted.module.state_dict(), whole.module.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_frames_of_other_processes_are_the_same(frames: ArrayPixels, tmp_path: Path) -> None:
    """One process beside this one augments frames to the same weights as none."""
    short = override(WSCNN_2017, SHORT | {"steps": 4, "lr": 0.01})
    one, other = (trained(short, frames, tmp_path / str(n), n) for n in (0, 1))
    states = [each.module.state_dict() for each in (one, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
