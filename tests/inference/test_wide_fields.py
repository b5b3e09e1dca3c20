"""Images of other sizes than the training frames' are seen whole, and nothing is seen twice."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from blobs import FRAME_PX, detector, drawn_apart, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.inference.detections import Detections, Finder, Look
from livewell.inference.wide_fields import look_over, windows
from livewell.metrics.rules import log_odds
from livewell.models.nets.catalog import NETS
from livewell.models.nets.global_pooling import GlobalPool
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape

SIDES = st.integers(1, 260)


def over(frame: np.ndarray, area: Box | None = None, step: int = 1, **look: Any) -> Detections:
    """What the hand-made net sees in an image, with all cells higher than their neighbours."""
    area = area or Box.of(0, 0, *frame.shape)
    return look_over(Finder(detector(step), Look(**{"apart": 1} | look)), frame, area)


def matched(found: Detections, spots: list[tuple[float, float]], reach: float = 3.0) -> list[int]:
    """How many places lie within reach of each spot."""
    return [int((np.hypot(found.y - y, found.x - x) < reach).sum()) for y, x in spots]


@given(
    top=st.integers(0, 40),
    left=st.integers(0, 40),
    height=SIDES,
    width=SIDES,
    beyond=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    frame_px=st.tuples(st.integers(8, 100), st.integers(8, 100)),
    overlap=st.integers(0, 120),
)
@settings(max_examples=60)
def test_own_parts_cover_the_area_once(
    top: int,
    left: int,
    height: int,
    width: int,
    beyond: tuple[int, int],
    frame_px: tuple[int, int],
    overlap: int,
) -> None:
    """Every pixel of the area is in just one own part, and in that part's window."""
    area = Box.of(top, left, top + height, left + width)
    shape = (top + height + beyond[0], left + width + beyond[1])
    counted = np.zeros((height, width), dtype=int)
    for window, own in windows(shape, area, frame_px, overlap):
        assert window.shape == frame_px
        assert window.contains(own)
        assert area.contains(own)
        counted[own.y.start - top : own.y.stop - top, own.x.start - left : own.x.stop - left] += 1
    assert (counted == 1).all()


