"""What every test may use."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from benchmarks.postgresql import server
from livewell.images.tiff.ifd import TiffBytes
from livewell.study.study import Study
from livewell.workflows.index import index
from tests.execution.slurm import Slurm, cluster, missing

ROOT = Path(__file__).parents[1]

# speed is a matter of benchmarks: on a busy machine any example may take its time
hypothesis.settings.register_profile("livewell", deadline=None, max_examples=25)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=300)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "livewell"))

PIXEL_UM, FRAME_S = 0.5, 600.0
GRAIN_PX = {"healthy": 2.5, "sick": 1.0, "middle": 1.6}
"""Coarseness of the texture of painted cells: what tells the classes apart."""

Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images beside the checkout; skips where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def shared_formats() -> Path:
    """The folder of small files of many formats beside the checkout; skips where it is absent."""
    folder = ROOT.parent / "shared" / "formats"
    if not folder.is_dir():
        pytest.skip(f"no files of other formats: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def paint() -> Painter:
    """Painter of movies: noise with blobs of texture, coarse where healthy and fine where sick."""

    def movie(
        state: str, seed: int, shape: tuple[int, int, int] = (3, 128, 192)
    ) -> NDArray[np.uint16]:
        rng = np.random.default_rng(seed)
        centres = np.zeros(shape[1:])
        for y in range(32, shape[1], 64):
            for x in range(32, shape[2], 64):
                centres[y + rng.integers(-6, 7), x + rng.integers(-6, 7)] = 1
        inside = ndimage.gaussian_filter(centres, 9) * 2 * np.pi * 81
        frames = rng.normal(1000, 6, shape)
        for frame in frames if state in GRAIN_PX else []:
            grain = ndimage.gaussian_filter(rng.normal(size=shape[1:]), GRAIN_PX[state])
            frame += 120 * inside * grain / grain.std()
        return frames.round().astype(np.uint16)

    return movie


@pytest.fixture(scope="session")
def write_movie() -> Writer:
    """Writer of OME-TIFF movies with one channel, pixel size and frame interval inside."""

    def write(
        path: Path,
        frames: NDArray[Any],
        pixel_um: float | None = PIXEL_UM,
        channel: str = "phase contrast",
    ) -> Path:
        metadata: dict[str, Any] = {"axes": "TYX", "Channel": {"Name": [channel]}}
        metadata |= {"TimeIncrement": FRAME_S, "TimeIncrementUnit": "s"}
        for axis in "XY" if pixel_um else "":
            metadata |= {f"PhysicalSize{axis}": pixel_um, f"PhysicalSize{axis}Unit": "µm"}
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, frames, ome=True, photometric="minisblack", metadata=metadata)
        return path

    return write


@pytest.fixture(scope="session")
def plate(tmp_path_factory: pytest.TempPathFactory, paint: Painter, write_movie: Writer) -> Path:
    """A plate of eleven wells (rows A healthy, B sick, C01 between) and its ``plate.csv``."""
    folder = tmp_path_factory.mktemp("plate")
    wells = [(f"A{i:02}", 0, "healthy") for i in range(1, 6)]
    wells += [(f"B{i:02}", 30, "sick") for i in range(1, 6)]
    wells += [("C01", 10, "middle")]
    for seed, (well, _, state) in enumerate(wells):
        write_movie(folder / "images" / f"{well}_p1.ome.tif", paint(state, seed))
    lines = [f"{well},{dose},s,{state}" for well, dose, state in wells]
    (folder / "plate.csv").write_text("\n".join(["well,dose,dose_unit,look", *lines, ""]))
    return folder


@pytest.fixture
def states(tmp_path: Path) -> Study:
    """A study of fifteen wells with one small picture each, by whose column state five are
    healthy, five sick and five dead."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    rows = ["image,well,state"]
    for row, state in (("A", "healthy"), ("B", "sick"), ("C", "dead")):
        for number in range(1, 6):
            name = f"{row}{number:02}_{state}.tif"
            picture = rng.integers(100, 200, (64, 64), np.uint16)
            tifffile.imwrite(tmp_path / "images" / name, picture)
            rows.append(f"{name},{row}{number:02},{state}")
    (tmp_path / "plate.csv").write_text("\n".join([*rows, ""]))
    return index(tmp_path / "images", tmp_path / "study", metadata=tmp_path / "plate.csv").study


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the image files that are opened from now on."""
    names: list[str] = []
    original = TiffBytes.__init__

    def counting(self: TiffBytes, path: Path) -> None:
        names.append(path.name.split(".")[0])
        original(self, path)

    monkeypatch.setattr(TiffBytes, "__init__", counting)
    return names


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests measure of the machine is not remembered for the user."""
    os.environ["LIVEWELL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def _scored(
    rng: np.random.Generator,
    groups: int = 12,
    patches: int = 40,
    *,
    pure: bool = False,
    group_sd: float = 0.7,
    signal: float = 0.85,
) -> pd.DataFrame:
    group = np.repeat(np.arange(groups), patches)
    y = group % 2 if pure else rng.integers(0, 2, groups * patches)
    logit = rng.normal(0, group_sd, groups)[group] + rng.normal(size=len(group))
    logit += signal * (2 * y - 1)
    p = expit(logit)
    names = [f"g{number:03d}" for number in group]
    return pd.DataFrame(
        {"group": names, "y": y, "p": p, "called": (p >= 0.5).astype(int), "logit": logit}
    )


@pytest.fixture(scope="session")
def scored() -> Callable[..., pd.DataFrame]:
    """Makes outcomes with a random effect of the group on the logit.

    ``scored(rng, groups, patches, pure=..., group_sd=..., signal=...)``: with `pure` every group
    holds one class only, as wells of one dose do; `group_sd` is the spread between groups and
    `signal` half the distance between classes, in units of the patches' noise.
    """
    return _scored


@pytest.fixture(scope="session")
def databases() -> Iterator[Callable[[str], str]]:
    """Makes databases on a PostgreSQL server of this session; skips where there is none."""
    with server() as address:
        if address is None:
            pytest.skip("no PostgreSQL server: install the package postgresql")
        yield address


@pytest.fixture
def postgresql(databases: Callable[[str], str]) -> str:
    """Address of an empty database on the server."""
    return databases(f"t{uuid4().hex}")


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A SLURM cluster of two nodes on this machine; skips where its programs are absent."""
    if absent := missing():
        pytest.skip(f"no SLURM: install the packages slurm-wlm and munge ({absent})")
    with cluster() as made:
        yield made
