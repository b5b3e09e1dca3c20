"""Which patches are drawn, and that loading gives the same however many processes load."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY
from livewell.study.pixels import ArrayPixels
from livewell.training.data import Draw, Draws, LabelledRegions, PlainCrops, plain_loader
from livewell.training.loading import training_loader

worlds = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(any), min_size=1, max_size=6
).filter(lambda groups: all(any(group[c] for group in groups) for c in (0, 1)))


def world(counts: list[tuple[int, int]]) -> tuple[np.ndarray, list[str]]:
    """Classes and groups of patches: of each group so many negative and so many positive."""
    rows = [
        (positive, f"g{number}")
        for number, group in enumerate(counts)
        for positive in (False, True)
        for _ in range(group[positive])
    ]
    return np.array([positive for positive, _ in rows]), [name for _, name in rows]


def draws(counts: list[tuple[int, int]], balance: str, batch: int = 8, seed: int = 0) -> Draws:
    recipe = override(TINY, {"balance": balance, "batch": batch})
    return Draws(*world(counts), recipe, seed)


@settings(deadline=None)
@given(worlds, st.integers(1, 20), st.integers(0, 5))
def test_classes_are_drawn_evenly(counts, batch, seed):
    """Half of an epoch's draws are of each class, but for one, whatever the data's shares."""
    positive, _ = world(counts)
    for balance in ("class", "class_and_group", "paired"):
        drawn = draws(counts, balance, batch, seed)
        rows = [draw.row for draw in drawn]
        assert len(rows) == len(drawn) == batch * TINY.fit.steps_per_epoch
        ones = int(positive[rows].sum())
        assert abs(2 * ones - len(rows)) <= 1


@settings(deadline=None)
@given(worlds, st.integers(1, 20), st.integers(0, 5))
def test_groups_are_drawn_evenly_within_classes(counts, batch, seed):
    """Within a class every group is drawn as often as another, and so is every patch of a group."""
    positive, groups = world(counts)
    rows = [draw.row for draw in draws(counts, "class_and_group", batch, seed)]
    for one in (False, True):
        mine = [row for row in rows if positive[row] == one]
        there = {groups[row] for row in np.flatnonzero(positive == one)}
        by_group = Counter(dict.fromkeys(there, 0)) + Counter(groups[row] for row in mine)
        by_group = {name: by_group[name] for name in there}
        assert max(by_group.values()) - min(by_group.values()) <= 1
        for name in there:
            members = [
                row for row in np.flatnonzero(positive == one).tolist() if groups[row] == name
            ]
            times = [mine.count(row) for row in members]
            assert max(times) - min(times) <= 1


@settings(deadline=None)
@given(worlds, st.integers(1, 20), st.integers(0, 5))
def test_pairs_come_from_groups_that_hold_both(counts, batch, seed):
    """Where most patches of each class lie in groups of both, both classes take those alike."""
    positive, names = world(counts)
    groups = np.array(names)
    both = sorted(set(groups[positive]) & set(groups[~positive]))
    drawn = [draw.row for draw in draws(counts, "paired", batch, seed)]
    shares = [np.isin(groups[positive == one], both).mean() for one in (False, True)]
    if min(shares) < 0.5:
        assert drawn == [draw.row for draw in draws(counts, "class_and_group", batch, seed)]
        return
    for one in (False, True):
        mine = Counter(groups[row] for row in drawn if positive[row] == one)
        assert set(mine) <= set(both)
        times = [mine[name] for name in both]
        assert max(times) - min(times) <= 1


@settings(deadline=None)
@given(worlds, st.integers(1, 20))
def test_without_balance_patches_are_drawn_evenly(counts, batch):
    """With balance 'none' every patch is drawn as often as another."""
    positive, _ = world(counts)
    times = Counter(draw.row for draw in draws(counts, "none", batch))
    times = [times[row] for row in range(len(positive))]
    assert max(times) - min(times) <= 1


def test_draws_with_replacement_take_classes_alike_and_patches_independently():
    """Of 30 negative and 970 positive patches, classes are drawn equally often within 2%, and
    within a class some patches twice before others once."""
    positive, _ = world([(30, 970)])
    drawn = draws([(30, 970)], "class_with_replacement", batch=1000)
    rows = []
    for epoch in range(40):
        drawn.set_epoch(epoch)
        rows += [draw.row for draw in drawn]
    assert len(rows) == 40 * 1000 * TINY.fit.steps_per_epoch
    assert positive[rows].mean() == pytest.approx(0.5, rel=0.02)
    times = np.bincount(rows, minlength=1000)
    np.testing.assert_allclose(times / len(rows), drawn.shares, rtol=0.5)
    first = Counter(draw.row for draw in draws([(30, 970)], "class_with_replacement", batch=30))
    assert max(first.values()) > 1
    assert len(first) < 90


@pytest.mark.parametrize(
    "balance", ["none", "class", "class_and_group", "paired", "class_with_replacement"]
)
def test_epochs_repeat_by_seed_and_differ_from_each_other(balance):
    """An epoch is the same whenever it is drawn, and other epochs and seeds give other draws."""
    counts = [(6, 1), (2, 9), (3, 3)]
    drawn = draws(counts, balance)
    first = list(drawn)
    assert list(drawn) == first
    drawn.set_epoch(4)
    fifth = list(drawn)
    fresh = draws(counts, balance)
    fresh.set_epoch(4)
    assert list(fresh) == fifth
    rows = [[draw.row for draw in each] for each in (first, fifth, draws(counts, balance, seed=1))]
    assert rows[0] != rows[1]
    assert rows[0] != rows[2]
    assert [draw.number for draw in fifth] == list(range(len(fifth)))
    assert {draw.epoch for draw in fifth} == {4}


def epochs(
    processes: int, pixels: ArrayPixels, part: LabelledRegions, recipe: Profile, seed: int = 1
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of two epochs."""
    loader = training_loader(pixels, part, recipe, seed, processes=processes)
    found = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        found += list(loader)
    return found


