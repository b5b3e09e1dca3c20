"""The stain of patches: of a grid, or of one patch around every nucleus."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import LabelError, SpecError, named
from livewell.image import Frame
from livewell.images.opening import choose_channels
from livewell.labels.stain_decisions import BORDER, EMPTY, SAME_PATCH
from livewell.measure import nuclei, stain
from livewell.measure.occupancy import Occupancy, Texture
from livewell.region import Region, RegionGrid, centred
from livewell.study.beside import BesideFiles
from livewell.study.pixels import StudyPixels
from livewell.study.scale import common_pixel_um
from livewell.study.stained import StainedFrame, StainSource, stained_frames
from livewell.study.study import Study
from livewell.tables.schemas import KEY, key_table

VALUES = [*KEY, "mean", "ratio", "cells", "saturated", "left_out"]
"""Columns of a table of stain values: ``mean`` (counts) and ``ratio`` (to the background, where it
is asked for) are of the patch, or medians inside its nucleus; ``cells``: whether transmitted light
shows any; ``saturated``: pixels at the highest level make the value too low;
``left_out``: one of `livewell.labels.stain_decisions.LEFT_OUT`, or empty."""


@dataclass(frozen=True, slots=True)
class StainScale:
    """What levels of a stain are measured in.

    Parameters
    ----------
    ratio
        Whether ratios to the frame's background are wanted.
    offset_counts
        Camera offset taken off before the ratio.
    eight_bit
        Whether every frame is first scaled to 0-255 by its own lowest and highest level.
    saturated_from
        Level from which a pixel is saturated, counts; the number type's highest where ``None``.
    """

    ratio: bool = True
    offset_counts: float = 0.0
    eight_bit: bool = False
    saturated_from: float | None = None

    def __post_init__(self) -> None:
        if self.eight_bit and self.ratio:
            raise SpecError(
                "a ratio in 8 bits has no meaning: the lowest level of each frame becomes 0",
                where="eight_bit",
                expected="decisions on the mean",
                got="on the ratio",
                remedy="decide on the mean (--on mean), or keep the file's counts",
            )

    def levels(self, frame: StainedFrame) -> Frame:
        """The frame in the levels that are decided on."""
        return stain.eight_bit(frame.stain, frame.area) if self.eight_bit else frame.stain

    def top(self, frame: Frame) -> float:
        """Level from which a pixel of the file is saturated, counts."""
        given = self.saturated_from
        return stain.highest_level(frame) if given is None else given

    def ratios(self, frame: Frame, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Ratios of levels to the frame's background; NaN where none are wanted."""
        if not self.ratio:
            return np.full(len(values), np.nan)
        return stain.ratio(values, stain.background(frame), self.offset_counts)


def grid_values(
    study: Study,
    source: StainSource,
    transmitted: str | None,
    grid: RegionGrid,
    scale: StainScale,
    notes: list[str],
    occupancy: Occupancy | None = None,
) -> pd.DataFrame:
    """The stain of every patch of a grid, columns `VALUES`; `notes` as in `stained_frames`.

    Patches in registration borders of zeros of either channel are left out. Cells are told by their
    texture unless another `occupancy` is given.
    """
    seen = StudyPixels(study, transmitted)
    images = study.fields()["image"]
    seen.prepare(images)
    occupancy = occupancy or Texture(common_pixel_um(study, images))
    tables = []
    for each in stained_frames(study, source, notes, seen):
        with named(each.where):
            own = seen.area(each.image, each.t)
            area = each.area.common(own)
            patches = list(grid.patches(each.image, each.t, area)) if area else []
            boxes = [patch.box for patch in patches]
            levels = scale.levels(each)
            means = stain.means(levels, boxes)
            cells = occupancy.holds(seen.planes(each.image, each.t), own, boxes)
            table = _table(patches, means, scale.ratios(levels, means), cells)
            table["saturated"] = stain.reaches(each.stain, boxes, scale.top(each.stain))
            tables.append(table)
    return _joined(tables, "no patch lies in any image", "images of at least one patch")


def nucleus_values(
    study: Study,
    source: StainSource,
    transmitted: str | None,
    masks: str,
    patch_px: int,
    scale: StainScale,
    notes: list[str],
) -> pd.DataFrame:
    """The stain of one patch centred on every nucleus, columns `VALUES`: medians inside nuclei.

    `masks` names files as `livewell.study.beside.BesideFiles` does. Nuclei with a pixel in a
    registration border of either channel are marked as left out.
    """
    seen, files = StudyPixels(study, transmitted), BesideFiles(study, masks, "mask")
    tables = []
    for each in stained_frames(study, source, notes, seen):
        with named(each.where):
            with files.opened(each.image) as mask:
                (channel,) = choose_channels(mask.header, None, mask.source)
                found = nuclei.numbered(mask.frame(each.t, channel), mask.source)
            area = each.area.common(seen.area(each.image, each.t))
            at = [(float(y), float(x)) for y, x in nuclei.centres(found)]
            patches = list(centred(each.image, each.t, at, patch_px))
            levels = scale.levels(each)
            medians = nuclei.medians(found, levels)
            table = _table(patches, medians, scale.ratios(levels, medians), True)
            # a median is right as long as less than half of the nucleus is saturated
            table["saturated"] = nuclei.medians(found, each.stain) >= scale.top(each.stain)
            table.loc[table.duplicated(KEY), "left_out"] = SAME_PATCH
            table.loc[nuclei.beyond(found, area), "left_out"] = BORDER
            tables.append(table)
    return _joined(tables, "no nucleus in any mask", "masks with nuclei")


def left_out(values: pd.DataFrame, *, empty: bool) -> "pd.Series[str]":
    """Why each patch is left out, empty where it is used; those without cells where `empty`."""
    reasons = values["left_out"].astype("str")
    return reasons.mask((reasons == "") & empty & ~values["cells"].astype(bool), EMPTY)


def _table(
    patches: Iterable[Region],
    values: NDArray[np.float64],
    ratios: NDArray[np.float64],
    cells: NDArray[np.bool_] | bool,
) -> pd.DataFrame:
    table = key_table(patches)
    return table.assign(mean=values, ratio=ratios, cells=cells, saturated=False, left_out="")


def _joined(tables: list[pd.DataFrame], what: str, expected: str) -> pd.DataFrame:
    joined = pd.concat(tables, ignore_index=True)
    if joined.empty:
        raise LabelError(what, where="labels by stain", expected=expected, got="none")
    return joined[VALUES]
