"""A net made by hand that knows bright blobs, and images with blobs at known places."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from livewell.models.nets.global_pooling import GlobalPooling
from livewell.models.nets.net import Net
from livewell.models.nets.wscnn import MeanImage, WeaklySupervised

FRAME_PX = (96, 96)
SIGMA_PX = 3.0
"""Of a blob."""
EDGE_PX = 17
"""Edge of the square that the net looks for a blob in."""


def detector(
    step: int = 1,
    frame_px: tuple[int, int] | None = FRAME_PX,
    *,
    mean: bool = True,
) -> Net:
    """A matched filter every `step` pixels, rectified, and the highest in 8 x 8 px a place.

    A blob of `scene` scores 8 at its place and image without any -2: what a place says of a
    blob is 0.1 a grey level of its filter above 20, and 1 less for each class.

    Parameters
    ----------
    step
        Stride of the filter: 1, 2 or 4.
    frame_px
        Height and width of the training frames.
    mean
        Whether it takes a mean image off, zeros.
    """
    at = np.arange(EDGE_PX) - EDGE_PX // 2
    line = np.exp(-(at**2) / (2 * SIGMA_PX**2))
    weight = np.outer(line, line)
    weight -= weight.mean()
    weight /= (weight**2).sum()
    first = nn.Conv2d(1, 1, EDGE_PX, stride=step, padding=EDGE_PX // 2)
    last = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(weight)[None, None])
        first.bias.fill_(-20.0)
        last.weight.copy_(torch.tensor([0.0, 0.1])[:, None, None, None])
        last.bias.copy_(torch.tensor([1.0, -1.0]))
    body = nn.Sequential(first, nn.ReLU(), nn.MaxPool2d(8 // step), last)
    shape = frame_px or FRAME_PX
    module = WeaklySupervised(body, GlobalPooling("max"), MeanImage(shape) if mean else None)
    return Net(
        module.eval(),
        ("plain", "blob"),
        None,
        0,
        0,
        how="mean_image",
        frame_px=frame_px,
    )


def scene(
    shape: tuple[int, int], spots: Sequence[tuple[float, float]], seed: int = 0, noise: float = 3.0
) -> NDArray[np.float32]:
    """Blobs of 100 grey levels at (y, x), pixel i covering [i, i + 1), on noise about 0."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    made = np.random.default_rng(seed).normal(0, noise, shape)
    for down, along in spots:
        made += 100 * np.exp(-((y - down) ** 2 + (x - along) ** 2) / (2 * SIGMA_PX**2))
    return made.astype(np.float32)


def drawn_apart(
    rng: np.random.Generator, shape: tuple[int, int], count: int, rim: float = 12, apart: float = 26
) -> list[tuple[float, float]]:
    """At most `count` random places, `apart` px from each other and `rim` px from the edges."""
    found: list[tuple[float, float]] = []
    for _ in range(20 * count):
        y, x = (float(rng.uniform(rim, edge - rim)) for edge in shape)
        if all(np.hypot(y - b, x - a) >= apart for b, a in found):
            found.append((y, x))
        if len(found) == count:
            break
    return found
