"""Units of work in jobs of a real SLURM cluster."""

from pathlib import Path

import pytest

from livewell.errors import ClusterError
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.items import Item, ItemResults, Journal, Record, map_items
from livewell.progress import Tick
from tests.execution.slurm import Slurm, until

pytestmark = pytest.mark.long
JOBS = Executor(cluster="slurm", partition="all", jobs=2, walltime="00:10:00", memory="1GB")


@pytest.fixture(autouse=True)
def _environment(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process finds the cluster as a user's does."""
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)


def worked(tmp_path: Path, executor: Executor) -> ItemResults:
    """What comes of six files."""
    files = tmp_path / "in"
    files.mkdir(exist_ok=True)
    for n in range(6):
        (files / f"{n}").write_text(f"{n}")
    items = [Item(f"{n}", files / f"{n}", {}) for n in range(6)]

    def work(item: Item, tick: Tick) -> Record:
        return {"rows": [{"t": 0, "value": int(item.path.read_text()) / 7}]}

    out = tmp_path / (executor.cluster or "serial")
    out.mkdir()
    return map_items(items, work, Journal(out), what="working", executor=executor)


def test_jobs_say_the_same(slurm: Slurm, tmp_path: Path) -> None:
    """Jobs give the rows of one process, in its order, and are gone when all is done."""
    assert worked(tmp_path, JOBS).rows == worked(tmp_path, SERIAL).rows
    until(lambda: not slurm.jobs())
    assert not slurm.jobs()
    assert not list((tmp_path / "slurm" / "units" / "logs").glob("keys-*")), "keys of workers"


def test_jobs_that_slurm_refuses(slurm: Slurm, tmp_path: Path) -> None:
    """What SLURM has against them is told at once, and no job is left."""
    wrong = Executor(cluster="slurm", partition="nowhere", jobs=2)
    with pytest.raises(ClusterError, match="invalid partition specified: nowhere"):
        worked(tmp_path, wrong)
    assert not slurm.jobs()


def test_jobs_that_end_at_once(slurm: Slurm, tmp_path: Path, monkeypatch) -> None:
    """Where no worker can begin on the nodes, jobs are not begun for ever; the log is named."""
    monkeypatch.setattr("livewell.execution.slurm.sys.executable", "/nowhere/python")
    monkeypatch.setattr("livewell.execution.clusters.RENEW_S", 2.0)
    with pytest.raises(ClusterError, match="ended before their worker began") as error:
        worked(tmp_path, JOBS)
    assert "/nowhere/python" in str(error.value)
