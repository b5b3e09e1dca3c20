"""How far a run is, read from its folder: by anybody, from anywhere, while it runs and after."""

import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewell.errors import StudyError
from livewell.execution.journal import AGAIN, AT, BY, FAILED, Journal, no_link
from livewell.files import read_json, write_json

RUN = "units/run.json"
"""File with the names of all units of a run, and the command that began it."""
RECENT_S = 600.0
"""Over how long the rate is measured, seconds."""
command: ContextVar[Sequence[str]] = ContextVar("command", default=())
"""Words of the command that runs, which `livewell gather` gives again."""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far a run is.

    `rate` is units a minute over the last `RECENT_S`, `left_s` the seconds that the rest takes at
    this rate; ``None`` where nothing was done lately. `failed` and `missing` are names of units,
    `workers` processes that wrote a record, `active` those of the last `RECENT_S`.
    """

    what: str
    total: int
    done: int
    failed: tuple[str, ...]
    missing: tuple[str, ...]
    rate: float | None
    left_s: float | None
    workers: tuple[str, ...]
    active: int

    @classmethod
    def of(cls, folder: Path, now: float | None = None) -> "RunStatus":
        """That of a folder of results.

        Raises
        ------
        StudyError
            No run was begun here.
        """
        now = time.time() if now is None else now
        known = read_units(folder)
        last: dict[str, dict[str, Any]] = {}
        workers: dict[str, float] = {}
        times = []
        for line in Journal(folder).lines():
            name, at = line["asked"]["image"], float(line.get(AT, 0))
            if by := line.get(BY):
                workers[by] = max(at, workers.get(by, 0))
            if name not in last or at >= last[name].get(AT, 0):
                last[name] = line
            if AGAIN not in line and now - RECENT_S < at <= now:
                times.append(at)
        ended = {name: line for name, line in last.items() if AGAIN not in line}
        units: list[str] = known["units"]
        failed = tuple(name for name in units if FAILED in ended.get(name, ()))
        missing = tuple(name for name in units if name not in ended)
        rate = _rate(times, now)
        rest = len(missing)
        return cls(
            known["what"],
            len(units),
            len(units) - len(failed) - rest,
            failed,
            missing,
            rate,
            60 * rest / rate if rate else None,
            tuple(sorted(workers)),
            sum(now - at < RECENT_S for at in workers.values()),
        )


def _rate(times: Sequence[float], now: float) -> float | None:
    """Units a minute since the first of the last minutes."""
    if not times:
        return None
    return 60 * len(times) / max(now - min(times), 1.0)


def read_units(folder: Path) -> dict[str, Any]:
    """What stands in the file of units of a folder of results.

    Raises
    ------
    StudyError
        There is none.
    """
    found = read_json(folder / RUN, kind="list of units")
    if not isinstance(found.get("units"), list) or not isinstance(found.get("what"), str):
        raise StudyError(
            "cannot be read as a list of units",
            where=str(folder / RUN),
            remedy="give the command of this run again, which writes it anew",
        )
    return found


def began(journal: Journal, what: str, names: Sequence[str]) -> None:
    """Write which units a run has, unless it is known."""
    own = {"kind": "units", "what": what, "units": sorted(names)}
    own["command"], own["folder"] = list(command.get()), _here()
    no_link(journal.units)
    try:
        known = read_units(journal.folder)
    except StudyError:
        known = {}
    same = ("what", "units") if not own["command"] else ("what", "units", "command", "folder")
    if any(known.get(name) != own[name] for name in same):
        write_json(journal.folder / RUN, own)


def _here() -> str:
    """The folder of now; empty where it was removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def counts(journal: Journal) -> tuple[int, int]:
    """How many units have a record, and how many there are."""
    found = RunStatus.of(journal.folder)
    return found.done, found.total
