"""Evidence on cells and off, its intervals, and when it is worth a warning."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.explain.background import Background, OffCells, background, off_cells, told, warning


def halves(n: int = 1, edge: int = 40) -> np.ndarray:
    """Masks of cells in the left half."""
    masks = np.zeros((n, edge, edge), dtype=bool)
    masks[:, :, : edge // 2] = True
    return masks


def test_shares_by_hand() -> None:
    """A tenth of the light in the empty half is a tenth off cells, on half of the area."""
    maps = np.where(halves(2), 9.0, 1.0).astype(np.float32)
    maps[1] = halves()[0]
    found = off_cells(maps, halves(2), 0)
    np.testing.assert_allclose(found.share, [0.1, 0])
    np.testing.assert_allclose(found.area_off, 0.5)
    assert found.with_cells.all()


@pytest.mark.parametrize(("margin", "off"), [(0, 20), (1, 19), (4.5, 16), (100, 0)])
def test_the_margin_belongs_to_cells(margin: float, off: int) -> None:
    """So many pixels around cells count as cell, for evidence and for area."""
    found = off_cells(np.ones((1, 40, 40)), halves(), margin)
    assert found.area_off[0] * 40 == off
    assert found.share[0] * 40 == pytest.approx(off)


def test_cells_beyond_the_crop_have_their_margin_too() -> None:
    """A mask wider than the map counts with its margin, but makes no cell in the crop."""
    mask = np.zeros((1, 50, 50), dtype=bool)
    mask[:, :, 4] = True
    found = off_cells(np.ones((1, 40, 40)), mask, 5)
    assert found.area_off[0] * 40 == pytest.approx(35)
    assert not found.with_cells[0]


@settings(max_examples=40, deadline=None)
@given(
    edge=st.integers(1, 12),
    rim=st.integers(0, 3),
    margin=st.floats(0, 6),
    seed=st.integers(0, 99),
)
def test_off_cells_is_a_loop_over_pixels(edge: int, rim: int, margin: float, seed: int) -> None:
    """A pixel is off cells if every pixel of cells is farther away than the margin."""
    rng = np.random.default_rng(seed)
    maps = rng.random((2, edge, edge))
    masks = rng.random((2, edge + 2 * rim, edge + 2 * rim)) < 0.05
    found = off_cells(maps, masks, margin)
    for each, mask, evidence, area in zip(
        maps, masks, found.evidence_off, found.area_off, strict=True
    ):
        cells = np.argwhere(mask) - rim
        far = [
            at
            for at in np.ndindex(edge, edge)
            if all(np.hypot(*(np.array(at) - cell)) > margin for cell in cells)
        ]
        assert evidence == pytest.approx(sum(each[at] for at in far))
        assert area == pytest.approx(len(far) / edge**2)


def test_batches_are_joined() -> None:
    """Two batches together are one."""
    maps = np.random.default_rng(0).random((5, 40, 40))
    whole = off_cells(maps, halves(5), 3)
    joined = OffCells.joined([off_cells(maps[:2], halves(2), 3), off_cells(maps[2:], halves(3), 3)])
    for name in ("evidence", "evidence_off", "area_off", "with_cells"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))


def drawn(off: float, area: float = 0.6, n: int = 60) -> OffCells:
    """Patches whose evidence lies off cells for about a share of `off`."""
    rng = np.random.default_rng(0)
    evidence = rng.uniform(1, 5, n)
    share = np.clip(off + rng.normal(0, 0.05, n), 0, 1)
    return OffCells(evidence, evidence * share, np.full(n, area), np.ones(n, dtype=bool))


GROUPS = [f"well {row % 12}" for row in range(60)]


def test_pooled_shares_and_their_interval() -> None:
    """The figure is the sum off cells over the whole sum, within its interval over groups."""
    found = drawn(0.2)
    pooled = background(found, GROUPS, seed=0)
    assert pooled.evidence.value == pytest.approx(found.evidence_off.sum() / found.evidence.sum())
    assert pooled.evidence.low < pooled.evidence.value < pooled.evidence.high
    assert pooled.evidence.high - pooled.evidence.low < 0.1
    assert pooled.evidence.groups == 12
    assert pooled.area.value == pytest.approx(0.6)
    assert (pooled.patches, pooled.without_cells) == (60, 0)
    assert pooled == background(found, GROUPS, seed=0)
    assert pooled.evidence != background(found, GROUPS, seed=1).evidence


def test_the_interval_resamples_groups() -> None:
    """Where whole groups differ the interval is wider than where patches of a group do."""
    evidence, ones = np.ones(60), np.ones(60, dtype=bool)
    by_group = np.repeat(np.linspace(0.05, 0.5, 12), 5)
    found = OffCells(evidence, by_group, np.full(60, 0.5), ones)
    together = background(found, np.repeat(np.arange(12), 5).astype(str).tolist(), seed=0).evidence
    mixed = background(found, np.tile(np.arange(12), 5).astype(str).tolist(), seed=0).evidence
    assert together.value == pytest.approx(mixed.value)
    assert together.high - together.low > 2 * (mixed.high - mixed.low)


def test_patches_without_cells_are_told_apart() -> None:
    """They change no share; how many they are and what they hold of all evidence is told."""
    plain = drawn(0.2)
    with_cells = np.arange(60) % 3 > 0
    found = replace(plain, with_cells=with_cells)
    pooled = background(found, GROUPS, seed=0)
    own = plain.evidence_off[with_cells].sum() / plain.evidence[with_cells].sum()
    assert pooled.evidence.value == pytest.approx(own)
    assert (pooled.patches, pooled.without_cells) == (40, 20)
    expected = plain.evidence[~with_cells].sum() / plain.evidence.sum()
    assert pooled.evidence_without == pytest.approx(expected)


@pytest.mark.parametrize(
    ("off", "area", "words", "warned"),
    [
        (0.2, 0.6, "at the cells more than", False),
        (0.4, 0.9, "looks at the background too", True),
        (0.3, 0.25, "as much as at the cells", True),
        (0.02, 0.01, "hardly a background", False),
        (0.0, 0.0, "hardly a background", False),
    ],
)
def test_when_the_background_is_worth_a_warning(off, area, words, warned) -> None:
    """A third or more off cells, or as much as of the area, unless there is hardly any."""
    found = background(drawn(off, area), GROUPS, seed=0)
    sentence = told(found, "sick")
    assert words in sentence
    assert "for sick" in sentence
    assert warning(found, "sick") == (sentence if warned else None)


def test_unknown_is_not_well() -> None:
    """Dark maps, or no patch with cells, give a sentence that says so."""
    dark = OffCells(np.zeros(2), np.zeros(2), np.zeros(2), np.ones(2, dtype=bool))
    empty = OffCells(np.ones(2), np.ones(2), np.ones(2), np.zeros(2, dtype=bool))
    for found in (dark, empty):
        sum_up: Background = background(found, ["a", "b"], seed=0)
        assert "not known: no patch with cells holds any evidence" in warning(sum_up, "sick")
    assert np.isnan(dark.share).all()
    assert background(empty, ["a", "b"], seed=0).evidence_without == 1


def test_a_net_that_looks_anywhere_is_warned_of() -> None:
    """Maps that know nothing of cells have as much evidence off cells as there is area."""
    rng = np.random.default_rng(0)
    masks = np.repeat(np.repeat(rng.random((30, 10, 10)) < 0.3, 4, axis=1), 4, axis=2)
    pooled = background(
        off_cells(np.ones((30, 40, 40)), masks, 0), [f"{i % 6}" for i in range(30)], seed=0
    )
    assert pooled.evidence.value == pytest.approx(pooled.area.value)
    assert warning(pooled, "sick") is not None
    on_cells = background(
        off_cells(masks.astype(float), masks, 0), [f"{i % 6}" for i in range(30)], seed=0
    )
    assert warning(on_cells, "sick") is None
