"""Frames of new images as a model needs them: its channel, its pixel size, without borders."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from skimage.transform import resize

from livewell.errors import ImageContentError, LivewellError
from livewell.geometry import Box
from livewell.image import Frame, Header
from livewell.images.opening import check_frame, choose_channel
from livewell.measure.borders import valid_area
from livewell.models.files import Card
from livewell.study.scale import SAME

MOST_SCALE = 8
"""Pixels this many times larger or smaller show other things than the model has learnt."""
UNSCALED = "neither the image's pixel size nor the model's is known: judged as it is"
"""Note on an image without a pixel size, for a model that learnt from such."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How an image fits a model.

    Parameters
    ----------
    channel
        Number of the channel that is judged.
    scale
        Factor from the image's pixels to the model's: 0.5 halves height and width.
    notes
        What the user should know: rescaled, or no pixel size.
    """

    channel: int
    scale: float
    notes: tuple[str, ...]


def fit_to(card: Card, header: Header, asked: str | int | None, where: str) -> Fit:
    """Choose channel and scale of an image for a model.

    Parameters
    ----------
    card
        The model's.
    header
        The image's.
    asked
        Channel by name or number; ``None`` for the model's, or the transmitted one.
    where
        Name of the image, for errors.

    Raises
    ------
    ImageContentError
        The channel is missing, or cannot be chosen; or the pixel size is more than `MOST_SCALE`
        times another one.
    """
    notes: list[str] = []
    if asked is None and card.channel in header.channels:
        asked = card.channel
    channel = choose_channel(header, asked, where)
    scale = 1.0
    if header.pixel_um is None and card.pixel_um is None:
        notes.append(UNSCALED)
    elif header.pixel_um is None:
        notes.append("no pixel size is known: judged as it is, as if it were the model's")
    elif card.pixel_um is None:
        notes.append("the model's pixel size is not known: judged as it is")
    elif abs(header.pixel_um / card.pixel_um - 1) > SAME:
        scale = header.pixel_um / card.pixel_um
        if not 1 / MOST_SCALE <= scale <= MOST_SCALE:
            raise ImageContentError(
                "the pixel size is too far from the model's to rescale",
                where=where,
                expected=f"{card.pixel_um / MOST_SCALE:.3g} to {card.pixel_um * MOST_SCALE:.3g} um"
                f" a pixel, the model's is {card.pixel_um:.4g}",
                got=f"{header.pixel_um:.4g} um",
                remedy="give the right one with --pixel-um, or train at this magnification",
            )
        notes.append(
            f"rescaled by {scale:.3f}, from {header.pixel_um:.4g} to {card.pixel_um:.4g} um a pixel"
        )
    return Fit(channel, scale, tuple(notes))


def model_frame(frame: Frame, fit: Fit, where: str) -> tuple[Frame, Box]:
    """One frame at the model's pixel size, and its area without registration borders.

    Parameters
    ----------
    frame
        (y, x) as the file holds it.
    fit
        Channel and scale, as `fit_to` chose them.
    where
        Name of the frame, for errors.

    Returns
    -------
    (Frame, Box)
        The frame in its own number type where it is not rescaled, else float32; bilinear, with a
        Gaussian before it where it shrinks.

    Raises
    ------
    ImageContentError
        NaN, all zero, or one value only.
    """
    check_frame(frame, where)
    area = valid_area(frame)
    if fit.scale == 1.0:
        return frame, area
    shape = tuple(max(round(edge * fit.scale), 1) for edge in frame.shape)
    scaled = resize(  # type: ignore[no-untyped-call]
        frame.astype(np.float32),
        shape,
        order=1,
        mode="reflect",
        anti_aliasing=fit.scale < 1,
        preserve_range=True,
    )
    return scaled.astype(np.float32), _scaled(area, frame.shape, shape)


def _scaled(area: Box, before: tuple[int, ...], after: tuple[int, ...]) -> Box:
    """`area` in the scaled frame, without pixels that its borders were mixed into."""
    ends = []
    for span, old, new in zip((area.y, area.x), before, after, strict=True):
        start = 0 if span.start == 0 else ceil(span.start * new / old) + 1
        stop = new if span.stop == old else floor(span.stop * new / old) - 1
        ends.append((start, max(stop, start + 1)))
    return Box.of(ends[0][0], ends[1][0], ends[0][1], ends[1][1])


def gaps(patch_px: int, stride_px: int) -> tuple[str, ...]:
    """A warning where patches leave parts of a picture unseen."""
    if stride_px <= patch_px:
        return ()
    return (f"{stride_px} px from patch to patch leave gaps: a patch has {patch_px} px",)


def why(error: LivewellError) -> str:
    """The reason in one line, for a table of failures."""
    return f"[{error.code}] {' '.join(str(error).split())}"
