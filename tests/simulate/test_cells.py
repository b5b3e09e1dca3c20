"""Parts of the simulated culture: fates, outlines, phase maps, the microscope."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import SpecError
from livewell.simulate.anatomy import draw_anatomy
from livewell.simulate.culture import CultureSpec, positions, simulate_position
from livewell.simulate.dose import damage, draw_fates
from livewell.simulate.nature import draw_culture
from livewell.simulate.optics import Camera, Optics, draw_optics
from livewell.simulate.outline import outlines
from livewell.simulate.phase import Canvas, FrameSize, draw_grain

FATES = draw_fates(np.random.default_rng(5), 400, 0.03)


@given(st.floats(0, 300), st.floats(0, 300), st.floats(0, 48))
def test_more_light_never_kills_fewer(one_s: float, other_s: float, time_h: float) -> None:
    """At any time the cells dead at the lower dose are dead at the higher one too."""
    low, high = sorted((one_s, other_s))
    dead_low = damage(FATES, low, time_h)[0] >= 1
    dead_high = damage(FATES, high, time_h)[0] >= 1
    assert not (dead_low & ~dead_high).any()


@given(st.floats(0, 300), st.floats(0, 48), st.floats(0, 10))
def test_death_is_for_good(dose_s: float, time_h: float, more_h: float) -> None:
    """A cell that is dead is dead at any later time, and damage stays between 0 and 1."""
    now, later = (damage(FATES, dose_s, t)[0] for t in (time_h, time_h + more_h))
    assert ((later >= 1) | (now < 1)).all()
    assert ((now >= 0) & (now <= 1)).all()


def test_without_light_only_old_age_harms() -> None:
    """At dose 0 nearly all cells are undamaged after a day, and a few have died on their own."""
    level, mending = damage(FATES, 0.0, 24.0)
    assert 0.85 < (level == 0).mean() < 1
    assert not mending[level == 0].any()


@pytest.mark.parametrize("seed", range(3))
def test_a_ball_is_as_small_as_its_volume_asks(seed: int) -> None:
    """Rounded cells are less than half as wide as spread ones, and nearly circular."""
    rng = np.random.default_rng(seed)
    anatomy, radius = draw_anatomy(rng, 20, 1.0), np.full(20, 30.0)
    still = np.zeros(20)
    ball = outlines(anatomy, radius, still, still, np.ones(20), 1.5)
    spread = outlines(anatomy, radius, still, still, still, 1.5)
    assert (ball.margin.max(axis=1) < 1.6 * ball.margin.min(axis=1)).all()
    assert ball.area_px.mean() < 0.3 * spread.area_px.mean()


def test_retraction_bares_fibres() -> None:
    """A retracted cell's body is smaller, its margin far more jagged than a spread cell's."""
    anatomy, radius = draw_anatomy(np.random.default_rng(1), 50, 1.0), np.full(50, 30.0)
    still, full = np.zeros(50), np.ones(50)
    spread = outlines(anatomy, radius, still, still, still, 1.5)
    drawn = outlines(anatomy, radius, still, full, still, 1.5)
    jagged = [np.abs(np.diff(o.margin, axis=1)).sum(axis=1).mean() for o in (spread, drawn)]
    assert drawn.body.mean() < spread.body.mean()
    assert jagged[1] > 2 * jagged[0]


@settings(max_examples=40)
@given(st.floats(-100, 200), st.floats(-100, 200), st.floats(0.5, 25), st.floats(0.5, 3))
def test_a_disc_keeps_to_its_place(y: float, x: float, radius: float, soft: float) -> None:
    """A disc anywhere, beyond the map too, changes only pixels within its reach."""
    canvas = Canvas(FrameSize(64, 80, 0.645, 8), np.ones((521, 521), np.float32))
    canvas.discs(np.array([y]), np.array([x]), np.array([radius]), np.array([0.5]), soft)
    rows, columns = np.nonzero(canvas.phase)
    assert (np.hypot(rows - 8 - y, columns - 8 - x) < radius + soft).all()
    assert canvas.phase.max() <= 0.5001


def test_grain_is_about_one() -> None:
    """Grain has mean 1 and the depth asked for."""
    grain = draw_grain(np.random.default_rng(0), 1.2, 0.15)
    assert grain.mean() == pytest.approx(1, abs=0.01)
    assert grain.std() == pytest.approx(0.15, rel=0.15)


def _optics(**change: float) -> Optics:
    rng = np.random.default_rng(0)
    flat = {
        "tilt_y": 0.0,
        "tilt_x": 0.0,
        "bowl": 0.0,
        "lamp": 0.0,
        "focus_um": 0.0,
        "drift_um": 0.0,
    }
    return replace(draw_optics(rng, rng), **(flat | change))


def test_bare_glass_shows_the_background() -> None:
    """Without phase a frame is offset plus background, with the camera's own noise."""
    optics = _optics(background=4000.0, offset=200.0, gain=1.0, read_noise=10.0)
    camera = Camera(np.random.default_rng(1), optics, FrameSize(64, 64, 0.645, 16))
    frame = camera.shoot(np.zeros((96, 96), np.float32)).astype(float)
    assert frame.mean() == pytest.approx(4200, rel=0.01)
    assert frame.std() == pytest.approx(np.sqrt(4000 + 100), rel=0.1)


