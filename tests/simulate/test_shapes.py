"""Pictures of shapes are what they are said to be, and their truth lies where the pixels are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import SpecError
from livewell.simulate.shapes import OBJECTS, Picture, ShapeSpec, picture

SEEDS = st.integers(0, 2**20)
READINGS = st.sampled_from(["flat", "literal"])
FAINT = 0.02
"""Share of an object's contrast below which its smooth edge is taken for background."""


def half(row: pd.Series) -> tuple[float, float]:
    """Half height and half width of an ellipse's box, from its axes and angle."""
    angle = np.deg2rad(row["angle_deg"])
    along, across = row["a_px"] / 2, row["b_px"] / 2
    return (
        float(np.sqrt((along * np.sin(angle)) ** 2 + (across * np.cos(angle)) ** 2)),
        float(np.sqrt((along * np.cos(angle)) ** 2 + (across * np.sin(angle)) ** 2)),
    )


def inside(row: pd.Series, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose middle lies in the ellipse of this row of the truth."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    y, x, angle = y - row["y"], x - row["x"], np.deg2rad(row["angle_deg"])
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (2 * along / row["a_px"]) ** 2 + (2 * across / row["b_px"]) ** 2 <= 1


def alone(seed: int, reading: str = "flat", number: int = 0, filled: bool = True) -> Picture:
    """A picture of one object, grey level 200 on 0, without noise."""
    spec = ShapeSpec(
        reading,
        objects=(1, 1),
        noise_sd=0.0,
        grey=(200.0, 200.0),
        background=0.0,
        filled=filled,
        seed=seed,
    )
    return picture(spec, number)


@pytest.fixture(scope="module", params=["flat", "literal"])
def many(request: pytest.FixtureRequest) -> list[Picture]:
    """Sixty pictures of each reading, as the paper draws them."""
    spec = ShapeSpec(request.param, seed=5)
    return [picture(spec, number) for number in range(60)]


def test_pictures_are_the_papers(many: list[Picture]) -> None:
    """210 x 280 px of 8 bit, 30 to 48 objects, every other one positive, all columns told."""
    for number, made in enumerate(many):
        assert made.pixels.shape == (210, 280)
        assert made.pixels.dtype == np.uint8
        assert 30 <= len(made.objects) <= 48
        assert list(made.objects) == OBJECTS[1:]
        assert made.positive == (number % 2 == 1)
    assert len({len(made.objects) for made in many}) > 12


def test_only_positives_hold_circles(many: list[Picture]) -> None:
    """A tenth of a positive picture's objects are circles, rounded; none of a negative's."""
    for made in many:
        kinds = made.objects["kind"]
        assert set(kinds) <= {"circle", "ellipse"}
        wanted = max(round(0.1 * len(kinds)), 1) if made.positive else 0
        assert (kinds == "circle").sum() == wanted


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"objects": (40, 40), "circle_share": 0.2}, 8),
        ({"objects": (3, 3), "circle_share": 0.1}, 1),
        ({"objects": (33, 33), "circle_share": 1.0}, 33),
        ({"objects": (30, 48), "circles": 5}, 5),
        ({"objects": (30, 30), "circles": 30, "circle_share": 0.1}, 30),
    ],
)
def test_how_many_circles(settings: dict[str, object], wanted: int) -> None:
    """A share of the objects, one at least, or the number that was asked for."""
    made = picture(ShapeSpec(**settings), 1)
    assert (made.objects["kind"] == "circle").sum() == wanted
    assert not (picture(ShapeSpec(**settings), 0).objects["kind"] == "circle").any()


def test_sizes(many: list[Picture]) -> None:
    """Long axes and circles are 15 to 20 px; ellipses as flat as their reading says."""
    table = pd.concat([made.objects for made in many])
    circles, ellipses = (table[table["kind"] == kind] for kind in ("circle", "ellipse"))
    assert table["a_px"].between(15, 20).all()
    assert (circles["a_px"] == circles["b_px"]).all()
    ratio = ellipses["b_px"] / ellipses["a_px"]
    if ratio.min() < 0.7:
        assert ratio.between(0.5, 0.75).all()
        assert (ratio.min(), ratio.max()) == pytest.approx((0.5, 0.75), abs=0.01)
    else:
        assert ellipses["b_px"].between(15, 20).all()
        assert (ellipses["a_px"] - ellipses["b_px"]).min() >= 2
    assert table["angle_deg"].between(0, 180).all()
    assert np.histogram(ellipses["angle_deg"], 6, (0, 180))[0].min() > len(ellipses) / 9


