"""Curves of sick area per position, well and dose: hand counts, permutations, honest intervals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.doses.over_time import (
    FRAME,
    begins,
    by_dose,
    common_steps,
    contrast,
    curves_of,
    frame_rows,
    last_common,
    places,
)
from livewell.doses.wells import RESAMPLES

NAN = float("nan")


def rows(*wells: tuple[str, float, list[list[float]]], frame_s: float = 600.0) -> pd.DataFrame:
    """Frames of wells: name, dose, and the shares of each position over time."""
    found = []
    for well, dose, positions in wells:
        for number, shares in enumerate(positions):
            place = f"{well}/{number}"
            for t, share in enumerate(shares):
                known = ("P", well, str(number), dose, "s", t, t * frame_s)
                found.append((f"{place}.tif", *known, 10, share, share, False, place, t))
    return pd.DataFrame(found, columns=FRAME)


FOUR = rows(
    ("A01", 0, [[0.0, 0.2], [0.1, 0.4]]),
    ("A02", 0, [[0.1, 0.1]]),
    ("B01", 60, [[0.2, 0.8]]),
    ("B02", 60, [[0.4, 0.6]]),
)


def test_a_dose_is_the_mean_of_its_wells() -> None:
    """Positions weigh in a well by their judged windows, wells in a dose alike: counted by hand."""
    frames = FOUR.copy()
    frames.loc[frames["place"] == "A01/1", "n_windows"] = 30
    curves = curves_of(frames)
    wells = curves.wells.set_index(["well", "step"])["fraction"]
    assert wells["A01", 0] == pytest.approx((10 * 0.0 + 30 * 0.1) / 40)
    assert wells["A01", 1] == pytest.approx((10 * 0.2 + 30 * 0.4) / 40)
    doses = curves.doses.set_index(["dose", "step"])
    assert doses.loc[(0, 1), "fraction"] == pytest.approx((0.35 + 0.1) / 2)
    assert doses.loc[(60, 1), "fraction"] == pytest.approx(0.7)
    assert doses["wells"].tolist() == [2, 2, 2, 2]
    assert curves.doses["time_s"].tolist() == [0, 600, 0, 600]
    assert (doses["low"] <= doses["fraction"]).all()
    assert (doses["fraction"] <= doses["high"]).all()
    assert curves.step == 1
    assert curves.contrast is not None
    assert curves.contrast.estimate.value == pytest.approx(0.7 - 0.225)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    """Whatever the order of frames, all tables are the same to the last digit."""
    mixed = FOUR.sample(frac=1, random_state=seed)
    one, other = curves_of(FOUR), curves_of(mixed)
    for name in ("frames", "places", "wells", "doses"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert one.contrast == other.contrast


def test_seen_wells_are_in_no_dose() -> None:
    """A well that its model was trained on has a curve of its own, and no part in its dose's."""
    frames = FOUR.assign(seen=FOUR["well"] == "A01")
    curves = curves_of(frames)
    assert curves.wells.set_index("well")["seen"].to_dict()["A01"]
    doses = curves.doses.set_index(["dose", "step"])
    assert doses.loc[(0, 1), "fraction"] == pytest.approx(0.1)
    assert doses.loc[(0, 1), "wells"] == 1
    assert doses.loc[0, ["low", "high"]].isna().all(axis=None)
    assert curves.contrast is not None
    assert np.isnan(curves.contrast.estimate.low)
    assert curves_of(FOUR.assign(seen=True)).doses.empty


def test_positions_seen_and_unseen_of_one_well_are_kept_apart() -> None:
    """A well torn by the split has two curves, and the unseen one alone counts."""
    curves = curves_of(FOUR.assign(seen=FOUR["place"] == "A01/0"))
    torn = curves.wells[curves.wells["well"] == "A01"]
    assert sorted(torn["seen"].unique()) == [False, True]
    assert curves.doses.loc[1, "fraction"] == pytest.approx((0.4 + 0.1) / 2)


