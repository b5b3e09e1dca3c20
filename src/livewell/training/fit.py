"""Training of one net on one fold: Lightning runs it, and it goes on where it was stopped."""

import copy
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from livewell.errors import StudyError
from livewell.files import whole_file
from livewell.image import PixelSource
from livewell.models.building import build
from livewell.models.device import AUTO, chosen_device
from livewell.models.profile import Profile
from livewell.progress import Tick, task
from livewell.training.data import LabelledRegions
from livewell.training.loading import beside, plainly, training_loader, validation_loader, workers
from livewell.training.module import Classifier, FieldClassifier, StainClassifier
from livewell.training.stain import StainTargets


@dataclass(frozen=True)
class FitResult:
    """What training leaves."""

    module: nn.Module
    """The net with the weights that are kept, in evaluation mode, on the processor."""
    log: pd.DataFrame
    """One row an epoch: epoch, step, train_loss, val_loss, val_auc, seconds (of this epoch)."""
    epoch: int
    """Epoch whose weights are kept."""
    precision: str
    """Number type that training computed in."""
    crossfitted: NDArray[np.float32] | None = None
    """Logits (regions, classes) of all regions of the training part, then of the validation part,
    each of a fit that has not seen its group, where nets are fitted so fast that there are such."""


def fit(
    profile: Profile,
    source: PixelSource,
    train: LabelledRegions,
    validation: LabelledRegions,
    folder: Path,
    *,
    seed: int,
    processes: int | None = None,
    what: str = "training",
    begin: Mapping[str, Tensor] | None = None,
    device: str = AUTO,
    channels: int = 1,
    stain: StainTargets | None = None,
) -> FitResult:
    """Train a net, or go on with a training that was stopped.

    Parameters
    ----------
    train, validation
        Regions of the two parts; no group is in both.
    folder
        Takes ``last.ckpt``, ``best.ckpt`` and ``log.csv``; if it holds a ``last.ckpt``, training
        goes on from there and ends as if it had never stopped (same machine, same threads).
    seed
        Decides initial weights, draws, augmentation and dropout.
    processes
        Processes that crop and augment; 0 for none, ``None`` for `loading.workers`.
    begin
        Weights to begin with, of a net of the same shape; drawn from `seed` where ``None``. Whoever
        gives some sees to it that they have learnt nothing of these validation and test images.
    stain
        What a net that predicts a stain learns beside the labels; ``None`` for the others.
    """
    profile = profile.over(len(train.patches))
    torch.manual_seed(seed)
    frame_px = train.patches[0].box.shape if profile.sees_frames else None
    net = build(profile, frame_px, channels=channels, classes=int(train.codes.max()) + 1)
    if begin is not None:
        net.load_state_dict(begin)
    if profile.input.normalise == "mean_image":
        set_mean_image(net, source, train)
    fields = StainClassifier if profile.net.predicts_stain else FieldClassifier
    classifier = (fields if profile.net.learns_from_fields else Classifier)(net, profile, seed)
    number = workers() if processes is None else processes
    batches = training_loader(source, train, profile, seed, processes=number, stain=stain)
    held = validation_loader(source, validation, profile, seed, stain)
    crop = (channels, *(frame_px or 2 * (profile.seen_px,)))
    with beside(number, net, crop):
        return trained(classifier, batches, held, folder, what=what, device=device)


