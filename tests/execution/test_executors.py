"""Units of work done one after the other, by processes, by a Dask cluster, in parts."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livewell.errors import ClusterError, ImageContentError, OutputError, SpecError
from livewell.execution.clusters import NO_PAGES, pool_of
from livewell.execution.executors import SERIAL, Executor, PartDone
from livewell.execution.items import MISSING, Item, ItemResults, Journal, Record, map_items
from livewell.progress import Tick

TWO = Executor(workers=2)
Work = Callable[[Item, Tick], Record]


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """Twelve files with one setting."""
    (tmp_path / "in").mkdir()
    for n in range(12):
        (tmp_path / "in" / f"{n}").write_text(f"{n}")
    return [Item(f"{n}", tmp_path / "in" / f"{n}", {"stride_px": 8}) for n in range(12)]


def worked(items: list[Item], out: Path, work: Work, executor: Executor = SERIAL) -> ItemResults:
    """What comes of all items."""
    out.mkdir(exist_ok=True)
    return map_items(items, work, Journal(out), what="working", executor=executor)


def measure(item: Item, _: Tick) -> Record:
    """A row of a file; the file 7 is no good."""
    if item.name == "7":
        raise ImageContentError("no good", where=item.name)
    return {"rows": [{"t": 0, "value": int(item.path.read_text()) / 7}]}


@pytest.fixture
def serial(items: list[Item], tmp_path: Path) -> ItemResults:
    """What comes of all items in one process."""
    return worked(items, tmp_path / "serial", measure)


def alike(one: ItemResults, other: ItemResults) -> None:
    """Both say the same, in the same order."""
    assert one.rows == other.rows
    assert one.failures.to_dict("records") == other.failures.to_dict("records")


def test_parts_make_the_whole(items, serial, tmp_path: Path) -> None:
    """Each unit is in exactly one of five parts; together they say what one call says."""
    made = 0
    for k in (3, 1, 5, 2, 4):
        with pytest.raises(PartDone) as part:
            worked(items, tmp_path / "out", measure, Executor(shard=(k, 5)))
        made += part.value.made
    assert made == 11
    assert (part.value.done, part.value.total) == (11, 12)
    gathered = worked(items, tmp_path / "out", measure, Executor(gather=True))
    assert gathered.made == 0
    alike(gathered, serial)


def test_what_is_missing_is_listed(items, tmp_path: Path) -> None:
    """Gathering does no work: units of parts that were not done are failures that say so."""
    with pytest.raises(PartDone):
        worked(items, tmp_path / "out", measure, Executor(shard=(1, 2)))
    gathered = worked(items, tmp_path / "out", measure, Executor(gather=True))
    errors = gathered.failures.set_index("image")["error"]
    assert len(gathered.records) + len(errors) == 12
    assert (errors == MISSING).sum() == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 0},
        {"workers": 2, "cluster": "slurm", "jobs": 2},
        {"cluster": "dask"},
        {"scheduler": "tcp://127.0.0.1:1"},
        {"partition": "long"},
        {"cluster": "slurm"},
        {"shard": (0, 3)},
        {"shard": (4, 3)},
        {"memory": "8GB"},
    ],
)
def test_settings_that_do_not_belong_together(wrong) -> None:
    """They are refused before any work."""
    with pytest.raises(SpecError):
        Executor(**wrong)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a Dask cluster of one worker with two threads, begun by somebody else."""
    from distributed import LocalCluster

    alone = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "protocol": "tcp"}
    with LocalCluster(**alone, scheduler_kwargs=NO_PAGES) as cluster:
        yield cluster.scheduler_address


@pytest.mark.long
def test_other_processes_say_the_same(items, serial, tmp_path: Path) -> None:
    """Two processes give the rows and failures of one, in its order; each did some of them."""
    found = worked(items, tmp_path / "two", measure, TWO)
    alike(found, serial)
    assert found.made == 11
    writers = {line["by"] for line in Journal(tmp_path / "two").lines()}
    assert len(writers) == 2
    assert not any(f"-{os.getpid()}-" in writer for writer in writers)


def test_a_dask_cluster_says_the_same(items, serial, tmp_path: Path, cluster: str) -> None:
    """So does a cluster that is there already, and its workers may have several threads."""
    executor = Executor(cluster="dask", scheduler=cluster)
    alike(worked(items, tmp_path / "dask", measure, executor), serial)


