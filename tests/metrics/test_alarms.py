"""Alarms: what persists raises them, single frames do not, and chance is counted exactly."""

from itertools import product

import numpy as np
import pytest

from livewell.errors import SpecError
from livewell.metrics.alarms import AlarmRule

SICK, WELL, UNSURE = "sick", "healthy", "unsure"


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ([], UNSURE),
        ([SICK, SICK], UNSURE),
        ([SICK, SICK, SICK], SICK),
        ([SICK, WELL, SICK, WELL, SICK], SICK),
        ([SICK, None, None, SICK, None, SICK], SICK),
        ([WELL, WELL, WELL, SICK, SICK, SICK, SICK], WELL),
        ([UNSURE, UNSURE, UNSURE, WELL], UNSURE),
        ([SICK, SICK, WELL, WELL, UNSURE, WELL], UNSURE),
    ],
)
def test_a_state_is_what_persists(votes: list[str | None], state: str) -> None:
    """Three of the last five judged frames decide; frames without anything to judge count for
    nothing, and the last one stands first."""
    assert AlarmRule(SICK).state(votes) == state


def test_a_threshold_takes_the_place_of_the_verdict() -> None:
    """With a threshold p alone speaks for the positive class; a sick verdict below it is unsure."""
    rule = AlarmRule(SICK, above=0.9)
    assert [rule.vote(*frame) for frame in ((SICK, 0.95), (SICK, 0.8), (WELL, 0.1))] == [
        SICK,
        UNSURE,
        WELL,
    ]
    assert rule.vote("nothing to judge", None) is None
    assert AlarmRule(SICK, above=0.2).vote(UNSURE, 0.5) == SICK


def test_without_a_sought_class_there_are_states_and_no_alarm() -> None:
    """Of classes of which none is sought the one that persists is the state; a threshold is
    refused."""
    assert AlarmRule(None, 2, 3).state(["round", "flat", "round"]) == "round"
    with pytest.raises(SpecError, match="seeks no class"):
        AlarmRule(None, above=0.5)


@pytest.mark.parametrize(("least", "last"), [(1, 1), (1, 3), (2, 3), (3, 4), (3, 3)])
def test_false_alarms_are_counted_exactly(least: int, last: int) -> None:
    """The chance of an alarm within eight frames is the sum over all series that raise one."""
    share, frames, expected = 0.3, 8, 0.0
    for wrong in product((0, 1), repeat=frames):
        raised = any(sum(wrong[max(0, t - last + 1) : t + 1]) >= least for t in range(frames))
        expected += raised * float(np.prod([share if each else 1 - share for each in wrong]))
    assert AlarmRule(SICK, least, last).false_alarms(share, frames) == pytest.approx(expected)


@pytest.mark.parametrize("numbers", [(0, 3), (4, 3), (1, 13)])
def test_rules_that_cannot_be_are_refused(numbers: tuple[int, int]) -> None:
    """Neither none of some frames, nor more frames than are looked back on."""
    with pytest.raises(SpecError, match="alarm-frames"):
        AlarmRule(SICK, *numbers)
