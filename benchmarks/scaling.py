"""Fields a second against processes, and what a cluster would do by what was measured here.

The model: T(n) = start + page + units * listing + max(units * unit / workers, units * dealing,
units * bytes / bandwidth) + units * gathering, for n nodes of `CORES` workers each. Parts are
measured, but for the bandwidth of a cluster's file server, which is assumed.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from threading import Event, Thread
from typing import Any

import psutil

from benchmarks.plate_store import plate_store
from benchmarks.result import Result
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.items import Item, Journal, Record, map_items
from livewell.images.listing import find_images, fingerprint
from livewell.plate import PLATES
from livewell.progress import Tick
from livewell.text import plural
from livewell.workflows.assess import assess

CORES = 32
"""Of a node of the cluster on paper."""
NODES = (1, 10, 30, 100, 300)
UNITS = 1536 * 4
"""Of the cluster's plate: a field of every site of 1,536 wells."""
SERVER_GB_S = 1.0
"""What the cluster's file server delivers to all nodes together; assumed."""
PROCESSES = (1, 2, 4)
TRIVIAL = 1000


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of, seconds: per unit, of one worker, but for `start_s` and `page_s`."""

    unit_s: float
    start_s: float
    page_s: float
    listing_s: float
    dealing_s: float
    gathering_s: float
    unit_bytes: float

    def limits(self, units: int, workers: int) -> Mapping[str, float]:
        """Seconds that each part takes which others do not wait for."""
        return {
            "computing": -(-units // workers) * self.unit_s,
            "dealing out": units * self.dealing_s,
            "reading": units * self.unit_bytes / (SERVER_GB_S * 1e9),
        }

    def seconds(self, units: int, workers: int) -> float:
        """Seconds of a whole run."""
        alone = self.start_s + self.page_s + units * (self.listing_s + self.gathering_s)
        return alone + max(self.limits(units, workers).values())

    def longest(self, units: int, workers: int) -> str:
        """What takes longest of a whole run."""
        limits = {
            **self.limits(units, workers),
            "listing and gathering": units * (self.listing_s + self.gathering_s),
            "starting": self.start_s + self.page_s,
        }
        return max(limits, key=lambda name: limits[name])


def scaling(
    *, model: Path, runs: Path, wells: int = 96, fields: int = 1, size_px: int = 512, seed: int = 0
) -> Result:
    """Judge a simulated plate by one to four processes; then 100 nodes, on paper."""
    store = runs / "plate.zarr"
    if not store.is_dir():
        plate_store(store, plate=PLATES[wells], fields=fields, size_px=size_px, seed=seed)
    units = wells * fields
    executors = {"this process": SERIAL} | {
        f"{n} process{'es' * (n > 1)}": Executor(workers=n) for n in PROCESSES
    }
    took, grown = {}, {}
    for name, executor in executors.items():
        with _memory(executor) as grown[name]:
            took[name] = _timed(lambda of=executor: _judged(store, model, runs / "out", of))  # type: ignore[misc]
    parts = _parts(store, model, runs, units, took)
    one, both = took["1 process"], _convolved(2) / _convolved(1)
    rows = [
        ["measured", name, f"{units / seconds:.2f}", f"{one / seconds:.2f}", grown[name].told(), ""]
        for name, seconds in took.items()
    ]
    base = UNITS / parts.seconds(UNITS, 1)
    for nodes in NODES:
        rate = UNITS / parts.seconds(UNITS, nodes * CORES)
        rows.append(
            [
                "on paper",
                f"{nodes} node{'s' * (nodes > 1)} of {CORES} workers",
                f"{rate:.0f}",
                f"{rate / base:.0f}",
                "",
                parts.longest(UNITS, nodes * CORES),
            ]
        )
    return Result(
        title="Fields a second against processes and nodes",
        header=" | where | fields a second | to one process | MB of a worker, halfway and at end |"
        " what takes longest",
        rows=rows,
        lead=f"`livewell assess` on a simulated plate: {wells} wells, {plural(fields, 'field')} of"
        f" {size_px} x {size_px} px (OME-Zarr 0.5), with the start of workers. On paper:"
        f" {UNITS:,} such fields, by the parts in the notes.",
        notes=[
            f"Parts as measured here: a field {parts.unit_s * 1000:.0f} ms of one worker; the"
            f" start of a worker {parts.start_s:.1f} s; listing, fingerprint and ledger"
            f" {parts.listing_s * 1000:.2f} ms a field; dealing out {parts.dealing_s * 1000:.1f} ms"
            f" a field (parts of job arrays need none of it); the page {parts.page_s:.1f} s and"
            f" {parts.gathering_s * 1000:.2f} ms a field; reading"
            f" {parts.unit_bytes / 1e6:.2f} MB a field. Assumed, not measured: a file server of"
            f" {SERVER_GB_S:g} GB/s for all nodes together, and nodes as fast as this machine.",
            "This process computes with all cores, each of the others with one.",
            "What this machine has to give: two processes that do nothing but convolve, and share"
            f" nothing, do {both:.2f} times what one does.",
        ],
        values={
            "seconds": took,
            "two_to_one": both,
            "bytes": {name: it.seen for name, it in grown.items()},
            **{name: getattr(parts, name) for name in parts.__slots__},
        },
    )


class _Memory:
    """Resident memory of the largest worker, or of this process where there is none, over time."""

    def __init__(self, executor: Executor) -> None:
        self.seen: list[int] = []
        self._alone = executor.is_serial

    def look(self) -> None:
        """Look now, bytes."""
        sizes, own = [0], psutil.Process()
        for process in [own] if self._alone else own.children(recursive=True):
            with suppress(psutil.Error):
                sizes.append(process.memory_info().rss)
        self.seen.append(max(sizes))

    def told(self) -> str:
        """Halfway, and the largest of the last quarter, MB."""
        half, last = self.seen[len(self.seen) // 2], max(self.seen[3 * len(self.seen) // 4 :])
        return f"{half / 1e6:.0f}, {last / 1e6:.0f}"


@contextmanager
def _memory(executor: Executor) -> Iterator[_Memory]:
    """Looked at twice a second."""
    memory, ended = _Memory(executor), Event()

    def watch() -> None:
        while not ended.wait(0.5):
            memory.look()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()
        memory.seen = memory.seen or [0]


def _judged(store: Path, model: Path, out: Path, executor: Executor) -> None:
    rmtree(out, ignore_errors=True)
    assess(store, model, out, executor=executor)


def _parts(store: Path, model: Path, runs: Path, units: int, took: Mapping[str, float]) -> Parts:
    """The parts of a run, each measured by itself."""
    files = find_images(store).paths
    listing = _timed(lambda: [fingerprint(path) for path in find_images(store).paths]) / units
    start = _timed(lambda: _trivial(runs / "start", 1))
    dealing = (_timed(lambda: _trivial(runs / "deal", TRIVIAL)) - start) / TRIVIAL
    size = sum(fingerprint(path)[0] for path in files) / units
    # all is done: what is left is to read the ledger, and to make the page
    gathering = _timed(lambda: _trivial(runs / "deal", TRIVIAL, anew=False)) / TRIVIAL
    whole = _timed(lambda: assess(store, model, runs / "out"))
    page = whole - units * (listing + gathering)
    unit = (took["1 process"] - whole - start) / units
    return Parts(unit, start, page, listing, dealing, gathering, size)


_CONVOLVE = """
import time, torch
torch.set_num_threads(1)
net, image = torch.nn.Conv2d(32, 32, 3), torch.zeros(1, 32, 128, 128)
net(image)
count, end = 0, time.monotonic() + 5
while time.monotonic() < end:
    net(image)
    count += 1
print(count)
"""


def _convolved(processes: int) -> int:
    """Convolutions in five seconds by so many processes together."""
    begun = [
        subprocess.Popen([sys.executable, "-c", _CONVOLVE], stdout=subprocess.PIPE)  # noqa: S603
        for _ in range(processes)
    ]
    return sum(int(process.communicate()[0]) for process in begun)


def _trivial(folder: Path, units: int, *, anew: bool = True) -> None:
    """So many units that do nothing, by two workers; or, not `anew`, what is known of them."""
    if anew:
        rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    items = [Item(f"{number}", folder, {}) for number in range(units)]
    map_items(items, _nothing, Journal(folder), what="units", executor=Executor(workers=2))


def _nothing(item: Item, tick: Tick) -> Record:
    return {"rows": []}


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
