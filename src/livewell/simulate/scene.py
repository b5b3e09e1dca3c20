"""A position as the microscope meets it: glass with specks, and the colony's cells on it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.simulate.anatomy import GRANULES, VESICLES
from livewell.simulate.cells import MITOSIS_H, Cells, Colony
from livewell.simulate.dose import RETRACTED, Floats, states
from livewell.simulate.nature import Culture
from livewell.simulate.outline import ANGLES, Outline, outlines
from livewell.simulate.phase import Canvas, FrameSize, Map, draw_grain, footprint

FLAT, DOME, BALL = 0.17, 0.2, 3.0
"""Phase of a spread cell's margin, of the dome over it, of a rounded cell; radians.

A cell 3 um high whose index is 0.015 above the medium's gathers 0.5 rad; a ball 20 um high would
gather several whole waves, but its steep sides throw the light out of the lens.
"""


@dataclass(frozen=True, slots=True)
class Stages:
    """How far each cell is through what can befall it; each of shape (cells,), 0 to 1.

    Its margin drawn back; rounded up, to die or to divide; covered in blebs; shrunken.
    """

    retracted: Floats
    round_: Floats
    blebbing: Floats
    dead: Floats

    @classmethod
    def of(cls, colony: Colony) -> "Stages":
        """Stages of every cell of a colony."""
        level = colony.damage
        rounding = np.clip((level - RETRACTED - 0.02) / 0.15, 0, 1)
        return cls(
            retracted=np.clip(level / (RETRACTED - 0.05), 0, 1),
            round_=np.maximum(rounding, colony.mitosis),
            blebbing=np.clip((level - 0.7) / 0.12, 0, 1),
            dead=np.clip((level - 0.92) / 0.08, 0, 1),
        )


class Scene:
    """What lies under the lens at one position; specks of dirt are left to chance."""

    def __init__(self, rng: np.random.Generator, culture: Culture, view: FrameSize) -> None:
        self.culture, self.view, self.pixel_um = culture, view, view.pixel_um
        self.grain = draw_grain(rng, 0.7 / view.pixel_um, culture.grain)
        self.glass = self._glass(rng)

    def _glass(self, rng: np.random.Generator) -> Map:
        """Bare glass: small heaps of specks."""
        canvas = Canvas(self.view, self.grain)
        field_mm2 = canvas.phase.size * (self.pixel_um / 1000) ** 2
        heaps = rng.poisson(self.culture.debris * field_mm2)
        heap = np.repeat(np.arange(heaps), rng.integers(1, 6, heaps))
        y = rng.uniform(0, canvas.phase.shape[0], heaps)[heap] - self.view.pad_px
        x = rng.uniform(0, canvas.phase.shape[1], heaps)[heap] - self.view.pad_px
        spread = 2.2 / self.pixel_um
        y, x = (at + rng.normal(0, spread, len(heap)) for at in (y, x))
        radius = rng.uniform(0.4, 1.1, len(heap)) / self.pixel_um
        canvas.discs(y, x, radius, rng.uniform(0.04, 0.2, len(heap)), 1.2)
        return canvas.phase

    def draw(self, colony: Colony) -> tuple[Map, pd.DataFrame]:
        """Phase map of a colony now, in radians, and the truth of every cell.

        Shape `FrameSize.padded`, and one row a cell with columns as in
        `livewell.simulate.culture.Movie` but for ``t``.
        """
        stages, cells = Stages.of(colony), colony.cells
        shape = self._shape(colony, stages)
        canvas = Canvas(self.view, self.grain)
        canvas.phase += self.glass
        thick = self.culture.thickness * (1 - 0.08 * stages.retracted)
        flat = FLAT * thick * (1 - stages.round_)
        dome = DOME * self.culture.dome * thick * (1 - stages.round_)
        ball = BALL * cells.anatomy.aspect**0.4 * (1 - 0.4 * stages.dead)
        dome = dome + ball * stages.round_**3
        for i in range(len(cells)):
            canvas.body(cells.y[i], cells.x[i], shape, i, flat[i], dome[i])
        self._nuclei(canvas, colony, stages)
        self._granules(canvas, cells, shape, stages)
        self._vesicles(canvas, colony, shape, stages)
        self._blebs(canvas, cells, shape, stages)
        return canvas.phase, self._truth(colony, shape)

    def footprints(self, colony: Colony) -> NDArray[np.uint16]:
        """Which cell lies where now (h, w): its number and 1, 0 for bare glass; the last on top."""
        labels = np.zeros(self.view.shape, dtype=np.uint16)
        shape, cells = self._shape(colony, Stages.of(colony)), colony.cells
        for i in range(len(cells)):
            footprint(labels, cells.y[i], cells.x[i], shape, i, cells.number[i] + 1)
        return labels

    def _shape(self, colony: Colony, stages: Stages) -> Outline:
        anatomy, angle, thin = colony.cells.anatomy, colony.cells.angle, 1.0 / self.pixel_um
        back, ball = stages.retracted, stages.round_
        shape = outlines(anatomy, colony.radius_px, angle, back, ball, thin)
        shrunk = (1 - 0.3 * stages.dead)[:, None].astype(np.float32)
        return Outline(shape.body * shrunk, shape.margin * shrunk, shape.steepness)

    def _nuclei(self, canvas: Canvas, colony: Colony, stages: Stages) -> None:
        cells, part = colony.cells, colony.cells.anatomy
        seen = (1 - stages.round_)[:, None]
        y, x = _nucleus_at(colony)
        radius = self._nucleus_px(cells, stages)
        depth = 0.08 * self.culture.thickness * seen[:, 0]
        turn = cells.angle + 5 * part.nucleus[:, 0]
        canvas.discs(y, x, radius, depth, 2.0, 1.3, turn)
        canvas.discs(y, x, radius - 1.0 / self.pixel_um, -0.6 * depth, 2.0, 1.3, turn)
        away, way, size = np.moveaxis(part.nucleolus, -1, 0)
        at = _polar(y, x, away * radius[:, None], way + cells.angle[:, None])
        spot = size * 1.25 / self.pixel_um * (1 - 0.15 * stages.retracted[:, None])
        dark = 0.34 * self.culture.nucleolus_depth * (size > 0) * seen
        canvas.discs(*at, spot, dark, 1.5)

    def _nucleus_px(self, cells: Cells, stages: Stages) -> Floats:
        shrunk = 1 - 0.12 * stages.retracted
        return 7.2 / self.pixel_um * cells.anatomy.nucleus[:, 2] * shrunk

    def _granules(self, canvas: Canvas, cells: Cells, shape: Outline, stages: Stages) -> None:
        part, sick = cells.anatomy, stages.retracted[:, None]
        away, way, depth, rank = np.moveaxis(part.granule, -1, 0)
        away = (1 - sick) * away + sick * part.clump[..., 0]
        way = np.where(rank * 0.999 < sick, part.clump[..., 1], way)
        present = rank < self.culture.granules / GRANULES
        dark = 0.1 * self.culture.granule_depth * depth * present
        dark = dark * (1 - 0.2 * sick + 0.8 * stages.round_[:, None])
        y, x = _within(cells, shape, away, way + cells.angle[:, None])
        canvas.discs(y, x, np.array(0.5 / self.pixel_um), dark, 1.4)

    def _vesicles(self, canvas: Canvas, colony: Colony, shape: Outline, stages: Stages) -> None:
        cells, part, sick = colony.cells, colony.cells.anatomy, stages.retracted[:, None]
        away, way, size, rank = np.moveaxis(part.vesicle, -1, 0)
        well_at = _within(cells, shape, away, way + cells.angle[:, None])
        beyond = self._nucleus_px(cells, stages)[:, None] + (1.2 + 3 * away) / self.pixel_um
        sick_at = _polar(*_nucleus_at(colony), beyond, part.vacuole_angle + cells.angle[:, None])
        y, x = ((1 - sick) * a + sick * b for a, b in zip(well_at, sick_at, strict=True))
        # A sick cell's vesicles have flowed together: fewer, each with twice the area.
        wanted = self.culture.vesicles * (1 - 0.5 * sick)
        present = (rank < wanted / VESICLES) * (1 - stages.round_)[:, None]
        radius = size * 1.15 * (1 + 0.48 * sick) / self.pixel_um
        canvas.discs(y, x, radius + 0.8 / self.pixel_um, 0.12 * present, 1.5)
        canvas.discs(y, x, radius, -0.42 * self.culture.vesicle_depth * present, 1.5)

    def _blebs(self, canvas: Canvas, cells: Cells, shape: Outline, stages: Stages) -> None:
        part = cells.anatomy.bleb
        way = part[..., 0]
        y, x = _within(cells, shape, np.full(way.shape, 0.95), way)
        radius = part[..., 1] * 2.6 / self.pixel_um * (1 - 0.3 * stages.dead[:, None])
        canvas.discs(y, x, radius, 0.7 * np.broadcast_to(stages.blebbing[:, None], way.shape), 3.0)

    def _truth(self, colony: Colony, shape: Outline) -> pd.DataFrame:
        cells, (height, width) = colony.cells, self.view.shape
        dividing = cells.age_h > cells.cycle_h - MITOSIS_H
        inside = (cells.y >= 0) & (cells.y < height) & (cells.x >= 0) & (cells.x < width)
        return pd.DataFrame(
            {
                "cell": cells.number,
                "parent": pd.arrays.IntegerArray(cells.parent, cells.parent < 0),
                "y_px": cells.y,
                "x_px": cells.x,
                "area_px": shape.area_px,
                "radius_px": np.sqrt(shape.area_px / np.pi),
                "angle": np.mod(cells.angle, np.pi),
                "state": pd.array(states(colony.damage, colony.mending, dividing), "str"),
                "damage": colony.damage,
                "inside": inside,
            }
        )


def _nucleus_at(colony: Colony) -> tuple[Floats, Floats]:
    """Centre of every nucleus, (y, x) in pixels, each of shape (cells,)."""
    cells, radius = colony.cells, colony.radius_px
    along, across = cells.anatomy.nucleus[:, 0], cells.anatomy.nucleus[:, 1]
    sin, cos = np.sin(cells.angle), np.cos(cells.angle)
    y = cells.y + radius * (along * sin + across * cos)
    return y, cells.x + radius * (along * cos - across * sin)


def _within(cells: Cells, shape: Outline, away: Floats, way: Floats) -> tuple[Floats, Floats]:
    """Pixels of points `away` body radii off in direction `way`; shapes (cells, points)."""
    index = np.round(way / (2 * np.pi) * ANGLES).astype(int) % ANGLES
    radius = np.take_along_axis(shape.body, index, axis=1) * away
    return _polar(cells.y, cells.x, radius, way)


def _polar(y: Floats, x: Floats, away: Floats, way: Floats) -> tuple[Floats, Floats]:
    """Points (cells, points) so far off the cells' points, in this direction."""
    return y[:, None] + away * np.sin(way), x[:, None] + away * np.cos(way)