def test_a_closure_gets_to_other_processes(items, tmp_path: Path, cluster: str) -> None:
    """Work may be a function within a function that holds values."""
    factor = 3

    def scaled(item: Item, _: Tick) -> Record:
        return {"rows": [{"value": factor * int(item.name)}]}

    executor = Executor(cluster="dask", scheduler=cluster)
    rows = worked(items, tmp_path / "out", scaled, executor).rows
    assert [row["value"] for row in rows] == [3 * n for n in range(12)]


def test_what_stops_a_job_stops_it_everywhere(items, tmp_path: Path, cluster: str) -> None:
    """An output that cannot be written in a worker is the error of the call."""

    def full(item: Item, _: Tick) -> Record:
        raise OutputError("no room left", where="disk")

    executor = Executor(cluster="dask", scheduler=cluster)
    with pytest.raises(OutputError, match="disk: no room left"):
        worked(items, tmp_path / "out", full, executor)


def test_a_scheduler_that_is_not_there(items, tmp_path: Path, monkeypatch) -> None:
    """It is told, and nothing waits for ever."""
    monkeypatch.setattr("livewell.execution.clusters.CONNECT_S", 1)
    executor = Executor(cluster="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match="no workers can be had"):
        worked(items, tmp_path / "out", measure, executor)


@pytest.mark.long
def test_others_cannot_use_workers(tmp_path: Path) -> None:
    """The scheduler of `workers` talks to nobody without its key, which another one has not."""
    from distributed import Client, Security

    with pool_of(Executor(workers=1), tmp_path) as pool:
        address = pool.client.scheduler.address
        assert pool.client.submit(os.getpid).result() != os.getpid()
        with pytest.raises(OSError, match="certificate does not match"):
            Client(address, security=Security.temporary(), timeout=5)
        with pytest.raises(OSError):  # noqa: PT011 - reset, closed or timed out, as it happens
            Client(address.replace("tls:", "tcp:"), timeout=5)


@pytest.mark.long
def test_a_killed_worker_loses_nothing(items, serial, tmp_path: Path) -> None:
    """Workers that are killed once while they are at a unit: it is done again, by another."""
    marks = tmp_path / "marks"
    marks.mkdir()

    def work(item: Item, tick: Tick) -> Record:
        mark = marks / item.name
        if item.name in ("2", "5") and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return measure(item, tick)

    alike(worked(items, tmp_path / "out", work, TWO), serial)


@pytest.mark.long
def test_a_unit_that_kills_its_worker_each_time(items, serial, tmp_path: Path) -> None:
    """It fails and says so; what happened to be beside it does not, and is not done twice."""

    def work(item: Item, tick: Tick) -> Record:
        if item.name == "4":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        return measure(item, tick)

    found = worked(items, tmp_path / "out", work, TWO)
    assert found.rows == [row for row in serial.rows if row["image"] != "4"]
    errors = found.failures.set_index("image")["error"]
    assert list(errors.index) == ["4", "7"]
    assert "was killed" in errors["4"]
    gathered = worked(items, tmp_path / "out", work, Executor(gather=True))
    alike(gathered, found)


def test_a_unit_that_kills_a_process_without_workers(items, serial, tmp_path: Path) -> None:
    """The same command leaves it for last, gives up after three, and tries it when asked again."""

    def work(item: Item, tick: Tick) -> Record:
        if item.name == "4":
            os.kill(os.getpid(), signal.SIGKILL)
        return measure(item, tick)

    out, codes = tmp_path / "out", []
    out.mkdir()
    for _ in range(4):
        process = os.fork()
        if process == 0:
            worked(items, out, work)
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
    assert codes == [-signal.SIGKILL] * 3 + [0]
    gathered = worked(items, out, work, Executor(gather=True))
    assert gathered.rows == [row for row in serial.rows if row["image"] != "4"]
    errors = gathered.failures.set_index("image")["error"]
    assert "3 processes were killed" in errors["4"]
    alike(worked(items, out, measure), serial)


def test_a_stopped_process_is_no_fault_of_a_unit(items, serial, tmp_path: Path) -> None:
    """Whoever stops a command four times at one unit finds it done by the fifth."""

    def work(item: Item, tick: Tick) -> Record:
        raise KeyboardInterrupt

    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            worked(items, tmp_path / "out", work)
    alike(worked(items, tmp_path / "out", measure), serial)
