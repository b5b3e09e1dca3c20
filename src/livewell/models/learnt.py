"""What a model has learnt from, as likenesses of frames beside its card: 4 kB a frame."""

from collections.abc import Iterable
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from livewell.errors import ModelFileError
from livewell.files import sha256
from livewell.measure.alike import Frames, pairs_alike
from livewell.measure.likeness import EDGE, Likeness
from livewell.models.folders import COPY, LEARNT

ALMOST = 0.9
"""Correlation of thumbnails from which a frame of a movie says nothing new."""


class LearntFrames:
    """What the frames look like that a model has learnt from, by which near copies are known.

    Parameters
    ----------
    frames
        Likenesses in order of time, each with the image that it is of: a name or a number.
    """

    def __init__(self, frames: Iterable[tuple[str, Likeness]] = ()) -> None:
        self.frames = tuple(frames)

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def distinct(cls, frames: Iterable[tuple[str, Likeness]]) -> Self:
        """Frames without those that look like the one kept before, of their image."""
        kept: list[tuple[str, Likeness]] = []
        for image, found in frames:
            if not kept or kept[-1][0] != image or _correlation(kept[-1][1], found) < ALMOST:
                kept.append((image, found))
        return cls(kept)

    @property
    def shapes(self) -> frozenset[tuple[int, int]]:
        """Heights and widths of these frames, pixels."""
        return frozenset((one.height, one.width) for _, one in self.frames)

    def near_copies(
        self, frames: Iterable[tuple[str, Likeness | None]], parts: Iterable[str] | None = None
    ) -> frozenset[str]:
        """Names of images of which a frame shows about the same as one of these.

        `frames` are given with their image, in order of time, and `parts` as to `Frames`.
        """
        pairs = zip(frames, repeat("") if parts is None else parts, strict=False)
        known = [(name, found, part) for (name, found), part in pairs if found is not None]
        if not known or not self.frames:
            return frozenset()
        names, likenesses, kinds = zip(*known, strict=True)
        asked, near = Frames(likenesses, names, parts=kinds), set[str]()
        for pair in pairs_alike(asked, self._compared, lambda name, _: name not in near):
            near.add(asked.images[pair.one])
        return frozenset(near)

    @cached_property
    def _compared(self) -> Frames:
        return Frames(
            [one for _, one in self.frames], [f"learnt {name}" for name, _ in self.frames]
        )

    def write(self, folder: Path) -> str:
        """Write the file `LEARNT`, without names; returns its hash, which the card holds."""
        names = dict.fromkeys(name for name, _ in self.frames)
        numbers = {name: number for number, name in enumerate(names)}
        arrays: dict[str, NDArray[Any]] = {
            "thumbnails": np.array([one.thumbnail for _, one in self.frames], np.int8),
            "sizes": np.array([(one.height, one.width) for _, one in self.frames], np.int32),
            "images": np.array([numbers[name] for name, _ in self.frames], np.int32),
        }
        (folder / LEARNT).write_bytes(save(arrays))
        return sha256(folder / LEARNT)

    @classmethod
    def read(cls, folder: Path, digest: str) -> Self:
        """The frames of a model folder whose card names this hash; none where it names none.

        Raises
        ------
        ModelFileError
            The file is not there, or not the one that the card describes.
        """
        path = folder / LEARNT
        if not digest:
            return cls()
        try:
            if sha256(path) != digest:
                raise ValueError("another file than the card describes")
            found = load(path.read_bytes())
            stack = found["thumbnails"].reshape(-1, EDGE, EDGE).astype(np.int8)
            sizes, images = found["sizes"].reshape(-1, 2).tolist(), found["images"].tolist()
            rows = zip(images, stack, sizes, strict=True)
            return cls((str(image), Likeness(cells, *size)) for image, cells, size in rows)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelFileError(
                "what the model has learnt from cannot be read",
                where=str(path),
                got=str(error) or type(error).__name__,
                remedy=COPY,
            ) from error


def _correlation(one: Likeness, other: Likeness) -> float:
    first, second = (each.thumbnail.astype(np.float64) for each in (one, other))
    length = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / length if length else 1.0
