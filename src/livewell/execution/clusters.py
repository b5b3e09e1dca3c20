"""Workers of this machine, of a Dask cluster or of SLURM jobs, and a client of their scheduler."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewell.errors import ClusterError
from livewell.execution.executors import Executor

CONNECT_S, RENEW_S = 30, 10.0
"""How long a scheduler may take to answer; how often it is looked whether workers are gone."""
DEFAULT_MEMORY = "4GB"
"""Of a SLURM job, where nothing else is said."""
NO_PAGES = {"dashboard": False, "dashboard_address": ":0"}
"""A scheduler shows no pages, and takes any free port for the rest."""
KILLS = 3
"""A unit that was underway when so many workers died, and one more, is looked at alone."""
SETTINGS = {
    "distributed.scheduler.allowed-failures": KILLS,
    # a worker that waits for memory that nobody frees would wait for ever
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.worker.profile.enabled": False,
}


@dataclass(frozen=True, slots=True)
class Pool:
    """A client of the scheduler, and what replaces workers that are gone."""

    client: Any
    renew: Callable[[], None]


@contextmanager
def pool_of(executor: Executor, folder: Path) -> Iterator[Pool]:
    """The workers of an executor, as long as the block lasts; `folder` takes logs of jobs.

    Raises
    ------
    ClusterError
        They cannot be had.
    """
    import dask
    import distributed  # first, for its defaults would go with these settings

    del distributed
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        stack.callback(logging.getLogger("distributed").setLevel, logging.WARNING)
        # what happens to workers is told by livewell
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        cluster: Any = None
        try:
            if executor.cluster == "slurm":
                cluster = stack.enter_context(_slurm(executor, folder / "units" / "logs"))
            elif executor.cluster is None:
                cluster = stack.enter_context(_local(executor))
            if cluster is not None:
                client = stack.enter_context(cluster.get_client())
            else:
                client = stack.enter_context(_connected(str(executor.scheduler)))
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                "no workers can be had here",
                where=executor.scheduler or executor.partition or "this machine",
                got=" ".join(str(error).split()) or type(error).__name__,
                remedy="see whether the scheduler runs and its address is right"
                if executor.cluster == "dask"
                else "see what is said above; without --workers and --cluster this process works",
            ) from error
        yield Pool(client, _renewal(client, cluster, executor))


def _connected(scheduler: str) -> Any:
    """A client of a scheduler by its address, or by the file that it wrote."""
    from distributed import Client

    client: Any = Client
    if "://" not in scheduler and Path(scheduler).is_file():
        return client(scheduler_file=scheduler, timeout=CONNECT_S)
    return client(scheduler, timeout=CONNECT_S)


def _local(executor: Executor) -> Any:
    from distributed import LocalCluster

    cluster: Any = LocalCluster
    return cluster(
        n_workers=executor.workers,
        threads_per_worker=1,
        processes=True,
        scheduler_kwargs=NO_PAGES,
        memory_limit=executor.memory or 0,
        silence_logs=logging.CRITICAL,
    )


def _slurm(executor: Executor, logs: Path) -> Any:
    from dask_jobqueue.slurm import SLURMCluster

    logs.mkdir(parents=True, exist_ok=True)
    quiet = [
        f"export DASK_{name.upper().replace('.', '__').replace('-', '_')}={value}"
        for name, value in SETTINGS.items()
    ]
    cluster: Any = SLURMCluster(
        queue=executor.partition,
        account=executor.account,
        cores=1,
        processes=1,
        memory=executor.memory or DEFAULT_MEMORY,
        walltime=executor.walltime,
        python=sys.executable,
        log_directory=str(logs),
        job_name="livewell",
        job_script_prologue=quiet,
        silence_logs="critical",
        scheduler_options=NO_PAGES,
    )
    cluster.scale(executor.jobs)
    return cluster


def _renewal(client: Any, cluster: Any, executor: Executor) -> Callable[[], None]:
    """What begins workers anew in place of those that ended and do not come back."""
    looked, missed = time.monotonic(), set[Any]()

    def renew() -> None:
        nonlocal looked, missed
        if time.monotonic() - looked < RENEW_S:
            return
        looked = time.monotonic()
        there = {each["name"] for each in client.scheduler_info(n_workers=-1)["workers"].values()}
        missing = {name: worker for name, worker in cluster.workers.items() if name not in there}
        queued = _queued() if executor.cluster == "slurm" else None
        # jobs that wait in a queue are left there; a process of this machine has had its time
        gone = {
            name: worker
            for name, worker in missing.items()
            if (name in missed if queued is None else str(worker.job_id) not in queued)
        }
        for name, worker in gone.items():
            cluster.workers.pop(name, None)
            cluster.loop.add_callback(worker.close)
        missed = set(missing) - set(gone)
        cluster.scale(executor.jobs or executor.workers)

    return renew if cluster is not None else lambda: None


def _queued() -> Container[str]:
    """Numbers of the user's SLURM jobs that wait or run; all where SLURM does not answer."""
    try:
        told = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%A"],  # noqa: S607  (as PATH finds it)
            capture_output=True,
            text=True,
            timeout=CONNECT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return _Every()
    return set(told.stdout.split())


class _Every(Container[str]):
    """Holds every number."""

    def __contains__(self, _: object) -> bool:
        return True
