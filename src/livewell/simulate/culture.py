"""A plate of phase-contrast movies of cells under light, with the truth of every cell and frame."""

from dataclasses import asdict, dataclass
from math import isfinite

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.plate import PLATES, Well
from livewell.simulate.cells import Colony
from livewell.simulate.dose import Floats
from livewell.simulate.nature import Culture, draw_culture
from livewell.simulate.optics import Camera, Optics, draw_optics
from livewell.simulate.phase import FrameSize
from livewell.simulate.rules import must_hold
from livewell.simulate.scene import Scene

PAD_PX = 32
"""Phase maps reach this far beyond the frame, so that haloes of cells out there are seen."""
BALANCED = ("background", "ring", "blur_um", "density", "size", "thickness", "dome")
"""What doses are balanced for when they are dealt out over the wells, see `wells`."""
DEALS = 2000
"""Random deals among which the best balanced one is taken."""
_WHOLE = {
    "positions_per_well": (1, 99),
    "frames": (1, 10_000),
    "height_px": (64, 4096),
    "width_px": (64, 4096),
    "seed": (0, 2**63),
}
_REAL = {
    "frame_s": (1, 86_400),
    "pixel_um": (0.3, 2.0),
    "cells": (0, 1000),
    "sensitive": (0, 1),
    "start_s": (0, 604_800),
}
_PARTS = ("culture", "optics", "cells", "specks", "camera", "sensitive")


@dataclass(frozen=True, slots=True)
class CultureSpec:
    """A simulated plate; the defaults are the demo's.

    Parameters
    ----------
    doses_s
        Doses, seconds of light, each once.
    wells_per_dose
        One number for all doses, or one for each.
    positions_per_well, empty_positions
        Movies a well; how many of all movies, drawn at random, show bare glass.
    frames, frame_s, start_s
        Frames a movie, seconds between them, and from the light to the first.
    height_px, width_px, pixel_um
        The frame. A 20x lens on a camera of 6.45 um pixels, two by two binned, makes 0.645 um.
    cells
        Cells in a frame at the start, on average over all positions.
    seed
        Everything random follows from it.
    sensitive
        Share of cells that light can harm, each drawn at random; the others do not feel it.
    """

    doses_s: tuple[float, ...] = (0.0, 30.0, 120.0)
    wells_per_dose: int | tuple[int, ...] = (7, 2, 7)
    positions_per_well: int = 2
    frames: int = 12
    frame_s: float = 900.0
    height_px: int = 512
    width_px: int = 512
    pixel_um: float = 0.645
    cells: float = 28.0
    seed: int = 0
    empty_positions: int = 0
    plate: str = "simulated"
    sensitive: float = 1.0
    start_s: float = 0.0

    def __post_init__(self) -> None:
        each, doses, whole = self.dose_wells, self.doses_s, self.positions_per_well
        rules = {
            "doses_s: at least one, each once, finite, from 0 up": 0 < len(set(doses)) == len(doses)
            and all(isfinite(dose) and dose >= 0 for dose in doses),
            "wells_per_dose: one number, or one for each dose, from 1 up": len(each) == len(doses)
            and all(count >= 1 for count in each),
            "wells_per_dose: at most 1536 wells in all": sum(each) <= 1536,
            "empty_positions: from 0 to the number of positions": 0
            <= self.empty_positions
            <= sum(each) * max(whole, 0),
        }
        for name, (low, high) in {**_WHOLE, **_REAL}.items():
            value, kind = getattr(self, name), "a whole number, " if name in _WHOLE else ""
            fine = isfinite(value) and low <= value <= high
            rules[f"{name}: {kind}{low} to {high}"] = fine and (not kind or isinstance(value, int))
        must_hold("a culture that cannot be simulated", self, rules)

    @property
    def dose_wells(self) -> tuple[int, ...]:
        """Wells at each dose, in the order of `doses_s`."""
        if isinstance(self.wells_per_dose, int):
            return (self.wells_per_dose,) * len(self.doses_s)
        return tuple(self.wells_per_dose)


@dataclass(frozen=True, slots=True, order=True)
class PositionKey:
    """One stage position of a plate, counted from 1 within the well; an empty one is bare glass."""

    well: str
    position: int
    dose_s: float
    empty: bool = False

    @property
    def name(self) -> str:
        """Name of the movie, such as ``B07_p1``."""
        return f"{self.well}_p{self.position}"


@dataclass(frozen=True, slots=True)
class Movie:
    """What a position's camera saw, and what really happened.

    Parameters
    ----------
    frames
        uint16, shape (t, y, x).
    truth
        One row a cell and frame: ``t``; ``cell`` and ``parent`` (numbers within the movie, parent
        empty for a cell that was there at the start); ``y_px``, ``x_px`` of its centre; ``area_px``
        and ``radius_px`` (of a disc so large); ``angle`` of its long axis (radians, 0 to pi);
        ``state`` (a `livewell.simulate.dose.State`); ``damage`` from 0 (well) to 1 (dead);
        ``inside``, whether the centre lies in the frame.
    optics
        What sets this position apart whatever its dose: microscope, camera, and culture.
    footprints
        uint16, shape (t, y, x): number of the cell at each pixel and 1, 0 for bare glass.
    """

    key: PositionKey
    frames: NDArray[np.uint16]
    truth: pd.DataFrame
    optics: dict[str, float]
    footprints: NDArray[np.uint16] | None = None


