"""What makes the cells of one position differ from those of another, whatever their dose."""

from dataclasses import asdict, dataclass

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

    def as_dict(self) -> dict[str, float]:
        """The fields by name."""
        return asdict(self)


def draw_culture(well: np.random.Generator, position: np.random.Generator) -> Culture:
    """Differences between wells, and smaller ones between the positions of a well."""

    def factor(between_wells: float, between_positions: float) -> float:
        log = well.normal(0, between_wells) + position.normal(0, between_positions)
        return float(np.exp(log))

    return Culture(
        density=float(np.clip(factor(0.3, 0.2), 0.55, 2)),
        size=factor(0.1, 0.07),
        elongation=factor(0.15, 0.05),
        speed=factor(0.25, 0.1),
        cycle=factor(0.15, 0.05),
        thickness=factor(0.22, 0.12),
        dome=factor(0.4, 0.15),
        grain=0.17 * factor(0.4, 0.15),
        granules=45 * factor(0.4, 0.15),
        granule_depth=factor(0.4, 0.2),
        nucleolus_depth=factor(0.35, 0.15),
        vesicles=4.6 * factor(0.3, 0.2),
        vesicle_depth=factor(0.35, 0.15),
        dead_share=float(np.clip(0.03 * factor(0.6, 0.4), 0, 0.12)),
        debris=370 * factor(0.5, 0.3),
    )
