"""The same net with box supervision: what labels of images alone are held against."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from livewell.errors import SpecError
from livewell.files import whole_file
from livewell.image import PixelSource
from livewell.models.building import build
from livewell.models.nets.layers import geometry
from livewell.models.nets.net import normalise
from livewell.models.nets.wscnn import WeaklySupervised
from livewell.models.profile import Profile
from livewell.progress import task
from livewell.region import Region
from livewell.tables.schemas import BOX
from livewell.training.data import Draws, LabelledRegions
from livewell.training.fit import FitResult, chosen_precision
from livewell.training.module import Classifier
from livewell.training.warps import turned

MOST_WEIGHT = 20.0
"""Places in boxes are rare: each weighs as much more than others, up to so much."""


@dataclass(frozen=True)
class BoxSupervision:
    """Trains the class maps of a net on boxes: a place is positive where its centre lies in one.

    In place of `livewell.training.fit.fit`: the same net, draws, optimiser and schedule;
    cross-entropy at every place instead of one a frame. Flips and rotations are its only
    augmentation. Computes on the processor, and is not resumed. `boxes` are of cells of the
    positive class, columns image and `schemas.BOX`.
    """

    boxes: pd.DataFrame

    def __call__(
        self,
        profile: Profile,
        source: PixelSource,
        train: LabelledRegions,
        validation: LabelledRegions,
        folder: Path,
        *,
        channels: int = 1,
        seed: int,
        processes: int | None = None,
        device: str = "auto",
        begin: Mapping[str, Tensor] | None = None,
        stain: object = None,
        what: str = "training",
    ) -> FitResult:
        """As `livewell.training.fit.fit`; the first channel is seen, `processes` not used."""
        profile = profile.over(len(train.patches))
        torch.manual_seed(seed)
        net = build(profile, train.patches[0].box.shape)
        if not isinstance(net, WeaklySupervised):
            raise SpecError("only nets that see whole frames have class maps", got=profile.net.kind)
        (optimiser,), (watched,) = Classifier(net, profile, seed).configure_optimizers()
        precision = chosen_precision(profile)
        frames, masks = self._loaded(source, train.patches)
        held, _ = self._loaded(source, validation.patches)
        draws = Draws(train.codes, train.groups, profile, seed)
        rng = np.random.default_rng([seed, 4])
        log = []
        epochs = profile.fit.steps // profile.fit.steps_per_epoch
        with task(what, total=profile.fit.steps) as tick:
            for epoch in range(epochs):
                began, losses = time.monotonic(), []
                draws.set_epoch(epoch)
                rows = np.array([draw.row for draw in draws]).reshape(-1, profile.fit.batch)
                net.train()
                for some in rows:
                    turns = turns_of(frames.shape[1:], len(some), rng)
                    pixels = torch.from_numpy(turned(frames[some], turns))
                    inputs = normalise(pixels, profile.input.normalise)[:, None]
                    loss = place_loss(net, inputs, turned(masks[some], turns), precision)
                    optimiser.zero_grad()
                    torch.autograd.backward(loss)
                    optimiser.step()
                    watched["scheduler"].step()
                    losses.append(float(loss.detach()))
                    tick()
                say_difference(net)
                net.eval()
                known = validation.codes == 1
                seconds = round(time.monotonic() - began, 2)
                log.append(
                    {"epoch": epoch, "step": (epoch + 1) * profile.fit.steps_per_epoch}
                    | {"train_loss": float(np.mean(losses))}
                    | _watched(net, held, known, profile)
                    | {"seconds": seconds}
                )
        table = pd.DataFrame(log)
        with whole_file(folder / "log.csv") as temporary:
            table.to_csv(temporary, index=False)
        return FitResult(net.eval(), table, epochs - 1, precision)

    def _loaded(
        self, source: PixelSource, keys: Sequence[Region]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Frames (n, h, w), and 1 where a pixel lies in a box."""
        frames = np.stack([source.crop(key.image, key.t, key.box)[0] for key in keys])
        masks = np.zeros(frames.shape, dtype=np.float32)
        of_image = dict(list(self.boxes.groupby("image")))
        for mask, key in zip(masks, keys, strict=True):
            for y0, x0, y1, x1 in of_image.get(key.image, self.boxes[:0])[BOX].to_numpy():
                top, left = key.box.y.start, key.box.x.start
                y0, y1, x0, x1 = (max(end, 0) for end in (y0 - top, y1 - top, x0 - left, x1 - left))
                mask[y0:y1, x0:x1] = 1
        return frames, masks


def say_difference(net: WeaklySupervised) -> None:
    """Make the negative map nothing and the positive one what was their difference.

    Boxes train the difference of the maps, place by place. A head that holds the positive map
    against the highest place of the negative one then reads just that.
    """
    last = net.body[-1]
    if not isinstance(last, nn.Conv2d) or last.bias is None:
        raise SpecError("no last convolution with a bias", got=type(last).__name__)
    with torch.no_grad():
        for values in (last.weight, last.bias):
            values[1] -= values[0]
            values[0] = 0


def turns_of(shape: tuple[int, ...], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers of flips and right-angle rotations that keep the shape of a picture."""
    step = 1 if shape[0] == shape[1] else 2
    return step * rng.integers(0, 8 // step, size=count)


def place_loss(
    net: WeaklySupervised, inputs: Tensor, masks: NDArray[np.float32], precision: str
) -> Tensor:
    """Cross-entropy of every place, places in boxes weighed up."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        maps = net.maps(inputs)
    odds = maps[:, 1] - maps[:, 0]
    target = at_places(net, masks, odds.shape[-2:])
    share = float(target.mean())
    weight = min((1 - share) / max(share, 1e-6), MOST_WEIGHT)
    return functional.binary_cross_entropy_with_logits(
        odds, target, pos_weight=torch.tensor(weight)
    )


def at_places(net: WeaklySupervised, masks: NDArray[np.float32], shape: tuple[int, ...]) -> Tensor:
    """Values of (n, h, w) masks at the pixels that places answer to most, (n, rows, columns)."""
    last = next(reversed(dict(net.body.named_children())))
    stride, _, first = geometry(net.body, last)
    rows, columns = (
        np.clip(np.round(first + stride * np.arange(count)).astype(int), 0, edge - 1)
        for count, edge in zip(shape, masks.shape[1:], strict=True)
    )
    return torch.from_numpy(np.ascontiguousarray(masks[:, rows][:, :, columns]))


def _watched(
    net: WeaklySupervised,
    frames: NDArray[np.float32],
    positive: NDArray[np.bool_],
    profile: Profile,
) -> dict[str, float]:
    """Class-balanced loss and area of validation frames, by labels of frames."""
    scores = []
    with torch.inference_mode():
        for first in range(0, len(frames), 50):
            pixels = torch.from_numpy(frames[first : first + 50])
            scores.append(net(normalise(pixels, profile.input.normalise)[:, None]))
    found = torch.cat(scores)
    target = torch.from_numpy(positive.astype(np.int64))
    each = functional.cross_entropy(found, target, reduction="none").numpy()
    loss = (each[positive].mean() + each[~positive].mean()) / 2
    odds = (found[:, 1] - found[:, 0]).numpy()
    return {"val_loss": float(loss), "val_auc": float(roc_auc_score(positive, odds))}
