"""Whether regions lie by class or by group: on features whose truth is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from livewell.explain.neighbours import CHANCE, Neighbourhood, nearness, neighbours


@dataclass(frozen=True)
class Culture:
    """Features in which classes lie `by_class` apart, groups `by_group`, positions `by_position`.

    A class is given to a share `dead` of every group's regions.
    """

    by_class: float = 0.0
    by_group: float = 0.0
    by_position: float = 0.0
    groups: int = 8
    regions: int = 480
    dead: float = 0.5
    seed: int = 0

    def table(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed)
        group = np.arange(self.regions) % self.groups
        position = rng.integers(0, 3, self.regions)
        dead = rng.random(self.regions) < self.dead
        points = rng.normal(size=(self.regions, 12))
        points += self.by_group * rng.normal(size=(self.groups, 12))[group]
        points += self.by_position * rng.normal(size=(3 * self.groups, 12))[3 * group + position]
        points[:, 0] += self.by_class * dead
        labels = np.where(dead, "dead", "live").tolist()
        return neighbours(points, labels, group.astype(str).tolist(), position.astype(str).tolist())

    def found(self) -> Neighbourhood:
        return nearness(self.table(), seed=0)


def test_features_that_know_nothing_are_at_chance() -> None:
    """Both figures lie near chance, and neither is surely above it."""
    found = Culture().found()
    for figure in (found.by_class, found.by_group):
        assert figure.low < CHANCE
        assert figure.value == pytest.approx(CHANCE, abs=0.03)


def test_features_that_know_the_class() -> None:
    """Where classes lie apart and groups do not, one figure says so and the other is at chance."""
    found = Culture(by_class=8).found()
    assert found.by_class.low > 0.9
    assert found.by_group.low < CHANCE
    assert found.by_group.value == pytest.approx(CHANCE, abs=0.03)


def test_features_that_know_the_group() -> None:
    """Where groups lie apart and classes do not, it is the other way round."""
    found = Culture(by_group=3).found()
    assert found.by_group.value > 0.95
    assert found.by_group.low > CHANCE
    assert found.by_class.low < CHANCE
    assert found.by_class.value == pytest.approx(CHANCE, abs=0.03)


def test_features_that_know_both() -> None:
    """One does not hide the other: both figures are high where both are known."""
    found = Culture(by_class=12, by_group=2).found()
    assert found.by_class.low > 0.7
    assert found.by_group.low > 0.7


def test_a_position_seen_again_is_no_group_effect() -> None:
    """Crops of one position lie together, and no group is said to be known for it."""
    values = [Culture(by_position=4, seed=seed).found().by_group.value for seed in range(12)]
    assert np.mean(values) == pytest.approx(CHANCE, abs=0.03)


@pytest.mark.long
@pytest.mark.parametrize("dead", [0.5, 0.1, 0.03])
def test_chance_is_the_same_for_a_rare_class(dead: float) -> None:
    """However rare a class, features that know nothing are at one half on average."""
    values = [Culture(dead=dead, seed=seed).found().by_class.value for seed in range(12)]
    assert np.mean(values) == pytest.approx(CHANCE, abs=0.05)


@pytest.mark.parametrize("groups", [3, 8, 40])
def test_chance_is_the_same_for_many_groups(groups: int) -> None:
    """However many groups, features that know nothing are at one half."""
    assert Culture(groups=groups).found().by_group.value == pytest.approx(CHANCE, abs=0.04)


def test_a_class_that_is_held_by_one_group() -> None:
    """Labels that follow the group leave nothing to compare classes with, and that is said."""
    table = neighbours(np.eye(4), ["a", "a", "b", "b"], ["1", "1", "2", "2"], list("wxyz"))
    found = nearness(table, seed=0)
    assert np.isnan(found.by_class.value)
    assert "own class and another one in other groups" in found.by_class.note
    assert np.isnan(found.by_group.value)


def test_groups_of_one_position() -> None:
    """Where every group is one position its own crops are no evidence, and that is said."""
    groups = [str(n % 6) for n in range(60)]
    labels = [str(n % 2) for n in range(30) for _ in range(2)]
    points = np.random.default_rng(0).normal(size=(60, 3))
    found = nearness(neighbours(points, labels, groups, groups), seed=0)
    assert np.isfinite(found.by_class.value)
    assert np.isnan(found.by_group.value)
    assert "at another position" in found.by_group.note


def test_two_groups_have_no_interval() -> None:
    """Two groups that are only held against each other are no sample of groups."""
    found = Culture(groups=2, by_class=8).found()
    assert found.by_class.value > 0.9
    assert (found.by_class.low, found.by_class.high) == (0, 1)
    assert found.by_class.method == "none"


def test_a_class_that_few_groups_hold() -> None:
    """Where groups lie apart and one holds most of a class, the class figure stays at chance."""
    rng, values = np.random.default_rng(0), []
    for _ in range(12):
        group = np.arange(400) % 8
        dead = rng.random(400) < np.where(group == 0, 0.9, 0.05)
        points = rng.normal(size=(400, 12)) + 3 * rng.normal(size=(8, 12))[group]
        names = np.where(dead, "dead", "live").tolist(), group.astype(str).tolist()
        values.append(nearness(neighbours(points, *names, list(map(str, range(400)))), seed=0))
    assert np.mean([found.by_class.value for found in values]) == pytest.approx(CHANCE, abs=0.05)


def test_by_hand() -> None:
    """Seen from the first, the one alike is nearer than one of the two others."""
    points = np.array([[0.0], [1.0], [2.0], [3.0]])
    table = neighbours(points, ["a", "b", "a", "b"], ["1", "2", "2", "2"], list("wxyz"))
    assert table["by_class"].iloc[0] == pytest.approx(0.5)
    assert table["by_class"].iloc[1:].isna().all()


def test_the_order_of_regions_does_not_matter() -> None:
    """Regions in another order have the same figures."""
    rng = np.random.default_rng(3)
    points, order = rng.normal(size=(60, 4)), rng.permutation(60)
    names = [[str(n % k) for n in range(60)] for k in (2, 5, 3)]
    table = neighbours(points, *names)
    mixed = neighbours(points[order], *([each[n] for n in order] for each in names))
    pd.testing.assert_frame_equal(mixed, table.iloc[order].reset_index(drop=True))
