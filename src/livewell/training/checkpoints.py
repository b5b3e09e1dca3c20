"""Checkpoints that are whole or not there, and are read without unpickling objects."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from livewell.errors import StudyError
from livewell.files import whole_file


class WholeCheckpoints(TorchCheckpointIO):
    """Writes under a temporary name and renames; reads tensors and plain values only."""

    def save_checkpoint(
        self, checkpoint: Mapping[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write `checkpoint` to `path`, whole or not at all."""
        with whole_file(Path(path)) as temporary:
            torch.save(checkpoint, temporary)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read `path`; anything but tensors and plain values is refused (`weights_only`)."""
        try:
            loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
            raise StudyError(
                "a checkpoint that cannot be read",
                where=str(path),
                expected="tensors and plain values, as training wrote them",
                got=str(error).splitlines()[0] if str(error) else type(error).__name__,
                remedy="delete this fold's folder to train the fold from its beginning",
            ) from error
        return loaded
