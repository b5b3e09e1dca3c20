"""A simulated plate of any number of wells as OME-Zarr, in seconds: what many fields are tried on.

Fields are simulated cultures, a few, each seen anew by turning and shifting: no two are equal.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import numpy as np
import pandas as pd
from numcodecs import Zstd
from numpy.typing import NDArray

from livewell.image import Frame, Header
from livewell.outputs.zarr_images import write_image
from livewell.outputs.zarr_levels import mean_of_four
from livewell.outputs.zarr_metadata import (
    plate_values,
    put_group,
    read_group,
    well_path,
    well_values,
)
from livewell.plate import PLATES, Plate
from livewell.simulate.culture import CultureSpec, positions, simulate_position

CHANNEL, PIXEL_UM, FRAME_S = "phase contrast", 0.645, 1800.0
DOSES_S = (0.0, 160.0)
"""Seconds of light, eight hours ago: of wells in odd columns, and in even ones."""
Movie = NDArray[np.uint16]
"""(t, y, x)"""


class _Movie:
    """Frames in memory as an image."""

    source = "simulated"

    def __init__(self, frames: Movie) -> None:
        self._frames, (t, y, x) = frames, frames.shape
        self.header = Header(t, (CHANNEL,), y, x, frames.dtype.name, PIXEL_UM, FRAME_S)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One frame."""
        frame: Frame = self._frames[t]
        return frame

    def close(self) -> None:
        """Nothing is open."""


def plate_store(
    folder: Path,
    *,
    plate: Plate = PLATES[384],
    fields: int = 4,
    frames: int = 1,
    size_px: int = 128,
    cultures: int = 8,
    seed: int = 0,
) -> pd.DataFrame:
    """Write a plate as OME-Zarr 0.5, and say what its fields are.

    The first field is written as `livewell convert` writes it, the others as bytes like its own: a
    shard a level.

    Parameters
    ----------
    folder
        New, such as ``plate.zarr``.
    plate, fields, frames, size_px
        Wells, fields a well, frames a field (uint16), and edge of a frame, at least 64.
    cultures
        How many are simulated of each dose.

    Returns
    -------
    pandas.DataFrame
        image (``A/01/0``), well, position, dose (s): one row a field, in order.
    """
    seen = {dose: list(_cultures(dose, cultures, frames, size_px, seed)) for dose in DOSES_S}
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, str, str, float]] = []
    model = Path()
    for well in plate.wells():
        dose = DOSES_S[well.column % 2]
        for number in range(fields):
            movie = seen[dose][rng.integers(cultures)]
            movie = np.rot90(movie, int(rng.integers(4)), (1, 2))
            movie = np.roll(movie, tuple(rng.integers(size_px, size=2)), (1, 2))
            at = folder / well_path(well) / str(number)
            at.mkdir(parents=True)
            said = {"well": str(well), "position": str(number + 1)}
            if rows:
                _write_like(model, at, movie, said)
            else:
                model = at
                write_image(at, _Movie(movie), "simulated", "0.5", said)
            rows.append((f"{well_path(well)}/{number}", str(well), str(number + 1), dose))
        put_group(at.parent, "0.5", {"well": well_values([str(n) for n in range(fields)])})
    for row in {well_path(well).split("/")[0] for well in plate.wells()}:
        put_group(folder / row, "0.5", {})
    of = plate_values("simulated", dict.fromkeys(plate.wells(), fields), "simulated cultures")
    put_group(folder, "0.5", {"plate": of})
    return pd.DataFrame(rows, columns=["image", "well", "position", "dose"])


def _cultures(dose: float, count: int, frames: int, size_px: int, seed: int) -> Iterator[Movie]:
    spec = CultureSpec(
        doses_s=(dose,),
        wells_per_dose=count,
        positions_per_well=1,
        frames=frames,
        frame_s=FRAME_S,
        height_px=size_px,
        width_px=size_px,
        pixel_um=PIXEL_UM,
        cells=30 * (size_px / 256) ** 2,
        seed=seed + int(dose),
        start_s=8 * 3600,
    )
    for key in positions(spec):
        yield simulate_position(spec, key).frames


def _write_like(model: Path, folder: Path, movie: Movie, said: dict[str, str]) -> None:
    """A field as `model`, of other pixels."""
    _, values = read_group(model)
    put_group(folder, "0.5", values["ome"], **said)
    planes = movie
    for level in range(len(values["ome"]["multiscales"][0]["datasets"])):
        planes = mean_of_four(planes) if level else planes
        at = folder / str(level) / "c" / "0" / "0" / "0"
        at.mkdir(parents=True)
        shutil.copy(model / str(level) / "zarr.json", folder / str(level))
        (at / "0").write_bytes(_shard(planes))


def _shard(planes: Movie) -> bytes:
    """A shard of Zarr 3 whose chunks are planes, its index at the end."""
    packed = Zstd(level=3, checksum=True)
    chunks = [packed.encode(np.ascontiguousarray(plane)) for plane in planes]
    ends = np.cumsum([len(chunk) for chunk in chunks])
    sizes = np.array([len(chunk) for chunk in chunks])
    index = np.stack([ends - sizes, sizes], axis=1).astype("<u8").tobytes()
    checksum = np.uint32(google_crc32c.value(index)).astype("<u4").tobytes()
    return b"".join([*chunks, index, checksum])
