"""Features on a plane: the same each time, refused where there is nothing to map."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from livewell.errors import MissingExtraError, SpecError
from livewell.explain import embedding as module
from livewell.explain.embedding import COMPONENTS, projections, require_umap


def planted(n: int = 90, features: int = 64) -> NDArray[np.float64]:
    """Three clusters, one after another, in features of very different sizes."""
    rng = np.random.default_rng(0)
    centres = 6 * rng.normal(size=(3, features))
    return (centres[np.arange(n) % 3] + rng.normal(size=(n, features))) * np.logspace(
        -3, 3, features
    )


def apart(points: NDArray[np.float64]) -> bool:
    """Whether the three clusters lie apart: each point's nearest is of its own."""
    away = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(away, np.inf)
    return bool((away.argmin(axis=1) % 3 == np.arange(len(points)) % 3).all())


def test_clusters_stay_clusters() -> None:
    """Three clusters in features are three clusters by PCA and by t-SNE, whatever the units."""
    made = projections(planted(), umap=False, seed=0)
    assert list(made.maps) == ["pca", "tsne"]
    for points in made.maps.values():
        assert points.shape == (90, 2)
        assert apart(points)


def test_components_are_at_most_fifty() -> None:
    """Figures are measured in at most so many components, in order of the variance they hold."""
    made = projections(planted(), umap=False, seed=0)
    assert made.points.shape == (90, COMPONENTS)
    assert (np.diff(made.explained) <= 0).all()
    assert made.explained.sum() <= 1 + 1e-9
    np.testing.assert_allclose(made.maps["pca"], made.points[:, :2])
    few = projections(planted(12, 5), umap=False, seed=0)
    assert few.points.shape == (12, 5)


@pytest.mark.parametrize("n", [10, 40, 200])
def test_perplexity_fits_the_number(n: int) -> None:
    """It is 30 where there are many regions, and a third of the others where there are few."""
    made = projections(planted(n), umap=False, seed=0)
    assert made.perplexity == min(30, (n - 1) / 3)


def test_the_same_seed_gives_the_same_maps() -> None:
    """Maps are the same number for number."""
    first, second = (projections(planted(), umap=False, seed=5) for _ in range(2))
    for name, points in first.maps.items():
        np.testing.assert_array_equal(points, second.maps[name])


def test_one_feature_is_mapped_too() -> None:
    """A net with one feature lies on a line by PCA."""
    made = projections(planted(30, 1), umap=False, seed=0)
    assert (made.maps["pca"][:, 1] == 0).all()
    assert np.isfinite(made.maps["tsne"]).all()


def test_features_that_are_all_alike_are_refused() -> None:
    """A dead net has nothing to be mapped, and that is said."""
    with pytest.raises(SpecError, match="same features for every region"):
        projections(np.ones((30, 8)), umap=False, seed=0)


def test_a_feature_that_is_always_the_same_does_no_harm() -> None:
    """One feature of a dead unit leaves the map finite."""
    features = planted(40, 8)
    features[:, 3] = 7
    made = projections(features, umap=False, seed=0)
    assert all(np.isfinite(points).all() for points in made.maps.values())


def test_umap_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install, and what to do without."""
    missing: Callable[[str], None] = lambda name: None  # noqa: E731
    monkeypatch.setattr(module, "find_spec", missing)
    with pytest.raises(MissingExtraError, match="umap-learn") as caught:
        require_umap()
    assert "pip install 'livewell[umap]'" in str(caught.value)
    with pytest.raises(MissingExtraError):
        projections(planted(30, 4), umap=True, seed=0)
    assert "umap" not in sys.modules


@pytest.mark.long
def test_umap_maps_clusters_too() -> None:
    """Where it is installed it gives a third map, the same for the same seed."""
    pytest.importorskip("umap", reason="umap-learn is not installed", exc_type=ImportError)
    first, second = (projections(planted(), umap=True, seed=0).maps["umap"] for _ in range(2))
    assert apart(first)
    np.testing.assert_array_equal(first, second)
