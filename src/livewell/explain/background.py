"""How much of a net's evidence lies where no cells are."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from livewell.measure.occupancy import LEAST_SHARE
from livewell.metrics.intervals import Estimate, interval

Floats = NDArray[np.float64]
MUCH = 1 / 3
"""A net with this share of its evidence off cells looks at the background too."""
RESAMPLES = 2000
LEAST_AREA = 0.05
"""With less than this share of the area off cells there is hardly a background to compare with:
what is left are smooth spots inside cells that their texture misses."""


@dataclass(frozen=True, slots=True)
class OffCells:
    """Patch by patch, evidence and area on and off cells; all (n,).

    `evidence` is the sum of each map, `evidence_off` that of it off cells, `area_off` the share of
    each patch's area off cells, 0 to 1. In a patch that is not `with_cells` all is off, which says
    nothing of where a net looks.
    """

    evidence: Floats
    evidence_off: Floats
    area_off: Floats
    with_cells: NDArray[np.bool_]

    @property
    def share(self) -> Floats:
        """(n,), share of each map that lies off cells; NaN for a dark map."""
        found = np.full(len(self.evidence), np.nan)
        lit = self.evidence > 0
        found[lit] = self.evidence_off[lit] / self.evidence[lit]
        return found

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Several batches as one; at least one batch."""
        names = [each.name for each in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def off_cells(maps: NDArray[np.floating], masks: NDArray[np.bool_], margin_px: float) -> OffCells:
    """Where the evidence of maps lies, on cells or off.

    A patch with a smaller share of its area textured than `LEAST_SHARE`, without margin, has no
    cells.

    Parameters
    ----------
    maps
        (n, h, w), evidence at the pixels, none below zero: `livewell.explain.gradcam.PatchMap.map`.
    masks
        (n, h, w), where there is the texture of cells: `livewell.measure.occupancy.textured` of the
        whole frame, cut at `PatchMap.box`. Or larger by the same number of pixels on every side
        (best `margin_px`), so that cells just beyond the crop count with their margin.
    margin_px
        Pixels around cells that still count as cell, for a map is blurred by its layer's cells:
        ``Layer.margin_px``, half their stride. A point is taken up by the nearest of the layer's
        cells, up to half a stride away, and enlarged over a stride to either side. On average over
        where it lies, 1/6 of its evidence falls more than half a stride away to one side, 1/48 more
        than a stride; so what lights up inside a cell stays on it, and of a point at its very edge
        a sixth is lost. A wider margin would leave hardly any background between cells.
    """
    rim = (masks.shape[-1] - maps.shape[-1]) // 2
    height, width = maps.shape[1:]
    inner = slice(rim, rim + height), slice(rim, rim + width)
    evidence, off, area = (np.zeros(len(maps)) for _ in range(3))
    with_cells = np.zeros(len(maps), dtype=np.bool_)
    for row, (found, mask) in enumerate(zip(maps, masks, strict=True)):
        bare = ~_widened(mask, margin_px)[inner]
        evidence[row] = found.sum(dtype=np.float64)
        off[row] = found[bare].sum(dtype=np.float64)
        area[row] = bare.mean()
        with_cells[row] = mask.any() and mask[inner].mean() >= LEAST_SHARE
    return OffCells(evidence, off, area, with_cells)


def _widened(mask: NDArray[np.bool_], margin_px: float) -> NDArray[np.bool_]:
    """The mask and all within `margin_px` of it."""
    if not margin_px or not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= margin_px)


@dataclass(frozen=True, slots=True)
class Background:
    """How much of the evidence of all patches lies off cells, with intervals over groups.

    `evidence` and `area` are the shares of patches with cells, whose number is `patches`, that lie
    off these; those `without_cells` are in neither. `evidence_without` is the share of the evidence
    of all patches that lies in those without cells; NaN if all are dark.
    """

    evidence: Estimate
    area: Estimate
    patches: int
    without_cells: int
    evidence_without: float


def background(found: OffCells, groups: Sequence[str], *, seed: int) -> Background:
    """Pooled shares off cells; the intervals resample whole groups, named patch by patch."""
    own = found.with_cells
    ones = np.ones(int(own.sum()))
    lit = found.evidence.sum()
    names = np.asarray(groups)[own]

    return Background(
        pooled(found.evidence_off[own], found.evidence[own], names, seed),
        pooled(found.area_off[own], ones, names, seed),
        int(own.sum()),
        int((~own).sum()),
        float(found.evidence[~own].sum() / lit) if lit > 0 else float("nan"),
    )


def pooled(
    part: Floats,
    whole: Floats,
    names: NDArray[np.str_],
    seed: int,
    reason: str = "no patch with cells holds any evidence",
) -> Estimate:
    """Sum of `part` over sum of `whole`, groups (names, row by row) drawn with replacement.

    `reason` is said where `whole` is zero in every row.
    """
    lit = whole > 0
    groups, member = np.unique(names[lit], return_inverse=True)
    if not len(groups):
        return interval(np.nan, np.empty(0), 0, reason=reason)
    sums = [np.bincount(member, weights=each[lit]) for each in (part, whole)]
    rng, even = np.random.default_rng(seed), np.full(len(groups), 1 / len(groups))
    drawn = rng.multinomial(len(groups), even, size=RESAMPLES)
    above, below = (drawn @ each for each in sums)
    # rounding must not carry a share beyond what it can be
    value = min(float(sums[0].sum() / sums[1].sum()), 1.0)
    return interval(value, np.minimum(above / below, 1.0), len(groups))


def told(found: Background, name: str) -> str:
    """What was found of the evidence for the class `name`, in a sentence."""
    evidence, area = found.evidence, found.area
    if np.isnan(evidence.value):
        return f"Where the net looks for {name} is not known: {evidence.note}."
    share = (
        f"{evidence.value:.0%} ({evidence.low:.0%} to {evidence.high:.0%}) of the evidence for"
        f" {name} lies off cells, which is {area.value:.0%} of the area"
    )
    if evidence.value >= MUCH or _anywhere(found):
        much = "as much as at the cells" if _anywhere(found) else "too"
        return f"{share}: the net looks at the background {much}."
    if area.value < LEAST_AREA:
        return f"{share}: there is hardly a background that it could look at."
    if _undecided(found):
        return (
            f"{share}: too much alike to say whether the net looks at the cells more than at the"
            " background."
        )
    return f"{share}: the net looks at the cells more than at the background."


def warning(found: Background, name: str) -> str | None:
    """`told` if the net looks at the background, or if that cannot be known; else ``None``.

    That is if a third or more of the evidence lies off cells; or no less of it than of the area, so
    that a net which looks anywhere at all would do the same (where a twentieth of the area or more
    is off cells). Nor is it known where the interval of the evidence holds the area.
    """
    value = found.evidence.value
    unknown = np.isnan(value) or _undecided(found)
    return told(found, name) if unknown or value >= MUCH or _anywhere(found) else None


def _undecided(found: Background) -> bool:
    """Whether the share of the evidence off cells may be less than that of the area, or more."""
    evidence, area = found.evidence, found.area.value
    return area >= LEAST_AREA and evidence.low <= area <= evidence.high


def _anywhere(found: Background) -> bool:
    """Whether no less of the evidence than of the area lies off cells."""
    return found.area.value >= LEAST_AREA and found.evidence.value >= found.area.value
