"""The stain as a target: logarithms of its ratio to the background, pixel by pixel, and their loss.

The ratio is free of a microscope's gain, and its logarithm of most of what experiments differ in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from livewell.errors import Fault, ImageContentError, LivewellError, TableError
from livewell.geometry import Box
from livewell.image import Frame, PixelSource
from livewell.measure.stain import background, highest_level, log_ratio
from livewell.models.nets.unet import FIRST_PX
from livewell.progress import task
from livewell.training.warps import Pixels

KNOWN = 0.999
"""Share of known pixels that a resampled pixel must be made of to count."""


class FrameSource(PixelSource, Protocol):
    """Pixels by region, and whole frames, as `livewell.study.pixels` gives them."""

    def shape(self, image: str) -> tuple[int, int, int]:
        """Frames, height and width of an image."""

    def frame(self, image: str, t: int) -> Frame:
        """One whole (y, x) frame in the file's number type."""


class Level(NamedTuple):
    """What the stain of a frame is held against, counts."""

    background: float
    most: float
    """The highest number of the file's type: a pixel with it is saturated."""


@dataclass(frozen=True)
class StainTargets:
    """The stain of some frames as a net learns it; `levels` are by image and frame."""

    source: FrameSource
    levels: Mapping[tuple[str, int], Level]
    offset_counts: float = 0.0

    @classmethod
    def of(
        cls,
        source: FrameSource,
        seen: FrameSource,
        frames: Iterable[tuple[str, int]],
        offset_counts: float = 0.0,
    ) -> "StainTargets":
        """Targets of these frames, their backgrounds measured.

        Raises
        ------
        TableError
            Frames whose stain cannot be used, or is of another size than what the net sees
            (`seen`); all of them are named.
        """
        levels, faults, wanted = {}, [], list(frames)
        with task("measuring the stain's background", total=len(wanted)) as tick:
            for image, t in wanted:
                try:
                    levels[image, t] = _level(source, seen, image, t, offset_counts)
                except LivewellError as error:
                    faults.append(Fault.of(error, f"{image}, frame {t}"))
                tick()
        if faults:
            raise TableError(
                "the stain of some frames cannot be learnt",
                faults,
                remedy="leave these images out, correct stain_offset, or name another channel"
                " with --stain",
            )
        return cls(source, levels, offset_counts)

    def crop(self, image: str, t: int, area: Box, box: Box) -> Pixels:
        """(3, h, w): log ratio to the background; 1 where known; 1 where saturated.

        It is known within `area`, the part of the frame that holds the image that the net sees, and
        within the stain's own.
        """
        level = self.levels[image, t]
        grey = self.source.crop(image, t, box)[0]
        known = np.zeros(box.shape, dtype=np.float32)
        both = area.common(self.source.area(image, t))
        if both is not None and both.overlaps(box):
            known[both.seen_in(box).slices] = 1
        target = log_ratio(grey, level.background, self.offset_counts)
        return np.stack([target, known, (grey >= level.most).astype(np.float32)])


def stain_loss(found: Tensor, targets: Tensor) -> Tensor:
    """Mean Huber loss over known pixels; a saturated one counts only where too little is found.

    `found` (n, h, w) is a `UNet`'s log stain, `targets` (n, 3, ...) are those of the whole crops.
    """
    height, width = found.shape[-2:]
    own = targets[..., FIRST_PX : FIRST_PX + height, FIRST_PX : FIRST_PX + width]
    target, known, saturated = own.unbind(dim=1)
    off = found - target
    off = torch.where(saturated > 0, off.clamp(max=0), off)
    cost = functional.huber_loss(off, torch.zeros_like(off), reduction="none")
    wanted = known >= KNOWN
    return (cost * wanted).sum() / wanted.sum().clamp_min(1)


def _level(source: FrameSource, seen: FrameSource, image: str, t: int, offset: float) -> Level:
    """Of one frame; what cannot be used is an error."""
    pair = [each.shape(image) for each in (seen, source)]
    if pair[0] != pair[1]:
        raise ImageContentError(
            "the stain has another number of frames, or frames of another size",
            expected="{} frames of {} x {} px".format(*pair[0]),
            got="{} frames of {} x {} px".format(*pair[1]),
        )
    frame = source.frame(image, t)
    level = background(frame)
    log_ratio(np.empty(0), level, offset)
    return Level(level, highest_level(frame))
