"""Which positions are dead by the end."""

import numpy as np
import pandas as pd
import pytest

from livewell.errors import TableError
from livewell.labels.ending import by_area, by_said, by_share
from livewell.measure.occupancy import occupancy
from livewell.simulate.culture import CultureSpec, positions, simulate_position


def test_cells_that_cover_less_are_dead() -> None:
    """The ratio of last to first decides, up to and with the limit; none at first is no death."""
    covered = pd.DataFrame(
        {"position": list("abcd"), "first": [0.8, 0.8, 0.4, 0.0], "last": [0.9, 0.5, 0.2, 0.0]}
    )
    end = by_area(covered)
    assert end.table["value"].round(3).tolist()[:3] == [1.125, 0.625, 0.5]
    assert end.dead == {"b", "c"}
    assert by_area(covered, most=0.6).dead == {"c"}


def test_the_rule_knows_dead_from_living_simulated_cultures() -> None:
    """After 18 hours lit wells are called dead where nearly all cells are, unlit ones never."""
    spec = CultureSpec(
        doses_s=(0.0, 120.0),
        wells_per_dose=2,
        positions_per_well=1,
        frames=4,
        frame_s=21_600.0,
        seed=11,
    )
    rows, truth = [], {}
    for key in positions(spec):
        movie = simulate_position(spec, key)
        first, last = (occupancy(frame, spec.pixel_um) for frame in movie.frames[[0, -1]])
        rows.append({"position": key.name, "first": first, "last": last})
        end = movie.truth[(movie.truth["t"] == 3) & movie.truth["inside"]]
        truth[key.name] = float((end["damage"] > 0.6).mean())
    dead = by_area(pd.DataFrame(rows)).dead
    assert dead == {name for name, share in truth.items() if share > 0.8}
    assert len(dead) == 2


def test_a_model_must_call_nearly_every_patch_so() -> None:
    """Nine in ten patches of the last frame are enough; nothing judged is not dead."""
    called = pd.DataFrame({"position": list("abc"), "share": [0.9, 0.89, np.nan]})
    assert by_share(called).dead == {"a"}
    assert by_share(called, least=0.5).dead == {"a", "b"}


FIELDS = pd.DataFrame({"image": list("abcd"), "end": ["Yes", "dead", "no", None]})
POSITIONS = pd.Series(list("pqrs"), index=list("abcd"))


def test_a_column_says_yes_or_no() -> None:
    """Capitals do not matter, and an empty cell is a no."""
    assert by_said(FIELDS, POSITIONS, "end").dead == {"p", "q"}
    numbers = FIELDS.assign(end=[1.0, 0.0, 1.0, 0.0])
    assert by_said(numbers, POSITIONS, "end").dead == {"p", "r"}


def test_a_column_that_says_something_else_is_refused() -> None:
    """Odd words and files of one position that disagree are told together."""
    fields = FIELDS.assign(end=["yes", "no", "perhaps", "yes"])
    same = pd.Series(["p", "p", "r", "s"], index=list("abcd"))
    with pytest.raises(TableError) as caught:
        by_said(fields, same, "end")
    assert {fault.code for fault in caught.value.faults} == {"unknown-value", "contradiction"}
    assert "perhaps" in str(caught.value)
    with pytest.raises(TableError, match="missing-column"):
        by_said(FIELDS, POSITIONS, "ending")
