"""Cheap work on processes, on a Dask cluster or in SLURM jobs, in reach of what disturbs it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from livewell.errors import LivewellError
from livewell.execution.journal import Journal
from livewell.execution.status import RunStatus
from tests.campaign.small_work import RESULT
from tests.execution.slurm import Slurm, until

MARK = "LIVEWELL_CAMPAIGN"
"""Variable of every process of a run, wherever it was started."""
JOBS = 3
WAIT_S = 400.0
MOST_TIMES = 8
"""How often a disturbed command is given again at most."""
_WORKER = ("spawn_main", "dask_worker")
"""What stands in the command of a worker, and of the process that watches over it."""
_DASK = (sys.executable, "-m")


@dataclass(frozen=True)
class World:
    """Files, what the sums of their bytes are, and where SLURM jobs run."""

    files: Path
    rows: list[dict[str, Any]]
    slurm: Slurm | None

    @property
    def environment(self) -> dict[str, str]:
        """That of a command, which finds the SLURM cluster."""
        return dict(os.environ) if self.slurm is None else self.slurm.environment


@dataclass
class Run:
    """A command with its settings, given as often as need be."""

    world: World
    out: Path
    log: Path
    executor: dict[str, Any]
    seconds: float = 0.1
    deadly: str = ""
    service: "DaskService | None" = None
    times: int = 0
    failed: int = 0

    def begin(self, **further: Any) -> "subprocess.Popen[bytes]":
        """Give the command; `further` settings of its executor."""
        self.times += 1
        settings = {"files": str(self.world.files), "out": str(self.out), "seconds": self.seconds}
        settings |= {"executor": self.executor | further, "deadly": self.deadly}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.campaign.small_work", json.dumps(settings)],
                stdout=log,
                stderr=log,
                # it says where it was, should it be ended for not ending
                env=self.world.environment | {MARK: str(self.out), "PYTHONFAULTHANDLER": "1"},
            )

    def end(self, command: "subprocess.Popen[bytes]", seconds: float = WAIT_S) -> str:
        """Wait for a command; returns what is wrong with how it ended."""
        try:
            code = command.wait(seconds)
        except subprocess.TimeoutExpired:
            command.send_signal(signal.SIGABRT)
            command.wait()
            return f"no end after {seconds:g} s: {self.said(4000)}"
        if code == 0 or (code == 2 and "What to do" in self.said()):
            return ""
        return f"exit {code}: {self.said()}"

    def said(self, most: int = 700) -> str:
        """The end of what was said."""
        return self.log.read_text("utf-8", "replace")[-most:]

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the result."""
        found: list[dict[str, Any]] = json.loads((self.out / RESULT).read_text())["rows"]
        return found

    def done(self) -> int:
        """How many units have a record by now."""
        with suppress(LivewellError):
            return RunStatus.of(self.out).done
        return 0

    def at_work(self, command: "subprocess.Popen[bytes]", before: int) -> None:
        """Wait until a command has done more units than were done before, or has ended."""
        until(lambda: command.poll() is not None or self.done() > before, 120)

    def failures(self) -> list[str] | None:
        """Names of the units that the result lists as failed; ``None``: there is no result."""
        if not (self.out / RESULT).is_file():
            return None
        listed = json.loads((self.out / RESULT).read_text())["failures"]
        return [row["image"] for row in listed]

    def settle(self, *expected: str, **further: Any) -> tuple[str, str]:
        """Give the command until it has done all but `expected`; hold its result against serial."""
        while (listed := self.failures()) is None or listed != list(expected):
            self.failed += len(listed or ())
            (self.out / RESULT).unlink(missing_ok=True)
            if self.times > MOST_TIMES:
                return "blocked", f"given {self.times} times: {self.said()}"
            if wrong := self.end(self.begin(**further)):
                return "other exception", wrong
        found = self.rows()
        if found != [row for row in self.world.rows if row["image"] not in expected]:
            return "differs", f"{len(found)} rows of {len(self.world.rows)}"
        journal = Journal(self.out).path
        if not expected and len(journal.read_bytes().splitlines()) != len(found):
            return "differs", "lines of the journal are lost or doubled"
        if left := self.left():
            return "blocked", f"still there: {left}"
        return "equal", f"given {self.times} times, {self.failed} units listed as failed meanwhile"

    def left(self, seconds: float = 120) -> list[str]:
        """Processes of the run that do not end by themselves."""
        until(lambda: not self.processes(), seconds)
        return [" ".join(it.cmdline())[:200] for it in self.processes()]

    def processes(self) -> list[psutil.Process]:
        """All processes of the run, those in SLURM jobs too."""
        return _marked(str(self.out))

    def workers(self) -> list[psutil.Process]:
        """Processes that do units, or watch over one that does."""
        found = []
        for process in self.service.processes() if self.service else self.processes():
            with suppress(psutil.Error):
                words = " ".join(process.cmdline())
                # a job's script names the worker too, but is a shell
                if any(word in words for word in _WORKER) and "python" in process.name():
                    found.append(process)
        return found

    def fresh(self) -> None:
        """Begin anew in an empty folder."""
        shutil.rmtree(self.out, ignore_errors=True)


