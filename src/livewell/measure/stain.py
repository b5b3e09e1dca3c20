"""How brightly a death stain shines, in a patch or a nucleus, over its background."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame
from livewell.measure.borders import checked_frame

CLIP_SDS = 3.0
"""Pixels this many standard deviations above the background's centre count as lit."""


@dataclass(frozen=True, slots=True)
class StateRule:
    """When a stained nucleus counts as dead and when as live.

    Parameters
    ----------
    dead_ratio, dead_counts, dead_lit_share
        Dead: the median's ratio to the background is at least the first, it lies at least so many
        counts over the background, and at least this share of the pixels is lit (lies more
        than `dead_counts` over the background).
    live_ratio, live_counts
        Live: the ratio is at most the first, or the median lies at most so many counts over
        the background.
    """

    dead_ratio: float
    dead_counts: float
    dead_lit_share: float
    live_ratio: float
    live_counts: float


MCF7_PI = StateRule(2.5, 40.0, 0.5, 1.3, 15.0)
"""The rule behind the states of the mcf7-pi set (its README)."""
MCF7_OFFSET = 90.0
"""Camera offset of the mcf7-pi set in counts (its README)."""


def means(frame: Frame, boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Mean stain in each box: what Pattarone et al. 2021 decide labels on.

    Parameters
    ----------
    frame
        Stain, shape (y, x), counts.
    boxes
        Each inside the frame.

    Returns
    -------
    array of float64
        Shape (n,), counts.

    Raises
    ------
    ImageContentError
        A box reaches beyond the frame, or the frame is not (y, x).
    """
    whole = Box.of(0, 0, *checked_frame(frame).shape)
    for box in boxes:
        if not whole.contains(box):
            raise ImageContentError(
                "a box reaches beyond the frame",
                expected=f"within {whole.corners}",
                got=str(box.corners),
                remedy="leave patches beyond the edge out, or take a grid inside the frame",
            )
    return np.array([frame[box.slices].mean(dtype=np.float64) for box in boxes], dtype=np.float64)


def background(frame: Frame, mask: NDArray[Any] | None = None) -> float:
    """Level of the unlit background.

    Without a mask: the median of what is left after all that is brighter than the median by
    `CLIP_SDS` standard deviations has been taken away, again and again until nothing more goes;
    the standard deviation comes from the darker half only, where no lit cell reaches (one-sided
    form of the clipping in Bertin & Arnouts 1996, SExtractor, section 7.1). Holds while less than
    half of the frame is lit. With a mask of cells: the median outside them.

    Parameters
    ----------
    frame
        Stain, shape (y, x), counts; exact zeros (registration borders) are left out.
    mask
        Shape (y, x), not 0 inside cells.

    Returns
    -------
    float
        Counts.

    Raises
    ------
    ImageContentError
        No pixel is left to take it from, or the shapes differ.
    """
    used = checked_frame(frame) != 0
    if mask is not None:
        used &= _same_shape(frame, mask) == 0
    values = frame[used].astype(np.float64)
    if values.size == 0:
        raise ImageContentError(
            "no background to measure",
            expected="pixels that are not zero and lie outside all cells",
            got="none",
            remedy="look whether the channel and the mask are the right ones",
        )
    if mask is not None:
        return float(np.median(values))
    while True:
        centre = np.median(values)
        below = centre - values[values < centre]
        # 1.4826 turns the median deviation of a normal distribution into its standard deviation;
        # half a count keeps frames of a single level from clipping themselves away.
        spread = max(1.4826 * float(np.median(below)) if below.size else 0.0, 0.5)
        kept = values[values <= centre + CLIP_SDS * spread]
        if kept.size == values.size:
            return float(centre)
        values = kept


def ratio(
    values: NDArray[Any], background_counts: float, offset_counts: float = 0.0
) -> NDArray[np.float64]:
    """``(values - offset) / (background - offset)``, free of gain and of the camera's offset.

    Parameters
    ----------
    values, background_counts
        Counts; `values` of any shape.
    offset_counts
        What the camera gives in the dark.

    Returns
    -------
    array of float64
        Shape of `values`; 1 is background.

    Raises
    ------
    ImageContentError
        The background is not above the offset.
    """
    if not background_counts > offset_counts:
        raise ImageContentError(
            "a background that is not above the camera's offset",
            expected=f"more than {offset_counts:g} counts",
            got=f"{background_counts:g}",
            remedy="give the offset of this camera, or decide on the mean instead of the ratio",
        )
    return (np.asarray(values, dtype=np.float64) - offset_counts) / (
        background_counts - offset_counts
    )


def nuclei(
    frame: Frame, mask: NDArray[Any], rule: StateRule = MCF7_PI, offset_counts: float = MCF7_OFFSET
) -> pd.DataFrame:
    """Stain and state of every nucleus of a mask.

    Parameters
    ----------
    frame
        Stain, shape (y, x), counts; exact zeros are registration borders.
    mask
        Shape (y, x), whole numbers: 0 outside nuclei, the nucleus' number inside.
    rule
        When a nucleus is dead and when live.
    offset_counts
        What the camera gives in the dark.

    Returns
    -------
    DataFrame
        One row a nucleus: nucleus, y_px, x_px (centre), area_px, median, background (counts),
        ratio, lit_share (0-1), state: ``dead``, ``live``, ``between`` (neither) or ``border``
        (a pixel of it is zero).

    Raises
    ------
    ImageContentError
        Shapes differ, nothing lies outside the nuclei, or the background is not above the offset.

    Notes
    -----
    Source: the definition of states in the README of the mcf7-pi set.
    """
    _same_shape(frame, mask)
    numbers = np.unique(mask[mask != 0])
    level = background(frame, mask)
    table = pd.DataFrame({"nucleus": numbers})
    centres = ndimage.center_of_mass(np.ones(mask.shape), mask, numbers)
    table[["y_px", "x_px"]] = np.array(centres, dtype=np.float64).reshape(-1, 2)
    table["area_px"] = ndimage.sum_labels(np.ones(mask.shape), mask, numbers).astype(np.int64)
    counts = frame.astype(np.float64)
    table["median"] = np.asarray(ndimage.median(counts, mask, numbers), dtype=np.float64)
    table["background"] = level
    table["ratio"] = ratio(table["median"].to_numpy(), level, offset_counts)
    lit = counts > level + rule.dead_counts
    table["lit_share"] = np.asarray(ndimage.mean(lit, mask, numbers), dtype=np.float64)
    border = np.asarray(ndimage.minimum(counts, mask, numbers)) == 0
    table["state"] = _states(table, rule, border)
    return table


def _states(table: pd.DataFrame, rule: StateRule, border: NDArray[np.bool_]) -> pd.Series:
    over = table["median"] - table["background"]
    dead = (table["ratio"] >= rule.dead_ratio) & (over >= rule.dead_counts)
    dead &= table["lit_share"] >= rule.dead_lit_share
    live = (table["ratio"] <= rule.live_ratio) | (over <= rule.live_counts)
    states = np.select([border, dead, live], ["border", "dead", "live"], "between")
    return pd.Series(states, index=table.index, dtype="str")


def _same_shape(frame: Frame, mask: NDArray[Any]) -> NDArray[Any]:
    if checked_frame(frame).shape != mask.shape:
        raise ImageContentError(
            "the mask does not fit the frame",
            expected=f"shape {frame.shape}",
            got=f"shape {mask.shape}",
            remedy="take the mask made on this image",
        )
    return mask
