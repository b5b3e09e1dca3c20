"""Runs in parts, on processes, Dask and SLURM that lose workers, schedulers, jobs, nodes, room.

All must end as the undisturbed run did: no unit lost, none doubled, nothing left running. One round
(`len(PLAN)` cases) kills 200 workers and 50 schedulers, and cancels 20 jobs.
"""

import atexit
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import psutil

from tests.campaign.cases import Case
from tests.campaign.cluster_runs import Run, World, running
from tests.campaign.small_work import main as work
from tests.campaign.stops import disk
from tests.execution.slurm import UP, Slurm, cluster, missing

FILES = 120
Judged = tuple[str, str]
Disturbance = partial[Judged]
"""What is done to a run, given a `World`, random numbers and a folder."""


def workers(world: World, rng: random.Random, folder: Path, way: str, kills: int) -> Judged:
    """Workers are killed at any moment, one after the other."""
    killed, told = 0, ("equal", "")
    with running(way, world, folder) as run:
        while killed < kills and told[0] == "equal":
            run.fresh()
            command = run.begin()
            while command.poll() is None and killed < kills:
                time.sleep(rng.uniform(0.05, 1.0))
                killed += _kill_one(run, rng)
            told = _settled(run, command)
    return told[0], f"{killed} workers killed; {told[1]}"


def _kill_one(run: Run, rng: random.Random) -> int:
    found = run.workers()
    with suppress(psutil.Error):
        if found:
            rng.choice(found).kill()
            return 1
    return 0


def parts(world: World, rng: random.Random, folder: Path, kills: int, of: int = 4) -> Judged:
    """Parts of a run are killed, and begun again as a cluster begins a job again."""
    killed, told = 0, ("equal", "")
    with running("parts", world, folder) as run:
        while killed < kills and told[0] == "equal":
            run.fresh()
            todo = {(k, of): run.begin(shard=(k, of)) for k in range(1, of + 1)}
            while any(command.poll() is None for command in todo.values()) and killed < kills:
                time.sleep(rng.uniform(0.05, 1.0))
                part = rng.choice([it for it, command in todo.items() if command.poll() is None])
                todo[part].kill()
                todo[part].wait()
                killed += 1
                todo[part] = run.begin(shard=part)
            if wrong := "".join(map(run.end, todo.values())):
                return "other exception", wrong
            run.times = 0
            told = run.settle(gather=True)
    return told[0], f"{killed} workers killed; {told[1]}"


def schedulers(world: World, rng: random.Random, folder: Path, way: str, kills: int) -> Judged:
    """The scheduler is killed, which for all but a Dask cluster is in the command itself.

    It is killed at any moment, from the second time on only once a unit was done.
    """
    killed, told = 0, ("equal", "")
    with running(way, world, folder, seconds=0.4) as run:
        while killed < kills and told[0] == "equal":
            run.fresh()
            while killed < kills:
                before, command = run.done(), run.begin()
                if killed:
                    run.at_work(command, before)
                time.sleep(rng.uniform(0.0, 3.0))
                if command.poll() is not None:
                    break
                killed += 1
                if run.service is None:
                    command.kill()
                    command.wait()
                else:
                    run.service.kill_scheduler()
                    if wrong := run.end(command):
                        return "other exception", wrong
            run.times = 0
            told = run.settle()
    return told[0], f"{killed} schedulers killed; {told[1]}"


def scancel(world: World, rng: random.Random, folder: Path, kills: int) -> Judged:
    """Jobs are cancelled while they work."""
    cancelled, told = 0, ("equal", "")
    assert world.slurm is not None
    with running("slurm", world, folder) as run:
        while cancelled < kills and told[0] == "equal":
            run.fresh()
            command = run.begin()
            while command.poll() is None and cancelled < kills:
                time.sleep(rng.uniform(0.2, 3.0))
                if found := world.slurm.jobs("running"):
                    world.slurm.run("scancel", rng.choice(found))
                    cancelled += 1
            told = _settled(run, command)
    return told[0], f"{cancelled} jobs cancelled; {told[1]}"


def walltime(world: World, rng: random.Random, folder: Path) -> Judged:
    """The time of all jobs ends, at least once in a run."""
    assert world.slurm is not None
    with running("slurm", world, folder, seconds=3.0) as run:
        run.executor |= {"partition": "short", "walltime": "00:01:00", "jobs": 2}
        told = _settled(run, run.begin())
    ended = world.slurm.run("squeue", "-h", "-t", "timeout", "-o", "%i").split()
    if not ended:
        return "other exception", f"no job ran out of time; {told[1]}"
    return told[0], f"{len(ended)} jobs ran out of time; {told[1]}"


def node(world: World, rng: random.Random, folder: Path) -> Judged:
    """A node is gone with all that runs on it, and comes back when SLURM has given it up."""
    assert world.slurm is not None
    with running("slurm", world, folder, seconds=0.5) as run:
        command = run.begin()
        while not (at := world.slurm.run("squeue", "-h", "-t", "running", "-o", "%N").split()):
            time.sleep(0.1)
        time.sleep(rng.uniform(0.0, 10.0))
        gone = rng.choice(at)
        world.slurm.lose(gone)
        try:
            world.slurm.wait(gone, "down", seconds=180)
        finally:
            world.slurm.start(gone)
            world.slurm.wait(gone, *UP, seconds=120)
        told = _settled(run, command)
    return told[0], f"a node lost; {told[1]}"


