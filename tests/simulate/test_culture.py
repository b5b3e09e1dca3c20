"""The simulated plate: its layout, its reproducibility, its truth."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from livewell.errors import SpecError
from livewell.plate import Well
from livewell.simulate.culture import (
    CultureSpec,
    PositionKey,
    positions,
    simulate_position,
    wells,
)
from livewell.simulate.dose import State

SMALL = CultureSpec(height_px=256, width_px=256, cells=8, frames=3, frame_s=1800)
LONG = replace(SMALL, frames=25, frame_s=3600)


def test_plate_map_has_the_wells_asked_for() -> None:
    """Every dose gets its number of wells, all different, named as on a real plate."""
    plan = wells(CultureSpec())
    assert list(plan.columns) == ["plate", "well", "dose", "dose_unit"]
    assert plan["well"].is_unique
    assert [str(Well.parse(name)) for name in plan["well"]] == plan["well"].tolist()
    assert plan["dose"].value_counts().to_dict() == {0: 7, 120: 7, 30: 2}
    assert set(plan["dose_unit"]) == {"s"}


@pytest.mark.parametrize("seed", range(8))
def test_dose_is_not_the_row_or_column(seed: int) -> None:
    """Each of the two large doses lies in several rows and columns of the plate."""
    plan = wells(CultureSpec(seed=seed))
    for dose in (0, 120):
        sites = [Well.parse(name) for name in plan["well"][plan["dose"] == dose]]
        assert len({well.row for well in sites}) > 1
        assert len({well.column for well in sites}) > 2


def test_layout_follows_the_seed() -> None:
    """The same seed deals the same plate, another one another."""
    assert wells(CultureSpec(seed=3)).equals(wells(CultureSpec(seed=3)))
    assert not wells(CultureSpec(seed=3)).equals(wells(CultureSpec(seed=4)))


@pytest.mark.parametrize("count", [1, 61, 400, 1536])
def test_large_plates_find_room(count: int) -> None:
    """A plate of any allowed number of wells names that many different wells."""
    plan = wells(CultureSpec(doses_s=(0,), wells_per_dose=count, positions_per_well=1))
    assert plan["well"].nunique() == count


def test_a_position_is_reproducible_alone() -> None:
    """A position's movie is the same whatever was simulated before it."""
    first, second = positions(SMALL)[:2]
    alone = simulate_position(SMALL, second)
    simulate_position(SMALL, first)
    again = simulate_position(SMALL, second)
    assert np.array_equal(alone.frames, again.frames)
    assert alone.truth.equals(again.truth)
    assert not np.array_equal(alone.frames, simulate_position(SMALL, first).frames)


def test_a_longer_movie_begins_with_the_same_frames() -> None:
    """More frames are only appended."""
    key = positions(SMALL)[0]
    short, long = simulate_position(SMALL, key), simulate_position(replace(SMALL, frames=5), key)
    assert np.array_equal(short.frames, long.frames[:3])
    assert short.truth.equals(long.truth[long.truth["t"] < 3].reset_index(drop=True))


def test_dose_changes_nothing_before_it_is_given() -> None:
    """The same position under another dose begins with the same frame and goes on differently."""
    dark, lit = (simulate_position(SMALL, PositionKey("C04", 1, dose)) for dose in (0.0, 120.0))
    assert np.array_equal(dark.frames[0], lit.frames[0])
    assert not np.array_equal(dark.frames[-1], lit.frames[-1])
    assert dark.optics == lit.optics


def test_wells_differ_more_than_their_positions() -> None:
    """The thickness of cells is more alike within a well than between wells."""
    spec = replace(SMALL, frames=1, wells_per_dose=12, doses_s=(0,), cells=0)
    looks = np.array(
        [np.log(simulate_position(spec, key).optics["thickness"]) for key in positions(spec)]
    ).reshape(12, 2)
    assert np.ptp(looks, axis=1).mean() < looks.mean(axis=1).std() * 1.5


