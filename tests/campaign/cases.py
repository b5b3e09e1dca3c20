"""Cases in worker processes that are forked warm and watched: time, memory, sudden ends."""

import contextlib
import gc
import json
import os
import random
import resource
import select
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from livewell.errors import LivewellError

GIGABYTE = 1 << 30
SECONDS, MEMORY = 10.0, 2 * GIGABYTE
"""Most processor seconds and bytes that one case may take."""
FAULTS = frozenset(
    {"silent wrong", "other exception", "crash", "slow", "memory", "file not named"}
    | {"sound, refused", "blocked", "differs"}
)
"""Categories that fail a campaign."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case: a category, what was done, and what was said."""

    number: int
    category: str
    what: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether this must not be."""
        return self.category in FAULTS


class Case(NamedTuple):
    """What is done to an input, in words; and its judge, which gives category and detail."""

    what: str
    judge: Callable[[], tuple[str, str]]


class Kind(Protocol):
    """One kind of campaign: what all cases share, made once, and one case by seed and number."""

    wait_s: float
    """Most seconds of one case, idle or not (the machine may be busy)."""

    def prepare(self, folder: Path) -> Any:
        """Whatever cases need, in `folder`; made before workers are forked."""

    def case(self, world: Any, rng: random.Random, folder: Path) -> Case:
        """One case, whose files lie in `folder`, which is empty and its own."""


def refusal(error: LivewellError, *names: str) -> tuple[str, str]:
    """Category and words of a refusal, which has to name one of `names`."""
    if isinstance(error.__cause__ or error.__context__, MemoryError):
        return "memory", str(error)
    named = not names or any(name in str(error) for name in names)
    return "refused" if named else "file not named", str(error)


def run(
    kind: Kind, numbers: Iterable[int], folder: Path, *, seed: int, jobs: int = 1
) -> list[Outcome]:
    """Outcomes of cases by number, in `jobs` processes at once; `folder` is for their files."""
    world = kind.prepare(folder / "world")
    numbers = list(numbers)
    workers = [_Worker(kind, world, folder, seed, numbers[job::jobs]) for job in range(jobs)]
    while any(worker.alive for worker in workers):
        files = [worker.reader for worker in workers if worker.alive]
        ready, _, _ = select.select(files, [], [], 0.5)
        for worker in workers:
            if worker.alive:
                worker.look(worker.reader in ready)
    return sorted((it for worker in workers for it in worker.outcomes), key=lambda it: it.number)


def counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many of each category, the most frequent first."""
    return dict(Counter(outcome.category for outcome in outcomes).most_common())


def told(outcomes: Sequence[Outcome], name: str, seed: int, shown: int = 20) -> str:
    """The failures in words, each with the command that makes it again."""
    failed = [outcome for outcome in outcomes if outcome.failed]
    lines = [f"{name}: {counted(outcomes)}"]
    lines += [
        f"  {it.category}: {it.what}\n    {it.detail[:600]}\n"
        f"    again: python -m tests.campaign {name} --seed {seed} --only {it.number}"
        for it in failed[:shown]
    ]
    return "\n".join(lines)


class _Worker:
    """A forked process that works through its cases; a new one goes on where one was lost."""

    def __init__(self, kind: Kind, world: Any, folder: Path, seed: int, numbers: list[int]) -> None:
        self._kind, self._world, self._folder, self._seed = kind, world, folder, seed
        self._todo, self.outcomes, self._text = numbers, list[Outcome](), b""
        self._what, self.alive = "", False
        self._fork()

    def _fork(self) -> None:
        self.alive = bool(self._todo)
        if not self.alive:
            return
        self.reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.setpgid(0, 0)
            os.close(self.reader)
            self._work(writer)
        os.close(writer)
        self._text, self._began, self._spent = b"", time.monotonic(), cpu_seconds(self._pid)

    def _work(self, writer: int) -> None:
        """In the fork: every case, each outcome a line."""
        gc.freeze()

        def say(what: Any) -> None:
            os.write(writer, json.dumps(what).encode() + b"\n")

        try:
            for number in self._todo:
                say(asdict(one(self._kind, self._world, self._seed, number, self._folder, say)))
        except BaseException:
            traceback.print_exc()
        finally:
            # never as far as the parent's own ends, which remove its folder
            os._exit(0)

    def look(self, ready: bool) -> None:
        """Take what the process wrote; end it where it takes too long."""
        if ready:
            more = os.read(self.reader, 1 << 16)
            if not more:
                self._lost("crash", "the process ended")
                return
            *lines, self._text = (self._text + more).split(b"\n")
            for line in map(json.loads, lines):
                if isinstance(line, str):
                    self._what = line
                else:
                    self.outcomes.append(Outcome(**line))
                    self._todo = self._todo[1:]
                self._began, self._spent = time.monotonic(), cpu_seconds(self._pid)
        busy = cpu_seconds(self._pid) - self._spent
        if self._todo and (busy > SECONDS or time.monotonic() - self._began > self._kind.wait_s):
            self._lost("slow", f"over {SECONDS:g} s of work or {self._kind.wait_s:g} s")

    def _lost(self, category: str, why: str) -> None:
        """Note the case at which the process was lost, and go on with the next in a new one."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.close(self.reader)
        _, status = os.waitpid(self._pid, 0)
        if self._todo:
            said = f"{why}; {os.waitstatus_to_exitcode(status)}"
            self.outcomes.append(Outcome(self._todo[0], category, self._what, said))
            self._todo = self._todo[1:]
        self._fork()


def one(
    kind: Kind, world: Any, seed: int, number: int, folder: Path, say: Callable[[str], None]
) -> Outcome:
    """One case in this process, in an empty folder of its own; `say` gets what is done."""
    own = folder / f"case-{number}"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    what, judge = kind.case(world, random.Random(f"{seed}/{number}"), own)
    say(what)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    before = _peak()
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + MEMORY + GIGABYTE, -1))
    try:
        category, detail = judge()
    except MemoryError:
        category, detail = "memory", _where()
    except Exception:
        category, detail = "other exception", _where()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        shutil.rmtree(own, ignore_errors=True)
    if category not in FAULTS and _peak() - before > MEMORY:
        category, detail = "memory", f"{(_peak() - before) / GIGABYTE:.1f} GB; {detail}"
    return Outcome(number, category, what, detail)


def caught(work: Callable[[], Any], *names: str) -> tuple[str, str] | None:
    """Category and words of what `work` raises; ``None`` where it ends well."""
    try:
        work()
    except LivewellError as error:
        return refusal(error, *names)
    except MemoryError:
        return "memory", _where()
    except Exception:
        return "other exception", _where()
    return None


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process so far; 0 where it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _where() -> str:
    return traceback.format_exc(limit=-4).replace("\n", " | ")[-700:]


def _peak() -> int:
    """Most bytes that this process held, or one of its children."""
    status = Path("/proc/self/status").read_text()
    own = int(status.partition("VmHWM:")[2].split()[0]) << 10
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10)


def _mapped() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
