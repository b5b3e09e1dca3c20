"""Units of work done by other processes: on this machine, by a Dask cluster, or in SLURM jobs.

A `distributed` scheduler deals units out. There are never more underway than there are workers, so
memory stays bounded, and a worker that dies was at one unit. A unit whose workers die again and
again is tried once more alone, when all others are done; if they still die it has failed, and what
happened to be beside it has not.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from livewell.errors import ClusterError, LivewellError
from livewell.execution.clusters import Pool, pool_of
from livewell.execution.executors import Executor
from livewell.execution.journal import Item
from livewell.execution.units import Outcome, Unit
from livewell.progress import Tick

POLL_S = 1.0
"""How often it is looked which workers there are."""
KILLED = (
    "its worker was killed {times} times while it was at this image, the last times with nothing"
    " beside it. What to do: it probably needs more memory than there is; give workers more"
    " (--memory), take fewer (--workers), or give SLURM jobs more time (--walltime)"
)
Take = Callable[[Item, Outcome], None]
_BUSY = threading.Lock()
_received: list[tuple[bytes, Unit]] = []


def distribute(
    todo: Sequence[Item], unit: Unit, executor: Executor, tick: Tick, take: Take
) -> None:
    """Have units done elsewhere, and take what comes of each as soon as it is done.

    Raises
    ------
    ClusterError
        There is no scheduler, no worker, or none any more.
    """
    import cloudpickle

    sent = cloudpickle.dumps(unit)
    with pool_of(executor, unit.folder) as pool:
        _Round(pool, sent, unit, executor, tick, take).go(todo)


class _Round:
    """All units once, and those that may have killed their workers alone."""

    def __init__(
        self, pool: Pool, sent: bytes, unit: Unit, executor: Executor, tick: Tick, take: Take
    ) -> None:
        self.pool, self.unit, self.executor = pool, unit, executor
        self.tick, self.take = tick, take
        self.client = pool.client
        # a task of its own, which the scheduler has done again where its result was lost
        self.work = self.client.submit(_same, sent, pure=False)
        self.ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.underway: dict[Any, Item] = {}
        self.suspects: deque[Item] = deque()
        self.killed: dict[str, int] = {}
        self.seen, self.why = time.monotonic(), ""

    def go(self, todo: Sequence[Item]) -> None:
        """Do all units."""
        waiting, workers, looked = deque(todo), 0, 0.0
        try:
            while waiting or self.underway or self.suspects:
                if time.monotonic() - looked > POLL_S or not workers:
                    workers, looked = self._workers(), time.monotonic()
                while waiting and len(self.underway) < workers:
                    self._submit(waiting.popleft())
                if self.suspects and not waiting and not self.underway and workers:
                    self._submit(self.suspects.popleft())
                try:
                    self._end(self.ended.get(timeout=POLL_S))
                except queue.Empty:
                    continue
        finally:
            for future in self.underway:
                future.cancel()

    def _submit(self, item: Item) -> None:
        future = self.client.submit(_done, self.work, item, pure=False)
        self.underway[future] = item
        future.add_done_callback(self.ended.put)

    def _end(self, future: Any) -> None:
        """Take what came of a unit; what stops the run is raised."""
        from distributed import KilledWorker

        item = self.underway.pop(future)
        if future.status == "cancelled":
            raise _lost(self.executor)
        if future.status == "finished":
            self.take(item, future.result())
            self.tick(note=item.name)
            return
        error = future.exception()
        if not isinstance(error, KilledWorker):
            raise error if isinstance(error, BaseException) else RuntimeError(str(error))
        before = self.killed.get(item.name, 0)
        self.killed[item.name] = before + error.allowed_failures + 1
        if not before:
            self.suspects.append(item)
            return
        told = KILLED.format(times=self.killed[item.name])
        self.take(item, self.unit.failed(item.asked, f"{item.name}: {told}"))
        self.tick(note=item.name)

    def _workers(self) -> int:
        """How many workers there are now; none for too long is an error."""
        try:
            number = len(self.client.nthreads())
        except Exception as error:
            raise _lost(self.executor) from error
        now = time.monotonic()
        if number:
            self.seen = now
        else:
            self.tick(0, f"waiting for a worker {self.why}".strip())
        if now - self.seen > self.executor.longest_wait_s:
            raise ClusterError(
                f"no worker for {now - self.seen:.0f} s",
                where=self.executor.scheduler or self.executor.partition or "this machine",
                got=self.why,
                remedy="see whether workers can start there; then give the same command again,"
                " which goes on",
            )
        self.why = self.pool.renew()
        return number


def _lost(executor: Executor) -> LivewellError:
    return ClusterError(
        "the scheduler does not answer any more",
        where=executor.scheduler or "",
        remedy="begin it again, then give the same command again, which goes on: what was done is"
        " kept",
    )


def _same(sent: bytes) -> bytes:
    return sent


def _done(sent: bytes, item: Item) -> Outcome:
    """Do a unit in a worker, which does one at a time however many threads it has."""
    with _BUSY:
        if not _received or _received[0][0] != sent:
            _received[:] = [(sent, _unpacked(sent))]
        return _received[0][1](item, _ignored)


def _unpacked(sent: bytes) -> Unit:
    import sys

    import cloudpickle

    unit: Unit = cloudpickle.loads(sent)
    if "torch" in sys.modules:
        # as many processes compute as there are workers; results do not depend on threads
        sys.modules["torch"].set_num_threads(1)
    return unit


def _ignored(done: float = 1, note: str = "") -> None:
    """Parts of a unit in another process are not told."""