def test_frames_fill_the_camera_s_range_without_saturating() -> None:
    """Frames are uint16, of the size asked for, use hundreds of grey levels and hardly clip."""
    for key in positions(SMALL)[:4]:
        frames = simulate_position(SMALL, key).frames
        assert frames.dtype == np.uint16
        assert frames.shape == (3, 256, 256)
        assert len(np.unique(frames[0])) > 500
        assert (frames == 65535).mean() < 1e-4
        assert frames.min() > 0


def test_truth_agrees_with_the_picture() -> None:
    """Around living cells' centres the picture is rougher than far from any cell."""
    spec = replace(SMALL, cells=5, frames=1, height_px=512, width_px=512)
    inside, outside = [], []
    for key in positions(spec)[:5]:
        movie = simulate_position(spec, key)
        frame = movie.frames[0].astype(float)
        mean = uniform_filter(frame, 9)
        rough = np.sqrt(np.maximum(uniform_filter(frame**2, 9) - mean**2, 0)) / mean
        y, x = np.mgrid[:512, :512]
        away = np.full(frame.shape, np.inf)
        for cell in movie.truth.itertuples():
            gone = np.hypot(y - cell.y_px, x - cell.x_px) / cell.radius_px
            away = np.minimum(away, gone)
        inside.append(np.median(rough[away < 0.5]))
        outside.append(np.median(rough[away > 2.5]))
    assert np.all(np.array(inside) > 1.5 * np.array(outside))


def test_truth_holds_every_cell_of_every_frame_once() -> None:
    """The truth has one row a cell and frame, with known states and damage from 0 to 1."""
    truth = simulate_position(LONG, PositionKey("B02", 1, 60.0)).truth
    assert not truth.duplicated(["t", "cell"]).any()
    assert set(truth["t"]) == set(range(25))
    assert set(truth["state"]) <= set(get_args(State))
    assert truth["damage"].between(0, 1).all()
    assert np.allclose(np.pi * truth["radius_px"] ** 2, truth["area_px"])
    within = truth["y_px"].between(0, 256, "left") & truth["x_px"].between(0, 256, "left")
    assert (truth["inside"] == within).all()


def test_dead_stays_dead() -> None:
    """A cell once dead is dead in every later frame, and all but stays where it is."""
    truth = simulate_position(LONG, PositionKey("B03", 1, 150.0)).truth
    dead = truth[truth["state"] == "dead"]
    assert len(dead) > 50
    for cell, first in dead.groupby("cell")["t"].min().items():
        later = truth[(truth["cell"] == cell) & (truth["t"] >= first)]
        assert (later["state"] == "dead").all()
        assert later["t"].max() == 24


@pytest.mark.long
def test_divisions_keep_the_lineage() -> None:
    """A mother gives two daughters where she was, at the frame after her last."""
    spec = replace(LONG, cells=20)
    truth = simulate_position(spec, PositionKey("D05", 1, 0.0)).truth
    born = truth.dropna(subset="parent").groupby("cell").first()
    assert len(born) >= 10
    for mother, daughters in born.groupby("parent"):
        last = truth[truth["cell"] == mother].iloc[-1]
        assert len(daughters) == 2
        assert (daughters["t"] == last["t"] + 1).all()
        gone = np.hypot(daughters["y_px"] - last["y_px"], daughters["x_px"] - last["x_px"])
        assert (gone < 80).all()


@pytest.mark.long
def test_light_makes_cells_sick_and_kills_them() -> None:
    """With dose the share of sick cells rises early and that of dead ones late; some recover."""
    doses = (0.0, 30.0, 60.0, 150.0)
    movies = [simulate_position(LONG, PositionKey("C03", 1, dose)).truth for dose in doses]
    early = [truth[truth["t"] == 2]["damage"].mean() for truth in movies]
    late = [(truth[truth["t"] == 20]["state"] == "dead").mean() for truth in movies]
    assert early == sorted(early)
    assert early[-1] > early[0] + 0.3
    assert late == sorted(late)
    assert late[-1] > late[0] + 0.6
    assert (movies[1]["state"] == "recovering").any()