def test_thin_matter_is_dark_and_haloed() -> None:
    """A thin disc is darker than the glass and has a brighter rim of glass around it."""
    optics = _optics(background=4000.0, offset=0.0)
    view = FrameSize(128, 128, 0.645, 32)
    camera = Camera(np.random.default_rng(1), optics, view)
    canvas = Canvas(view, np.ones((521, 521), np.float32))
    canvas.discs(np.array([64.0]), np.array([64.0]), np.array([12.0]), np.array([0.3]))
    frame = camera.shoot(canvas.phase).astype(float)
    y, x = np.mgrid[:128, :128]
    away = np.hypot(y - 64, x - 64)
    inside, rim, glass = (
        frame[(away >= low) & (away < high)].mean() for low, high in ((0, 9), (14, 18), (50, 60))
    )
    assert inside < 0.8 * glass
    assert rim > 1.03 * glass


def test_differences_between_wells_are_shared_by_their_positions() -> None:
    """Two positions of a well differ, but stem from the same draw for the well."""
    pairs = [
        [
            draw_culture(np.random.default_rng([w, 0]), np.random.default_rng([w, p])).thickness
            for p in (1, 2)
        ]
        for w in range(60)
    ]
    assert np.corrcoef(np.log(pairs).T)[0, 1] > 0.5


def test_only_sensitive_cells_feel_the_light() -> None:
    """Of cells under a lethal dose about the share that is sensitive is harmed, and light harms
    nobody where none is; the cells themselves stay the same."""
    spec = CultureSpec(
        doses_s=(0.0, 200.0), wells_per_dose=1, positions_per_well=1, frames=3, cells=120, seed=4
    )
    lit = next(key for key in positions(spec) if key.dose_s)
    harmed = {}
    for share in (0.0, 0.3, 1.0):
        truth = simulate_position(replace(spec, sensitive=share), lit).truth
        last = truth[truth["t"] == 2]
        harmed[share] = float((last["damage"] > 0.2).mean())
        first = truth[truth["t"] == 0]
        assert first["cell"].tolist() == list(range(len(first)))
    assert harmed[0.0] < 0.15
    assert abs(harmed[0.3] - harmed[0.0] - 0.3) < 0.15
    assert harmed[1.0] > 0.95


def test_sensitivity_is_a_share() -> None:
    """Below 0 and above 1 are refused by name."""
    with pytest.raises(SpecError, match="sensitive"):
        CultureSpec(sensitive=1.5)