def test_blank_frames_leave_gaps() -> None:
    """A frame without judged windows has no share, and takes no part in any mean."""
    frames = FOUR.copy()
    blank = (frames["place"] == "A01/1") & (frames["t"] == 1)
    frames.loc[blank, ["n_windows", "fraction", "mean_p"]] = [0, NAN, NAN]
    alone = (frames["well"] == "A02") & (frames["t"] == 1)
    frames.loc[alone, ["n_windows", "fraction", "mean_p"]] = [0, NAN, NAN]
    curves = curves_of(frames)
    wells = curves.wells.set_index(["well", "step"])
    assert wells.loc[("A01", 1), "fraction"] == pytest.approx(0.2)
    assert wells.loc[("A01", 1), "n_windows"] == 10
    assert np.isnan(wells.loc[("A02", 1), "fraction"])
    assert curves.doses.loc[1, "wells"] == 1


@pytest.mark.long
def test_the_band_holds_the_truth() -> None:
    """Of simulated doses of eight wells the band at one time holds the true mean nearly always."""
    rng = np.random.default_rng(1)
    held = []
    for seed in range(60):
        shares = rng.beta(4, 6, 8)
        frames = rows(*((f"A{n:02}", 5, [[share]]) for n, share in enumerate(shares)))
        row = by_dose(curves_of(frames).wells, seed=seed).iloc[0]
        held.append(row["low"] <= 0.4 <= row["high"])
    assert np.mean(held) > 0.88


def test_no_difference_is_not_shown() -> None:
    """Doses drawn alike have a difference whose interval holds zero; far ones have not."""
    rng = np.random.default_rng(3)
    same = [(f"A{n:02}", 60 * (n % 2), [[share]]) for n, share in enumerate(rng.beta(3, 7, 12))]
    near = curves_of(rows(*same)).contrast
    far = curves_of(rows(*((w, d, [[s[0][0] / 2 + d / 120]]) for w, d, s in same))).contrast
    assert near is not None
    assert far is not None
    assert near.estimate.low < 0 < near.estimate.high
    assert far.estimate.low > 0
    assert (far.lowest, far.highest, far.unit) == (0, 60, "s")
    assert RESAMPLES >= 1000


def test_doses_of_several_units_are_not_compared() -> None:
    """Seconds and joules have curves of their own, and no difference."""
    frames = FOUR.assign(dose_unit=np.where(FOUR["dose"] > 0, "J/cm2", "s"))
    curves = curves_of(frames)
    assert curves.doses["dose_unit"].nunique() == 2
    assert curves.contrast is None
    assert contrast(curves.wells, 99) is None


def test_the_last_common_step() -> None:
    """One short movie does not hold the others back; a dose that ends early does."""
    short = rows(
        ("A01", 0, [[0.0] * 5]),
        ("A02", 0, [[0.0] * 5]),
        ("A03", 0, [[0.0] * 2]),
        ("B01", 60, [[0.5] * 4]),
    )
    assert curves_of(short).step == 3
    assert last_common(curves_of(short.assign(seen=True)).doses) is None


@pytest.mark.parametrize("late_s", [0.0, 290.0, 310.0, 580.0])
def test_positions_visited_in_turn_share_steps(late_s: float) -> None:
    """With one interval everywhere frames are numbered, however late in the round they come."""
    frames = rows(("A01", 0, [[0.1] * 4, [0.2] * 4]))
    frames["time_s"] += np.where(frames["place"] == "A01/1", late_s, 0.0)
    stepped, told = common_steps(frames)
    assert stepped["step"].tolist() == [0, 1, 2, 3] * 2
    assert ("600 s apart" in told) == (late_s > 0)
    assert stepped["at_s"].iloc[1] == pytest.approx(600 + late_s / 2)


def test_files_that_follow_one_another_are_one_curve() -> None:
    """A second file of a position goes on where the first ended, also after a pause."""
    frames = pd.concat(
        [rows(("A01", 0, [[0.1, 0.2, 0.3]])), rows(("A01", 0, [[0.4, 0.5]]))], ignore_index=True
    )
    frames.loc[3:, "image"] = "second.tif"
    frames.loc[3:, "time_s"] += 2400.0
    other = rows(("B01", 0, [[0.0] * 7]))
    other["time_s"] += 5.0
    stepped, _ = common_steps(pd.concat([frames, other], ignore_index=True))
    assert stepped["step"].tolist() == [0, 1, 2, 4, 5, 0, 1, 2, 3, 4, 5, 6]


