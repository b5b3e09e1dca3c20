"""A plate as OME-Zarr by all executors: byte by byte the tables and the page of one process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.plate_store import PIXEL_UM, plate_store
from livewell.execution.clusters import NO_PAGES
from livewell.execution.executors import Executor, PartDone
from livewell.plate import PLATES
from livewell.workflows.assess import assess
from tests.execution.slurm import Slurm, until

pytestmark = pytest.mark.long
SHARDS = 16
Way = Callable[..., None]


@pytest.fixture(
    scope="module", params=[(24, 2), pytest.param((384, 4), marks=pytest.mark.minutes)], ids=str
)
def store(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wells and fields a well; all fields differ."""
    wells, fields = request.param
    folder = tmp_path_factory.mktemp("stores") / "plate.zarr"
    plate_store(folder, plate=PLATES[wells], fields=fields, size_px=128)
    return folder


@pytest.fixture(scope="module")
def whole(store: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("whole") / "out"
    judged = assess(store, model, out, pixel_um=PIXEL_UM, device="cpu").verdicts
    assert judged["image"].nunique() == len(judged) > 0
    return out


@pytest.fixture(params=["workers", "dask", "slurm", "shards"])
def way(request, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """Judges a plate by two processes, workers of a Dask cluster, SLURM jobs, or in 16 parts."""
    if request.param == "workers":
        yield lambda **how: assess(**how, executor=Executor(workers=2))
    elif request.param == "shards":
        yield in_shards
    elif request.param == "slurm":
        slurm: Slurm = request.getfixturevalue("slurm")
        for name, value in slurm.environment.items():
            monkeypatch.setenv(name, value)
        jobs = Executor(cluster="slurm", partition="all", jobs=2, walltime="00:30:00")
        yield lambda **how: assess(**how, executor=jobs)
        until(lambda: not slurm.jobs())
        assert not slurm.jobs()
    else:
        from distributed import LocalCluster

        with LocalCluster(n_workers=2, threads_per_worker=1, scheduler_kwargs=NO_PAGES) as dask:
            address = dask.scheduler_address
            yield lambda **how: assess(**how, executor=Executor(cluster="dask", scheduler=address))


def in_shards(**how: object) -> None:
    """All parts, the last one first, then what gathers them."""
    for k in range(SHARDS, 0, -1):
        with pytest.raises(PartDone):
            assess(**how, executor=Executor(shard=(k, SHARDS)))
    assess(**how, executor=Executor(gather=True))


def test_a_plate_is_judged_alike(store: Path, model: Path, whole: Path, way, tmp_path) -> None:
    """Whoever judges it, tables and page are the same to the byte."""
    out = tmp_path / "out"
    way(images=store, model=model, out=out, pixel_um=PIXEL_UM, device="cpu")
    names = {path.name for path in whole.iterdir() if path.suffix in (".csv", ".html")}
    assert {"verdicts.csv", "failures.csv", "report.html"} <= names
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
