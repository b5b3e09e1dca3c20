"""What light does to one cell: a tolerance, a delay, then recovery or death."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
State = Literal["healthy", "retracting", "rounded", "blebbing", "dead", "recovering", "dividing"]
"""What a cell of the simulated culture can be."""

LETHAL_DOSE_S = 40.0
"""Dose that kills the median cell, seconds of light; DeadNet's doses run from 0 to 200 s."""
HILL_SLOPE = 4.0
"""Steepness of the log-logistic distribution of the cells' lethal doses."""
SICK_RATIO = 0.55
"""A cell shows morphological damage from this share of its own lethal dose."""
OWN_DEATH_H = 400.0
"""Mean time until a cell dies without any light, hours."""
RETRACTED = 0.45
"""Damage of a cell that has drawn back its margin but not yet rounded up."""
ROUNDED, BLEBBING, DEAD, VISIBLE = 0.6, 0.78, 0.97, 0.2
"""Damage from which a cell counts as rounded, blebbing, dead, and as sick at all."""


@dataclass(slots=True)
class Fate:
    """How every cell would answer to light; each field has shape (cells,).

    `lethal_s` is the dose that kills it; `lag`, `course` and `repair` are factors around 1 on the
    delay until damage shows, until the cell rounds up, until it mends; `own_death_h` is when it
    dies without any light, hours from the start (may be before it).
    """

    lethal_s: Floats
    lag: Floats
    course: Floats
    repair: Floats
    own_death_h: Floats


def draw_fates(rng: np.random.Generator, cells: int, dead_share: float) -> Fate:
    """Fates of new cells, drawn without knowing the dose; `dead_share` of them are dead already."""
    own = rng.exponential(OWN_DEATH_H, cells)
    own = np.where(rng.random(cells) < dead_share, -rng.uniform(4, 20, cells), own)
    return Fate(
        lethal_s=LETHAL_DOSE_S * np.exp(rng.logistic(0, 1 / HILL_SLOPE, cells)),
        lag=np.exp(rng.normal(0, 0.3, cells)),
        course=np.exp(rng.normal(0, 0.35, cells)),
        repair=np.exp(rng.normal(0, 0.3, cells)),
        own_death_h=own,
    )


def damage(fate: Fate, dose_s: float, time_h: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Damage of every cell some hours after the light, which is all given at time 0.

    Returns
    -------
    damage
        Shape (cells,), 0 (well) to 1 (dead). A cell lit with its lethal dose or more never mends.
    mending
        Shape (cells,), whether the damage is on its way back.
    """
    severity = np.maximum(dose_s / fate.lethal_s, 1e-9)
    plateau = RETRACTED / (1 + (SICK_RATIO / severity) ** 6)
    onset_h = 0.3 * fate.lag * np.clip(severity, 0.3, 10) ** -0.4
    plateau = np.where(plateau < 1e-3, 0, plateau)
    early = plateau * -np.expm1(-np.maximum(time_h - onset_h, 0) / 0.25)

    mend_h = 4.0 * fate.repair * np.clip(severity, 0.3, 1)
    lethal = severity >= 1
    back_h = np.where(lethal, 0, np.maximum(time_h - mend_h, 0))
    early = early * np.exp(-back_h / 2)

    rounding_h = 10.0 * fate.course * np.clip(severity, 1, 20) ** -0.5
    late = np.where(lethal, np.clip((time_h - rounding_h) / 2.5, 0, 1), 0)
    light = early + (1 - early) * late
    own = np.clip((time_h - fate.own_death_h) / 3, 0, 1)
    return np.maximum(light, own), (back_h > 0) & (light > own)


def states(
    level: Floats, mending: NDArray[np.bool_], dividing: NDArray[np.bool_]
) -> NDArray[np.object_]:
    """Names of the cells' states; `dividing` are those rounded up to divide."""
    return np.select(
        [
            level >= DEAD,
            level >= BLEBBING,
            level >= ROUNDED,
            (level >= VISIBLE) & mending,
            level >= VISIBLE,
            dividing,
        ],
        ["dead", "blebbing", "rounded", "recovering", "retracting", "dividing"],
        "healthy",
    ).astype(object)