def trained(
    classifier: Classifier,
    batches: DataLoader[Any],
    validation: DataLoader[Any],
    folder: Path,
    *,
    what: str = "training",
    device: str = AUTO,
) -> FitResult:
    """Train on batches, an epoch each time they are gone through, as `fit`."""
    profile = classifier.profile
    precision, chosen = chosen_precision(profile, device), chosen_device(device)
    last = folder / "last.ckpt"
    steps = profile.fit.steps + profile.fit.head_steps
    with calm(), task(what, total=steps) as tick:
        log = EpochLog(folder / "log.csv", batches.sampler, tick)
        callbacks: list[Callback] = [log, _Keep(folder, log)]
        if profile.fit.patience:
            callbacks.append(_Patience("val_loss", patience=profile.fit.patience))
        trainer = pl.Trainer(
            accelerator="gpu" if chosen.type == "cuda" else chosen.type,
            devices=[chosen.index or 0] if chosen.type == "cuda" else 1,
            precision="bf16-mixed" if precision == "bfloat16" else "32-true",
            # with max_steps Lightning 2.6 counts the last epoch once more when it resumes
            max_epochs=steps // profile.fit.steps_per_epoch,
            callbacks=callbacks,
            plugins=[WholeCheckpoints()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=folder,
        )
        try:
            with plainly():
                trainer.fit(
                    classifier,
                    batches,
                    validation,
                    ckpt_path=last if last.is_file() else None,
                    weights_only=True,
                )
        except SystemExit as stopped:
            # Lightning makes an exit of Ctrl-C and of SIGTERM, the latter with code 0
            raise KeyboardInterrupt from stopped
    rows = pd.DataFrame(log.rows)
    kept = int(rows["epoch"].iloc[-1])
    if profile.fit.select == "best":
        state = WholeCheckpoints().load_checkpoint(folder / "best.ckpt")
        classifier.load_state_dict(state["state_dict"])
        kept = int(state["epoch"])
    module = copy.deepcopy(classifier.kept).cpu().eval()
    return FitResult(module, rows, kept, precision)


def set_mean_image(net: nn.Module, source: PixelSource, train: LabelledRegions) -> None:
    """Give a net that sees whole frames the mean of the training frames, float64 inside."""
    mean = net.get_submodule("mean").get_buffer("mean")
    total = np.zeros(mean.shape[1:])
    for patch in train.patches:
        total += source.crop(patch.image, patch.t, patch.box)
    mean.copy_(torch.from_numpy((total / len(train.patches)).astype(np.float32)))


def chosen_precision(profile: Profile, device: str = AUTO) -> str:
    """Number type that `profile` computes in on this machine: ``float32`` or ``bfloat16``."""
    if profile.fit.precision != "auto":
        return profile.fit.precision
    if chosen_device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    capable = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return "bfloat16" if capable is not None and capable() else "float32"


class WholeCheckpoints(TorchCheckpointIO):
    """Writes under a temporary name and renames; reads tensors and plain values only."""

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` to `path`, whole or not at all."""
        made = BytesIO()  # torch's own writer does not say why it fails
        torch.save(checkpoint, made)
        with whole_file(Path(path)) as temporary:
            temporary.write_bytes(made.getbuffer())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read `path`; anything but tensors and plain values is refused (`weights_only`)."""
        try:
            loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            if "state_dict" not in loaded or "epoch" not in loaded:
                raise ValueError("no weights of an epoch")
        # whatever damaged bytes lead torch to
        except Exception as error:
            raise StudyError(
                "a checkpoint that cannot be read",
                where=str(path),
                expected="tensors and plain values, as training wrote them",
                got=str(error).splitlines()[0] if str(error) else type(error).__name__,
                remedy="delete this fold's folder to train the fold from its beginning",
            ) from error
        return loaded


class EpochLog(Callback):
    """Keeps one row an epoch, writes them as a CSV, also through a resume, and moves the bar.

    Checkpoints know its state by its name.
    """

    def __init__(self, path: Path, draws: Any, tick: Tick) -> None:
        self._path, self._draws, self._tick, self._done = path, draws, tick, 0
        self.rows: list[dict[str, float]] = []
        self._began = time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Tell the bar how many steps are done."""
        self._tick(trainer.global_step - self._done)
        self._done = trainer.global_step

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the row of the epoch that ends, write the file anew, whole, and tell the bar."""
        now = time.monotonic()
        row: Any = pl_module.epoch_row
        self.rows.append({**row, "seconds": round(now - self._began, 2)})
        self._began = now
        with whole_file(self._path) as temporary:
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
        self._tick(0, f"validation loss {row['val_loss']:.3f}, AUC {row['val_auc']:.3f}")

    def state_dict(self) -> dict[str, Any]:
        """Travels in the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the rows of the checkpoint."""
        self.rows = list(state_dict["rows"])
        # worker processes draw ahead before Lightning says which epoch it resumes
        self._draws.set_epoch(len(self.rows))


class _Keep(Checkpoint):
    """Writes ``best.ckpt`` where validation is better than ever, and ``last.ckpt`` every epoch.

    Best by the log alone: Lightning's own callback forgets its best when the folder has moved.
    """

    def __init__(self, folder: Path, log: EpochLog) -> None:
        self._folder, self._log = folder, log

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        losses = [row["val_loss"] for row in self._log.rows]
        if losses[-1] < min(losses[:-1], default=float("inf")):
            trainer.save_checkpoint(self._folder / "best.ckpt", weights_only=True)
        trainer.save_checkpoint(self._folder / "last.ckpt")


class _Patience(EarlyStopping):
    """Stops early; a run that was killed after it had stopped does not go on when resumed."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.wait_count >= self.patience:
            trainer.should_stop = True


@contextmanager
def calm() -> Iterator[None]:
    """Keep Lightning's hints to its own developers off the user's screen."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