def full_disk(world: World, rng: random.Random, folder: Path, way: str) -> Judged:
    """The disk of the results has room for a part of them; later it has more."""
    room = rng.randrange(12, 44) << 10
    out = folder / "disk" / "out"
    with disk(out.parent, room) as enlarge, running(way, world, folder, out) as run:
        command = run.begin()
        wrong = run.end(command)
        ended = command.returncode
        if wrong or (ended == 2 and "[output]" not in run.said()):
            return "other exception", wrong or run.said()
        enlarge(64 << 20)
        told = run.settle()
    return told[0], f"{room >> 10} KiB, first exit {ended}; {told[1]}"


def gathers(world: World, rng: random.Random, folder: Path, parts: int = 4) -> Judged:
    """Parts at once, of which some are killed and given again; always two that gather at once."""
    with running("parts", world, folder) as run:
        todo = {(k, parts): run.begin(shard=(k, parts)) for k in range(1, parts + 1)}
        for part in rng.sample(sorted(todo), 2):
            time.sleep(rng.uniform(0.2, 1.0))
            todo[part].kill()
            todo[part].wait()
            twins = [run.begin(gather=True) for _ in range(2)]
            if wrong := "".join(run.end(twin) for twin in twins):
                return "other exception", wrong
            todo[part] = run.begin(shard=part)
        if wrong := "".join(run.end(command) for command in todo.values()):
            return "other exception", wrong
        twins = [run.begin(gather=True) for _ in range(2)]
        if wrong := "".join(run.end(twin) for twin in twins):
            return "other exception", wrong
        run.times = 0
        told = run.settle(gather=True)
        return told if run.times == 0 else ("differs", f"gathered again: {told[1]}")


def deadly(world: World, rng: random.Random, folder: Path, way: str) -> Judged:
    """One unit kills its worker each time: it is listed, and nothing else fails."""
    name = rng.choice(world.rows)["image"]
    with running(way, world, folder, deadly=name) as run:
        told = run.settle(name)
        if told[0] == "equal" and run.times == 1:
            run.deadly = ""
            again = run.settle()
            return again[0], f"isolated; {again[1]}"
    return (told[0] if run.times == 1 else "differs"), told[1]


def _settled(run: Run, command: "subprocess.Popen[bytes]") -> Judged:
    """Wait for a disturbed command, then give it again until all is done."""
    if wrong := run.end(command):
        return "other exception", wrong
    run.times = 1
    return run.settle()


ROUND: tuple[tuple[int, Disturbance], ...] = (
    (8, partial(parts, kills=10)),
    (5, partial(workers, way="workers", kills=10)),
    (3, partial(workers, way="dask", kills=10)),
    (4, partial(workers, way="slurm", kills=10)),
    (4, partial(schedulers, way="workers", kills=5)),
    (3, partial(schedulers, way="dask", kills=5)),
    (3, partial(schedulers, way="slurm", kills=5)),
    (5, partial(scancel, kills=4)),
    (2, partial(walltime)),
    (2, partial(node)),
    (2, partial(full_disk, way="workers")),
    (1, partial(full_disk, way="dask")),
    (1, partial(full_disk, way="slurm")),
    (4, partial(gathers)),
    (1, partial(deadly, way="workers")),
    (1, partial(deadly, way="dask")),
    (1, partial(deadly, way="slurm")),
)
"""How many cases of each disturbance are one round."""
PLAN = [
    disturb
    for _, disturb in sorted(
        (((k + 0.5) / number, disturb) for number, disturb in ROUND for k in range(number)),
        key=lambda it: it[0],
    )
]
"""The disturbance of every case by its number, over and over; each early in a round."""


class Cluster:
    """Disturbances by number; a SLURM cluster is started where none is given."""

    wait_s = 1500.0

    def __init__(self, slurm: Slurm | None = None, plan: Sequence[Disturbance] = PLAN) -> None:
        self._slurm, self._plan = slurm, plan

    def prepare(self, folder: Path) -> World:
        """Files, what they come to without any disturbance, and a SLURM cluster."""
        if self._slurm is None:
            if absent := missing():
                raise RuntimeError(f"no SLURM: install slurm-wlm and munge ({absent})")
            stack = ExitStack()
            self._slurm = stack.enter_context(cluster())
            atexit.register(stack.close)
            # also where the campaign itself is ended
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        files = folder / "files"
        files.mkdir(parents=True)
        for number in range(FILES):
            (files / f"f{number:03}").write_bytes(random.Random(number).randbytes(100))
        run = Run(World(files, [], self._slurm), folder / "out", folder / "log.txt", {})
        work(str(files), str(run.out), 0.0, {})
        return World(files, run.rows(), self._slurm)

    def case(self, world: World, rng: random.Random, folder: Path) -> Case:
        """The disturbance of this number."""
        disturb = self._plan[int(folder.name.partition("-")[2]) % len(self._plan)]
        settings = " ".join(map(str, disturb.keywords.values()))

        def judge() -> Judged:
            # commands of a run are no part of this process's memory
            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
            return disturb(world, rng, folder)

        return Case(f"{disturb.func.__name__} {settings}", judge)
