"""How a model gets to another process: as the folder that it was loaded from."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, Self

from livewell.errors import ModelFileError
from livewell.models.files import Card

KEPT = 16
"""Models that a process keeps, such as those of all folds of a run."""


class _Loads(Protocol):
    def __call__(self, path: Path, *, device: Any) -> "FromFolder": ...


class FromFolder:
    """Something with a card that lies in a folder; pickles hold the folder, never weights."""

    folder: Path
    card: Card
    device: Any

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Its folder and the hash of its weights.

        Raises
        ------
        ModelFileError
            It was not loaded from a folder.
        """
        if self.folder == Path():
            raise ModelFileError(
                "this model lies in no folder, so other processes cannot load it",
                remedy="save it and load it with Model.load, or work in this process alone",
            )
        own = type(self), self.folder.resolve(), self.card.weights_sha256
        return _received, (*own, str(self.device))

    def __copy__(self) -> Self:
        """A copy in the same process, which shares what it holds."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other


@lru_cache(KEPT)
def _received(kind: Any, folder: Path, weights_sha256: str, device: str) -> "FromFolder":
    """Load it, once a process.

    Raises
    ------
    ModelFileError
        It is gone, or another one lies there now.
    """
    load: _Loads = kind.load
    model = load(folder, device=device)
    if model.card.weights_sha256 != weights_sha256:
        raise ModelFileError(
            "another model lies here than when the command began",
            where=str(folder),
            remedy="leave models alone while they are used; then give the command again",
        )
    return model
