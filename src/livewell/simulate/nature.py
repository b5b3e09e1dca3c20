"""What makes the cells of one position differ from those of another, whatever their dose."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Culture:
    """What makes one position's cells differ from another's, whatever the dose.

    Parameters
    ----------
    density, size, elongation, speed, cycle
        Factors around 1 on the number of cells, their diameter, their length, their speed and the
        time between divisions.
    thickness, dome, grain
        Factors around 1 on the optical thickness of the flat cells and of the dome over them, and
        relative unevenness of their cytoplasm.
    granules, vesicles
        Granules a cell, bright vesicles a cell.
    granule_depth, nucleolus_depth, vesicle_depth
        Factors around 1 on the optical thickness of these.
    dead_share
        Share of cells dead before the start.
    debris
        Heaps of specks on a square millimetre of glass.
    """

    density: float
    size: float
    elongation: float
    speed: float
    cycle: float
    thickness: float
    dome: float
    grain: float
    granules: float
    granule_depth: float
    nucleolus_depth: float
    vesicles: float
    vesicle_depth: float
    dead_share: float
    debris: float


SPREAD = {
    "density": (1, 0.3, 0.2),
    "size": (1, 0.1, 0.07),
    "elongation": (1, 0.15, 0.05),
    "speed": (1, 0.25, 0.1),
    "cycle": (1, 0.15, 0.05),
    "thickness": (1, 0.22, 0.12),
    "dome": (1, 0.4, 0.15),
    "grain": (0.17, 0.4, 0.15),
    "granules": (45, 0.4, 0.15),
    "granule_depth": (1, 0.4, 0.2),
    "nucleolus_depth": (1, 0.35, 0.15),
    "vesicles": (4.6, 0.3, 0.2),
    "vesicle_depth": (1, 0.35, 0.15),
    "dead_share": (0.03, 0.6, 0.4),
    "debris": (370, 0.5, 0.3),
}
"""Median of each, and standard deviation of its logarithm between wells and between positions."""
LIMITS = {"density": (0.55, 2), "dead_share": (0, 0.12)}


def draw_culture(well: np.random.Generator, position: np.random.Generator) -> Culture:
    """Differences between wells, and smaller ones between the positions of a well."""
    drawn = {
        name: float(median * np.exp(well.normal(0, of_well) + position.normal(0, of_position)))
        for name, (median, of_well, of_position) in SPREAD.items()
    }
    return Culture(**drawn | {name: float(np.clip(drawn[name], *LIMITS[name])) for name in LIMITS})
