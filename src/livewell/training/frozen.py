"""The light head of a frozen backbone: fitted on features, in seconds."""

import logging
import math
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch.nn import functional

from livewell.errors import SplitError
from livewell.files import whole_file
from livewell.image import PixelSource
from livewell.models.device import AUTO
from livewell.models.nets.frozen import FrozenSpec
from livewell.models.nets.healthy import HealthyNet
from livewell.models.nets.light_head import Head, Values
from livewell.models.profile import Profile
from livewell.progress import Tick, task
from livewell.study.pixels import StudyPixels
from livewell.training.anchors import AnchorFeatures, Anchors
from livewell.training.data import LabelledRegions
from livewell.training.features import reader_of
from livewell.training.fit import FitResult
from livewell.training.healthy import fit_distance
from livewell.training.module import macro_auc

LOG = logging.getLogger(__name__)
Rows = NDArray[np.int64]
FOLDS = 5
"""Most parts of the groups that are left out in turn."""


def fit_head(
    profile: Profile,
    source: PixelSource,
    train: LabelledRegions,
    validation: LabelledRegions,
    folder: Path,
    *,
    seed: int,
    what: str = "training",
    device: str = AUTO,
    channels: int = 1,
    pixel_um: float | None = None,
    anchors: Anchors | None = None,
    **_: Any,
) -> FitResult:
    """Fit the light head of a `FrozenNet`, as `livewell.training.fit.fit`.

    The head is fitted on both parts. What its logits are worth is known from others, each fitted
    without some of the groups: `FitResult.crossfitted` are logits of the groups left out.
    """
    began = time.monotonic()
    labelled = train.with_more(validation)
    # of one class alone the second has no regions
    classes = max(int(labelled.codes.max()) + 1, 2)
    reader = reader_of(profile, source, channels, classes, pixel_um, device, seed)
    module = reader.module
    with task(what, total=len(labelled.patches)) as tick:
        features = reader.regions(source, labelled.patches, module.embedded, tick)
        if anchors is not None:
            measured = AnchorFeatures(anchors, reader, cast(StudyPixels, source))
            features = measured.relative(features, labelled.patches)
        x = features.numpy()
        if isinstance(module, HealthyNet):
            found = fit_distance(x, labelled.groups, module.spec.axes)
            module.reference, head, own, held = found
        else:
            head, own, held = _fit_classes(x, labelled, profile, module.spec, seed, tick)
    module.take(head)
    row = {
        "epoch": 0,
        "step": 1,
        "train_loss": _loss(own, labelled.codes),
        "val_loss": _loss(held, labelled.codes),
        "val_auc": macro_auc(labelled.codes, held) if labelled.codes.any() else math.nan,
        "seconds": round(time.monotonic() - began, 2),
    }
    log = pd.DataFrame([row])
    with whole_file(folder / "log.csv") as temporary:
        log.to_csv(temporary, index=False)
    return FitResult(module.cpu().eval(), log, 0, "float32", held)


def _fit_classes(
    x: Values, labelled: LabelledRegions, profile: Profile, spec: FrozenSpec, seed: int, tick: Tick
) -> tuple[Head, Values, Values]:
    """The head, its logits of all regions, and logits of fits without the group of each."""
    fit = partial(fit_light_head, profile=profile, spec=spec, seed=seed)
    held = np.full((len(x), int(labelled.codes.max()) + 1), np.nan, dtype=np.float32)
    for seen, left in _folds(labelled, seed):
        tick(0, "cross-fitting")
        held[left] = fit(x[seen], _some(labelled, seen)).logits(x[left])
    prior = _prior(labelled, profile.fit.balance, spec.evenness)
    fitted = fit(x, labelled).shifted(prior)
    return fitted, fitted.logits(x), held + prior