def test_every_object_has_a_place_of_its_own(many: list[Picture]) -> None:
    """Upper left corners lie 1 to 20 px from places of a 6 x 8 grid, one object a place."""
    shifts = set()
    for made in many:
        places = set()
        for _, row in made.objects.iterrows():
            corner = []
            sides = zip((row["y"], row["x"]), half(row), (210, 280), strict=True)
            for middle, extent, edge in sides:
                first = middle - extent
                if abs(middle + extent - edge) > 1e-6:
                    assert first == pytest.approx(round(first), abs=1e-6)
                    shifts.add((round(first) - 1) % 35 + 1)
                corner.append(int(round(first, 6) - 1) // 35)
            places.add(tuple(corner))
        assert len(places) == len(made.objects)
        assert {0 <= y < 6 and 0 <= x < 8 for y, x in places} == {True}
    assert shifts == set(range(1, 21))


@given(seed=SEEDS, reading=READINGS, number=st.integers(0, 1), filled=st.booleans())
@settings(max_examples=60)
def test_boxes_enclose_what_is_drawn(seed: int, reading: str, number: int, filled: bool) -> None:
    """Every pixel that is clearly brighter lies in the box, and no side is over 1 px too far."""
    made = alone(seed, reading, number, filled)
    row = made.objects.iloc[0]
    assert row["kind"] == ("circle" if number else "ellipse")
    rows, columns = np.nonzero(made.pixels > 200 * FAINT)
    y0, x0, y1, x1 = (int(row[name]) for name in ("y0", "x0", "y1", "x1"))
    room = (rows.min() - y0, columns.min() - x0, y1 - 1 - rows.max(), x1 - 1 - columns.max())
    assert min(room) >= 0
    assert max(room) <= 1
    assert min(y0, x0, 210 - y1, 280 - x1) >= 0


@given(seed=SEEDS, reading=READINGS, number=st.integers(0, 1), filled=st.booleans())
@settings(max_examples=60)
def test_the_truths_middle_is_the_drawn_middle(
    seed: int, reading: str, number: int, filled: bool
) -> None:
    """The centre of mass of the pixels is the truth's (y, x), pixel i covering [i, i + 1)."""
    made = alone(seed, reading, number, filled)
    weight = made.pixels.astype(float)
    y, x = np.mgrid[:210, :280] + 0.5
    row = made.objects.iloc[0]
    assert (weight * y).sum() / weight.sum() == pytest.approx(row["y"], abs=0.1)
    assert (weight * x).sum() / weight.sum() == pytest.approx(row["x"], abs=0.1)


@given(seed=SEEDS, number=st.integers(0, 1))
@settings(max_examples=40)
def test_filled_objects_are_filled(seed: int, number: int) -> None:
    """What is painted is the ellipse's area, full inside and nothing outside."""
    made = alone(seed, "flat", number)
    row = made.objects.iloc[0]
    area = np.pi * row["a_px"] * row["b_px"] / 4
    assert made.pixels.sum() / 200 == pytest.approx(area, rel=0.03)
    smaller, larger = row.copy(), row.copy()
    smaller[["a_px", "b_px"]] -= 2
    larger[["a_px", "b_px"]] += 2.5
    assert (made.pixels[inside(smaller, (210, 280))] == 200).all()
    assert (made.pixels[~inside(larger, (210, 280))] <= 200 * FAINT).all()


@given(seed=SEEDS, number=st.integers(0, 1))
@settings(max_examples=40)
def test_outlined_objects_are_rings(seed: int, number: int) -> None:
    """An outline of about 2 px: nothing in the middle, as much as a ring of that width holds."""
    made = alone(seed, "literal", number, filled=False)
    row = made.objects.iloc[0]
    a, b = row["a_px"], row["b_px"]
    ring = np.pi / 4 * (a * b - (a - 4) * (b - 4))
    assert made.pixels.sum() / 200 == pytest.approx(ring, rel=0.05)
    inner = row.copy()
    inner[["a_px", "b_px"]] -= 7
    assert (made.pixels[inside(inner, (210, 280))] == 0).all()


def test_the_seed_and_the_number_decide() -> None:
    """The same whatever `images` is; another number or seed is another picture."""
    spec = ShapeSpec(images=10, seed=4)
    first, again = picture(spec, 7), picture(replace(spec, images=4000), 7)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    pd.testing.assert_frame_equal(first.objects, again.objects)
    for other in (picture(spec, 9), picture(replace(spec, seed=5), 7)):
        assert (other.pixels != first.pixels).any()
        assert not np.isin(other.objects["a_px"], first.objects["a_px"]).any()


@given(seed=SEEDS, pitch=st.integers(20, 35))
@settings(max_examples=20)
def test_hidden_is_what_later_objects_cover(seed: int, pitch: int) -> None:
    """The hidden share is that of an object's pixels that lie in objects drawn after it."""
    spec = ShapeSpec(rows=2, columns=3, objects=(6, 6), pitch_px=pitch, seed=seed, noise_sd=0.0)
    objects = picture(spec, seed % 2).objects
    masks = [inside(row, spec.shape) for _, row in objects.iterrows()]
    for number, (mask, told) in enumerate(zip(masks, objects["hidden"], strict=True)):
        later = np.logical_or.reduce([np.zeros_like(mask), *masks[number + 1 :]])
        # a pixel right at an edge may round either way
        assert told == pytest.approx((mask & later).sum() / mask.sum(), abs=0.01)


def test_later_objects_lie_on_top() -> None:
    """Where two objects overlap, the pixels are those of the later one."""
    spec = ShapeSpec(rows=1, columns=2, objects=(2, 2), pitch_px=20, noise_sd=0.0, background=0.0)
    found = 0
    for number in range(40):
        made = picture(spec, number)
        under, over = (inside(row, spec.shape) for _, row in made.objects.iterrows())
        if (under & over).sum() > 20:
            found += 1
            grey = np.median(made.pixels[over & ~under])
            assert abs(np.median(made.pixels[under & over]) - grey) <= 1
    assert found > 3


def test_background_noise_and_grey_are_as_said() -> None:
    """Background 40, noise of standard deviation 6 on everything, objects from 120 to 220."""
    made = picture(ShapeSpec(objects=(1, 1), seed=2), 0)
    row = made.objects.iloc[0]
    far = made.pixels.copy().astype(float)
    far[row["y0"] - 2 : row["y1"] + 2, row["x0"] - 2 : row["x1"] + 2] = np.nan
    assert np.nanmean(far) == pytest.approx(40, abs=0.2)
    assert np.nanstd(far) == pytest.approx(6, abs=0.1)
    clean = ShapeSpec(noise_sd=0.0, objects=(30, 30))
    made = picture(clean, 0)
    visible = made.objects[made.objects["hidden"] == 0]
    middles = made.pixels[visible["y"].astype(int), visible["x"].astype(int)]
    assert middles.min() >= 120
    assert middles.max() <= 220
    assert middles.max() - middles.min() > 60
    assert np.median(made.pixels) == 40


WRONG = {
    "ellipses": "round",
    "images": 0,
    "circle_share": 0.0,
    "circles": 31,
    "objects": (30, 49),
    "shift_px": (5, 1),
    "size_px": (15.0, 36.0),
    "grey": (120.0, 256.0),
    "noise_sd": -1.0,
    "seed": -1,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_numbers_are_refused(name: str) -> None:
    """Each setting out of range is refused, and its rule is told."""
    with pytest.raises(SpecError, match=rf"shapes\. Expected: [^;]*{name}[^;]*$"):
        ShapeSpec(**{name: WRONG[name]})


@pytest.mark.parametrize(
    ("settings", "got"),
    [
        ({"circles": 40}, "circles = 40, objects = (30, 48)"),
        ({"images": 1}, "images = 1"),
        ({"rows": 0}, "objects = (30, 48), rows = 0, columns = 8"),
        (
            {"ellipses": "literal", "size_px": (15.0, 17.0)},
            "ellipses = 'literal', size_px = (15.0, 17.0)",
        ),
    ],
)
def test_broken_rules_tell_what_came(settings: dict[str, object], got: str) -> None:
    """The values of all settings that a broken rule names are told, and no others."""
    with pytest.raises(SpecError) as caught:
        ShapeSpec(**settings)
    assert caught.value.got == got
    assert caught.value.remedy == "correct the values named"


def test_all_that_is_wrong_is_told_at_once() -> None:
    """One error names every broken rule."""
    with pytest.raises(SpecError) as caught:
        ShapeSpec(**WRONG)
    assert all(name in caught.value.expected for name in WRONG)
    assert caught.value.expected.count(";") == len(WRONG) - 1


@pytest.mark.parametrize(
    "settings",
    [
        {"circle_share": float("nan")},
        {"size_px": (float("nan"), 20.0)},
        {"grey": (float("nan"), 200.0)},
        {"background": float("nan")},
        {"noise_sd": float("nan")},
        {"ellipses": "literal", "size_px": (15.0, 17.0)},
        {"circles": 0},
        {"objects": (0, 5)},
        {"objects": (31, 30)},
        {"rows": 0},
    ],
)
def test_what_cannot_be_drawn_is_refused(settings: dict[str, object]) -> None:
    """Numbers that are none, ranges upside down, ellipses that could not differ by 2 px."""
    with pytest.raises(SpecError):
        ShapeSpec(**settings)


@pytest.mark.parametrize("settings", [{"rows": -6, "columns": -8}, {"noise_sd": float("inf")}])
def test_what_breaks_later_is_refused_at_once(settings: dict[str, object]) -> None:
    """A grid of negative rows and columns, whose product is 48, and noise without end."""
    with pytest.raises(SpecError):
        ShapeSpec(**settings)
