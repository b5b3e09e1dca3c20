"""Seconds to the first page of a large study, and of sequences of frames for many people."""

import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from queue import Queue
from shutil import rmtree

import httpx
import numpy as np
import tifffile

from benchmarks.result import Result
from livewell.study.study import Study
from livewell.web.addresses import listening
from livewell.web.serving import ServeSettings, server_of, site_for
from livewell.workflows.index import index

SIZE_PX, WELLS, LETTERS = 64, 384, "ABCDEFGHIJKLMNOP"
MOVIES, FRAMES, MOVIE_PX, CROP_PX = 40, 30, 1024, 256
PEOPLE, EACH, PACE_S = 50, 12, 1.0
"""People at once, sequences of each, and the seconds that each looks at one."""
SEQUENCE = 10


def first_page(*, runs: Path, images: int = 10_000, seed: int = 0) -> Result:
    """The first page of plates and of a list, thumbnails, and sequences for `PEOPLE`."""
    rng = np.random.default_rng(seed)
    plates, listed = _many(runs / "plates", images, rng), _many(runs / "list", images, rng, "")
    rows = [
        [f"plate of {WELLS} wells, {images:,} images", *_pages(plates)],
        [f"list, {images:,} images without wells", *_pages(listed)],
    ]
    seconds = _sequences(_movies(runs / "movies", rng), seed)
    median, slow = (float(np.percentile(seconds, q)) * 1000 for q in (50, 95))
    return Result(
        title="The site's first page",
        header="study | first page of a new server | the same again | first 200 thumbnails made",
        rows=rows,
        lead=f"TIFFs of {SIZE_PX} x {SIZE_PX} px, 16 bit. A server that has just begun, asked by"
        " one browser.",
        notes=[
            f"{PEOPLE} people at once, each {EACH} sequences of {SEQUENCE} frames of {CROP_PX} x"
            f" {CROP_PX} px out of movies of {MOVIE_PX} x {MOVIE_PX} px, {PACE_S:g} s apart: median"
            f" {median:.0f} ms, 95th percentile {slow:.0f} ms, on the machine that also ran the"
            " browsers."
        ],
        values={"median_ms": median, "p95_ms": slow},
    )


def _many(folder: Path, count: int, rng: np.random.Generator, well: str = "{well}_") -> Study:
    """Small images; `well` of each in its name where they are on plates."""
    if not (folder / "study" / "fields.parquet").is_file():
        images = folder / "images"
        images.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(500, 4000, (16, SIZE_PX, SIZE_PX)).astype(np.uint16)
        for number in range(count):
            row, column = divmod(number % WELLS, WELLS // len(LETTERS))
            place = f"{LETTERS[row]}{column + 1:02d}_" if well else ""
            name = f"{place}p{number // WELLS if well else number}.tif"
            tifffile.imwrite(images / name, noise[number % len(noise)])
        index(images, folder / "study", pattern=well + "p{position:int}.tif")
    return Study.open(folder / "study")


def _movies(folder: Path, rng: np.random.Generator) -> Study:
    if not (folder / "study" / "fields.parquet").is_file():
        images = folder / "images"
        images.mkdir(parents=True, exist_ok=True)
        for number in range(MOVIES):
            movie = rng.integers(500, 4000, (FRAMES, MOVIE_PX, MOVIE_PX)).astype(np.uint16)
            path = images / f"m{number:02d}.tif"
            tifffile.imwrite(path, movie, imagej=True, metadata={"axes": "TYX"})
        index(images, folder / "study")
    return Study.open(folder / "study")


def _serve(folder: Path, said: "multiprocessing.Queue[str]") -> None:
    """A server of its own process; says its link."""
    settings = ServeSettings(port=0)
    with listening(settings.host, 0) as bound:
        site = site_for(Study.open(folder), settings, bound.getsockname()[1])
        server_of(site, settings, lambda: said.put(site.link)).run([bound])


class _Server:
    """A server in a process of its own, and clients that are signed in."""

    def __init__(self, study: Study) -> None:
        context = multiprocessing.get_context("spawn")
        said: multiprocessing.Queue[str] = context.Queue()
        self._process = context.Process(target=_serve, args=(study.folder, said), daemon=True)
        self._process.start()
        self._link = said.get(timeout=120)

    def client(self) -> httpx.Client:
        """A browser of the owner."""
        base = self._link.rpartition("/open/")[0]
        made = httpx.Client(base_url=base, follow_redirects=True, timeout=60)
        made.get(self._link).raise_for_status()
        return made

    def __enter__(self) -> "_Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(30)


def _timed(client: httpx.Client, address: str) -> float:
    began = time.perf_counter()
    client.get(address).raise_for_status()
    return time.perf_counter() - began


def _pages(study: Study) -> list[str]:
    """Seconds of the first page, of the same again, and of its thumbnails."""
    rmtree(study.folder / "site" / "thumbnails", ignore_errors=True)
    with _Server(study) as server, closing(server.client()) as client:
        first, again = _timed(client, "/"), _timed(client, "/")
        began = time.perf_counter()
        with ThreadPoolExecutor(6) as pool:  # as browsers do
            list(pool.map(lambda n: _timed(client, f"/image/{n}/thumbnail"), range(200)))
        return [f"{first:.2f} s", f"{again:.2f} s", f"{time.perf_counter() - began:.1f} s"]


def _sequences(study: Study, seed: int) -> Sequence[float]:
    """Seconds of every sequence, of all people."""
    found: Queue[float] = Queue()
    with _Server(study) as server:
        server.client().close()  # the owner is there, before all come at once

        def looks(person: int) -> None:
            rng = np.random.default_rng([seed, person])
            with closing(server.client()) as client:
                time.sleep(rng.uniform(0, PACE_S))
                for _ in range(EACH):
                    image, t = rng.integers(MOVIES), rng.integers(FRAMES - SEQUENCE)
                    y, x = rng.integers(MOVIE_PX - CROP_PX, size=2)
                    box = f"y0={y}&x0={x}&y1={y + CROP_PX}&x1={x + CROP_PX}"
                    address = f"/image/{image}/pixels?t={t}&frames={SEQUENCE}&{box}"
                    took = _timed(client, address)
                    found.put(took)
                    time.sleep(max(PACE_S - took, 0))

        with ThreadPoolExecutor(PEOPLE) as pool:
            list(pool.map(looks, range(PEOPLE)))
    return list(found.queue)
