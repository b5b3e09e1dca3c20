"""Outlines of cells as radius over angle: spread, drawn back on fibres, or round."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livewell.simulate.anatomy import HARMONICS, Anatomy
from livewell.simulate.dose import Floats

ANGLES = 512
"""Directions an outline is known in; at 60 px from the centre they are 0.7 px apart."""
DIRECTIONS = (np.arange(ANGLES, dtype=np.float32) / ANGLES * 2 * np.pi).astype(np.float32)
_ORDERS = np.arange(1, HARMONICS + 1)[:, None] * DIRECTIONS
_WAVES = np.stack([np.cos(_ORDERS), np.sin(_ORDERS)], axis=1).astype(np.float32)

Lengths = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Outline:
    """Outlines of some cells, each array of shape (cells, ANGLES), pixels.

    Parameters
    ----------
    body
        Radius of the cell's body in each direction, in the frame's directions.
    margin
        Radius with processes and fibres, nowhere below `body`.
    steepness
        Cosine between the radius and the outline's normal: the distance of an inner point from the
        outline is about (margin - radius) * steepness.
    """

    body: Lengths
    margin: Lengths
    steepness: Lengths

    @property
    def area_px(self) -> Floats:
        """Area within the margin, shape (cells,), square pixels."""
        return np.asarray((self.margin.astype(float) ** 2).mean(axis=1) * np.pi)


def outlines(
    anatomy: Anatomy,
    radius_px: Floats,
    angle: Floats,
    retracted: Floats,
    round_: Floats,
    fibre_px: float,
) -> Outline:
    """Outlines of cells.

    Parameters
    ----------
    radius_px, angle
        Shape (cells,): radius when spread, direction of the long axis.
    retracted, round_
        Shape (cells,), 0 to 1: margin drawn back on fibres; rounded up into a ball.
    fibre_px
        Half the width of the fibres, pixels.
    """
    size = radius_px[:, None].astype(np.float32)
    back = retracted[:, None].astype(np.float32)
    ball = round_[:, None].astype(np.float32)
    towards = DIRECTIONS - angle[:, None].astype(np.float32)

    wave = np.einsum("nkc,kca->na", anatomy.wave.astype(np.float32), _WAVES)
    wave = _turned(wave, angle)
    long = np.sqrt(anatomy.aspect)[:, None].astype(np.float32)
    ellipse = 1 / np.hypot(np.cos(towards) / long, np.sin(towards) * long)
    spread = size * ellipse * np.exp(wave * (1 + 0.8 * back)) * (1 - 0.08 * back)
    body = (1 - ball) * spread + ball * 0.46 * size * np.exp(0.12 * wave)

    free = 1 - ball
    width = size * anatomy.lobe_width * (1 - 0.5 * back)
    lobes = _processes(towards, anatomy.lobe_angle, size * anatomy.lobe_length * free, width)
    margin = (body**4 + lobes**4) ** 0.25  # the corner between body and process is rounded
    fibre = size * anatomy.fibre_length * np.minimum(1, 2 * back) * np.sqrt(free)
    thin = np.full_like(fibre, fibre_px)
    margin = np.maximum(margin, _processes(towards, anatomy.fibre_angle, fibre, thin))
    margin = _smoothed(margin)
    slope = (np.roll(margin, -1, 1) - np.roll(margin, 1, 1)) * (ANGLES / (4 * np.pi)) / margin
    return Outline(body, margin, (1 / np.sqrt(1 + slope**2)).astype(np.float32))


def _processes(towards: Lengths, at: Floats, length: Floats, half_width: Floats) -> Lengths:
    """Radius of round-tipped strips from the centre outwards, the longest in each direction."""
    least = np.full_like(towards, np.inf)  # 1 / radius^2
    ends = (1 / np.maximum(length, 1e-3) ** 2).astype(np.float32)
    sides = (1 / half_width**2).astype(np.float32)
    for k in range(at.shape[1]):
        off = towards - at[:, k : k + 1].astype(np.float32)
        strip = ends[:, k : k + 1] + np.sin(off) ** 2 * sides[:, k : k + 1]
        np.minimum(least, np.where(np.cos(off) > 0, strip, np.inf), out=least)
    return np.asarray(1 / np.sqrt(least), np.float32)


def _turned(values: Lengths, angle: Floats) -> Lengths:
    """Each row rolled from the cell's own directions into the frame's."""
    shift = np.round(angle / (2 * np.pi) * ANGLES).astype(int)
    index = (np.arange(ANGLES) - shift[:, None]) % ANGLES
    return np.take_along_axis(values, index, axis=1)


def _smoothed(values: Lengths) -> Lengths:
    sides = np.roll(values, 1, 1) + np.roll(values, -1, 1)
    return np.asarray((values + 0.5 * sides) / 2, np.float32)
