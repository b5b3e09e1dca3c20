"""How much of a net's evidence lies where no cells are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from livewell.errors import SpecError
from livewell.measure.occupancy import LEAST_SHARE
from livewell.metrics.intervals import Estimate, interval

Floats = NDArray[np.float64]
MUCH = 1 / 3
"""A net with this share of its evidence off cells looks at the background too."""
LEAST_AREA = 0.05
"""With less than this share of the area off cells there is hardly a background to compare with:
what is left are smooth places inside cells that their texture misses."""


@dataclass(frozen=True, slots=True)
class OffCells:
    """Patch by patch, evidence and area on and off cells.

    Parameters
    ----------
    evidence
        (n,), sum of each map.
    evidence_off
        (n,), sum of each map off cells.
    area_off
        (n,), share of each patch's area off cells, 0 to 1.
    with_cells
        (n,) bool; in a patch without any cell all is off, which says nothing of where a net looks.
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
        return cls(
            np.concatenate([part.evidence for part in parts]),
            np.concatenate([part.evidence_off for part in parts]),
            np.concatenate([part.area_off for part in parts]),
            np.concatenate([part.with_cells for part in parts]),
        )


def off_cells(
    maps: NDArray[np.floating],
    masks: NDArray[np.bool_],
    margin_px: float,
    *,
    least_share: float = LEAST_SHARE,
) -> OffCells:
    """Where the evidence of maps lies, on cells or off.

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
    least_share
        A patch with a smaller share of its area textured, without margin, has no cells.

    Raises
    ------
    SpecError
        Shapes that do not fit, a margin below zero, values below zero or not finite.
    """
    _check(maps, masks, margin_px)
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
        with_cells[row] = mask.any() and mask[inner].mean() >= least_share
    return OffCells(evidence, off, area, with_cells)


def _widened(mask: NDArray[np.bool_], margin_px: float) -> NDArray[np.bool_]:
    """The mask and all within `margin_px` of it."""
    if not margin_px or not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask) <= margin_px)


def _check(maps: NDArray[np.floating], masks: NDArray[np.bool_], margin_px: float) -> None:
    if maps.ndim != 3 or masks.ndim != 3 or len(maps) != len(masks):
        fits = False
    else:
        rims = np.subtract(masks.shape[1:], maps.shape[1:])
        fits = rims[0] == rims[1] and rims[0] >= 0 and rims[0] % 2 == 0
    if not fits:
        raise SpecError(
            "maps and masks that do not fit each other",
            expected="(n, h, w) and (n, h, w), or masks wider by as much on every side",
            got=f"{maps.shape} and {masks.shape}",
        )
    if not np.isfinite(margin_px) or margin_px < 0:
        raise SpecError("no margin", where="margin_px", expected="0 or more", got=str(margin_px))
    if maps.size and not maps.min() >= 0:
        raise SpecError(
            "maps that have no shares",
            where="maps",
            expected="0 or more everywhere",
            got="values below zero, or NaN",
            remedy="take maps without their sign",
        )


@dataclass(frozen=True, slots=True)
class Background:
    """How much of the evidence of all patches lies off cells, with intervals over groups.

    Parameters
    ----------
    evidence
        Share of the evidence of patches with cells that lies off these, of all together.
    area
        Share of the area of patches with cells that lies off these.
    patches
        Number of patches with cells.
    without_cells
        Number of patches without any, which are in neither share.
    evidence_without
        Share of the evidence of all patches that lies in those without cells; NaN if all are dark.
    """

    evidence: Estimate
    area: Estimate
    patches: int
    without_cells: int
    evidence_without: float


def background(
    found: OffCells,
    groups: Sequence[str],
    *,
    seed: int,
    resamples: int = 2000,
) -> Background:
    """Pooled shares off cells; the intervals resample whole groups.

    Parameters
    ----------
    found
        Region by patch.
    groups
        Name of the group of each patch, never split.
    seed, resamples
        Of the random draws.

    Raises
    ------
    SpecError
        Not one group name a patch, or too few resamples.
    """
    if len(groups) != len(found.evidence):
        raise SpecError(
            "not one group a patch", expected=str(len(found.evidence)), got=str(len(groups))
        )
    if resamples < 1:
        raise SpecError("too few resamples", expected="at least 1", got=str(resamples))
    own = found.with_cells
    ones = np.ones(int(own.sum()))
    lit = found.evidence.sum()
    names = np.asarray(groups)[own]

    def pooled(part: Floats, whole: Floats) -> Estimate:
        return _pooled(part, whole, names, np.random.default_rng(seed), resamples)

    return Background(
        pooled(found.evidence_off[own], found.evidence[own]),
        pooled(found.area_off[own], ones),
        int(own.sum()),
        int((~own).sum()),
        float(found.evidence[~own].sum() / lit) if lit > 0 else float("nan"),
    )


def _pooled(
    part: Floats,
    whole: Floats,
    names: NDArray[np.str_],
    rng: np.random.Generator,
    resamples: int,
) -> Estimate:
    """Sum of `part` over sum of `whole`, groups drawn with replacement."""
    lit = whole > 0
    groups, member = np.unique(names[lit], return_inverse=True)
    if not len(groups):
        why = "no patch with cells holds any evidence"
        return interval(np.nan, np.empty(0), 0, reason=why)
    sums = [np.bincount(member, weights=each[lit]) for each in (part, whole)]
    drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=resamples)
    above, below = (drawn @ each for each in sums)
    # rounding must not carry a share beyond what it can be
    value = min(float(sums[0].sum() / sums[1].sum()), 1.0)
    return interval(value, np.minimum(above / below, 1.0), len(groups))


def told(found: Background, name: str) -> str:
    """What was found, in a sentence.

    Parameters
    ----------
    found
        What `background` found.
    name
        Of the class that the evidence is for.
    """
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
    return f"{share}: the net looks at the cells more than at the background."


def warning(found: Background, name: str) -> str | None:
    """`told` if the net looks at the background, or if that cannot be known; else ``None``.

    That is if a third or more of the evidence lies off cells; or no less of it than of the area, so
    that a net which looks anywhere at all would do the same (where a twentieth of the area or more
    is off cells).

    Parameters
    ----------
    found, name
        As in `told`.
    """
    value = found.evidence.value
    return told(found, name) if np.isnan(value) or value >= MUCH or _anywhere(found) else None


def _anywhere(found: Background) -> bool:
    """Whether no less of the evidence than of the area lies off cells."""
    return found.area.value >= LEAST_AREA and found.evidence.value >= found.area.value
