"""Checkpoints that are whole or not there, and are read without unpickling objects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO

from livewell.files import whole_file


class WholeCheckpoints(CheckpointIO):
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
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return loaded

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete `path`."""
        Path(path).unlink(missing_ok=True)
