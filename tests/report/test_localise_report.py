"""Figures and page of places: what is drawn is what was found, and the page claims no more."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image

from livewell.report.class_maps import ClassMaps, class_maps
from livewell.report.localise import LocaliseResults, headline, localise_page
from livewell.report.overlays import FILL, WIDEST_PX, Overlay, for_page, overlay
from livewell.report.page import Page, Picture, render
from livewell.report.style import SICK

CLASSES = ("ellipses", "circles")


def opened(picture: Picture) -> NDArray[np.float64]:
    """(h, w, 3), 0 to 1."""
    return np.asarray(Image.open(BytesIO(picture.data)).convert("RGB")) / 255


def item(shape: tuple[int, int] = (60, 80), scale: float = 1.0) -> Overlay:
    """A ramp from left to right with two places."""
    pixels = np.tile(np.linspace(500, 2500, shape[1]), (shape[0], 1)).astype(np.uint16)
    labels = np.zeros(shape, dtype=np.uint16)
    h, w = shape
    labels[h // 6 : h // 2, w // 8 : w // 3] = 1
    labels[h // 2 : h - 4, w - w // 4 : w] = 2
    return Overlay(pixels, labels, [0.91, 0.66], "circles, p 0.98, 2 places", "n1.tif", scale)


def in_picture(shown: NDArray[np.float64], of: Overlay, y: float, x: float) -> NDArray[np.float64]:
    """Colour of the overlay at a pixel of the file; the picture fills the width."""
    height, width = of.pixels.shape
    zoom = shown.shape[1] / width
    text = max(shown.shape[1] / 38, 14.0)
    top = shown.shape[0] - 1.9 * text - height * zoom
    return shown[round(top + (y + 0.5) * zoom), round((x + 0.5) * zoom)]


def test_places_are_tinted_and_the_rest_stays_grey() -> None:
    """Inside a place the picture is mixed with one colour, lightly; elsewhere it has none."""
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
    """Beside a place stands its number, and its probability while there are few."""
    one = replace(item(), pixels=np.full((60, 80), 7, np.uint16), pixel_um=None)
    beside, further = (range(7, 14), range(26, 29)), (range(7, 14), range(29, 40))
    many = replace(one, p=[0.9] * 30)
    assert white(one, *beside)
    assert white(many, *beside)
    assert white(one, *further)
    assert white(many, *further) == 0
    bare = replace(one, labels=np.zeros_like(one.labels), p=[])
    assert white(bare, range(60), range(80)) == 0


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
    assert "n1.tif: circles, p 0.98, 2 places" in light.alt
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
        assert "threshold of a place" in picture.caption


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


def results(**changed: object) -> LocaliseResults:
    pictures = pd.DataFrame(
        [
            ("a.tif", 0, None, None, 0.97, "circles", 3, "", "masks/a.tif"),
            ("b.tif", 0, None, None, 0.05, "ellipses", 0, "", "masks/b.tif"),
            ("c.tif", 0, None, None, 0.5, "unsure", 1, "", "masks/c.tif"),
            ("<d>.tif", 0, None, None, np.nan, "nothing to judge", 0, "", "masks/d.tif"),
        ],
        columns=["image", "t", "well", "position", "p", "verdict", "found", "note", "mask"],
    )
    detections = pd.DataFrame(
        [("a.tif", 0, n, 5.0 * n, 7.0, 3.0, 0.9) for n in (1, 2, 3)]
        + [("c.tif", 0, 1, 9.0, 9.0, 1.0, 0.7)],
        columns=["image", "t", "number", "y", "x", "score", "p"],
    )
    made = LocaliseResults(
        title="Places in new",
        subtitle="by the model m",
        classes=CLASSES,
        pictures=pictures,
        detections=detections,
        failures=pd.DataFrame(columns=["image", "t", "error"]),
        threshold=0.4,
        band=(0.3, 0.6),
        least=0.68,
    )
    return replace(made, **changed)


def texts(page: Page) -> str:
    """Everything that the page says."""
    return render(page).replace("&#39;", "'")


def test_headline_counts_pictures_and_places() -> None:
    """Every verdict with its number, then places and the pictures that hold them."""
    said, tone = headline(results())
    assert said == (
        "Of 4 pictures, 1 is called circles, 1 is called ellipses, 1 is unsure and 1 has nothing to"
        " judge. 4 places in 2 pictures look circles."
    )
    assert tone == "info"
    failures = pd.DataFrame([("x.tif", None, "[image-unreadable] no")], columns=["image", "t", "e"])
    said, tone = headline(results(failures=failures))
    assert said.endswith("1 input could not be judged.")
    assert tone == "warn"
    none = results(pictures=results().pictures.head(0), detections=results().detections.head(0))
    assert headline(none) == ("No picture was judged.", "bad")


def test_the_page_says_what_a_place_is_not() -> None:
    """No segmentation, labels of images alone, no exact count, and whose threshold it is."""
    page = texts(localise_page(results()))
    assert "It is no segmentation" in page
    assert "trained on labels of images alone" in page
    assert "from p 0.68 on, a low one of those that told validation frames apart best" in page
    assert "no exact count" in page
    assert "1 place of 4 lie in 1 picture not called circles" in page
    assert "(0.30 to 0.60)" in page
    assert "as you asked" in texts(localise_page(results(chosen=False)))
    assert "&lt;d&gt;.tif" in page
    assert "<d>.tif" not in page
    assert "masks/a.tif" not in page


def test_the_page_knows_the_pooling_and_leaves_bare_columns_out() -> None:
    """What is said of the maps fits the net, and columns without a word are not shown."""
    page = texts(localise_page(results()))
    assert page.count("the surest place of each class speaks for the picture") == 1
    assert ">well<" not in page
    assert ">note<" not in page
    none = results().pictures.assign(well=np.nan, note=None)
    assert ">well<" not in texts(localise_page(results(pictures=none)))
    told = results().pictures.assign(note=["", "rescaled", "", ""], well=["A1", None, None, None])
    page = texts(localise_page(results(pictures=told, pooling="average")))
    assert "the mean of all places speaks" in page
    assert ">well<" in page
    assert ">note<" in page
    assert "all places together" in texts(localise_page(results(pooling="noisy_or")))


def test_figures_of_the_model_are_shown_if_there_are_any() -> None:
    """A measured model's figures stand in a table; one that was not measured is cautioned of."""
    assert "was not measured on unseen groups" in texts(localise_page(results()))
    page = texts(localise_page(results(measured=[("place recall", 0.91, 0.85, 0.95)])))
    assert "place recall" in page
    assert "0.850 to 0.950" in page
    assert "was not measured" not in page


