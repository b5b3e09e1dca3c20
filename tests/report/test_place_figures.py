"""Figures of detections: what is drawn is what was found."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from livewell.report.class_maps import ClassMaps, class_maps
from livewell.report.overlays import FILL, MOST_NUMBERED, WIDEST_PX, Overlay, for_page, overlay
from livewell.report.page import Picture
from livewell.report.style import SICK

CLASSES = ("ellipses", "circles")


def opened(picture: Picture) -> NDArray[np.float64]:
    """(h, w, 3), 0 to 1."""
    return np.asarray(Image.open(BytesIO(picture.data)).convert("RGB")) / 255


def item(shape: tuple[int, int] = (60, 80), scale: float = 1.0) -> Overlay:
    """A ramp from left to right with two detections."""
    pixels = np.tile(np.linspace(500, 2500, shape[1]), (shape[0], 1)).astype(np.uint16)
    labels = np.zeros(shape, dtype=np.uint16)
    h, w = shape
    labels[h // 6 : h // 2, w // 8 : w // 3] = 1
    labels[h // 2 : h - 4, w - w // 4 : w] = 2
    return Overlay(pixels, labels, [0.91, 0.66], "circles, p 0.98, 2 detections", "n1.tif", scale)


def in_picture(shown: NDArray[np.float64], of: Overlay, y: float, x: float) -> NDArray[np.float64]:
    """Colour of the overlay at a pixel of the file; the picture fills the width."""
    height, width = of.pixels.shape
    zoom = shown.shape[1] / width
    text = max(shown.shape[1] / 38, 14.0)
    top = shown.shape[0] - 1.9 * text - height * zoom
    return shown[round(top + (y + 0.5) * zoom), round((x + 0.5) * zoom)]


def test_places_are_tinted_and_the_rest_stays_grey() -> None:
    """Inside a detection the image is mixed with one colour, lightly; elsewhere it has none."""
    one = replace(item(), pixel_um=None)
    shown = opened(overlay(one))
    assert shown.shape[1] == 640
    colour = np.array(to_rgb(SICK))
    for y, x in ((20, 18), (45, 70)):
        low, high = np.percentile(one.pixels, (0.5, 99.5))
        grey = np.clip((one.pixels[y, x] - low) / (high - low), 0, 1)
        expected = (1 - FILL) * grey + FILL * colour
        np.testing.assert_allclose(in_picture(shown, one, y, x), expected, atol=0.02)
    for y, x in ((50, 20), (3, 60)):
        found = in_picture(shown, one, y, x)
        assert np.ptp(found) < 0.01
    # the outline, half a pixel wide on either side of the place's edge
    edge = np.array([in_picture(shown, one, y - 0.5, 20) for y in (10, 30)])
    np.testing.assert_allclose(edge, [colour, colour], atol=0.1)


def white(of: Overlay, rows: range, columns: range) -> int:
    """How many pixels of the overlay are white over that part of the file, 60 x 80 px."""
    shown = opened(overlay(of))
    zoom, text = 8, 640 / 38
    top = round(shown.shape[0] - 1.9 * text - 60 * zoom) + 1
    part = shown[top + rows.start * zoom : top + rows.stop * zoom - 2]
    return int((part[:, columns.start * zoom : columns.stop * zoom].min(axis=2) > 0.9).sum())


def test_every_place_is_numbered() -> None:
    """Beside a detection stands its number, and its probability while there are few."""
    one = replace(item(), pixels=np.full((60, 80), 7, np.uint16), pixel_um=None)
    beside, further = (range(7, 14), range(26, 29)), (range(7, 14), range(29, 40))
    many = replace(one, p=[0.9] * 30)
    assert white(one, *beside)
    assert white(many, *beside)
    assert white(one, *further)
    assert white(many, *further) == 0
    bare = replace(one, labels=np.zeros_like(one.labels), p=[])
    assert white(bare, range(60), range(80)) == 0


def discs(centres: list[tuple[int, int]], p: int) -> Overlay:
    """A dark image of 60 x 80 px, detections of 3 px at these centres, said to be `p` in all."""
    labels = np.zeros((60, 80), np.uint16)
    for number, (y, x) in enumerate(centres, 1):
        labels[y : y + 3, x : x + 3] = number
    return Overlay(np.full((60, 80), 7, np.uint16), labels, [0.9] * p, "circles", "n.tif")


def test_crowded_pictures_have_no_numbers() -> None:
    """Beyond `MOST_NUMBERED` detections outlines alone are drawn, and the image says so."""
    grid = [(y, x) for y in range(0, 60, 6) for x in range(0, 80, 10)]
    crowd, fewer = discs(grid[:61], 61), discs(grid[:60], 60)
    assert MOST_NUMBERED == 60
    assert white(crowd, range(60), range(80)) == 0
    assert white(fewer, range(60), range(80)) > 0
    assert "too many detections for numbers" in overlay(crowd).alt
    assert "too many" not in overlay(fewer).alt


def test_numbers_shrink_where_places_are_near() -> None:
    """The same two numbers take less room where detections stand close together."""
    near, far = discs([(20, 20), (22, 20)], 30), discs([(10, 20), (40, 20)], 30)
    assert white(near, range(60), range(80)) < 0.6 * white(far, range(60), range(80))


def test_borders_of_zeros_do_not_change_the_contrast() -> None:
    """Grey levels are stretched by the picture, not by what registration left at its edges."""
    one = replace(item(), pixel_um=None, labels=np.zeros((60, 80), np.uint16), p=[])
    framed = replace(
        one,
        pixels=np.pad(one.pixels, ((0, 0), (0, 16))),
        labels=np.zeros((60, 96), np.uint16),
    )
    alone, beside = opened(overlay(one)), opened(overlay(framed))
    for x in (5, 40, 75):
        np.testing.assert_allclose(
            in_picture(beside, framed, 30, x), in_picture(alone, one, 30, x), atol=0.01
        )


def test_large_pictures_are_averaged() -> None:
    """Stripes of one pixel become grey: no pattern arises, as by taking every other pixel."""
    wide = 2 * WIDEST_PX
    pixels = np.tile(np.array([0, 200], np.uint8), (40, wide // 2))
    pixels[:, :200], pixels[:, -200:] = 1, 201
    labels = np.zeros(pixels.shape, np.uint16)
    striped = Overlay(pixels, labels, [], "x", "y")
    shown = opened(overlay(striped))
    np.testing.assert_allclose(in_picture(shown, striped, 20, wide // 2), 0.5, atol=0.02)
    assert in_picture(shown, striped, 20, 100).max() < 0.02


def test_a_scale_bar_needs_a_pixel_size() -> None:
    """With a pixel size there is a white bar at the lower left, without one there is none."""
    dark = replace(item(), pixels=np.full((60, 80), 7, np.uint16), labels=np.zeros((60, 80), int))
    corner = {}
    for pixel_um in (0.5, None):
        shown = opened(overlay(replace(dark, pixel_um=pixel_um)))
        corner[pixel_um] = in_picture(shown, dark, 57.2, 3).min()
    assert corner[0.5] > 0.9
    assert corner[None] < 0.1


def test_large_frames_are_drawn_smaller() -> None:
    """Frames of several thousand pixels are reduced by a whole number; strips stay strips."""
    shown = opened(overlay(item((300, 4 * WIDEST_PX + 8))))
    assert WIDEST_PX * 0.75 < shown.shape[1] <= WIDEST_PX
    high, wide, _ = opened(overlay(item((3000, 20)))).shape
    assert wide == 640
    assert WIDEST_PX * 0.9 < high < WIDEST_PX * 1.1


def test_the_page_takes_a_lighter_copy() -> None:
    """The page's copy is WebP of the same size, says the same, and looks the same."""
    picture = overlay(item())
    light = for_page(picture)
    assert (light.kind, light.alt) == ("webp", picture.alt)
    assert light.data[8:12] == b"WEBP"
    assert "n1.tif: circles, p 0.98, 2 detections" in light.alt
    np.testing.assert_allclose(opened(light).mean(), opened(picture).mean(), atol=0.01)


