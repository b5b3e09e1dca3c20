"""The site with fifty people at once: how long answers and images take, and what is lost."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import crowd
from benchmarks.crowd import Tally
from benchmarks.postgresql import server
from benchmarks.result import Result
from livewell.answers.settings import TaskSettings
from livewell.study.study import Study

PEOPLE, EVERY_S, DELAY_MS = 50, 2.0, 500
ITEMS = 2000
SETTINGS = TaskSettings()
HEADER = (
    "load | confirmed | a second | confirmed after, ms (p50, p95) | 10 frames, ms (p50, p95)"
    " | felt, ms (p50, p95) | lost, doubled"
)


def load(runs: Path, seed: int, answers: int, seconds: int) -> Result:
    """Loads of fifty people on SQLite, on SQLite with a slow disk, and on PostgreSQL."""
    rows: list[list[str]] = []
    values: dict[str, Any] = {}

    def add(name: str, folder: str, url: Any, seconds: float, slow: Any = None) -> None:
        done = runs / f"{folder}-{answers}-{seconds:g}-{seed}.json"
        if done.exists():  # before a stop, with these settings
            row, values[name] = json.loads(done.read_text())
            rows.append(row)
            return
        shutil.rmtree(runs / folder, ignore_errors=True)  # of a load that was stopped
        study = crowd.movies(runs / folder)
        people, port, tally = _crowd(study, url, seed), crowd.free_port(), Tally()
        with crowd.served(study, port, url, slow):
            took = _annotated(people, port, tally, seconds, answers)
        lost, doubled = crowd.lost_and_doubled(tally, crowd.kept(study, url))
        rows.append(_row(name, tally, took, lost, doubled))
        values[name] = _values(tally, took, lost, doubled)
        done.write_text(json.dumps([rows[-1], values[name]], default=float))

    # until each has given all the answers
    add("SQLite, paced", "paced", None, answers * EVERY_S)
    add("SQLite, at once", "at-once", None, 0)
    for name, writes in (("flushes", False), ("flushes and writes", True)):
        slow = crowd.slow_disk(runs, DELAY_MS, writes=writes)
        if slow is not None:
            add(f"SQLite, {name} slow, paced", name.replace(" ", "-"), None, seconds, slow)
    with server() as address:
        if address is not None:
            add("PostgreSQL, paced", "pg-paced", address("paced"), seconds)
            add("PostgreSQL, at once", "pg-at-once", address("at_once"), 0)
    return Result(
        title=f"The site with {PEOPLE} people at once",
        header=HEADER,
        rows=rows,
        lead=f"{PEOPLE} people answer ten-frame sequences of 256 px (16 bits, out of TIFF movies of"
        f" 768 px) on one server process."
        f" Paced: each answers every {EVERY_S:g} s on average, in the first load {answers} times,"
        f" else for {seconds} s, and the page fetches three items ahead. At once: each gives up to"
        f" {answers} answers, the next as soon as the last one is confirmed, without images.",
        notes=(
            "Confirmed after: from sending an answer until the server says it is durable. Felt:"
            " from the key until the next item and its frames are in the page.",
            f"Slow: {DELAY_MS} ms are added to every fsync and fdatasync of the server, then to"
            " every pwrite too (a transaction makes about two a page of the database).",
            "Clients and server share the machine.",
        ),
        values=values,
    )


def _crowd(study: Study, url: str | None, seed: int) -> list[crowd.Annotator]:
    return crowd.crowd(study, url, PEOPLE, ITEMS, SETTINGS.model_copy(update={"seed": seed}))


def _annotated(
    people: list[crowd.Annotator], port: int, tally: Tally, seconds: float, answers: int
) -> float:
    """Answers of a load, paced for so long, or at once for 0."""
    if seconds:
        return crowd.paced(people, port, EVERY_S, seconds, tally)
    return crowd.at_once(people, port, answers, tally)


def _row(name: str, tally: Tally, took: float, lost: int, doubled: int) -> list[str]:
    return [
        name,
        f"{len(tally.confirmed):,}",
        f"{len(tally.confirmed) / took:.0f}",
        _shown(tally.answer_s),
        _shown(tally.pixels_s),
        _shown(tally.felt_s),
        f"{lost}, {doubled}",
    ]


def _values(tally: Tally, took: float, lost: int, doubled: int) -> dict[str, Any]:
    times = {"answer": tally.answer_s, "pixels": tally.pixels_s, "felt": tally.felt_s}
    found: dict[str, Any] = {"seconds": took, "lost": lost, "doubled": doubled}
    found |= {"confirmed": len(tally.confirmed), "refused": len(tally.refused)}
    for name, seconds in times.items():
        if seconds:
            found[f"{name}_p50_s"], found[f"{name}_p95_s"] = np.percentile(seconds, [50, 95])
    return found


def _shown(seconds: list[float]) -> str:
    if not seconds:
        return ""
    middle, high = 1000 * np.percentile(seconds, [50, 95])
    return f"{middle:.0f}, {high:.0f}"
