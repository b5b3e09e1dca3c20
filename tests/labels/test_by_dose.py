"""Labels from dose and time."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import TableError
from livewell.labels.by_dose import ANY_TIME, Dose, by_dose
from livewell.labels.times import FROM_ZERO

FIELDS = pd.DataFrame(
    {"image": ["c", "m", "s", "d"], "dose": [0, 40, 100, 200], "time_s": [0.0, 0, 0, 0]}
)
HEADERS = pd.DataFrame({"image": ["c", "m", "s", "d"], "frames": 10, "frame_s": 480.0})
RULE = Dose(sick_from=100, window_s=(480, 1440))


def _frames(made, label: str) -> set[tuple[str, int]]:
    rows = made.table[made.table["label"] == label]
    return set(zip(rows["image"], rows["t"].astype(int), strict=True))


def test_early_frames_of_high_doses_are_sick_and_controls_are_matched_in_time():
    """The window is half-open; the middle dose is left out; the score is the dose."""
    made = by_dose(FIELDS, HEADERS, RULE)
    assert _frames(made, "healthy") == {("c", 1), ("c", 2)}
    assert _frames(made, "sick") == {(image, t) for image in "sd" for t in (1, 2)}
    assert set(made.table["score"]) == {0, 100, 200}
    assert made.notes == ()
    counts = {count.step: count.count for count in made.counts}
    assert counts["frames"] == 40
    assert sum(counts.values()) == 4 + 40 + 40
    assert counts["frames of doses between, dropped"] == 10


def test_healthy_frames_of_any_time_come_with_a_warning():
    """The paper's choice is there, and its note says that it is a difference of time."""
    made = by_dose(FIELDS, HEADERS, Dose(100, (480, 1440), healthy_any_time=True))
    assert _frames(made, "healthy") == {("c", t) for t in range(10)}
    assert made.notes == (ANY_TIME,)


def test_only_positions_dead_at_the_end_can_be_sick():
    """The paper's condition restricts the sick class and is counted."""
    made = by_dose(FIELDS, HEADERS, RULE, dead_by_end={"d"})
    assert {image for image, _ in _frames(made, "sick")} == {"d"}
    counts = {count.step: count.count for count in made.counts}
    assert counts["frames of positions not dead at the end, dropped"] == 10


def test_files_that_are_single_frames_of_a_movie_use_their_time_index():
    """Where time_s is not known, t0 times the frame interval says when a file begins."""
    fields = pd.DataFrame({"image": list("abcd"), "dose": [0, 0, 100, 100], "t0": [1, 5, 1, 5]})
    headers = pd.DataFrame({"image": list("abcd"), "frames": 1, "frame_s": 480.0})
    made = by_dose(fields, headers, RULE)
    assert made.table["image"].tolist() == ["a", "c"]


def test_movies_without_any_time_begin_at_zero_and_say_so():
    """No time at all is taken as zero for all files alike, with a note."""
    made = by_dose(FIELDS.drop(columns="time_s"), HEADERS, RULE)
    assert made.notes == (FROM_ZERO,)
    assert len(made.table) == 6


@given(
    starts=st.lists(st.integers(0, 20), min_size=4, max_size=4),
    lo=st.integers(0, 20),
    span=st.integers(1, 20),
)
@settings(deadline=None, max_examples=40)
def test_every_labelled_frame_lies_in_the_window(starts, lo, span):
    """Whatever the starts and the window, no frame outside is labelled and none inside missed."""
    fields = FIELDS.assign(time_s=[480.0 * start for start in starts])
    inside = {
        (image, t)
        for image, start in zip("csd", (starts[0], starts[2], starts[3]), strict=True)
        for t in range(10)
        if lo <= start + t < lo + span
    }
    rule = Dose(100, (480.0 * lo, 480.0 * (lo + span)))
    if not any(i == "c" for i, _ in inside) or not any(i != "c" for i, _ in inside):
        with pytest.raises(TableError, match="window-empty"):
            by_dose(fields, HEADERS, rule)
    else:
        made = by_dose(fields, HEADERS, rule)
        assert _frames(made, "healthy") | _frames(made, "sick") == inside


BAD = {
    "dose-missing": ({"dose": [0, None, 100, 200]}, {}),
    "dose-not-a-number": ({"dose": [0, "high", 100, 200]}, {}),
    "dose-negative": ({"dose": [0, -1, 100, 200]}, {}),
    "one-dose": ({"dose": 0}, {}),
    "no-control": ({"dose": [1, 40, 100, 200]}, {}),
    "no-high-dose": ({"dose": [0, 1, 2, 3]}, {}),
    "mixed-units": ({"dose_unit": ["s", "s", "s", "J/cm2"]}, {}),
    "no-frame-interval": ({}, {"frame_s": [480, None, 480, 480]}),
    "no-header": ({}, {"image": ["c", "m", "s", "x"]}),
    "no-time": ({"time_s": [0, None, 0, 0]}, {}),
    "window-empty": ({"time_s": 1e6}, {}),
}


@pytest.mark.parametrize("code", BAD)
def test_each_thing_missing_has_its_fault(code):
    """Doses, headers, intervals and times that do not suffice are refused by name."""
    fields, headers = BAD[code]
    with pytest.raises(TableError) as caught:
        by_dose(FIELDS.assign(**fields), HEADERS.assign(**headers), RULE)
    assert code in {fault.code for fault in caught.value.faults}


def test_all_faults_come_at_once():
    """Doses, times and unknown images are reported together."""
    fields = FIELDS.assign(dose=[1, -2, "x", None])
    with pytest.raises(TableError) as caught:
        by_dose(fields, HEADERS.assign(frame_s=None), RULE, dead_by_end={"e"})
    assert {fault.code for fault in caught.value.faults} == {
        "dose-missing",
        "dose-not-a-number",
        "dose-negative",
        "no-control",
        "no-high-dose",
        "no-frame-interval",
        "unknown-image",
    }


@pytest.mark.parametrize("rule", [Dose(100, (5, 5)), Dose(0, (0, 5000))])
def test_rules_that_cannot_be_are_refused(rule):
    """A window without length and a dose that the control reaches make no classes."""
    with pytest.raises(TableError):
        by_dose(FIELDS, HEADERS, rule)
