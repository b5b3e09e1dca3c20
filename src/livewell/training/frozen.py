"""The light head of a frozen backbone: fitted on features, in seconds."""

import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from livewell.files import whole_file
from livewell.image import PixelSource
from livewell.models.building import build
from livewell.models.device import AUTO, placed
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.progress import task
from livewell.training.data import Draws, LabelledRegions
from livewell.training.features import FieldReader, cache_of
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
    a logistic regression, in which regions count as often as they would be drawn, with the penalty
    ``weight_decay / 2`` times the squared weights on the mean loss.
    """
    began = time.monotonic()
    classes = int(train.codes.max()) + 1
    module = cast(FrozenNet, build(profile, channels=channels, classes=classes))
    placed(module, device)
    names = tuple(map(str, range(classes)))
    net = Net(module, names, pixel_um, profile.input.patch_px, 0, profile.input.normalise)
    reader = FieldReader(net, cache_of(source))
    with task(what, total=len(train.patches) + len(validation.patches)) as tick:
        x, held = (
            reader.regions(source, part.patches, module.embedded, tick).numpy()
            for part in (train, validation)
        )
        draws = Draws(train.codes, train.groups, profile, seed)
        weight, bias = linear_head(x, train.codes, draws.shares, profile, seed)
    module.weight.copy_(torch.from_numpy(weight))
    module.bias.copy_(torch.from_numpy(bias))
    losses = [
        _loss(part @ weight.T + bias, codes)
        for part, codes in ((x, train.codes), (held, validation.codes))
    ]
    logits = (held @ weight.T + bias).astype(np.float32)
    row = {
        "epoch": 0,
        "step": 1,
        "train_loss": losses[0],
        "val_loss": losses[1],
        "val_auc": macro_auc(validation.codes, logits),
        "seconds": round(time.monotonic() - began, 2),
    }
    log = pd.DataFrame([row])
    with whole_file(folder / "log.csv") as temporary:
        log.to_csv(temporary, index=False)
    return FitResult(module.cpu().eval(), log, 0, "float32")


def linear_head(
    x: Values, codes: NDArray[np.int64], shares: NDArray[np.float64], profile: Profile, seed: int
) -> tuple[Values, Values]:
    """Weight (classes, features) and bias (classes,) of logits that are linear in features."""
    spec = profile.net
    number = min(spec.components, *x.shape)
    components = PCA(number, svd_solver="randomized", random_state=seed)
    steps = make_pipeline(StandardScaler(), components)
    reduced = steps.fit_transform(x)
    fitted = LogisticRegression(
        C=1 / (profile.fit.weight_decay * len(x)), max_iter=profile.fit.steps
    )
    fitted.fit(reduced, codes, sample_weight=shares * len(x))
    coefficients, bias = fitted.coef_, fitted.intercept_
    if len(coefficients) == 1:
        coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.r_[-bias, bias] / 2
    scaler = steps[0]
    scaled = coefficients @ components.components_
    weight = scaled / scaler.scale_
    bias = bias - weight @ scaler.mean_ - scaled @ components.mean_
    return weight.astype(np.float32), bias.astype(np.float32)


def _loss(logits: Values, codes: NDArray[np.int64]) -> float:
    p = torch.from_numpy(logits).double().softmax(dim=1).numpy()
    return float(log_loss(codes, p, labels=range(p.shape[1])))
