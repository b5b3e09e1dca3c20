"""The Lightning module: one step of training, and what is watched on validation groups."""

from functools import partial
from typing import Any, cast

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from livewell.errors import SpecError
from livewell.models.nets.backbones import PartlyFixed
from livewell.models.nets.field import FieldNet
from livewell.models.nets.net import centre, normalise
from livewell.models.nets.unet import UNet, UNetSpec
from livewell.models.nets.wscnn import WeaklySupervised
from livewell.models.profile import Profile
from livewell.training.fields import FieldBatch
from livewell.training.rates import cycles, inverse_decay, no_decay, parameter_groups
from livewell.training.stain import stain_loss

NEVER = 2**31
"""Epochs between two steps of a schedule that Lightning only saves."""


def macro_auc(target: NDArray[np.int64], scores: NDArray[np.float32]) -> float:
    """Area under the ROC curve; of more than two classes the mean of each against the rest."""
    if scores.shape[1] == 2:
        return float(roc_auc_score(target, scores[:, 1] - scores[:, 0]))
    rest = [np.delete(scores, code, axis=1) for code in range(scores.shape[1])]
    margins = [scores[:, code] - logsumexp(rest[code], axis=1) for code in range(len(rest))]
    return float(np.mean([roc_auc_score(target == code, m) for code, m in enumerate(margins)]))


class Classifier(pl.LightningModule):
    """Trains a net as a profile says.

    Every step starts from the run's seed, so that a resumed run goes on as it would have.
    """

    def __init__(self, net: nn.Module, profile: Profile, seed: int) -> None:
        super().__init__()
        # channels-last convolutions are 1.4 to 3 times as fast on processors, and no slower on GPUs
        self.net = net.to(memory_format=torch.channels_last)
        self.profile, self._seed = profile, seed
        self.average: AveragedModel | None = None
        if profile.fit.ema:
            self.average = AveragedModel(
                net,
                multi_avg_fn=get_ema_multi_avg_fn(profile.fit.ema),  # type: ignore[no-untyped-call]
                use_buffers=True,
            )
        self._watched: list[tuple[Tensor, Tensor]] = []
        self._losses: list[Tensor] = []
        self.epoch_row: dict[str, float] = {}

    @property
    def kept(self) -> nn.Module:
        """The module that is validated and kept: the moving average where there is one."""
        return self.net if self.average is None else self.average.module

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's losses; let the last layer learn alone in its epochs."""
        self._losses = []
        alone = self.profile.fit.head_epochs
        if alone and isinstance(self.net, PartlyFixed):
            blocks = self.profile.settings()["fixed_blocks"]
            self.net.fix(None if self.current_epoch < alone else blocks)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed dropout and mixup from the run's seed and the step."""
        torch.manual_seed(self._seed * 10_000_019 + self.global_step)
        done = self.profile.net.narrowed(self.global_step / self.profile.fit.steps)
        if done is not None and isinstance(self.net, WeaklySupervised):
            self.net.head.narrow(done)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Cross-entropy of one batch."""
        inputs, target = batch
        cost = partial(functional.cross_entropy, label_smoothing=self.profile.fit.label_smoothing)
        if self.profile.augment.mixup:
            alpha = torch.tensor(self.profile.augment.mixup)
            share = float(torch.distributions.Beta(alpha, alpha).sample())
            order = torch.randperm(len(inputs), device=inputs.device)
            scores = self.net(share * inputs + (1 - share) * inputs[order])
            loss = share * cost(scores, target) + (1 - share) * cost(scores, target[order])
        else:
            loss = cost(self.net(inputs), target)
        self._losses.append(loss.detach())
        result: Tensor = loss
        return result

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Move the average towards the weights of this step."""
        if self.average is not None:
            self.average.update_parameters(self.net)

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's scores."""
        self._watched = []

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Scores of one batch of plain patches; its target rides along."""
        patches, target = batch
        profile = self.profile
        around = profile.input.radius_px
        inputs = centre(normalise(patches, profile.input.normalise, around), profile.input.input_px)
        scores = self.kept(inputs)
        self._watched.append((scores.float().cpu(), target.cpu()))

    def on_validation_epoch_end(self) -> None:
        """Class-balanced loss and AUC of the validation patches; refuses a net that diverged."""
        scores = torch.cat([part for part, _ in self._watched])
        target = torch.cat([part for _, part in self._watched])
        if not scores.isfinite().all():
            raise SpecError(
                "training diverged: the net's scores are no numbers any more",
                where=f"epoch {self.current_epoch}",
                remedy=f"train anew with a lr below {self.profile.fit.lr}, or in float32",
            )
        number = scores.shape[1]
        counts = torch.bincount(target, minlength=number).clamp_min(1)
        of_labels = functional.cross_entropy(scores, target, weight=len(target) / (number * counts))
        loss = self.validation_loss(of_labels)
        auc = macro_auc(target.numpy(), scores.numpy())
        train_loss = torch.stack(self._losses).mean() if self._losses else torch.tensor(torch.nan)
        self.log("val_loss", loss)
        self.epoch_row = {
            "epoch": self.current_epoch,
            "step": self.global_step,
            "train_loss": float(train_loss),
            "val_loss": float(loss),
            "val_auc": float(auc),
        }
        falling = self.lr_schedulers()
        if isinstance(falling, ReduceLROnPlateau):
            falling.step(float(loss))

    def validation_loss(self, of_labels: Tensor) -> Tensor:
        """What is watched, from the loss of the validation labels: this itself."""
        return of_labels

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule of the profile."""
        fit = self.profile.fit
        groups = parameter_groups(self.net, fit)
        optimiser: Optimizer
        if fit.optimiser in ("adam", "adamw"):
            made = AdamW if fit.optimiser == "adamw" else Adam
            optimiser = made(groups, lr=fit.lr, betas=fit.betas, weight_decay=fit.weight_decay)
        else:
            optimiser = SGD(
                groups,
                lr=fit.lr,
                momentum=fit.momentum,
                nesterov=fit.optimiser == "nesterov",
                weight_decay=fit.weight_decay,
            )
        if fit.schedule == "plateau":
            # "lowered by a factor of 10 as the error plateaus": Sailem et al., section 3.2
            falling = ReduceLROnPlateau(optimiser, factor=0.1, patience=fit.plateau_epochs)
            # stepped above: Lightning would judge the epoch only after its checkpoint is written
            watched = {"scheduler": falling, "monitor": "val_loss", "frequency": NEVER}
            return {"optimizer": optimiser, "lr_scheduler": watched}
        schedule: LRScheduler
        if fit.schedule == "inverse":
            schedule = LambdaLR(optimiser, inverse_decay)
        elif fit.schedule == "constant":
            schedule = LambdaLR(optimiser, no_decay)
        else:
            schedule = LambdaLR(optimiser, lambda step: cycles(step, fit))
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]


