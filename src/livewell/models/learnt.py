"""What a model has learnt from, as likenesses of frames beside its card."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from livewell.errors import ModelFileError
from livewell.files import sha256
from livewell.measure.likeness import EDGE, Likeness
from livewell.models.folders import COPY

ALMOST = 0.9
"""Correlation of thumbnails from which a frame of a movie says nothing new."""
LearntFrames = tuple[tuple[str, Likeness], ...]
"""Likenesses, each with the image that it is of: a name or a number."""


def distinct(frames: Sequence[tuple[str, Likeness]]) -> LearntFrames:
    """Frames in order of time without those that look like the one kept before, of their image."""
    kept: list[tuple[str, Likeness]] = []
    for image, found in frames:
        if not kept or kept[-1][0] != image or _correlation(kept[-1][1], found) < ALMOST:
            kept.append((image, found))
    return tuple(kept)


def write_learnt(path: Path, frames: LearntFrames) -> str:
    """Write the file; returns its hash, which the card holds. Names of images are not kept."""
    names = {name: number for number, name in enumerate(dict.fromkeys(name for name, _ in frames))}
    arrays: dict[str, NDArray[Any]] = {
        "thumbnails": np.array([one.thumbnail for _, one in frames], np.int8),
        "sizes": np.array([(one.height, one.width) for _, one in frames], np.int32),
        "images": np.array([names[name] for name, _ in frames], np.int32),
    }
    path.write_bytes(save(arrays))
    return sha256(path)


def read_learnt(path: Path, digest: str) -> LearntFrames:
    """The frames of a file of that hash; none where the card names no hash (older versions).

    Raises
    ------
    ModelFileError
        The file is not there, or not the one that the card describes.
    """
    if not digest:
        return ()
    try:
        if sha256(path) != digest:
            raise ValueError("another file than the card describes")
        found = load(path.read_bytes())
        stack = found["thumbnails"].reshape(-1, EDGE, EDGE).astype(np.int8)
        sizes, images = found["sizes"].reshape(-1, 2).tolist(), found["images"].tolist()
        rows = zip(images, stack, sizes, strict=True)
        return tuple((str(image), Likeness(cells, *size)) for image, cells, size in rows)
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
