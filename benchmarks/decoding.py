"""What it costs to decode packed frames in a process of its own, beside judging and mapping."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import tifffile

from benchmarks.models import CULTURE
from benchmarks.result import Result, percent
from livewell.images.decoder import DECODER
from livewell.images.formats import plane
from livewell.images.listing import find_images
from livewell.images.opening import open_image
from livewell.progress import task
from livewell.simulate.culture import CultureSpec
from livewell.workflows.assess import assess
from livewell.workflows.heatmap import heatmap
from livewell.workflows.simulate import simulate_culture

SPECS = {
    "256 x 256": replace(CULTURE, height_px=256, width_px=256, cells=9, frames=24),
    "1344 x 1024": replace(CULTURE, frames=4),
}
"""By the size of a frame: a movie of each of two wells."""


def table(*, model: Path, repeats: int = 5, seed: int = 0) -> Result:
    """Milliseconds a frame, decoded here and apart, as a share of all that is done with it."""
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    with TemporaryDirectory() as temporary, task("decoding", 3 * len(SPECS)) as tick:
        for size, spec in SPECS.items():
            folder = Path(temporary) / size.replace(" ", "")
            movies = _packed(replace(spec, wells_per_dose=1, seed=seed), folder)
            tick()
            here, apart, start = _decoding(movies[0], repeats)
            tick()
            frames = spec.frames * len(movies)
            began = time.perf_counter()
            assess(folder / "packed", model, folder / "verdicts")
            judged = 1000 * (time.perf_counter() - began) / frames
            began = time.perf_counter()
            heatmap(movies[0], model, folder / "map")
            mapped = 1000 * (time.perf_counter() - began) / spec.frames
            tick()
            values[size] = {"here_ms": here, "apart_ms": apart, "start_ms": start}
            values[size] |= {"assess_ms": judged, "heatmap_ms": mapped, "frames": frames}
            cost = apart - here + start / frames
            shares = [percent(cost / whole, 1) for whole in (judged, mapped)]
            figures = (here, apart, start, judged, mapped)
            rows.append([size, *(f"{figure:.1f}" for figure in figures), *shares])
    return Result(
        title="Decoding in a process of its own: what it costs beside the work on a frame",
        header="frame, px | decoded here, ms | apart, ms | start of the process, ms | assess, ms a"
        " frame | heatmap, ms a frame | share of assess, % | share of heatmap, %",
        rows=rows,
        lead="Simulated movies, 16 bits, LZW with predictor. Decoding: medians of"
        f" {repeats} readings of a movie by turns. The share counts the start once a run of"
        " two movies; plain TIFF is read without a process of its own and costs nothing.",
        values=values,
    )


def _packed(spec: CultureSpec, folder: Path) -> list[Path]:
    """Movies of a culture, packed."""
    found = find_images(simulate_culture(spec, folder / "plain")).paths
    (folder / "packed").mkdir()
    movies = []
    for path in found:
        movies.append(folder / "packed" / path.name)
        movie = tifffile.imread(path)
        tifffile.imwrite(
            movies[-1], movie, compression="lzw", predictor=True, photometric="minisblack",
            ome=True, metadata={"axes": "TYX", "PhysicalSizeX": spec.pixel_um,
            "PhysicalSizeXUnit": "µm"},
        )  # fmt: skip
    return movies


def _decoding(movie: Path, repeats: int) -> tuple[float, float, float]:
    """Milliseconds a frame here and apart, and those of the process's start."""
    here, apart, start = [], [], []
    for _ in range(repeats):
        DECODER.stop()
        with open_image(movie) as image:
            began = time.perf_counter()
            image.frame(0)
            start.append(time.perf_counter() - began)
            times = range(image.header.frames)
            began = time.perf_counter()
            for t in times:
                image.frame(t)
            apart.append((time.perf_counter() - began) / len(times))
            began = time.perf_counter()
            for t in times:
                plane(image.reader, t, 0)
            here.append((time.perf_counter() - began) / len(times))
    ms = [1000 * median(each) for each in (here, apart, start)]
    return ms[0], ms[1], ms[2] - ms[1]
