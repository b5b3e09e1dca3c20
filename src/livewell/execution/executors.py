"""Where units of work are done: in this process, in several, on a cluster, or a part of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from livewell.errors import SpecError

T = TypeVar("T")
Cluster = Literal["dask", "slurm"]
HOUR_S = 3600.0
WAIT_S = {"dask": 60.0, "slurm": 24 * HOUR_S}
"""How long no worker may be there before a run gives up: jobs may have to queue for hours."""


@dataclass(frozen=True, slots=True)
class Executor:
    """Where the units of a run are done; by default one after the other in this process.

    Parameters
    ----------
    workers
        So many processes of this machine, each of which reads, decodes and computes.
    cluster
        ``dask``: the workers of a Dask scheduler; ``slurm``: jobs of a SLURM cluster, begun now.
    scheduler
        Address of the Dask scheduler, or path of its scheduler file.
    partition, jobs, walltime, memory, account
        Of SLURM: where jobs queue, how many with one process each, their longest time
        (``HH:MM:SS``) and memory (such as ``8GB``), and who is charged. Jobs that end before the
        run are replaced.
    shard
        (k, n): only the k-th of n parts, 1 <= k <= n. The part of a unit is its place among the
        sorted names modulo n. Tables and page are made by a later call without a shard.
    gather
        Do nothing; what has no record is listed as missing.
    wait_s
        How long to wait while no worker is there; by default `WAIT_S`.

    Raises
    ------
    SpecError
        Settings that do not belong together, or no such part.
    """

    workers: int | None = None
    cluster: Cluster | None = None
    scheduler: str | None = None
    partition: str | None = None
    jobs: int | None = None
    walltime: str | None = None
    memory: str | None = None
    account: str | None = None
    shard: tuple[int, int] | None = None
    gather: bool = False
    wait_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what does not belong together, all of it at once."""
        faults = []
        if self.workers is not None and self.workers < 1:
            faults.append("workers: at least 1")
        if self.workers is not None and self.cluster is not None:
            faults.append("workers are of this machine, and a cluster has its own")
        if self.cluster not in (None, "dask", "slurm"):
            faults.append("cluster: dask or slurm")
        if (self.cluster == "dask") != (self.scheduler is not None):
            faults.append("cluster dask and scheduler: both or none")
        slurm = (self.partition, self.jobs, self.walltime, self.account)
        if self.cluster != "slurm" and any(value is not None for value in slurm):
            faults.append("partition, jobs, walltime, account: only with cluster slurm")
        if self.cluster == "slurm" and (self.jobs or 0) < 1:
            faults.append("cluster slurm: jobs, at least 1")
        if self.memory is not None and self.workers is None and self.cluster != "slurm":
            faults.append("memory: only with workers or cluster slurm")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            faults.append("shard: k of n, 1 <= k <= n, such as 3/20")
        if faults:
            raise SpecError("where to work is not said clearly", expected="; ".join(faults))

    @property
    def is_serial(self) -> bool:
        """Whether units are done in this process."""
        return self.workers is None and self.cluster is None

    @property
    def longest_wait_s(self) -> float:
        """How long to wait while no worker is there."""
        return self.wait_s or WAIT_S.get(self.cluster or "dask", WAIT_S["dask"])

    def part(self, names: Sequence[str]) -> set[str]:
        """Names of the units of this part."""
        if self.shard is None:
            return set(names)
        k, n = self.shard
        return set(sorted(names)[k - 1 :: n])


SERIAL = Executor()
"""One unit after the other, in this process."""


class PartDone(Exception):  # noqa: N818 - it is an end, not an error
    """Ends a call whose executor has a `shard`: its units are done, and no tables were made.

    Parameters
    ----------
    made, failed, kept
        Units of this part that were done now, that failed, that were done before.
    done, total
        Units of the whole that have a record, and how many there are.
    """

    def __init__(self, made: int, failed: int, kept: int, done: int, total: int) -> None:
        self.made, self.failed, self.kept = made, failed, kept
        self.done, self.total = done, total
        super().__init__(
            f"{made:,} done, {kept:,} kept from before, {failed:,} failed in this part; "
            f"{done:,} of {total:,} of the whole are done"
        )
