"""Work beside the pages: one process at a time, told, stopped, left behind, started again."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livewell.answers.database import Database
from livewell.answers.tables import Job, Person
from livewell.errors import OutputError
from livewell.web.jobs import DONE, FAILED, LEFT_BEHIND, STOPPED, JobKind, Jobs

TARGETS = """
import time
from pathlib import Path
from livewell.errors import SpecError
from livewell.progress import task

def count(say, to, trace):
    with Path(trace).open("a") as file:
        file.write("begin\\n")
    with task("counting", total=to) as tick:
        for _ in range(to):
            tick()
    print("a library says something")
    say({"result": {"sum": sum(range(to + 1))}})
    say({"result": {"last": to}})
    with Path(trace).open("a") as file:
        file.write("end\\n")

def refuse(say):
    raise SpecError("this cannot be", remedy="do something else")

def fault(say):
    raise ValueError("not foreseen")

def vanish(say):
    import os
    os._exit(9)

def sleep(say):
    say({"step": "sleeping"})
    time.sleep(120)
"""
KINDS = ("count", "refuse", "fault", "vanish", "sleep")
Make = Callable[[], Jobs]


@pytest.fixture
def ended() -> list[int]:
    """Numbers of jobs whose result the server took."""
    return []


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with one person."""
    made = Database.of_study(tmp_path)
    with made.session() as session:
        session.add(Person(name="ann", password=None, role="owner", created=0.0))
    yield made
    made.close()


@pytest.fixture
def make(
    tmp_path: Path, database: Database, ended: list[int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """Makes the jobs of a server on that database; all are closed at the end."""
    (tmp_path / "targets_of_jobs.py").write_text(TARGETS)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    made: list[Jobs] = []

    def new() -> Jobs:
        kinds = {
            name: JobKind(f"targets_of_jobs:{name}", ended=lambda job: ended.append(job.id))
            for name in KINDS
        }
        made.append(Jobs(database, tmp_path / "jobs", kinds))
        return made[-1]

    yield new
    for each in made:
        each.close()


def wait(jobs: Jobs, number: int, *states: str, step: str | None = None) -> Job:
    """The job once it is in one of these states, and at this step."""
    for _ in range(1200):
        job = jobs.get(number)
        assert job is not None
        if job.state in states and step in (None, job.step):
            return job
        time.sleep(0.05)
    raise AssertionError(f"job {number} is still {job.state}: {job.step}")


def test_results_add_up(make: Make, ended: list[int], tmp_path: Path) -> None:
    """What a job tells is kept, what libraries print goes to its log, and the server takes it."""
    jobs = make()
    number = jobs.ask("count", {"to": 4, "trace": str(tmp_path / "trace")}, 1)
    job = wait(jobs, number, DONE, FAILED)
    assert (job.state, job.step, job.result) == (DONE, "", {"sum": 10, "last": 4})
    assert job.started is not None
    assert job.ended is not None
    assert job.created <= job.started <= job.ended
    assert ended == [number]
    assert "a library says something" in (tmp_path / "jobs" / f"job-{number:06d}.log").read_text()


def test_one_at_a_time(make: Make, tmp_path: Path) -> None:
    """Two jobs that are asked for at once run one after the other, in their order."""
    jobs = make()
    numbers = [jobs.ask("count", {"to": 3, "trace": str(tmp_path / "trace")}, 1) for _ in range(2)]
    first, second = (wait(jobs, number, DONE, FAILED) for number in numbers)
    assert (tmp_path / "trace").read_text().split() == ["begin", "end"] * 2
    assert first.ended is not None
    assert second.started is not None
    assert first.ended <= second.started


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("refuse", "this cannot be"),
        ("fault", "not foreseen"),
        ("vanish", "ended without a word"),
    ],
)
def test_failures_are_told(make: Make, ended: list[int], kind: str, said: str) -> None:
    """A refusal, a fault and a process that vanishes are failures, each in words."""
    jobs = make()
    job = wait(jobs, jobs.ask(kind, {}, 1), DONE, FAILED)
    assert job.state == FAILED
    assert said in job.step
    assert ended == []


def test_stopping(make: Make) -> None:
    """A job that runs and one that waits are stopped, by name, and each can be asked for again."""
    jobs = make()
    running, waiting = jobs.ask("sleep", {}, 1), jobs.ask("sleep", {}, 1)
    wait(jobs, running, "running", step="sleeping")
    jobs.stop(waiting, "ann")
    jobs.stop(running, "ann")
    for number in (waiting, running):
        job = wait(jobs, number, STOPPED)
        assert job.step == "Stopped by ann."
    again = jobs.again(running, 1)
    assert again is not None
    assert jobs.again(again, 1) is None
    jobs.stop(again, "ann")


def test_left_behind(make: Make) -> None:
    """What a server leaves behind has failed for the next one, which can start it again."""
    first = make()
    number = first.ask("sleep", {}, 1)
    wait(first, number, "running", step="sleeping")
    first.close()
    job = wait(first, number, FAILED)
    assert job.step == LEFT_BEHIND
    assert not [each for each in threading.enumerate() if each.name == "jobs"]
    with first.database.session() as session:
        found = session.get(Job, number)
        assert found is not None
        found.state = "running"
    second = make()
    second.start()
    assert wait(second, number, FAILED).step == LEFT_BEHIND
    again = second.again(number, 1)
    assert again is not None
    wait(second, again, "running")


def test_the_database_may_fail_for_a_while(
    make: Make, ended: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it cannot be told what is due, as without a database, later jobs are done."""
    jobs, failed = make(), threading.Event()

    def fail() -> None:
        failed.set()
        raise OutputError("the database server cannot be reached")

    monkeypatch.setitem(jobs.kinds, "refuse", JobKind("targets_of_jobs:refuse", due=fail))
    monkeypatch.setattr("livewell.web.jobs.LOOK_S", 0.01)
    jobs.start()
    assert failed.wait(30)
    number = jobs.ask("count", {"to": 1, "trace": os.devnull}, 1)
    wait(jobs, number, DONE)
    assert ended == [number]


def test_the_end_of_a_job_waits_for_the_database(
    make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that ends while the database is away is done once it is back."""
    jobs, away, session = make(), threading.Event(), database.session

    def end(_: Job) -> None:
        monkeypatch.setattr(database, "session", fail)

    def fail() -> None:
        monkeypatch.setattr(database, "session", session)
        away.set()
        raise OutputError("the database server cannot be reached")

    monkeypatch.setattr("livewell.web.jobs.AGAIN_S", 0.01)
    monkeypatch.setitem(jobs.kinds, "count", JobKind("targets_of_jobs:count", ended=end))
    number = jobs.ask("count", {"to": 1, "trace": os.devnull}, 1)
    assert away.wait(60)
    wait(jobs, number, DONE)
