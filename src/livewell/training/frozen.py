"""The light head of a frozen backbone: fitted on features, in seconds."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch.nn import functional

from livewell.files import whole_file
from livewell.image import PixelSource
from livewell.models.device import AUTO
from livewell.models.nets.frozen import FrozenSpec
from livewell.models.profile import Profile
from livewell.progress import task
from livewell.training.data import LabelledRegions
from livewell.training.features import reader_of
from livewell.training.fit import FitResult
from livewell.training.module import macro_auc

Values = NDArray[np.float32]


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
    **_: Any,
) -> FitResult:
    """Fit the linear head of a `FrozenNet`, as `livewell.training.fit.fit`.

    Features are standardised on the training part and reduced to their principal components; then
    a logistic regression or a linear support vector machine, with the penalty ``weight_decay / 2``
    times the squared weights on the mean loss.
    """
    began = time.monotonic()
    classes = int(train.codes.max()) + 1
    reader = reader_of(profile, source, channels, classes, pixel_um, device, seed)
    module = reader.module
    with task(what, total=len(train.patches) + len(validation.patches)) as tick:
        x, held = (
            reader.regions(source, part.patches, module.embedded, tick).numpy()
            for part in (train, validation)
        )
        weight, bias = linear_head(x, train, profile, module.spec, seed)
    module.weight.copy_(torch.from_numpy(weight))
    module.bias.copy_(torch.from_numpy(bias))
    logits, seen = ((part @ weight.T + bias).astype(np.float32) for part in (held, x))
    row = {
        "epoch": 0,
        "step": 1,
        "train_loss": _loss(seen, train.codes),
        "val_loss": _loss(logits, validation.codes),
        "val_auc": macro_auc(validation.codes, logits),
        "seconds": round(time.monotonic() - began, 2),
    }
    log = pd.DataFrame([row])
    with whole_file(folder / "log.csv") as temporary:
        log.to_csv(temporary, index=False)
    return FitResult(module.cpu().eval(), log, 0, "float32")


def linear_head(
    x: Values, labelled: LabelledRegions, profile: Profile, spec: FrozenSpec, seed: int
) -> tuple[Values, Values]:
    """Weight (classes, features) and bias (classes,) of logits that are linear in features.

    Features are (n, features), in the order of the regions.
    """
    components = PCA(min(spec.components, *x.shape), svd_solver="randomized", random_state=seed)
    steps = make_pipeline(StandardScaler(), components)
    reduced = steps.fit_transform(x)
    strength, most = 1 / (profile.fit.weight_decay * len(x)), profile.fit.steps
    fitted = (
        LinearSVC(C=strength, max_iter=most, dual=False)
        if spec.fitted_by == "svm"
        else LogisticRegression(C=strength, max_iter=most)
    )
    counts = _counts(labelled, profile.fit.balance, spec.evenness)
    fitted.fit(reduced, labelled.codes, sample_weight=counts * len(x))
    coefficients, bias = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:
        coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.r_[-bias, bias] / 2
    scaled = coefficients @ components.components_
    weight = scaled / steps[0].scale_
    bias = bias - weight @ steps[0].mean_ - scaled @ components.mean_
    return weight.astype(np.float32), bias.astype(np.float32)


def _counts(labelled: LabelledRegions, balance: str, evenness: float) -> NDArray[np.float64]:
    """How much every region counts, in all 1: classes alike, groups of a class by `evenness`."""
    if balance == "none":
        return np.full(len(labelled.codes), 1 / len(labelled.codes))
    evenness = 0.0 if balance.startswith("class_with") or balance == "class" else evenness
    table = pd.DataFrame({"code": labelled.codes, "group": labelled.groups})
    table["count"] = table.groupby(["code", "group"])["group"].transform("size") ** -evenness
    total = table.groupby("code")["count"].transform("sum") * table["code"].nunique()
    return (table["count"] / total).to_numpy(float)


def _loss(logits: Values, codes: NDArray[np.int64]) -> float:
    return float(functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(codes)))
