"""The cells of one position: where they are, how they move and divide, what the light did."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from livewell.simulate.anatomy import Anatomy, draw_anatomy
from livewell.simulate.dose import ROUNDED, VISIBLE, Fate, Floats, damage, draw_fates
from livewell.simulate.nature import Culture
from livewell.simulate.phase import FrameSize

MARGIN_UM = 35.0
"""Cells also live this far outside the frame, so that they walk in and out of it."""
MITOSIS_H, SPREADING_H = 0.6, 0.6
"""Hours that a cell is rounded up before it divides, and that a daughter takes to spread."""


@dataclass(slots=True)
class Cells:
    """Every cell of a position, one entry a cell in each array of shape (cells,).

    Parameters
    ----------
    number, parent
        The cell's number and its mother's, -1 for none.
    y, x
        Centre, pixels from the frame's first corner.
    heading, angle
        Where it walks and how its long axis lies, radians.
    age_h, cycle_h
        Hours since its birth (the clock stands while the cell is sick) and between divisions.
    """

    number: NDArray[np.int64]
    parent: NDArray[np.int64]
    y: Floats
    x: Floats
    heading: Floats
    angle: Floats
    age_h: Floats
    cycle_h: Floats
    fate: Fate
    anatomy: Anatomy

    def __len__(self) -> int:
        return len(self.number)


class Colony:
    """The cells of one position through time, lit at time 0.

    `mean_cells` is their number in the frame at the start, on average over positions; 0 for a bare
    position.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        culture: Culture,
        mean_cells: float,
        view: FrameSize,
        dose_s: float,
    ) -> None:
        self.rng, self.culture, self.pixel_um, self.dose_s = rng, culture, view.pixel_um, dose_s
        self.margin_px = MARGIN_UM / view.pixel_um
        self.size_px = np.array(view.shape, float)
        self.time_h = 0.0
        wide = np.prod(self.size_px + 2 * self.margin_px) / np.prod(self.size_px)
        self.cells = self._seeded(rng.poisson(mean_cells * culture.density * wide))
        self.born = len(self.cells)
        for _ in range(60):  # strangers that were dropped on one another make room
            self._push_apart()
        self._weigh()

    def _seeded(self, cells: int) -> Cells:
        rng, low = self.rng, -self.margin_px
        high = self.size_px + self.margin_px
        cycle_h = 22 * self.culture.cycle * np.exp(rng.normal(0, 0.12, cells))
        return Cells(
            number=np.arange(cells),
            parent=np.full(cells, -1),
            y=rng.uniform(low, high[0], cells),
            x=rng.uniform(low, high[1], cells),
            heading=rng.uniform(-np.pi, np.pi, cells),
            angle=rng.uniform(-np.pi, np.pi, cells),
            age_h=rng.uniform(SPREADING_H, cycle_h),
            cycle_h=cycle_h,
            fate=draw_fates(rng, cells, self.culture.dead_share),
            anatomy=draw_anatomy(rng, cells, self.culture.elongation),
        )

    def spare(self, rng: np.random.Generator, sensitive: float) -> None:
        """Let only a share of the cells, drawn at random, feel the light; daughters as mothers."""
        fate = self.cells.fate
        fate.lethal_s = np.where(rng.random(len(self.cells)) < sensitive, fate.lethal_s, np.inf)
        self._weigh()

    def step(self, hours: float) -> None:
        """Let time pass: cells age, walk, change shape and divide."""
        self.time_h += hours
        self._weigh()
        cells, rng = self.cells, self.rng
        # Damaged cells go on slowly towards division, round up for it and are held there.
        pace = np.where(self.damage < VISIBLE, 1.0, 0.2 * (self.damage < ROUNDED))
        limit = np.where(self.damage < VISIBLE, np.inf, np.maximum(cells.cycle_h, cells.age_h))
        cells.age_h = np.minimum(cells.age_h + hours * pace, limit)
        self._walk(hours)
        cells.anatomy.drift(rng, hours)
        self._divide()
        self._weigh()

    def _weigh(self) -> None:
        self.damage, self.mending = damage(self.cells.fate, self.dose_s, self.time_h)

    @property
    def mitosis(self) -> Floats:
        """How far each cell is rounded up to divide or just after, shape (cells,), 0 to 1."""
        cells = self.cells
        before = np.clip((cells.age_h - cells.cycle_h + MITOSIS_H) / (MITOSIS_H / 2), 0, 1)
        after = np.where(cells.parent >= 0, np.clip(1 - cells.age_h / SPREADING_H, 0, 1), 0)
        well = np.clip((ROUNDED - self.damage) / 0.1, 0, 1)
        return np.asarray(np.maximum(before, after) * well)

    @property
    def radius_px(self) -> Floats:
        """Radius of the disc as large as each spread, healthy cell, shape (cells,), pixels."""
        cells = self.cells
        grown = np.sqrt(0.75 + 0.5 * np.clip(cells.age_h / cells.cycle_h, 0, 1))
        return np.asarray(20.5 * self.culture.size * cells.anatomy.size * grown / self.pixel_um)

    def _walk(self, hours: float) -> None:
        cells, rng = self.cells, self.rng
        n = len(cells)
        cells.heading = cells.heading + rng.normal(0, 0.9 * np.sqrt(hours), n)
        vigour = np.clip(1 - self.damage / 0.5, 0, 1) * (1 - self.mitosis)
        step_px = 14 * self.culture.speed * hours / self.pixel_um * vigour
        step_px = step_px * np.exp(rng.normal(-0.1, 0.5, n))
        cells.y = cells.y + step_px * np.sin(cells.heading)
        cells.x = cells.x + step_px * np.cos(cells.heading)
        # The long axis follows the walk; an axis has no sign, hence the doubled angle.
        turn = np.sin(2 * (cells.heading - cells.angle)) / 2
        cells.angle = cells.angle + vigour * min(hours, 1) * turn
        for _ in range(min(int(np.ceil(12 * hours)), 60)):
            self._push_apart()

    def _push_apart(self) -> None:
        cells = self.cells
        dy, dx = (np.subtract.outer(at, at) for at in (cells.y, cells.x))
        apart = np.hypot(dy, dx) + 1e-6
        reach = np.add.outer(self.radius_px, self.radius_px) * 0.85
        push = np.clip(reach - apart, 0, None) * 0.12
        np.fill_diagonal(push, 0)
        low, high = -self.margin_px, self.size_px + self.margin_px
        cells.y = np.clip(cells.y + (push * dy / apart).sum(1), low, high[0])
        cells.x = np.clip(cells.x + (push * dx / apart).sum(1), low, high[1])

    def _divide(self) -> None:
        cells, rng = self.cells, self.rng
        mothers = np.flatnonzero((cells.age_h >= cells.cycle_h) & (self.damage < VISIBLE))
        if not len(mothers):
            return
        axis = cells.angle[mothers] + rng.normal(0, 0.3, len(mothers))
        twins = np.tile(mothers, 2)
        new = _mapped(lambda part: part[twins], cells)
        side = np.repeat([-1.0, 1.0], len(mothers)) * 8 / self.pixel_um
        new.number = self.born + np.arange(len(twins))
        new.parent = cells.number[twins]
        new.y = new.y + side * np.sin(np.tile(axis, 2))
        new.x = new.x + side * np.cos(np.tile(axis, 2))
        new.heading = np.tile(axis, 2) + np.where(side < 0, np.pi, 0)
        new.age_h = np.zeros(len(twins))
        new.cycle_h = new.cycle_h * np.exp(rng.normal(0, 0.1, len(twins)))
        new.fate.own_death_h = self.time_h + draw_fates(rng, len(twins), 0).own_death_h
        new.anatomy = draw_anatomy(rng, len(twins), self.culture.elongation)
        self.born += len(twins)
        self.cells = _mapped(
            lambda old, born: np.concatenate([np.delete(old, mothers, axis=0), born]), cells, new
        )


T = TypeVar("T", Cells, Fate, Anatomy, NDArray[Any])


def _mapped(change: Callable[..., Any], *tables: T) -> T:
    """`change` of every array of tables of one type, and of the tables within them."""
    if isinstance(tables[0], np.ndarray):
        changed: T = change(*tables)
        return changed
    parts = {f.name: [getattr(table, f.name) for table in tables] for f in fields(tables[0])}
    return type(tables[0])(**{name: _mapped(change, *part) for name, part in parts.items()})