@contextmanager
def running(
    way: str, world: World, folder: Path, out: Path | None = None, **settings: Any
) -> Iterator[Run]:
    """A run by processes (``workers``), a Dask cluster (``dask``) or SLURM jobs (``slurm``)."""
    run = Run(world, out or folder / "out", folder / "log.txt", {}, **settings)
    if way == "workers":
        run.executor = {"workers": JOBS}
    if way == "slurm":
        run.executor = {"cluster": "slurm", "partition": "all", "jobs": JOBS}
        run.executor |= {"walltime": "00:10:00", "memory": "1GB"}
    if way != "dask":
        yield run
        return
    with closing(DaskService(folder, world.environment)) as run.service:
        run.executor = {"cluster": "dask", "scheduler": str(run.service.file)}
        yield run


class DaskService:
    """A Dask scheduler and workers that somebody keeps running."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.file = folder / "scheduler.json"
        self._environment = {**environment, MARK: str(self.file)}
        words = f"--scheduler-file={self.file} --nthreads=1 --no-dashboard --death-timeout=20"
        worker = [*_DASK, "distributed.cli.dask_worker", *words.split()]
        # a worker that has lost its scheduler ends, and is begun again
        loop = 'while true; do "$@"; sleep 0.2; done'
        self._workers = [self._begin("bash", "-c", loop, "-", *worker) for _ in range(JOBS)]
        self._scheduler = self._begin_scheduler()

    def _begin(self, *words: str) -> "subprocess.Popen[bytes]":
        with self.file.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                words, stdout=log, stderr=log, env=self._environment, cwd=self.file.parent
            )

    def _begin_scheduler(self) -> "subprocess.Popen[bytes]":
        self.file.unlink(missing_ok=True)
        words = f"--scheduler-file={self.file} --no-dashboard --host=127.0.0.1 --port=0"
        process = self._begin(*_DASK, "distributed.cli.dask_scheduler", *words.split())
        until(self.file.is_file, 60)
        return process

    def kill_scheduler(self) -> None:
        """It is gone, and another begins."""
        self._scheduler.kill()
        self._scheduler.wait()
        self._scheduler = self._begin_scheduler()

    def processes(self) -> list[psutil.Process]:
        """All of it."""
        return _marked(str(self.file))

    def close(self) -> None:
        """End it at once."""
        # what watches over others before what it would begin again
        for process in self._workers:
            process.kill()
            process.wait()
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self._scheduler.wait()


def _marked(mark: str) -> list[psutil.Process]:
    """Living processes that carry a mark, those in SLURM jobs too."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
