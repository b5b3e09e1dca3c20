"""Features of regions: what a net has made of them right before it tells classes apart."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livewell.errors import SpecError
from livewell.image import PixelSource
from livewell.inference.windows import Windows
from livewell.region import Region


def embedded(
    windows: Windows, source: PixelSource, regions: Sequence[Region]
) -> NDArray[np.float32]:
    """Input of the last layer, (n, features), as `livewell.inference.model.Model.embed`."""
    if windows.net.turns or not regions:
        raise SpecError(
            "no features of these regions",
            expected="at least one region, and a model without test_time_augmentation",
            got=f"{len(regions)} regions",
            remedy="train with --set test_time_augmentation=false" if windows.net.turns else "",
        )
    kept: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        features = inputs[0].detach().float()
        kept.append((features.mean(dim=(-2, -1)) if features.ndim == 4 else features).cpu())

    layers = [m for m in windows.net.module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    handle = layers[-1].register_forward_pre_hook(keep)
    try:
        windows.regions(source, regions)
    finally:
        handle.remove()
    return np.asarray(torch.cat(kept).numpy(), dtype=np.float32)
