"""The paper's enumerated near copies: how many, what they are, and where they lie."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import ImageContentError, SpecError
from livewell.papers.expansion import (
    COPIES_A,
    COPIES_B,
    EXPANSION_A_2017,
    EXPANSION_B_2017,
    Counts,
    ExpansionA,
    ExpansionB,
    copies_a,
    copies_b,
)
from livewell.training.augment import normalised
from livewell.training.warps import turned

SMALL_A = ExpansionA(crop_px=32, stride_px=16, warp_grid_px=16, warp_sigma_px=1.5)
SMALL_B = ExpansionB(crop_px=32)
RNG = np.random.default_rng(0)
FRAME = RNG.integers(900, 1200, (128, 168)).astype(np.uint16)
SEQUENCE = RNG.integers(900, 1200, (10, 32, 32)).astype(np.uint16)


def every(stacks):
    """All copies of a data set in one list and one array."""
    lists, pixels = zip(*stacks, strict=True)
    return [copy for made in lists for copy in made], np.concatenate(pixels)


def test_the_papers_counts() -> None:
    """2,592 of a frame and 720 of a sequence; 3,024 with the crops that the paper leaves out."""
    assert (COPIES_A.total, str(COPIES_A)) == (2592, "3x8x2x54")
    assert (COPIES_B.total, str(COPIES_B)) == (720, "8x3x10x3")
    assert replace(EXPANSION_A_2017, edge="drop").counts(1024, 1344).total == 3024
    assert str(Counts()) == "1"


@pytest.mark.parametrize(("height", "width"), [(1024, 1344), (1344, 1024)])
def test_a_turned_frame_has_as_many_crops(height: int, width: int) -> None:
    """Nine crops fit along 1344 px and six are counted along 1024, whichever way the frame lies."""
    boxes = EXPANSION_A_2017.boxes(height, width)
    assert len(boxes) == 54
    assert {box.y.start for box in boxes} == set(range(0, height - 256, 128))
    assert {box.x.start for box in boxes} == set(range(0, width - 256, 128))


def test_copies_of_a_frame() -> None:
    """Every number once and in order, each copy of mean 0 and variance 1, all of them different."""
    made, pixels = every(copies_a(FRAME, ("a", 0), 1, SMALL_A))
    assert len(made) == SMALL_A.counts(*FRAME.shape).total == 3 * 8 * 2 * 54
    assert [copy.number for copy in made] == list(range(len(made)))
    assert pixels.shape == (len(made), 32, 32)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(pixels.std(axis=(1, 2)), 1, atol=1e-4)
    assert len({copy.tobytes() for copy in pixels}) == len(made)
    assert {(copy.warp, copy.turn) for copy in made} == {(w, r) for w in range(3) for r in range(8)}
    sigmas = {copy.sigma_px for copy in made}
    assert len(sigmas) == 3 * 8 * 2
    assert 1.1 <= min(sigmas) < 1.2
    assert 1.4 < max(sigmas) <= 1.5


def test_copies_of_a_sequence() -> None:
    """Every number once and in order, mean 0, and sd of 1 and 0.5 together: sqrt(1.25)."""
    made, pixels = every(copies_b(SEQUENCE, ("a", 0), 1, SMALL_B))
    assert [copy.number for copy in made] == list(range(720))
    assert pixels.shape == (720, 32, 32)
    assert pixels.dtype == np.float32
    assert pixels.mean() == pytest.approx(0, abs=0.003)
    assert pixels.std() == pytest.approx(np.sqrt(1.25), abs=0.003)
    assert len({copy.tobytes() for copy in pixels}) == 720
    assert {(copy.turn, copy.t, copy.noise) for copy in made} == {
        (r, t, n) for r in range(8) for t in range(10) for n in range(3)
    }
    assert len({copy.sigma_px for copy in made}) == 8 * 3 * 10


def test_noise_is_added_after_normalising() -> None:
    """Without noise every copy has mean 0 and variance 1; noises of one frame differ by theirs."""
    _, clean = every(copies_b(SEQUENCE, ("a", 0), 1, replace(SMALL_B, noise_sd=0)))
    np.testing.assert_allclose(clean.mean(axis=(1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(clean.std(axis=(1, 2)), 1, atol=1e-4)
    _, pixels = every(copies_b(SEQUENCE, ("a", 0), 1, SMALL_B))
    noise = pixels - clean
    assert noise.std(axis=(1, 2)) == pytest.approx(np.full(720, 0.5), abs=0.07)
    assert abs(np.corrcoef(noise[:2].reshape(2, -1))[0, 1]) < 0.15


def test_crops_lie_where_they_say() -> None:
    """Without warp and blur a copy is its box of the frame, turned and normalised."""
    plain = replace(SMALL_A, warps=1, blurs=1, warp_sigma_px=0, blur_px=(0, 0))
    made, pixels = every(copies_a(FRAME, ("a", 0), 1, plain))
    assert len(made) == 8 * 54
    for copy, crop in zip(made, pixels, strict=True):
        cut = FRAME[copy.box.slices][None].astype(np.float32)
        want = normalised(turned(cut, [copy.turn]))[0]
        # the identity is read between pixels, and rounds
        np.testing.assert_allclose(crop, want, atol=1e-3)
    covered = np.zeros(FRAME.shape, dtype=bool)
    for copy in made:
        covered[copy.box.slices] = True
    assert covered.all()


def test_frames_of_a_sequence_are_those_they_say() -> None:
    """Without blur and noise a copy is its frame of the sequence, turned and normalised."""
    plain = replace(SMALL_B, blurs=1, noises=1, noise_sd=0, blur_px=(0, 0))
    made, pixels = every(copies_b(SEQUENCE, ("a", 0), 1, plain))
    assert len(made) == 80
    for copy, crop in zip(made, pixels, strict=True):
        frame = SEQUENCE[copy.t][None].astype(np.float32)
        want = normalised(turned(frame, [copy.turn]))[0]
        np.testing.assert_allclose(crop, want, atol=1e-5)
        assert copy.box.corners == (0, 0, 32, 32)


@pytest.mark.parametrize(
    ("copies", "pixels", "spec"),
    [(copies_a, FRAME, replace(SMALL_A, warps=2, turns=2)), (copies_b, SEQUENCE, SMALL_B)],
)
def test_seed_and_key_decide(copies, pixels, spec) -> None:
    """The same seed and key give the same copies; another of either gives others."""
    first, same, other_seed, other_key = (
        every(copies(pixels, key, seed, spec))
        for key, seed in ((("a", 0), 1), (("a", 0), 1), (("a", 0), 2), (("a", 1), 1))
    )
    assert first[0] == same[0]
    np.testing.assert_array_equal(first[1], same[1])
    for made, crops in (other_seed, other_key):
        assert [copy.box for copy in made] == [copy.box for copy in first[0]]
        assert not np.isclose(crops, first[1]).all(axis=(1, 2)).any()


@settings(deadline=None, max_examples=15)
@given(st.sets(st.integers(0, 719), min_size=1, max_size=6), st.sampled_from([0, 24]))
def test_a_copy_can_be_had_alone(numbers: set[int], input_px: int) -> None:
    """Copies by number are those of the whole expansion, whichever others are asked for."""
    spec_a = replace(SMALL_A, warps=1, blurs=2, input_px=input_px)
    spec_b = replace(SMALL_B, input_px=input_px)
    for copies, pixels, spec in ((copies_a, FRAME, spec_a), (copies_b, SEQUENCE, spec_b)):
        made, crops = every(copies(pixels, ("a", 0), 1, spec, numbers=numbers))
        assert [copy.number for copy in made] == sorted(numbers)
        for copy, crop in zip(made, crops, strict=True):
            (again,), (alone,) = next(copies(pixels, ("a", 0), 1, spec, numbers=[copy.number]))
            assert again == copy
            np.testing.assert_allclose(crop, alone, atol=1e-6)


def test_the_last_step_is_a_random_crop() -> None:
    """With `input_px` every copy is a piece of the whole one of its number, anywhere in it."""
    for copies, pixels, spec in ((copies_a, FRAME, SMALL_A), (copies_b, SEQUENCE, SMALL_B)):
        wanted = range(120)
        _, whole = every(copies(pixels, ("a", 0), 1, spec, numbers=wanted))
        _, pieces = every(copies(pixels, ("a", 0), 1, replace(spec, input_px=30), numbers=wanted))
        places = set()
        for piece, copy in zip(pieces, whole, strict=True):
            views = np.lib.stride_tricks.sliding_window_view(copy, (30, 30))
            (place,) = np.argwhere(np.isclose(views, piece).all(axis=(2, 3))).tolist()
            places.add(tuple(place))
        assert len(places) == 9


@pytest.mark.parametrize("shape", [(32, 168), (128,), (3, 128, 168)])
def test_frames_without_a_crop_are_refused(shape: tuple[int, ...]) -> None:
    """What is no frame, or too small for one crop, is told with its shape and key."""
    with pytest.raises(ImageContentError, match="plate/A1") as error:
        next(copies_a(np.zeros(shape), ("plate/A1", 0), 1, SMALL_A))
    assert str(shape) in str(error.value)


def test_sequences_of_another_size_are_refused() -> None:
    """A sequence must have the frames and the size that the expansion counts with."""
    with pytest.raises(ImageContentError, match=r"\(9, 32, 32\)"):
        next(copies_b(SEQUENCE[:9], ("a", 0), 1, SMALL_B))
    with pytest.raises(ImageContentError, match="10 x 256 x 256"):
        next(copies_b(SEQUENCE, ("a", 0), 1, EXPANSION_B_2017))


@pytest.mark.parametrize("number", [-1, 720])
def test_numbers_beyond_the_last_copy_are_refused(number: int) -> None:
    """There are copies 0 to 719 and no others."""
    with pytest.raises(SpecError, match="0 to 719"):
        next(copies_b(SEQUENCE, ("a", 0), 1, SMALL_B, numbers=[number]))


def test_expansions_that_cannot_be_are_refused() -> None:
    """Everything wrong with an expansion is told at once."""
    with pytest.raises(SpecError) as error:
        ExpansionA(warps=0, turns=9, blur_px=(2, 1), warp_sigma_px=-1, input_px=300)
    for name in ("warps", "turns", "blur_px", "warp_sigma_px", "input_px"):
        assert f"{name} is" in str(error.value)
    with pytest.raises(SpecError, match="noise_sd is -1"):
        ExpansionB(noise_sd=-1)