def test_an_empty_position_shows_bare_glass() -> None:
    """Empty positions have no cells in their truth, and far less contrast than the others."""
    spec = replace(SMALL, empty_positions=3)
    keys = positions(spec)
    assert sum(key.empty for key in keys) == 3
    bare = simulate_position(spec, next(key for key in keys if key.empty))
    full = simulate_position(spec, next(key for key in keys if not key.empty))
    assert len(bare.truth) == 0
    assert set(bare.truth.columns) == set(full.truth.columns)
    contrast = [np.std(m.frames[0]) / np.mean(m.frames[0]) for m in (bare, full)]
    assert contrast[0] < 0.6 * contrast[1]


NONSENSE = {
    "no dose": ({"doses_s": ()}, "doses_s"),
    "dose twice": ({"doses_s": (0.0, 0.0, 5.0)}, "doses_s"),
    "negative dose": ({"doses_s": (-1.0, 0.0, 5.0)}, "doses_s"),
    "dose not a number": ({"doses_s": (0.0, 1.0, float("nan"))}, "doses_s"),
    "wells too few": ({"wells_per_dose": (7, 7)}, "wells_per_dose"),
    "no wells": ({"wells_per_dose": 0}, "wells_per_dose"),
    "too many wells": ({"wells_per_dose": 1000}, "wells_per_dose"),
    "no frames": ({"frames": 0}, "frames"),
    "half a frame": ({"frames": 2.5}, "frames"),
    "no time": ({"frame_s": 0.0}, "frame_s"),
    "tiny frame": ({"height_px": 8}, "height_px"),
    "fine pixels": ({"pixel_um": 0.0}, "pixel_um"),
    "negative cells": ({"cells": -1.0}, "cells"),
    "endless cells": ({"cells": float("inf")}, "cells"),
    "negative seed": ({"seed": -1}, "seed"),
    "too many empty": ({"empty_positions": 1000}, "empty_positions"),
}


@pytest.mark.parametrize(("change", "field"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_refused_by_name(change: dict[str, object], field: str) -> None:
    """A setting that cannot be is refused, and the message names it."""
    with pytest.raises(SpecError, match=field):
        CultureSpec(**change)  # type: ignore[arg-type]


def test_all_faults_are_named_at_once() -> None:
    """Three wrong settings make one error that names all three."""
    with pytest.raises(SpecError) as caught:
        CultureSpec(frames=0, cells=-1.0, width_px=3)
    assert all(name in str(caught.value) for name in ("frames", "cells", "width_px"))


def test_footprints_say_which_cell_lies_where() -> None:
    """Where a footprint names a cell, that cell's truth is near; they cover what the truth covers,
    and asking for them changes no pixel."""
    spec = replace(SMALL, seed=3)
    key = positions(spec)[0]
    movie = simulate_position(spec, key, footprints=True)
    assert movie.footprints is not None
    np.testing.assert_array_equal(movie.frames, simulate_position(spec, key).frames)
    for t in range(spec.frames):
        truth = movie.truth[movie.truth["t"] == t].set_index("cell")
        lying = movie.footprints[t]
        for number in np.unique(lying[lying > 0]):
            y, x = np.nonzero(lying == number)
            cell = truth.loc[int(number) - 1]
            far = np.hypot(y - cell["y_px"], x - cell["x_px"])
            assert np.median(far) < 2 * cell["radius_px"] + 2
        middle = truth[truth["y_px"].between(60, 196) & truth["x_px"].between(60, 196)]
        for number, cell in middle.iterrows():
            assert (lying == number + 1).sum() <= 1.1 * cell["area_px"] + 20
