"""Workers of this machine, of a Dask cluster or of SLURM jobs, and a client of their scheduler."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewell.errors import ClusterError, LivewellError
from livewell.execution.executors import Executor
from livewell.execution.slurm import jobs_end_early, queued, slurm_cluster

CONNECT_S, RENEW_S = 30, 10.0
"""How long a scheduler may take to answer; how often it is looked whether workers are gone."""
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
    """A client of the scheduler, and what replaces workers that are gone.

    `renew` says why there may be none yet, where that is known.
    """

    client: Any
    renew: Callable[[], str]


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
        # what happens to workers is told by livewell
        for log in map(logging.getLogger, ("distributed", "asyncio")):
            stack.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)
        cluster: Any = None
        logs = folder / "units" / "logs"
        try:
            if executor.cluster == "slurm":
                cluster = stack.enter_context(slurm_cluster(executor, logs, SETTINGS, NO_PAGES))
            elif executor.cluster is None:
                cluster = stack.enter_context(_local(executor))
            if cluster is not None:
                client = stack.enter_context(cluster.get_client())
            else:
                client = stack.enter_context(_connected(str(executor.scheduler)))
        except LivewellError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                "no workers can be had here",
                where=executor.scheduler or executor.partition or "this machine",
                got=" ".join(str(error).split()) or type(error).__name__,
                remedy="see whether the scheduler runs and its address is right"
                if executor.cluster == "dask"
                else "see what is said above; without --workers and --cluster this process works",
            ) from error
        yield Pool(client, _renewal(client, cluster, executor, logs))


def _connected(scheduler: str) -> Any:
    """A client of a scheduler by its address, or by the file that it wrote."""
    from distributed import Client

    client: Any = Client
    if "://" not in scheduler and Path(scheduler).is_file():
        return client(scheduler_file=scheduler, timeout=CONNECT_S)
    return client(scheduler, timeout=CONNECT_S)


def _local(executor: Executor) -> Any:
    from distributed import LocalCluster, Security

    cluster: Any = LocalCluster
    keys: Any = Security
    return cluster(
        n_workers=executor.workers,
        threads_per_worker=1,
        processes=True,
        scheduler_kwargs=NO_PAGES,
        memory_limit=executor.memory or 0,
        # others who use this machine reach its ports too
        security=keys.temporary(),
        silence_logs=logging.CRITICAL,
    )


def _renewal(client: Any, cluster: Any, executor: Executor, logs: Path) -> Callable[[], str]:
    """What begins workers anew in place of those that ended and do not come back."""
    looked, missed, ended, why = time.monotonic(), set[Any](), 0, ""

    def renew() -> str:
        nonlocal looked, missed, ended, why
        if time.monotonic() - looked < RENEW_S:
            return why
        looked = time.monotonic()
        there = {each["name"] for each in client.scheduler_info(n_workers=-1)["workers"].values()}
        missing = {name: worker for name, worker in cluster.workers.items() if name not in there}
        jobs = queued() if executor.cluster == "slurm" else {}
        if jobs is None:
            why = "SLURM does not answer"
            return why
        if executor.cluster == "slurm":
            # jobs that wait in a queue are left there
            gone = {name: it for name, it in missing.items() if str(it.job_id) not in jobs}
            waits = {jobs[str(it.job_id)] for name, it in missing.items() if name not in gone}
            why = ", ".join(sorted(waits - {"None"}))
            ended = 0 if there else ended + len(gone)
            jobs_end_early(ended, executor, logs)
        else:
            # a process of this machine has had its time
            gone = {name: it for name, it in missing.items() if name in missed}
        for name, worker in gone.items():
            cluster.workers.pop(name, None)
            cluster.loop.add_callback(worker.close)
        missed = set(missing) - set(gone)
        cluster.scale(executor.jobs or executor.workers)
        return why

    return renew if cluster is not None else lambda: ""
