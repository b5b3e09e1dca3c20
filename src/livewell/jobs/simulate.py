"""A simulated plate as files: movies, plate map, truth."""

import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import tifffile

from livewell.files import claim, stamp, whole_file
from livewell.progress import SILENT, Progress
from livewell.simulate.culture import (
    CultureSpec,
    PositionKey,
    positions,
    simulate_position,
    wells,
)

KIND, STAMP = "simulated culture", "culture.json"
PATTERN = "{well}_p{position:int}.ome.tif"


def simulate_culture(
    spec: CultureSpec, out: Path, *, workers: int | None = None, progress: Progress = SILENT
) -> Path:
    """Write a simulated plate.

    Parameters
    ----------
    spec
        The plate; its seed decides everything.
    out
        Takes ``images/B07_p1.ome.tif`` (uint16, t y x, channel ``phase contrast``, pixel size and
        frame interval inside), ``plate.csv`` (well, dose, dose_unit), ``truth.parquet`` (one row
        a cell and frame) and ``optics.csv``. Positions that stand there already are kept, if the
        spec is the same.
    workers
        Processes; one a core by default.
    progress
        Where to report.

    Returns
    -------
    Path
        The folder ``images``.
    """
    claim(out, KIND, STAMP)
    stamp(out, STAMP, KIND, spec=asdict(spec))
    images = out / "images"
    with whole_file(out / "plate.csv") as temporary:
        wells(spec).to_csv(temporary, index=False)
    keys = positions(spec)
    truths, optics = [], []
    count = workers or os.cpu_count() or 1
    with (
        progress.task("simulating positions", total=len(keys)) as tick,
        ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool,
    ):
        jobs = {pool.submit(_position, spec, key, images): key for key in keys}
        for job in as_completed(jobs):
            truth, light = job.result()
            truths.append(truth)
            optics.append(light)
            tick()
    truth = pd.concat(truths, ignore_index=True).sort_values(["image", "t", "cell"])
    with whole_file(out / "truth.parquet") as temporary:
        truth.to_parquet(temporary, index=False)
    with whole_file(out / "optics.csv") as temporary:
        pd.DataFrame(optics).sort_values("image").to_csv(temporary, index=False)
    return images


def _position(
    spec: CultureSpec, key: PositionKey, images: Path
) -> tuple[pd.DataFrame, dict[str, float | str]]:
    movie = simulate_position(spec, key)
    name = f"{key.well}_p{key.position}.ome.tif"
    with whole_file(images / name) as temporary:
        tifffile.imwrite(
            temporary,
            movie.frames,
            ome=True,
            photometric="minisblack",
            metadata={
                "axes": "TYX",
                "Channel": {"Name": ["phase contrast"]},
                "PhysicalSizeX": spec.pixel_um,
                "PhysicalSizeXUnit": "µm",
                "PhysicalSizeY": spec.pixel_um,
                "PhysicalSizeYUnit": "µm",
                "TimeIncrement": spec.frame_s,
                "TimeIncrementUnit": "s",
            },
        )
    return movie.truth.assign(image=name), {"image": name, **movie.optics}