def _folds(labelled: LabelledRegions, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows that a head is fitted on, and rows of the groups that are left out, each once."""
    table = pd.DataFrame({"code": labelled.codes, "group": labelled.groups})
    number = int(table.groupby("code")["group"].nunique().min())
    folds = StratifiedGroupKFold(min(max(number, 2), FOLDS), shuffle=True, random_state=seed)
    for seen, left in folds.split(table, table["code"], table["group"]):
        if table["code"].iloc[seen].nunique() < table["code"].nunique():
            raise SplitError(
                "no cross-fitting: one group holds nearly all regions of a class",
                expected="two groups of each class in training and validation together",
                got=f"{number} of the rarest",
                remedy="label more groups, or split by smaller ones",
            )
        yield seen, left


def _some(labelled: LabelledRegions, rows: Rows) -> LabelledRegions:
    return LabelledRegions(
        [labelled.patches[row] for row in rows],
        labelled.codes[rows],
        [labelled.groups[row] for row in rows],
    )


def fit_light_head(
    x: Values, labelled: LabelledRegions, profile: Profile, spec: FrozenSpec, seed: int
) -> Head:
    """The head that tells classes apart by features (n, features).

    Features are standardised; then a logistic regression, with a hidden layer before it if the
    recipe says so, or a linear support vector machine, with the penalty ``weight_decay / 2`` times
    the squared weights on the mean loss. Classes weigh alike in it, as `balance` says. `seed`
    decides where a hidden layer begins.
    """
    scaler = StandardScaler().fit(x)
    strength, most = 1 / (profile.fit.weight_decay * len(x)), profile.fit.steps
    fitted: Any = LogisticRegression(C=strength, max_iter=most)
    if spec.fitted_by == "svm":
        fitted = LinearSVC(C=strength, max_iter=most, dual=False)
    elif spec.hidden:
        fitted = MLPClassifier(
            (spec.hidden,),
            solver="lbfgs",
            alpha=profile.fit.weight_decay * len(x),
            max_iter=most,
            random_state=seed,
        )
    counts = _counts(labelled, profile.fit.balance, spec.evenness)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(scaler.transform(x), labelled.codes, sample_weight=counts * len(x))
    if np.max(fitted.n_iter_) >= most:
        LOG.warning("the head was still changing after %d steps; give more with --set steps", most)
    layers = (
        [(weight.T, bias) for weight, bias in zip(fitted.coefs_, fitted.intercepts_, strict=True)]
        if spec.hidden
        else [(fitted.coef_, fitted.intercept_)]
    )
    weight, bias = layers[-1]
    if len(weight) == 1:
        layers[-1] = np.vstack([-weight, weight]) / 2, np.r_[-bias, bias] / 2
    weight, bias = layers[0][0] / scaler.scale_, layers[0][1]
    first = weight, bias - weight @ scaler.mean_
    last = layers[1] if spec.hidden else (np.empty((0, 0)), np.empty(0))
    return Head(*(each.astype(np.float32) for each in (*first, *last)))


def _counts(labelled: LabelledRegions, balance: str, evenness: float) -> NDArray[np.float64]:
    """How much every region counts, in all 1: classes alike, groups of a class by `evenness`."""
    if balance == "none":
        return np.full(len(labelled.codes), 1 / len(labelled.codes))
    evenness = 0.0 if balance.startswith("class_with") or balance == "class" else evenness
    table = pd.DataFrame({"code": labelled.codes, "group": labelled.groups})
    table["count"] = table.groupby(["code", "group"])["group"].transform("size") ** -evenness
    total = table.groupby("code")["count"].transform("sum") * table["code"].nunique()
    return (table["count"] / total).to_numpy(float)


def _prior(labelled: LabelledRegions, balance: str, evenness: float) -> Values:
    """Log of the classes' shares over what they weigh in fitting, (classes,).

    With it probabilities are those of regions like these, though classes weigh alike in fitting.
    """
    weighed = np.bincount(labelled.codes, _counts(labelled, balance, evenness))
    shares = np.bincount(labelled.codes) / len(labelled.codes)
    return np.log(shares / weighed).astype(np.float32)


def _loss(logits: Values, codes: NDArray[np.int64]) -> float:
    return float(functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(codes)))