@given(
    start=st.integers(0, 40), length=SIDES, size=st.integers(8, 100), overlap=st.integers(0, 120)
)
@settings(max_examples=60)
def test_own_parts_see_half_the_overlap_around(
    start: int, length: int, size: int, overlap: int
) -> None:
    """Around an own part its window sees half the overlap, but at the image's edge.

    No more than half a window overlaps, however large a field is asked for.
    """
    area = Box.of(0, start, 1, start + length)
    around = min(overlap, size - size // 2) // 2
    for window, own in windows((1, start + length), area, (1, size), overlap):
        if length > size:
            assert area.x.contains(window.x)
        if own.x.start > area.x.start:
            assert own.x.start - window.x.start >= around
        if own.x.stop < area.x.stop:
            assert window.x.stop - own.x.stop >= around


@pytest.mark.parametrize("shape", [(96, 96), (60, 96), (96, 31), (1, 1), (90, 94)])
def test_smaller_images_have_one_window_about_their_middle(shape: tuple[int, int]) -> None:
    """An image no larger than the training frames has one window, and lies in its middle."""
    area = Box.of(0, 0, *shape)
    ((window, own),) = windows(shape, area, FRAME_PX, 30)
    assert own == area
    assert window.shape == FRAME_PX
    for here, there in zip(window.centre, area.centre, strict=True):
        assert abs(here - there) <= 0.5


def test_registration_borders_move_no_window() -> None:
    """A frame of the training frames' size is seen as training saw it, whatever its borders hide.

    Only where the frame is larger does the window lie about the part that holds image.
    """
    area = Box.of(13, 20, 90, 96)
    assert windows(FRAME_PX, area, FRAME_PX, 30) == [(Box.of(0, 0, *FRAME_PX), area)]
    ((window, own),) = windows((150, 150), area, FRAME_PX, 30)
    assert own == area
    assert window == Box.of(4, 10, 100, 106)


@pytest.mark.parametrize("shape", [(96, 97), (97, 97), (200, 333), (60, 300)])
def test_larger_images_have_several(shape: tuple[int, int]) -> None:
    """One row or column of windows more as soon as one pixel does not fit; none is needless."""
    found = windows(shape, Box.of(0, 0, *shape), FRAME_PX, 24)
    rows, columns = (len({window.corners[axis] for window, _ in found}) for axis in (0, 1))
    want = [1 if edge <= 96 else -(-(edge - 96) // 72) + 1 for edge in shape]
    assert [rows, columns] == want
    assert len(found) == rows * columns


@pytest.mark.parametrize("shape", [FRAME_PX, (150, 240), (70, 80), (97, 96)])
@pytest.mark.parametrize("step", [1, 2])
def test_every_blob_has_one_place(shape: tuple[int, int], step: int) -> None:
    """In images smaller, larger and as large as the training frames, all blobs and no others."""
    for seed in range(4):
        spots = drawn_apart(np.random.default_rng(seed), shape, 12)
        found = over(scene(shape, spots, seed), step=step)
        assert matched(found, spots) == [1] * len(spots)
        assert len(found.y) == len(spots)


@pytest.mark.long
@pytest.mark.parametrize("step", [1, 2, 4])
def test_blobs_on_seams_are_listed_once(step: int) -> None:
    """Where two windows meet, a blob is neither lost nor listed by both, wherever their grids lie.

    Windows begin on pixels that are no multiples of the stride, so that they see a blob at places
    some pixels apart.
    """
    shape = (96, 260)
    finder = Finder(detector(step), Look())
    seams = [
        own.x.stop for _, own in windows(shape, Box.of(0, 0, *shape), FRAME_PX, finder.field_px)
    ][:-1]
    assert len(seams) == 3
    rng = np.random.default_rng(step)
    for seed in range(25):
        spots = [(rng.uniform(14, 82), seam + rng.uniform(-3, 3)) for seam in seams]
        found = over(scene(shape, spots, seed), step=step)
        assert matched(found, spots, 5) == [1] * len(spots)
        assert len(found.y) == len(spots)


def test_two_blobs_beside_a_seam_stay_two() -> None:
    """Blobs that one window alone tells apart are told apart across a seam as well."""
    shape = (96, 168)
    ((_, own), _) = windows(
        shape, Box.of(0, 0, *shape), FRAME_PX, Finder(detector(), Look()).field_px
    )
    for offset in range(-20, 21, 2):
        spots = [(40.5, own.x.stop + offset - 9.0), (40.5, own.x.stop + offset + 9.0)]
        found = over(scene(shape, spots), sigma_px=2.0)
        assert matched(found, spots) == [1, 1], offset
        assert len(found.y) == 2, offset


@pytest.mark.parametrize("off", [1.0, 3.0, 6.0, 9.0, 14.0])
def test_blobs_beside_a_border_are_found_in_the_image(off: float) -> None:
    """A blob and its mirror image beyond a registration border have one peak: it is the blob's."""
    border = 20
    spot = (border + off, 50.0)
    frame = scene(FRAME_PX, [spot], 3)
    frame[:border] = 0
    found = over(frame, Box.of(border, 0, *FRAME_PX))
    assert matched(found, [spot], 4.0) == [1]
    assert len(found.y) == 1
    assert not found.labels[:border].any()


def test_a_large_image_holds_what_its_crops_hold() -> None:
    """Away from seams, places, scores and boxes are those of the window seen alone."""
    shape = (170, 180)
    spots = drawn_apart(np.random.default_rng(3), shape, 20)
    frame = scene(shape, spots)
    whole = over(frame)
    checked = 0
    for window, own in windows(shape, Box.of(0, 0, *shape), FRAME_PX, 24):
        alone = over(frame[window.slices])
        for number, (y, x) in enumerate(zip(whole.y, whole.x, strict=True)):
            top, left = window.y.start, window.x.start
            inner = own.widened(-8) if min(own.shape) > 16 else own
            if not (inner.y.start <= y < inner.y.stop and inner.x.start <= x < inner.x.stop):
                continue
            (same,) = np.flatnonzero((alone.y == y - top) & (alone.x == x - left))
            assert alone.score[same] == pytest.approx(whole.score[number], abs=1e-4)
            moved = alone.boxes[same] + [top, left, top, left]
            assert whole.boxes[number].tolist() == moved.tolist()
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("shape", [FRAME_PX, (150, 240), (70, 80)])
def test_labels_boxes_and_rows_agree(shape: tuple[int, int]) -> None:
    """Row n has pixels n + 1, its place among them, and their box; scores fall."""
    spots = drawn_apart(np.random.default_rng(5), shape, 12)
    found = over(scene(shape, spots))
    assert found.labels.shape == found.saliency.shape == shape
    assert set(np.unique(found.labels)) == set(range(len(spots) + 1))
    assert (np.diff(found.score) <= 0).all()
    for number, (y, x) in enumerate(zip(found.y, found.x, strict=True), 1):
        assert found.labels[int(y), int(x)] == number
        rows, columns = np.nonzero(found.labels == number)
        want = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert found.boxes[number - 1].tolist() == want


@given(
    seed=st.integers(0, 1000),
    shape=st.tuples(st.integers(40, 130), st.integers(40, 130)),
    rims=st.tuples(*[st.integers(0, 12)] * 4),
)
@settings(max_examples=25)
def test_no_place_lies_outside_the_image(
    seed: int, shape: tuple[int, int], rims: tuple[int, int, int, int]
) -> None:
    """Blobs at the edges, mirrored beyond them, are listed once and inside the image's area."""
    area = Box.of(rims[0], rims[1], shape[0] - rims[2], shape[1] - rims[3])
    rng = np.random.default_rng(seed)
    spots = [(y + area.y.start, x + area.x.start) for y, x in drawn_apart(rng, area.shape, 8, 2.0)]
    frame = scene(shape, spots, seed)
    inside = np.zeros(shape, dtype=bool)
    inside[area.slices] = True
    frame[~inside] = 0
    found = over(frame, area, apart=2)
    assert ((found.y > area.y.start) & (found.y < area.y.stop)).all()
    assert ((found.x > area.x.start) & (found.x < area.x.stop)).all()
    assert len(found.y) <= len(spots)
    assert found.boxes.size == 0 or found.boxes.min() >= 0
    assert (found.boxes[:, 2] <= shape[0]).all()
    assert (found.boxes[:, 3] <= shape[1]).all()
    assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()


def test_the_image_is_as_sure_as_its_surest_window() -> None:
    """The log odds are the highest of all windows', and the window holds the strongest blob."""
    shape = (96, 230)
    frame = scene(shape, [(50, 30)], noise=0.0) + 2 * scene(shape, [(50, 200)], noise=0.0)
    seen = over(frame)
    net = detector()
    alone = [
        float(log_odds(net.logits(torch.from_numpy(frame[window.slices])[None, None]))[0])
        for window, _ in windows(shape, Box.of(0, 0, *shape), FRAME_PX, 24)
    ]
    assert seen.logit == pytest.approx(max(alone), abs=1e-4)
    assert seen.window.x.start <= 200 < seen.window.x.stop
    assert seen.score[0] == pytest.approx(seen.logit, abs=1e-4)
    assert seen.maps.shape == (2, 12, 12)


def test_a_frame_of_the_training_size_is_seen_as_it_is() -> None:
    """Nothing is changed by the detour: places, saliency and log odds of the frame itself."""
    frame = scene(FRAME_PX, [(20, 70), (60, 30)])
    (want,) = Finder(detector(), Look(apart=1))(torch.from_numpy(frame)[None, None])
    found = over(frame)
    for name in Detections.__slots__[:-1]:
        np.testing.assert_allclose(getattr(found, name), getattr(want, name), err_msg=name)


@pytest.mark.long
@pytest.mark.parametrize("body", ["wscnn_small", "wscnn4", "wscnn_resnet18"])
@pytest.mark.parametrize("pooling", ["max", "average", "log_sum_exp", "noisy_or"])
@pytest.mark.parametrize("shape", [(210, 280), (220, 225), (203, 219)])
def test_any_net_is_as_sure_as_without_the_detour(
    body: str, pooling: GlobalPool, shape: tuple[int, int]
) -> None:
    """Places at the far edges count too, whose middles lie beyond it where strides do not fit."""
    torch.manual_seed(7)
    module = NETS[body](global_pool=pooling).build(NetShape(frame_px=shape)).eval()
    frame = torch.rand(1, *shape) * 100 + 1000
    frame[0, -9:] += 400
    frame[0, :, -9:] -= 300
    net = Net(module, ("no", "yes"), None, 0, 0, how="background", frame_px=shape)
    seen = look_over(Finder(net, Look()), frame[0].numpy(), Box.of(0, 0, *shape))
    assert seen.logit == pytest.approx(float(log_odds(net.logits(frame[None]))[0]), abs=1e-5)


def test_an_image_of_nothing_has_no_places() -> None:
    """Empty tables and maps of the image's size."""
    found = over(scene((120, 200), []))
    assert found.y.shape == found.score.shape == (0,)
    assert found.boxes.shape == (0, 4)
    assert found.labels.shape == found.saliency.shape == (120, 200)
    assert not found.labels.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64])
def test_any_number_type_is_taken(dtype: type) -> None:
    """Whole numbers as in files give the places that float32 gives, and stay as they were."""
    frame = (scene((120, 100), [(60.0, 50.0)], noise=2.0) + 40).round()
    given_ = frame.astype(dtype)
    given_.setflags(write=False)
    want, found = over(frame), over(given_)
    assert (found.y == want.y).all()
    assert found.logit == want.logit


def test_a_net_without_a_frame_size_is_refused() -> None:
    """A net that does not say how large its training frames were is refused in words."""
    net = replace(detector(), frame_px=None)
    with pytest.raises(SpecError, match="how large its training frames were"):
        look_over(Finder(net, Look()), scene(FRAME_PX, []), Box.of(0, 0, *FRAME_PX))