def test_other_intervals_meet_at_the_nearest_time() -> None:
    """A movie taken twice as often is pooled to the steps of the slower one."""
    slow, fast = rows(("A01", 0, [[0.0] * 3])), rows(("B01", 0, [[0.4] * 7]), frame_s=290.0)
    stepped, told = common_steps(pd.concat([slow, fast], ignore_index=True))
    assert "multiple of 600 s" in told
    curves = curves_of(pd.concat([slow, fast], ignore_index=True))
    assert set(curves.wells["step"]) == {0, 1, 2, 3}
    assert curves.wells["fraction"].dropna().isin([0.0, 0.4]).all()
    assert (stepped["step"] * 600 == stepped["at_s"]).all()


def test_times_that_are_the_same_everywhere_may_be_irregular() -> None:
    """A schedule of early dense and late sparse frames is kept as it is."""
    frames = rows(("A01", 0, [[0.0, 0.1, 0.2]]), ("A02", 0, [[0.0, 0.1]]))
    frames["time_s"] = frames["t"].map({0: 0.0, 1: 60.0, 2: 86400.0})
    stepped, _ = common_steps(frames)
    assert stepped["at_s"].tolist() == [0, 60, 86400, 0, 60]


def test_without_times_frames_are_counted() -> None:
    """Where no time is known steps are frame numbers; where some are, the others have no step."""
    stepped, told = common_steps(FOUR.assign(time_s=NAN))
    assert (stepped["step"] == stepped["frame"]).all()
    assert "counted" in told
    some = FOUR.assign(time_s=FOUR["time_s"].where(FOUR["well"] != "B02"))
    stepped, _ = common_steps(some)
    assert set(stepped.loc[stepped["step"].isna(), "well"]) == {"B02"}
    assert set(curves_of(some).wells["well"]) == {"A01", "A02", "B01"}


def test_when_files_begin() -> None:
    """time_s counts before t0, t0 by the interval, and zero only where no file says anything."""
    fields = pd.DataFrame(
        {"image": ["a", "b", "c"], "t0": [None, 3, None], "time_s": [50, NAN, NAN]}
    )
    headers = pd.DataFrame({"image": ["a", "b"], "frame_s": [10.0, 10.0]})
    start = begins(fields, headers)
    assert start.loc["a", "start_s"] == 50
    assert start.loc["b", ["start_s", "first"]].tolist() == [30, 3]
    assert np.isnan(start.loc["c", "start_s"])
    assert (begins(fields[["image"]], headers)["start_s"] == 0).all()


def test_which_files_are_one_position() -> None:
    """Position where given; timed files of a well without one; else every file by itself."""
    fields = pd.DataFrame(
        [
            ("a", "P", "A01", "1", NAN),
            ("b", "P", "A01", "1", NAN),
            ("c", "P", "A02", None, 0),
            ("d", "P", "A02", None, 4),
            ("e", "P", "A03", None, NAN),
            ("f", None, None, None, 2),
        ],
        columns=["image", "plate", "well", "position", "t0"],
    )
    assert places(fields).tolist() == ["P/A01/1", "P/A01/1", "P/A02", "P/A02", "e", "f"]


def test_rows_of_frames() -> None:
    """Frames take times from fields and headers; a single frame needs no interval."""
    fields = pd.DataFrame({"image": ["a", "b"], "well": ["A01", "A01"], "time_s": [0.0, 100.0]})
    headers = pd.DataFrame({"image": ["a", "b"], "frame_s": [20.0, NAN]})
    part = pd.DataFrame({"t": [0, 1], "n_windows": 5, "fraction": 0.5, "mean_p": 0.5})
    made = frame_rows(fields, headers, {"a": part, "b": part[:1]}, {"a": True, "b": False})
    assert made.columns.tolist() == FRAME
    assert made["time_s"].tolist() == [0, 20, 100]
    assert made["seen"].tolist() == [True, True, False]
    assert frame_rows(fields, headers, {}, {}).empty


def test_nothing_at_all() -> None:
    """Without one frame all tables are empty and nothing is compared."""
    curves = curves_of(FOUR.iloc[:0])
    assert curves.wells.empty
    assert curves.doses.empty
    assert curves.step is None
    assert curves.contrast is None
