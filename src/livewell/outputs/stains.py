"""The stain that a model predicts of a movie, as OME-TIFF, held against the real one if there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.image import Image
from livewell.inference.frames import Field, Fit, read_field
from livewell.inference.model import Model
from livewell.measure.stain import LEAST_RATIO, background, ratio
from livewell.models.nets.unet import UNetSpec
from livewell.outputs.heatmaps import write_stain
from livewell.progress import task

SHOWN = 3
"""Frames that the page shows."""
Ratio = NDArray[np.float32]
"""Stain over background, (y, x), NaN beyond the image."""


@dataclass(frozen=True)
class StainShot:
    """One frame as the page shows it; `measured` is ``None`` where the stain was not imaged."""

    t: int
    pixels: NDArray[Any]
    predicted: Ratio
    measured: Ratio | None
    r: float


@dataclass(frozen=True)
class PredictedStain:
    """What a model predicted of a movie, in the file `path`; `shots` are some of its frames."""

    path: Path
    name: str
    r: Sequence[float]
    """Pearson's r of predicted and real logarithms of every frame; NaN where unknown."""
    shots: Sequence[StainShot]


def write_stains(model: Model, image: Image, fit: Fit, path: Path) -> PredictedStain:
    """Predict the stain of every frame and write it, at the model's pixel size.

    Frames that cannot be judged are NaN.
    """
    header, card = image.header, model.card
    height, width = (max(round(edge * fit.scale), 1) for edge in (header.height, header.width))
    name, found = model.need_stain(), np.full(header.frames, np.nan)
    chosen = {round(t) for t in np.linspace(0, header.frames - 1, SHOWN)}
    shots: list[StainShot] = []

    def predicted() -> Iterator[Ratio]:
        for t in range(header.frames):
            try:
                shot = _shot(model, image, fit, t)
                found[t] = shot.r
                shots.extend([shot] if t in chosen else [])
                yield shot.predicted
            except ImageContentError:
                yield np.full((height, width), np.nan, dtype=np.float32)
            tick()

    with task("predicting the stain", total=header.frames) as tick:
        write_stain(
            path,
            predicted(),
            (header.frames, height, width),
            stain=name,
            pixel_um=None if header.pixel_um is None else header.pixel_um / fit.scale,
            frame_s=header.frame_s,
            notes={"model": card.profile.name, "model_hash": card.weights_sha256},
        )
    return PredictedStain(path, name, found.tolist(), shots)


def _shot(model: Model, image: Image, fit: Fit, t: int) -> StainShot:
    seen = read_field(image, t, fit, f"{image.source}, frame {t}")
    predicted, measured = model.stain_map(seen), _measured(model, image, seen, fit.scale)
    r = np.nan if measured is None else pearson(predicted, measured)
    return StainShot(t, seen.pixels[0], predicted, measured, r)


def _measured(model: Model, image: Image, seen: Field, scale: float) -> Ratio | None:
    """The real stain of a frame; ``None`` where the file has none, or none to measure."""
    names = [name.strip().casefold() for name in image.header.channels]
    wanted, net = model.need_stain().strip().casefold(), model.card.profile.net
    if names.count(wanted) != 1 or not isinstance(net, UNetSpec):
        return None
    try:
        real = read_field(image, seen.t, Fit((names.index(wanted),), scale, ()), seen.where)
        values = ratio(real.pixels[0], background(real.raw), net.stain_offset)
    except ImageContentError:
        return None
    found = np.full(values.shape, np.nan, dtype=np.float32)
    found[real.area.slices] = values[real.area.slices]
    return found


def pearson(predicted: Ratio, measured: Ratio) -> float:
    """Pearson's r of the logarithms, over the pixels that both know; NaN where undefined."""
    known = np.isfinite(predicted) & np.isfinite(measured)
    pair = np.log(np.maximum([predicted[known], measured[known]], LEAST_RATIO))
    if pair.shape[1] < 2 or not pair.std(axis=1).min() > 0:
        return float("nan")
    return float(np.corrcoef(pair)[0, 1])