def wells(spec: CultureSpec) -> pd.DataFrame:
    """The plate map: plate, well, dose and dose_unit (s), dealt out at random over the plate.

    Wells differ in brightness, contrast and density whatever their dose, and with a dozen of them
    in a plain random deal one of these often goes with the dose. So the deal is rerandomised.
    """
    doses = np.repeat(np.asarray(spec.doses_s, float), spec.dose_wells)
    chosen = _sites(len(doses))
    looks = np.array([_look(spec, well) for well in chosen])
    dealt = _dealt(doses, looks, np.random.default_rng([spec.seed, 1]))
    return pd.DataFrame(
        {
            "plate": pd.array([spec.plate] * len(chosen), "str"),
            "well": pd.array([str(well) for well in chosen], "str"),
            "dose": dealt,
            "dose_unit": pd.array(["s"] * len(chosen), "str"),
        }
    )


def _sites(count: int) -> list[Well]:
    """Up to 1536 wells: a block inside the rim, where evaporation is least, if it is big enough."""
    for size in (96, 384, 1536):
        plate = PLATES[size]
        rows, columns = range(1, plate.rows - 1), range(1, plate.columns - 1)
        inner = [well for well in plate.wells() if well.row in rows and well.column in columns]
        if count <= len(inner):
            wide = max(1, round(np.sqrt(count * 1.6)))
            block = [well for well in inner if well.column <= wide]
            return (block if count <= len(block) else inner)[:count]
    return PLATES[1536].wells()[:count]


def _dealt(doses: Floats, looks: Floats, rng: np.random.Generator) -> Floats:
    """Deal doses out over wells at random, so that they do not go with what the wells look like.

    Rerandomisation (Morgan and Rubin 2012, Rerandomization to improve covariate balance in
    experiments): of many random deals the one whose doses differ least in their wells' mean looks
    is taken. `looks`, of shape (wells, covariates), are known before any dose is given.
    """
    scaled = (looks - looks.mean(0)) / np.maximum(looks.std(0), 1e-9)
    deals = [rng.permutation(doses) for _ in range(DEALS)]
    return min(deals, key=lambda dealt: _imbalance(scaled, dealt))


def _imbalance(scaled: Floats, dealt: Floats) -> float:
    """How far the doses' mean looks lie apart, summed over looks and doses."""
    groups = [dealt == dose for dose in np.unique(dealt)]
    means = np.array([scaled[group].mean(0) * np.sqrt(group.sum()) for group in groups])
    return float(np.square(means).sum())


def _look(spec: CultureSpec, well: Well) -> list[float]:
    """What a well looks like whatever its dose: logarithms of `BALANCED`, mean over positions."""
    natures = [_nature(spec, well, 1 + k) for k in range(spec.positions_per_well)]
    looks = [asdict(culture) | asdict(optics) for culture, optics in natures]
    return [float(np.mean([np.log(look[name]) for look in looks])) for name in BALANCED]


def _nature(spec: CultureSpec, well: Well, position: int) -> tuple[Culture, Optics]:
    """What sets a position apart, from differences between wells and between their positions."""
    of_well = [_rng(spec, well, 0, part) for part in ("culture", "optics")]
    of_position = [_rng(spec, well, position, part) for part in ("culture", "optics")]
    return draw_culture(of_well[0], of_position[0]), draw_optics(of_well[1], of_position[1])


def _rng(spec: CultureSpec, well: Well, position: int, part: str) -> np.random.Generator:
    """A stream of chance of its own for each part of each position; position 0 is the well."""
    seed = [spec.seed, well.row, well.column, position, _PARTS.index(part)]
    return np.random.default_rng(seed)


def positions(spec: CultureSpec) -> list[PositionKey]:
    """Every position of the plate, each to be simulated on its own."""
    plan = wells(spec)
    keys = [
        PositionKey(str(well), number, float(dose))
        for well, dose in zip(plan["well"], plan["dose"], strict=True)
        for number in range(1, spec.positions_per_well + 1)
    ]
    rng = np.random.default_rng([spec.seed, 2])
    bare = set(rng.permutation(len(keys))[: spec.empty_positions].tolist())
    return [PositionKey(k.well, k.position, k.dose_s, i in bare) for i, k in enumerate(keys)]


def simulate_position(spec: CultureSpec, key: PositionKey, *, footprints: bool = False) -> Movie:
    """The movie of one position, the same whatever else was simulated before it.

    It follows from the spec's seed, the well and the position: a movie of more frames begins with
    the same ones, and the same position under another dose begins with the same first frame.
    `footprints` say of every pixel which cell lies there.
    """
    well = Well.parse(key.well)
    culture, optics = _nature(spec, well, key.position)
    cells, specks, camera_noise = (
        _rng(spec, well, key.position, part) for part in ("cells", "specks", "camera")
    )
    view = FrameSize(spec.height_px, spec.width_px, spec.pixel_um, PAD_PX)
    mean_cells = 0.0 if key.empty else spec.cells
    colony = Colony(cells, culture, mean_cells, view, key.dose_s)
    if spec.sensitive < 1:
        colony.spare(_rng(spec, well, key.position, "sensitive"), spec.sensitive)
    scene = Scene(specks, culture, view)
    camera = Camera(camera_noise, optics, view)

    steps, rest_s = divmod(spec.start_s, spec.frame_s)
    for step_s in (*[spec.frame_s] * int(steps), *([rest_s] if rest_s else [])):
        colony.step(step_s / 3600)

    frames = np.empty((spec.frames, *view.shape), np.uint16)
    lying = np.zeros((spec.frames, *view.shape), np.uint16) if footprints else None
    truth = []
    for t in range(spec.frames):
        if t:
            colony.step(spec.frame_s / 3600)
        phase, now = scene.draw(colony)
        now.insert(0, "t", t)
        truth.append(now)
        frames[t] = camera.shoot(phase)
        if lying is not None:
            lying[t] = scene.footprints(colony)
    looks = asdict(optics) | asdict(culture)
    return Movie(key, frames, pd.concat(truth, ignore_index=True), looks, lying)
