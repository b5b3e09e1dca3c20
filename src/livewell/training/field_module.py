"""The Lightning module of nets that are trained on fields."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from livewell.models.nets.field import FieldNet
from livewell.training.fields import FieldBatch
from livewell.training.module import Classifier


class FieldClassifier(Classifier):
    """Trains a `FieldNet`; optimiser, schedule, average and seeds are those of `Classifier`."""

    def training_step(self, batch: FieldBatch, _: int) -> Tensor:  # type: ignore[override]
        """Weighted cross-entropy of the regions of one batch, per crop."""
        losses = functional.cross_entropy(
            pooled(self.net, batch),
            batch.codes,
            label_smoothing=self.profile.fit.label_smoothing,
            reduction="none",
        )
        loss = (losses * batch.weights).sum() / len(batch.crops)
        self._losses.append(loss.detach())
        return loss

    def validation_step(self, batch: FieldBatch, _: int) -> None:  # type: ignore[override]
        """Logits of the regions of one crop; their classes ride along."""
        self._watched.append((pooled(self.kept, batch).cpu(), batch.codes.cpu()))


def pooled(module: nn.Module, batch: FieldBatch) -> Tensor:
    """(m, classes): logits of the regions of a batch."""
    net = cast(FieldNet, module)
    maps = net.maps(batch.crops.contiguous(memory_format=torch.channels_last))
    logits: Tensor = net.pooling(maps, batch.regions)
    return logits
