"""Regions in the features of a net, right before it tells classes apart, and maps of these.

Features of two trainings have nothing in common, so each model has an embedding of its own.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from livewell.errors import MissingExtraError, SpecError
from livewell.explain.neighbours import neighbours
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.fields import engine_of
from livewell.inference.unseen import scored_by
from livewell.metrics.baselines import drawn_alike
from livewell.progress import task
from livewell.splitting.units import unit_names
from livewell.tables.schemas import KEY, regions_of

COMPONENTS = 50
"""Principal components that are kept, of standardised features."""
PERPLEXITY = 30.0
"""Of t-SNE; a third of the regions where there are few."""
NEAREST = 15
"""Nearest regions that UMAP looks at."""
LEAST = 10
"""With fewer regions there is nothing to map."""
METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
"""What the ways to map features are called."""
AT_ONCE = 256
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """What is shown, and how.

    With `validation` groups beside test groups; by UMAP beside PCA and t-SNE; at most `regions` in
    all maps together, drawn with `seed`, groups alike.
    """

    validation: bool = True
    umap: bool = False
    regions: int = 3000
    seed: int = 0

    def shared(self, models: int) -> "EmbeddingSettings":
        """Those of one of so many models."""
        return replace(self, regions=self.regions // models)


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """Features in a few dimensions.

    `points` (n, components) are principal components of standardised features, `explained` the
    share of the variance in each; `maps` are by name of `METHODS`, (n, 2); `perplexity` is that of
    t-SNE.
    """

    points: Points
    explained: NDArray[np.float64]
    maps: Mapping[str, Points]
    perplexity: float


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """Regions that one fold's model has not learnt from, in its features.

    `regions` has one row each (`schemas.SCORES`), drawn from `total`; `near` has what lies next to
    them (`livewell.explain.neighbours.neighbours`); `features` is how many there are.
    """

    fold: int
    regions: pd.DataFrame
    total: int
    features: int
    projected: Projections
    near: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """The regions, their places on every map, how often one of the same kind is nearer."""
        places = {
            f"{name}_{axis}": values
            for name, points in self.projected.maps.items()
            for axis, values in zip("xy", points.T, strict=True)
        }
        near = {f"nearer_{name}": self.near[name] for name in ("by_class", "by_group")}
        return self.regions.assign(**places, **near)


def require_umap() -> None:
    """Refuse UMAP where its package is not installed."""
    if find_spec("umap") is None:
        raise MissingExtraError(
            "UMAP is not installed",
            where="--umap",
            expected="package umap-learn",
            remedy="pip install 'livewell[umap]', or leave it out for PCA and t-SNE",
        )


def drawn_regions(
    tested: EvaluationSet, fold: int, settings: EmbeddingSettings
) -> tuple[pd.DataFrame, int]:
    """Test regions of a fold, and validation ones where asked for; from how many they were drawn.

    Too few are an error.
    """
    # a head on a fixed backbone learns from validation groups too
    asked = settings.validation and not tested.model(fold).card.profile.net.sees_fields
    parts = ("test", "validation") if asked else ("test",)
    every = pd.concat([tested.part(name, fold) for name in parts], ignore_index=True)
    drawn = drawn_alike(every, settings.regions, settings.seed).sort_values(KEY, kind="stable")
    if len(drawn) < LEAST:
        raise SpecError(
            "too few regions to be mapped",
            where=f"fold {fold}",
            expected=f"at least {LEAST}",
            got=str(len(drawn)),
            remedy="name another fold, hold more out for testing, or ask for more --regions",
        )
    return drawn, len(every)


def embedding(
    tested: EvaluationSet, drawn: pd.DataFrame, total: int, settings: EmbeddingSettings
) -> Embedding:
    """Regions of one fold, drawn from so many, in its model's features.

    A model that averages flips and rotations is looked at in the plain view alone.

    Raises
    ------
    SpecError
        All regions have the same features.
    MissingExtraError
        UMAP is not installed.
    """
    fold = int(drawn["fold"].iloc[0])
    model = tested.model(fold)
    rows = scored_by({fold: model}, drawn, tested.pixels, "scoring unseen groups")
    engine = engine_of(replace(model.net, turns=False))
    regions, found = regions_of(rows), []
    with task("features", total=len(regions)) as tick:
        for first in range(0, len(regions), AT_ONCE):
            some = regions[first : first + AT_ONCE]
            found.append(engine.embedded(tested.pixels, some))
            tick(len(some))
    features = np.concatenate(found)
    projected = projections(features, umap=settings.umap, seed=settings.seed)
    positions = _positions(tested.study.fields())
    near = neighbours(
        projected.points,
        rows["label"].tolist(),
        rows["group"].tolist(),
        rows["image"].map(positions).tolist(),
    )
    return Embedding(fold, rows, total, features.shape[1], projected, near)


def projections(features: NDArray[np.floating], *, umap: bool, seed: int) -> Projections:
    """Standardised features (n, features) by PCA, t-SNE and, where asked for, UMAP.

    t-SNE and UMAP start from the principal components.

    Raises
    ------
    SpecError
        All regions have the same features.
    MissingExtraError
        UMAP is not installed.

    Notes
    -----
    Sources: van der Maaten and Hinton 2008 (t-SNE); McInnes et al. 2018 (UMAP).
    """
    plain = StandardScaler().fit_transform(np.asarray(features, dtype=np.float64))
    if not plain.any():
        raise SpecError("the model has the same features for every region: nothing to be mapped")
    number = min(COMPONENTS, *plain.shape)
    reduced = PCA(number, random_state=seed).fit(plain)
    points = reduced.transform(plain)
    flat = np.pad(points, ((0, 0), (0, max(2 - number, 0))))[:, :2]
    perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
    # scaled as scikit-learn does for init="pca", which one component alone would not do for
    start = 1e-4 * flat / flat[:, 0].std()
    with task("maps of features", total=1 + umap) as tick:
        spread = TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(points)
        tick()
        maps = {"pca": flat, "tsne": np.asarray(spread, dtype=np.float64)}
        if umap:
            maps["umap"] = _umap(points, seed)
            tick()
    return Projections(points, reduced.explained_variance_ratio_, maps, perplexity)


def _umap(points: Points, seed: int) -> Points:
    require_umap()
    with warnings.catch_warnings():
        # it warns of packages that it could use, and of few regions
        warnings.simplefilter("ignore")
        from umap import UMAP

        nearest = min(NEAREST, len(points) - 1)
        made = UMAP(n_neighbors=nearest, random_state=seed, n_jobs=1).fit_transform(points)
    return np.asarray(made, dtype=np.float64)


def _positions(fields: pd.DataFrame) -> "pd.Series[str]":
    """What the stage saw, by image: the position where known, else the picture it is of."""
    images = pd.Series(fields["image"].to_numpy(), index=fields["image"])
    for unit in ("position", "picture"):
        if unit in fields and fields[unit].notna().any():
            return unit_names(fields, unit).fillna(images)
    return images
