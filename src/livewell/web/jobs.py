"""Work beside the pages: one process at a time, its progress and its end kept in the database.

A job that the server left behind when it ended has failed, and may be started again: what livewell
writes is whole or not there, and most steps go on where they were.
"""

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from livewell.answers.database import Database
from livewell.answers.tables import Job
from livewell.text import printable

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "done", "failed", "stopped"
OPEN = (WAITING, RUNNING)
LEFT_BEHIND = (
    "The site ended while this went on. Start it again: what was finished is kept, and it goes on"
    " from there."
)
SAID_S = 0.5
"""Least time between two steps that are written into the database."""
LOOK_S = 5.0
"""How often it is looked for work that is due by itself."""
AGAIN_S = 1.0
"""After how long a database that was away is asked again to take the end of a job."""
LONGEST_STEP = 1000
LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job.

    Parameters
    ----------
    target
        ``module:function`` that the child calls with ``say`` and the arguments, see `web.child`.
    ended
        What the server does with the result of a finished one.
    due
        Asks for jobs whose time has come; called now and then.
    """

    target: str
    ended: Callable[[Job], None] = lambda _: None
    due: Callable[[], None] = lambda: None


class Jobs:
    """The jobs of a site.

    Parameters
    ----------
    database
        Where they are kept.
    folder
        Takes a log file a job.
    kinds
        By name.
    """

    def __init__(self, database: Database, folder: Path, kinds: Mapping[str, JobKind]) -> None:
        self.database, self.folder, self.kinds = database, folder, dict(kinds)
        self._lock, self._news = threading.RLock(), threading.Event()
        self._thread: threading.Thread | None = None
        self._process: tuple[int, subprocess.Popen[str]] | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to work; jobs that an earlier server left behind have failed."""
        with self._lock:
            if self._thread is not None or self._closed:
                return
            self._change(Job.state == RUNNING, state=FAILED, step=LEFT_BEHIND, ended=time.time())
            self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
            self._thread.start()

    def ask(self, kind: str, arguments: Mapping[str, Any], person: int) -> int:
        """Ask for a job of a kind in `kinds`; its number."""
        self.start()
        with self.database.session() as session:
            job = Job(
                kind=kind,
                arguments=dict(arguments),
                state=WAITING,
                step="",
                asked_by=person,
                created=time.time(),
            )
            session.add(job)
            session.flush()
            number = job.id
        self._news.set()
        return number

    def again(self, number: int, person: int) -> int | None:
        """Ask for a job that failed or was stopped once more; its new number."""
        job = self.get(number)
        if job is None or job.state not in (FAILED, STOPPED):
            return None
        return self.ask(job.kind, job.arguments, person)

    def get(self, number: int) -> Job | None:
        """A job; ``None`` where there is none."""
        with self.database.session() as session:
            return session.get(Job, number)

    def of(self, kind: str, **arguments: Any) -> list[Job]:
        """Jobs of a kind that were asked for with these arguments, the newest first."""
        with self.database.session() as session:
            found = session.scalars(select(Job).where(Job.kind == kind).order_by(Job.id.desc()))
            return [
                job
                for job in found
                if all(job.arguments.get(name) == value for name, value in arguments.items())
            ]

    def stop(self, number: int, by: str) -> None:
        """End a job that waits or runs."""
        told = {"step": f"Stopped by {by}.", "ended": time.time(), "state": STOPPED}
        with self._lock:
            self._change((Job.id == number) & Job.state.in_(OPEN), **told)
            if self._process is not None and self._process[0] == number:
                self._process[1].terminate()

    def close(self) -> None:
        """End what runs, and begin nothing more."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process[1].terminate()
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _change(self, where: Any, **values: Any) -> int:
        with self.database.session() as session:
            done: Any = session.execute(update(Job).where(where).values(**values))
            return int(done.rowcount)

    def _work(self) -> None:
        while not self._closed:
            try:
                idle = self._step()
            except Exception as error:  # such as of a database that is away for a while
                _held_up(error)
                idle = True
            if idle and not self._closed:
                self._news.wait(LOOK_S)
                self._news.clear()

    def _step(self) -> bool:
        """Do the next job, or ask for what is due; whether there was no job."""
        job = self._next()
        if job is not None:
            self._do(job)
            return False
        for kind in self.kinds.values():
            if not self._closed:
                kind.due()
        return True

    def _next(self) -> Job | None:
        """The job that waits longest, now running."""
        with self.database.session() as session:
            job = session.scalars(
                select(Job).where(Job.state == WAITING).order_by(Job.id).limit(1)
            ).first()
        if job is None:
            return None
        mine = (Job.id == job.id) & (Job.state == WAITING)
        began = {"state": RUNNING, "started": time.time(), "step": "Beginning"}
        return job if self._change(mine, **began) else None

    def _do(self, job: Job) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        mine = (Job.id == job.id) & (Job.state == RUNNING)
        try:
            result, trouble = self._talk(job, mine)
            if not trouble:
                job.result = result
                self.kinds[job.kind].ended(job)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        if self._closed:
            trouble = trouble and LEFT_BEHIND
        step, state = (trouble, FAILED) if trouble else ("", DONE)
        self._settle(mine, state=state, step=_short(step), ended=time.time())

    def _settle(self, mine: Any, **values: Any) -> None:
        """Note how a job has ended, as soon as the database takes it."""
        while True:
            try:
                self._change(mine, **values)
            except Exception as error:
                if self._closed:
                    raise
                _held_up(error)
                time.sleep(AGAIN_S)
            else:
                return

    def _talk(self, job: Job, mine: Any) -> tuple[dict[str, Any], str]:
        """Let the child do a job: what it found, and what went wrong, in words."""
        result: dict[str, Any] = {}
        trouble, ended, said = "", False, 0.0
        with (self.folder / f"job-{job.id:06d}.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "livewell.web.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
            )
            with self._lock:
                self._process = job.id, process
                # stopped or closed before there was anything to end
                if self._closed or not self._change(mine, step="Beginning"):
                    process.terminate()
            asked = {"target": self.kinds[job.kind].target, "arguments": job.arguments}
            try:
                with process:
                    with suppress(OSError):  # it may have ended already
                        print(json.dumps(asked), file=process.stdin, flush=True)
                    for line in process.stdout or ():
                        answer = json.loads(line)
                        trouble = answer.get("message", trouble)
                        ended = ended or "end" in answer
                        if "result" in answer:
                            result |= answer["result"]
                            self._change(mine, result=result)
                        if "step" in answer and time.monotonic() - said >= SAID_S:
                            said = time.monotonic()
                            self._change(mine, step=_short(answer["step"]))
            finally:
                with self._lock:
                    self._process = None
        if not (ended or trouble):
            trouble = (
                "The work ended without a word (exit code"
                f" {process.returncode}): the machine may have too little memory, or something"
                " ended it. Start it again; what was finished is kept."
            )
        return result, trouble


def _held_up(error: Exception) -> None:
    LOGGER.warning("work beside the pages is held up: %s", error, exc_info=error)


def _short(text: str) -> str:
    return printable(text, lines=True)[:LONGEST_STEP]
