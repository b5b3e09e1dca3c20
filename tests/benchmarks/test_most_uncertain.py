"""Most uncertain first: what is labelled and tested, and how labels needed are counted."""

import numpy as np
import pytest

from benchmarks import uncertain
from benchmarks.uncertain import SHARES, Cells, Curves, compared, curves_of, figure, learning, saved


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty labels, compared at thirty."""
    for name, value in {"MOST": 60, "READ": (30,), "RESAMPLES": 50}.items():
        monkeypatch.setattr(uncertain, name, value)


@pytest.fixture(scope="module")
def cells() -> Cells:
    """Two classes that lie apart in one of six features; twelve groups in two folds."""
    rng = np.random.default_rng(0)
    codes = (rng.random(240) < 0.25).astype(np.int64)
    x = rng.normal(size=(240, 6)).astype(np.float32)
    x[:, 0] += 2 * codes
    groups = np.arange(240) % 12
    one = np.flatnonzero(groups < 6), np.flatnonzero(groups >= 6)
    return Cells(x, codes, groups.astype(np.str_), [one, one[::-1]])


def test_scores_of_every_batch_come_back_the_same(cells: Cells) -> None:
    """A row a number of labels; the first labels are the same however the others are chosen."""
    pool, tested = cells.folds[0]
    found = {share: learning(cells, pool, tested, share, 3) for share in SHARES.values()}
    assert {each.shape for each in found.values()} == {(5, len(tested))}
    assert all(np.array_equal(found[0.0][0], each[0]) for each in found.values())
    assert not np.array_equal(found[0.0][-1], found[1.0][-1])
    assert np.array_equal(found[1.0], learning(cells, pool, tested, 1.0, 3))


def test_labels_of_test_cells_are_never_learnt(cells: Cells) -> None:
    """With other labels of the test cells the scores are the same."""
    pool, tested = cells.folds[0]
    codes = cells.codes.copy()
    codes[tested] = 1 - codes[tested]
    other = Cells(cells.x, codes, cells.groups, cells.folds)
    for share in SHARES.values():
        assert np.array_equal(
            learning(cells, pool, tested, share, 0), learning(other, pool, tested, share, 0)
        )


def test_areas_are_means_of_seeds_and_folds(cells: Cells) -> None:
    """Areas lie well above guessing, and resampled ones around them."""
    found = curves_of(cells, [0, 1], "cells")
    assert found.areas.shape == (3, 2, 2, 5)
    assert found.resampled.shape == (3, 5, 50)
    assert found.groups == 12
    assert (found.mean > 0.7).all()
    assert np.abs(found.resampled.mean(axis=2) - found.mean).max() < 0.05
    rows, values = compared(found)
    assert [row[0] for row in rows] == ["30"]
    assert set(values["curves"]) == set(SHARES)


def curves(*ways: list[float]) -> Curves:
    """Curves without spread at 20, 30, 40 labels."""
    areas = np.array(ways)
    return Curves(
        np.array([20, 30, 40]),
        areas[:, None, None],
        np.repeat(areas[..., None], 50, axis=2),
        20,
    )


def test_labels_needed_are_counted_against_random() -> None:
    """A way that is at 30 where random is at 40 needs three of four."""
    found = curves([0.6, 0.7, 0.8], [0.6, 0.8, 0.9], [0.5, 0.5, 0.6])
    labels, ratio = saved(found, 1, 2)
    assert (labels.value, ratio.value) == (30, 0.75)
    assert (ratio.low, ratio.high) == (0.75, 0.75)
    assert saved(found, 2, 2)[1].value == np.inf


def test_the_figure_names_sets_and_ways() -> None:
    """One panel a set, one curve a way."""
    drawn = figure({"chamber": curves([0.6, 0.7, 0.8], [0.6, 0.8, 0.9], [0.5, 0.5, 0.6])})
    assert drawn.startswith("<?xml")
    assert all(f">{name}<" in drawn for name in ("chamber", *SHARES))
