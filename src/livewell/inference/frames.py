"""Frames of new images as a model needs them: its channels, its pixel size, without borders."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame, Header, Image
from livewell.images.opening import Channels, asked_channels, choose_channels
from livewell.measure.borders import valid_area
from livewell.measure.quality import require_content
from livewell.models.files import Card
from livewell.study.scale import SAME

MOST_SCALE = 8
"""Pixels this many times larger or smaller show other things than the model has learnt."""
UNSCALED = "neither the image's pixel size nor the model's is known: judged as it is"
"""Note on an image without a pixel size, for a model that learnt from such."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How an image fits a model: which of its channels the model sees, and at which scale.

    `channels` are in the model's order; a `scale` of 0.5 halves height and width; `notes` are what
    the user should know: rescaled, or no pixel size.
    """

    channels: tuple[int, ...]
    scale: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One frame as a model sees it.

    `pixels` are (channels, y, x) at the model's pixel size, in the file's number type where they
    are not rescaled, else float32; `area` is the part without registration borders; `raw` is the
    first channel as the file holds it, (y, x). `where` names the frame in errors, `notes` are those
    of the `Fit`.
    """

    pixels: NDArray[np.generic]
    area: Box
    raw: Frame
    t: int
    where: str
    notes: tuple[str, ...]


def fit_to(card: Card, header: Header, asked: Channels, where: str) -> Fit:
    """Choose channels and scale of an image for a model.

    Asked for none, channels are the model's, or the transmitted one. Another number of channels
    than the model's is an error, and a pixel size more than `MOST_SCALE` times another one.
    """
    notes: list[str] = []
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
    chosen = asked_channels(asked)
    if not chosen and set(card.channels) <= set(header.channels):
        chosen = card.channels
    channels = choose_channels(header, chosen, where)
    same_channels([header.channels[number] for number in channels], card.channels, where)
    return Fit(channels, scale, tuple(notes))


def same_channels(found: Sequence[str], known: Sequence[str], where: str) -> None:
    """Refuse another number of channels than the `known` ones of a model, which may be unnamed."""
    if len(found) != len(known):
        names = ", ".join(known) if any(known) else "without names"
        raise ImageContentError(
            "another number of channels than the model's",
            where=where,
            expected=f"{len(known)}: {names}",
            got=f"{len(found)}: {', '.join(found)}",
            remedy="name the image's channels in the model's order, each with --channel",
        )


def read_field(image: Image, t: int, fit: Fit, where: str) -> Field:
    """One frame of an open image as a model sees it."""
    return field_of(np.stack([image.frame(t, channel) for channel in fit.channels]), t, fit, where)


def field_of(planes: Frame, t: int, fit: Fit, where: str) -> Field:
    """Planes of one frame, (channels, y, x) as the file holds them, as a model sees them.

    Rescaling is bilinear, with a Gaussian before it where frames shrink; the area is what all
    planes share. Planes with NaN, or of one value only, are an error.
    """
    area: Box | None = None
    for number, plane in enumerate(planes):
        require_content(plane, where if len(planes) == 1 else f"{where}, channel {number}")
        own = valid_area(plane)
        area = own if number == 0 else area and area.common(own)
    if area is None:
        raise ImageContentError(
            "the channels share no area without borders of zeros",
            where=where,
            expected="channels registered to each other",
        )
    if fit.scale == 1.0:
        return Field(planes, area, planes[0], t, where, fit.notes)
    before = planes.shape[1:]
    shape = tuple(max(round(edge * fit.scale), 1) for edge in before)
    scaled = [
        resize(  # type: ignore[no-untyped-call]
            plane.astype(np.float32),
            shape,
            order=1,
            mode="reflect",
            anti_aliasing=fit.scale < 1,
            preserve_range=True,
        )
        for plane in planes
    ]
    pixels, area = np.asarray(np.stack(scaled), dtype=np.float32), _scaled(area, before, shape)
    return Field(pixels, area, planes[0], t, where, fit.notes)


def _scaled(area: Box, before: tuple[int, ...], after: tuple[int, ...]) -> Box:
    """`area` in the scaled frame, without pixels that its borders were mixed into."""
    ends = []
    for span, old, new in zip((area.y, area.x), before, after, strict=True):
        start = 0 if span.start == 0 else ceil(span.start * new / old) + 1
        stop = new if span.stop == old else floor(span.stop * new / old) - 1
        ends.append((start, max(stop, start + 1)))
    return Box.of(ends[0][0], ends[1][0], ends[0][1], ends[1][1])


def gaps(patch_px: int, stride_px: int) -> tuple[str, ...]:
    """A warning where patches leave parts of an image unseen."""
    note = f"{stride_px} px from patch to patch leave gaps: a patch has {patch_px} px"
    return (note,) if stride_px > patch_px else ()