def test_pages_without_places_or_pictures() -> None:
    """Nothing found, nothing judged, everything failed: each has its page."""
    empty = results().detections.head(0)
    none = localise_page(results(pictures=results().pictures.assign(found=0), detections=empty))
    assert "No place reached the threshold." in texts(none)
    assert "1 picture called circles without any place" in texts(none)
    assert "without any place" not in texts(localise_page(results()))
    failures = pd.DataFrame(
        [("x.tif", 0, "[image-content] blank")], columns=["image", "t", "error"]
    )
    bare = results(pictures=results().pictures.head(0), detections=empty, failures=failures)
    page = texts(localise_page(bare))
    assert "Inputs that could not be judged" in page
    assert "x.tif" in page


def test_pictures_stand_in_one_gallery() -> None:
    """Overlays keep their order, and Figure 3 follows."""
    pictures = [replace(for_page(overlay(item())), alt=f"picture {n}") for n in range(3)]
    page = texts(
        localise_page(results(overlays=pictures, maps=class_maps([maps()], CLASSES, 1.0, 0.6)))
    )
    places = [page.index(f'alt="picture {n}"') for n in range(3)]
    assert places == sorted(places)
    assert "3 of 4 pictures" in page
    assert page.index("Class maps of ellipses and circles") > places[-1]


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