def maps(peak: float = 9.0, title: str = "surest circles, p 0.99\nn1.tif") -> ClassMaps:
    """A picture of 60 x 80 px whose positive map has one high cell."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.5, (2, 8, 10)).astype(np.float32)
    values[1, 3, 4] += peak
    odds = values[1] - values[0]
    return ClassMaps(title, item().pixels, values, odds, [(20, 30, 36, 46)], 8, 2.25)


def test_cells_lie_where_they_look() -> None:
    """The first cell is drawn about its centre, the others every stride."""
    left, right, bottom, top = maps().extent
    assert (left, top) == (2.75 - 4, 2.75 - 4)
    assert right - left == 80
    assert bottom - top == 64


@pytest.mark.long
@pytest.mark.parametrize("least", [2.0, -300.0, 300.0])
def test_class_maps_are_drawn_with_any_threshold(least: float) -> None:
    """One or three rows, a threshold that all, some or no cell reaches."""
    three = [maps(9, "a"), maps(1, "b"), maps(-1, "c")]
    for items in (three[:1], three) if least == 2 else (three[:1],):
        picture = class_maps(items, CLASSES, least, 0.6)
        shown = opened(picture)
        assert shown.shape[1] == 1560
        assert picture.wide
        assert "ellipses and circles" in picture.alt
        assert "threshold of a detection" in picture.caption


@pytest.mark.parametrize("words", ["nearly all cells", "right tail", "sets images apart"])
def test_the_caption_of_class_maps_claims_nothing(words: str) -> None:
    """It says what to look at, whatever the net; what it shows, nobody has looked at."""
    said = class_maps([maps()], CLASSES, 1.0, 0.6).caption
    assert words not in said
    assert "Look whether the histograms of the rows differ" in said
    assert "mirrored" not in said


def test_cells_beyond_the_picture_are_not_counted() -> None:
    """Where a small picture is mirrored, its edge is drawn and cells outside tell nothing."""
    whole = maps()
    part = replace(whole, inside=(0, 0, 60, 30))
    centres = 2.75 + 8 * np.arange(10)
    assert part.counted.sum() == 8 * (centres < 30).sum()
    assert whole.counted.all()
    assert replace(whole, inside=(0, 0, 60, 80)).counted.all()
    # a part between the centres of cells: all of them speak for the picture
    assert replace(whole, inside=(0, 0, 1, 1)).counted.all()

    def much(one: ClassMaps) -> int:
        shown = opened(class_maps([replace(one, boxes=[])], CLASSES, 2.0, 0.6))
        return int((np.abs(shown - np.array(to_rgb(SICK))).max(axis=2) < 0.03).sum())

    # the one called cell lies in column 4, beyond the picture
    assert much(part) < much(whole)
    assert "dashed white line" in class_maps([part], CLASSES, 2.0, 0.6).caption


@pytest.mark.long
def test_long_names_stay_beside_their_row() -> None:
    """A name of any length is cut before it reaches the next row."""
    long = [maps(title=f"surest circles\np 0.99\n{'W' * 90}{n}.tif") for n in range(2)]
    shown = opened(class_maps(long, CLASSES, 1.0, 0.6))
    short = opened(class_maps([maps(title="a\nb\nc")] * 2, CLASSES, 1.0, 0.6))
    assert shown.shape == short.shape
    # left of the inputs; the rows are 1.5375 in high, 0.26 in apart
    beside = shown[:, : round(0.48 * 130)].min(axis=(1, 2)) < 0.5
    middle = (0.32 + 1.5375 + 0.13) * 130
    assert not beside[round(middle) - 4 : round(middle) + 4].any()
    assert beside[round(0.4 * 130) : round((0.3 + 1.5) * 130)].any()


def test_constant_maps_are_drawn() -> None:
    """A net that says the same everywhere gives a figure, not an error."""
    flat = replace(maps(), maps=np.zeros((2, 8, 10), np.float32), boxes=[])
    assert opened(class_maps([flat], CLASSES, 0.5, 0.6)).shape[1] == 1560
    assert class_maps([], CLASSES, 0.5, 0.6).kind == "svg"


def test_called_cells_stand_out() -> None:
    """Vermillion marks the cells that reach the threshold: with none there is less of it."""
    colour = np.array(to_rgb(SICK))

    def much(least: float) -> int:
        shown = opened(class_maps([maps()], CLASSES, least, 0.6))
        return int((np.abs(shown - colour).max(axis=2) < 0.03).sum())

    assert much(0.5) > much(5.0) > much(500.0)


@settings(max_examples=8)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_frames_of_any_shape_are_drawn(height: int, width: int, places: int) -> None:
    """One pixel or a strip: the figure has the frame's proportions and room for its words."""
    labels = np.zeros((height, width), dtype=np.uint16)
    labels.flat[:places] = np.arange(1, min(places, labels.size) + 1)[: labels.size]
    one = Overlay(np.full((height, width), 5, np.uint8), labels, [0.5] * places, "x", "y", 0.3)
    wide, high = Image.open(BytesIO(overlay(one).data)).size
    assert 640 <= wide <= WIDEST_PX
    assert high >= height * 640 // max(width, height) * 0.99
    assert high <= WIDEST_PX * 1.1
