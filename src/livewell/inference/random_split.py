"""What the model family of a run would have shown on a random split: the size of the leak."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.metrics.baselines import TEXTURE, answers, trees
from livewell.metrics.intervals import Estimate
from livewell.metrics.paired import comparison
from livewell.models.nets.frozen import FrozenNet
from livewell.progress import task
from livewell.splitting.torn import PARTS, torn_parts
from livewell.tables.schemas import regions_of
from livewell.training.anchors import AnchorFeatures, Anchors
from livewell.training.data import LabelledRegions
from livewell.training.features import FieldReader, cache_of
from livewell.training.frozen import fit_light_head

HEAD = "the head of the fixed backbone"
Rows = NDArray[np.int64]
Chances = NDArray[np.float64]
Learn = Callable[[Rows, Rows], Chances]
"""From rows to learn from and rows to judge to probabilities (rows, classes) of the latter."""


@dataclass(frozen=True, slots=True)
class RandomSplit:
    """What a random split of the same regions would have shown; none of it is a result.

    `learner` is `HEAD` or `TEXTURE`; `honest` and `random` are its areas under the ROC curve, as
    `livewell.metrics.paired.comparison` takes them, on the same `regions`, with groups kept whole
    and torn; `leak` is how far the second lies above the first, with an interval that resamples
    groups. Without them `why` says why, where that was asked for.
    """

    learner: str = ""
    regions: int = 0
    honest: Estimate | None = None
    random: Estimate | None = None
    leak: Estimate | None = None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """As plain values; nothing where it was not asked for."""
        return {} if self == RandomSplit() else {"what": "not a result", **asdict(self)}


def random_split(
    tested: EvaluationSet, some: pd.DataFrame, texture: pd.DataFrame | None, *, seed: int
) -> RandomSplit:
    """Learn twice from the same regions, by groups as the run did and at random.

    Parameters
    ----------
    tested
        The test groups of a run.
    some
        Regions of all parts, a part of all where there are many.
    texture
        Their texture (`livewell.metrics.baselines.measured`), by which trees stand in for nets
        other than a light head on a fixed backbone; ``None`` where that was not measured.
    seed
        Of what is drawn and of intervals.
    """
    model, classes = tested.model(int(tested.folds["fold"].iloc[0])), tested.classes
    fixed = isinstance(model.net.module, FrozenNet)
    if some["group"].value_counts().max() < 2:
        return RandomSplit(why="every group is one region, so no split can tear it")
    if not fixed and texture is None:
        return RandomSplit()
    codes = classes.codes(some["label"])
    if texture is None or fixed:
        learn = _head(tested, model, some, codes, seed)
    else:
        learn = _trees(texture.to_numpy(float), codes, len(classes), seed)
    chances = _both(tested, some, codes, learn, seed)
    judged = np.flatnonzero(~np.isnan(chances["honest"]).any(axis=1))
    shown = some.iloc[judged]
    tables = {name: answers(shown, p[judged], classes) for name, p in chances.items()}
    found = comparison(tables, classes, "honest", seed=seed)
    honest, random = (found.figures[name]["roc_auc"] for name in ("honest", "random"))
    leak = found.differences["random"]["roc_auc"]
    if np.isnan(leak.value):
        return RandomSplit(why=f"an area is not defined here ({honest.note})")
    return RandomSplit(HEAD if fixed else TEXTURE, len(shown), honest, random, leak)


def _both(
    tested: EvaluationSet, some: pd.DataFrame, codes: Rows, learn: Learn, seed: int
) -> dict[str, Chances]:
    """Probabilities by groups and at random; NaN of regions that no fold tests."""
    honest, random = (np.full((len(codes), len(tested.classes)), np.nan) for _ in range(2))
    folds = list(tested.folds.groupby("fold"))
    with task("what a random split would have shown", total=len(folds) * (PARTS + 1)) as tick:
        for _, parts in folds:
            part = some["group"].map(parts.set_index("group")["part"].to_dict())
            known = part.isin(("train", "validation")).to_numpy()
            held = (part == "test").to_numpy()
            if not held.any():
                continue
            honest[held] = learn(np.flatnonzero(known), np.flatnonzero(held))
            tick()
            for seen, left in torn_parts(codes, known, held, seed):
                random[left] = learn(seen, left)
                tick()
    return {"honest": honest, "random": random}


def _trees(x: Chances, codes: Rows, classes: int, seed: int) -> Learn:
    def learn(seen: Rows, left: Rows) -> Chances:
        return trees(x[seen], codes[seen], x[left], seed, workers=-1, classes=classes)

    return learn


def _head(tested: EvaluationSet, model: Model, some: pd.DataFrame, codes: Rows, seed: int) -> Learn:
    """The recipe's head, fitted anew on features that are read once."""
    net, module, regions = model.net, cast(FrozenNet, model.net.module), regions_of(some)
    reader = FieldReader(net, cache_of(tested.pixels))
    features = reader.regions(tested.pixels, regions, module.embedded)
    if net.anchor is not None:
        anchors = AnchorFeatures(Anchors.of(tested.study, net.anchor), reader, tested.pixels)
        features = anchors.relative(features, regions)
    x, groups = features.numpy(), some["group"].tolist()

    def learn(seen: Rows, left: Rows) -> Chances:
        own = [regions[row] for row in seen], codes[seen], [groups[row] for row in seen]
        head = fit_light_head(x[seen], LabelledRegions(*own), model.card.profile, module.spec, seed)
        return np.asarray(softmax(head.logits(x[left]).astype(float), axis=1))

    return learn