def test_batches_do_not_depend_on_processes(pixels, parts, recipe):
    """None or two loading processes give the same batches, epoch after epoch, bit by bit."""
    alone, together = (epochs(processes, pixels, parts[0], recipe) for processes in (0, 2))
    assert len(alone) == len(together) == 2 * recipe.fit.steps_per_epoch
    for (inputs, target), (others, other_target) in zip(alone, together, strict=True):
        assert inputs.shape == (recipe.fit.batch, 1, recipe.input.input_px, recipe.input.input_px)
        assert torch.equal(inputs, others)
        assert torch.equal(target, other_target)
    assert not torch.equal(alone[0][0], alone[recipe.fit.steps_per_epoch][0])
    other_seed = epochs(0, pixels, parts[0], recipe, seed=2)
    assert not torch.equal(alone[0][0], other_seed[0][0])


def test_a_patch_drawn_twice_is_changed_in_two_ways(pixels, parts, recipe):
    """Augmentation depends on the draw, not on the patch alone; the class comes with it."""
    crops = training_loader(pixels, parts[0], recipe, 1, processes=0).dataset
    draws = (Draw(5, epoch, 0) for epoch in (0, 0, 1))
    (one, label), (same, _), (other, _) = (crops.__getitems__([draw])[0] for draw in draws)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert label == int(parts[0].codes[5])


def test_draws_together_are_draws_one_by_one(pixels, parts, recipe):
    """What a loader gets for a whole batch is what each of its draws gives alone."""
    crops = training_loader(pixels, parts[0], recipe, 1, processes=0).dataset
    batch = [Draw(row, 3, number) for number, row in enumerate([5, 0, 5, 11, 7])]
    together = crops.__getitems__(batch)
    assert len(together) == len(batch)
    for draw, (crop, label) in zip(batch, together, strict=True):
        ((alone, same),) = crops.__getitems__([draw])
        assert crop.shape == alone.shape == (1, recipe.input.input_px, recipe.input.input_px)
        torch.testing.assert_close(crop, alone, atol=1e-6, rtol=1e-6)
        assert label == same


def test_plain_patches_come_in_order_in_grey_levels(pixels, parts):
    """Patches for scoring are the file's grey levels, in order, with their rows."""
    patches = parts[0].patches[:5]
    batches = list(plain_loader(pixels, patches, batch=3))
    assert [len(batch) for batch, _ in batches] == [3, 2]
    assert torch.cat([rows for _, rows in batches]).tolist() == [0, 1, 2, 3, 4]
    assert batches[0][0].shape == (3, 1, *patches[0].box.shape)
    for patch, got in zip(patches, torch.cat([batch for batch, _ in batches]), strict=True):
        np.testing.assert_array_equal(got.numpy(), pixels.crop(patch.image, 0, patch.box))
    assert len(PlainCrops(pixels, patches)) == 5
