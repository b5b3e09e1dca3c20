"""Fields unlike those that a model learnt from: how many are flagged, and how well it judges them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from livewell.simulate.cells import Colony
from livewell.simulate.nature import Culture, draw_culture
from livewell.simulate.optics import Camera, Optics, draw_optics
from livewell.simulate.phase import FrameSize
from livewell.simulate.scene import Scene

EDGE_PX, PIXEL_UM, PAD_PX = 384, 0.645, 32
CELLS, HOURS, STEP_H, DOSE_S = 16.0, 1.5, 0.5, 120.0
"""Cells of a field in the mean; when it is seen after the light, and of how many seconds."""


@dataclass(frozen=True)
class Change:
    """What is other about some fields: magnification, culture, optics."""

    zoom: float = 1.0
    culture: Callable[[Culture], Culture] = lambda culture: culture
    optics: Callable[[Optics], Optics] = lambda optics: optics


def _small_and_round(culture: Culture) -> Culture:
    return replace(
        culture,
        size=0.55 * culture.size,
        elongation=0.6 * culture.elongation,
        dome=2 * culture.dome,
        granules=0.3 * culture.granules,
        density=2.5 * culture.density,
    )


CHANGES = {
    "none: new plates": Change(),
    "magnification x0.7": Change(zoom=0.7),
    "magnification x1.4": Change(zoom=1.4),
    "6 um out of focus": Change(optics=lambda o: replace(o, focus_um=o.focus_um + 6)),
    "light from one side, a tenth of it": Change(
        optics=lambda o: replace(o, tilt_x=1.4, background=o.background / 10)
    ),
    "other cells: small, round, dense": Change(culture=_small_and_round),
}


def field(plate: int, number: int, change: Change, dose_s: float, seed: int) -> NDArray[np.uint16]:
    """One field of a plate, which has a culture and optics of its own."""

    def rng(*of: int) -> np.random.Generator:
        return np.random.default_rng([seed, plate, *of])

    culture = change.culture(draw_culture(rng(0), rng(1, number)))
    optics = change.optics(draw_optics(rng(2), rng(3, number)))
    view = FrameSize(EDGE_PX, EDGE_PX, PIXEL_UM / change.zoom, PAD_PX)
    colony = Colony(rng(4, number), culture, CELLS / change.zoom**2, view, dose_s)
    for _ in range(round(HOURS / STEP_H)):
        colony.step(STEP_H)
    phase, _ = Scene(rng(5, number), culture, view).draw(colony)
    return Camera(rng(6, number), optics, view).shoot(phase)
