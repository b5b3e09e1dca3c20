"""Likenesses: near copies are known again, different fields are not."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from livewell.measure.alike import Frames, pairs_alike
from livewell.measure.likeness import Likeness, likeness

FEW = settings(deadline=None, max_examples=20)


def field(seed: int, shape: tuple[int, int] = (150, 170), cells: int = 40) -> np.ndarray:
    """Bright and dark cells on uneven light with noise, 16 bits."""
    rng = np.random.default_rng(seed)
    sparse = np.zeros(shape)
    at = rng.integers(0, shape[0], cells), rng.integers(0, shape[1], cells)
    sparse[at] = rng.choice([-400.0, 600.0], cells)
    light = 1000 + 200 * np.add.outer(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]))
    cells_of = 20 * ndimage.gaussian_filter(sparse, 3)
    return (light + cells_of + rng.normal(0, 3, shape)).astype(np.uint16)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """How far two frames agree; 0 where they are not the same."""
    looks = [look for look in map(likeness, (one, other)) if look]
    frames = Frames(looks, ["one", "other"][: len(looks)])
    return max((pair.correlation for pair in pairs_alike(frames)), default=0.0)


def stretched(frame: np.ndarray, low: float, high: float, gamma: float) -> np.ndarray:
    """8 bits between two percentiles, with a gamma."""
    floor, top = np.percentile(frame, [low, high])
    return (255 * np.clip((frame - floor) / (top - floor), 0, 1) ** gamma).astype(np.uint8)


@given(
    seed=st.integers(0, 9999),
    low=st.floats(0, 1),
    high=st.floats(99, 100),
    gamma=st.floats(0.6, 1.6),
    turn=st.integers(0, 7),
)
@FEW
def test_grey_levels_and_turns_do_not_matter(seed, low, high, gamma, turn) -> None:
    """8 bits of any stretch and gamma, turned or mirrored, are the same field."""
    frame = field(seed)
    turned = np.rot90(frame[:, ::-1] if turn >= 4 else frame, turn % 4)
    assert alike(frame, stretched(turned, low, high, gamma)) > 0.75


@given(seed=st.integers(0, 9999), edges=st.tuples(*[st.integers(0, 12)] * 4))
@FEW
def test_a_crop_is_the_same_field(seed, edges) -> None:
    """A few pixels off any side leave the rest where it was, to the pixel."""
    frame, (top, left, bottom, right) = field(seed), edges
    assert alike(frame, frame[top : 150 - bottom, left : 170 - right]) > 0.75


@given(seed=st.integers(0, 9999), other=st.integers(10_000, 20_000))
@FEW
def test_other_fields_are_others(seed, other) -> None:
    """Fields that have only light and kind of cell in common are not the same."""
    assert alike(field(seed), field(other)) == 0


@given(seed=st.integers(0, 9999), other=st.integers(10_000, 20_000), cells=st.integers(1, 4))
@FEW
def test_a_few_cells_are_no_field(seed, other, cells) -> None:
    """A cell or two can be laid on any others, which makes no two fields the same."""
    assert alike(field(seed, cells=cells), field(other, cells=cells)) == 0


def test_jpeg_bar_and_size_do_not_matter() -> None:
    """A lossy copy, one with a burnt-in bar, and one that was enlarged, are found."""
    frame = stretched(field(1), 0, 100, 1)
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=50)
    barred = frame.copy()
    barred[138:142, 120:160] = 255
    larger = np.array(Image.fromarray(frame).resize((204, 180)))
    for copy in (np.array(Image.open(file)), barred, larger):
        assert alike(frame, copy) > 0.8


def test_what_shows_nothing_has_no_likeness() -> None:
    """Noise, a gradient of light with noise, and a single row are like nothing."""
    rng = np.random.default_rng(0)
    noise = rng.normal(100, 5, (90, 120))
    assert likeness(noise) is None
    assert likeness(noise + np.linspace(0, 300, 120)) is None
    assert likeness(rng.normal(100, 5, (1, 50))) is None


def test_rulings_and_dust_make_no_copies() -> None:
    """Fields with the same lines along the axes, and with the same dust, are not the same; copies
    among them are found all the same."""
    dust = field(77, cells=40).astype(float) - 1000
    frames = {}
    for number in range(18):
        frame = field(number, cells=30) + dust
        frame[20:24], frame[:, 140:145] = 0.8 * frame[20:24], 1.3 * frame[:, 140:145]
        frames[f"{number}"] = frame
    frames["copy"] = stretched(frames["3"], 1, 99, 0.8)
    looks = {name: likeness(frame) for name, frame in frames.items()}
    album = Frames([look for look in looks.values() if look], list(looks))
    pairs = {(album.images[one], album.images[other]) for one, other, _ in pairs_alike(album)}
    assert pairs == {("3", "copy")}


def test_one_field_many_times_is_no_pattern() -> None:
    """Where most images show one field they are copies of each other, not different ones."""
    frames = [field(1) + np.random.default_rng(n).integers(0, 20, (150, 170)) for n in range(16)]
    album = Frames([likeness(frame) for frame in frames], [str(n) for n in range(16)])
    assert len(list(pairs_alike(album))) == 16 * 15 / 2


def test_frames_of_one_group_are_not_compared() -> None:
    """Neighbouring frames of one movie say nothing about each other."""
    looks = [likeness(field(1)), likeness(field(1) + 1)]
    assert not list(pairs_alike(Frames(looks, ["a", "b"], ["movie", "movie"])))
    assert len(list(pairs_alike(Frames(looks, ["a", "b"])))) == 1
    assert not list(pairs_alike(Frames([], [])))


def test_packed_and_unpacked() -> None:
    """A likeness goes through bytes unchanged, and damaged bytes are an error."""
    look = likeness(field(1))
    again = Likeness.unpacked(look.packed())
    assert np.array_equal(look.thumbnail, again.thumbnail)
    assert (again.height, again.width) == (150, 170)
    with pytest.raises(ValueError, match="reshape"):
        Likeness.unpacked(look.packed()[:-1])