class FieldClassifier(Classifier):
    """Trains a `FieldNet`; optimiser, schedule, average and seeds are those of `Classifier`."""

    def training_step(self, batch: FieldBatch, _: int) -> Tensor:  # type: ignore[override]
        """Weighted cross-entropy of the regions of one batch, per crop."""
        losses = functional.cross_entropy(
            self.pooled(self.net, batch),
            batch.codes,
            label_smoothing=self.profile.fit.label_smoothing,
            reduction="none",
        )
        loss = (losses * batch.weights).sum() / len(batch.crops)
        self._losses.append(loss.detach())
        return loss

    def validation_step(self, batch: FieldBatch, _: int) -> None:  # type: ignore[override]
        """Logits of the regions of one crop; their classes ride along."""
        self._watched.append((self.pooled(self.kept, batch).cpu(), batch.codes.cpu()))

    def pooled(self, module: nn.Module, batch: FieldBatch) -> Tensor:
        """(m, classes): logits of the regions of a batch."""
        net = cast(FieldNet, module)
        maps = net.maps(batch.crops.contiguous(memory_format=torch.channels_last))
        logits: Tensor = net.pooling(maps, batch.regions)
        return logits


class StainClassifier(FieldClassifier):
    """Trains a `UNet` on labels and on a stain at once, each with its weight."""

    def __init__(self, net: nn.Module, profile: Profile, seed: int) -> None:
        super().__init__(net, profile, seed)
        self._of_stain: list[Tensor] = []
        spec = cast(UNetSpec, profile.net)
        self._weights = spec.label_weight, spec.stain_weight

    def training_step(self, batch: FieldBatch, number: int) -> Tensor:  # type: ignore[override]
        """The loss of labels, as `FieldClassifier`, and that of the stain, weighted and added."""
        self._of_stain = []
        of_labels = super().training_step(batch, number)
        loss = self._sum(of_labels, self._of_stain[0])
        self._losses[-1] = loss.detach()
        return loss

    def pooled(self, module: nn.Module, batch: FieldBatch) -> Tensor:
        """As `FieldClassifier.pooled`; the loss of the stain is kept beside."""
        net = cast(UNet, module)
        maps, stain = net.both(batch.crops.contiguous(memory_format=torch.channels_last))
        self._of_stain.append(stain_loss(stain, batch.stain))
        logits: Tensor = net.pooling(maps, batch.regions)
        return logits

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's scores and losses."""
        super().on_validation_epoch_start()
        self._of_stain = []

    def on_validation_epoch_end(self) -> None:
        """As `Classifier`; the log also has the loss of the stain."""
        super().on_validation_epoch_end()
        self.epoch_row["val_stain"] = float(torch.stack(self._of_stain).mean())

    def validation_loss(self, of_labels: Tensor) -> Tensor:
        """The losses of labels and stain, weighted and added as in training."""
        return self._sum(of_labels, torch.stack(self._of_stain).mean().to(of_labels))

    def _sum(self, of_labels: Tensor, of_stain: Tensor) -> Tensor:
        label_weight, stain_weight = self._weights
        return label_weight * of_labels + stain_weight * of_stain
