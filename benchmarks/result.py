"""One result of a benchmark, with what is needed to believe it and to make it again."""

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from livewell.files import read_json, write_json
from livewell.metrics.intervals import Estimate
from livewell.study.runs import versions

KIND = "benchmark"
RUNS = "RUNS"
"""Stands in commands for the folder that keeps runs between calls."""
SHOWN_VERSIONS = ("livewell", "python", "torch", "numpy", "scikit-learn")


@dataclass(frozen=True)
class Result:
    """A table: what it shows and how it was measured, and what a careful reader should know.

    `header` is as in Markdown, ``net | seconds``.
    """

    title: str
    header: str
    rows: Sequence[Sequence[str]]
    lead: str
    notes: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.header.split(" | ")

    def write(
        self, folder: Path, name: str, command: str, *, seed: int, seconds: float
    ) -> dict[str, Any]:
        """Write ``NAME.json``, with date, machine and versions; `command` makes it again."""
        record = {
            "name": name,
            "title": self.title,
            "command": command,
            "seed": seed,
            "columns": self.columns,
            "rows": self.rows,
            "lead": self.lead,
            "seconds": seconds,
            "notes": self.notes,
            "values": self.values,
        }
        known: dict[str, Any] = {"kind": KIND, "date": datetime.now(UTC).date().isoformat()}
        known |= {"machine": machine(), "versions": versions()}
        write_json(folder / f"{name}.json", known | record)
        return record

    def text(self) -> str:
        """The table for a terminal."""
        table = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        ]
        return "\n".join([self.title, *lines, *self.notes])


def machine() -> str:
    """Processor, cores, memory and GPU of this machine, in words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {gpu}"


def render(folder: Path) -> str:
    """``BENCHMARKS.md`` from every result in `folder`."""
    parts = [
        "# Benchmarks",
        "",
        "Made by `python -m benchmarks`, not typed: every table comes from a file in"
        " `benchmarks/results/`.",
        "Real images are not in the repository; see each command for what it needs.",
        "",
        "`FAST` is another net since version 0.2: results of livewell 0.1 are of the former one,"
        " which `mcf7-fast` calls FAST of version 0.1.",
    ]
    for path in sorted(folder.glob("*.json")):
        found = read_json(path, kind=KIND)
        shown = ", ".join(f"{name} {found['versions'][name]}" for name in SHOWN_VERSIONS)
        parts += ["", f"## {found['title']}", "", found["lead"], ""]
        lines = [found["columns"], *found["rows"]]
        head, *rest = ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]
        parts += [head, "|" + "---|" * len(found["columns"]), *rest]
        parts += [""] + [f"- {note}" for note in found["notes"]]
        parts += [
            f"- Command: `{found['command']}`; {found['date']}; seed {found['seed']};"
            f" {_took(found)}.",
            f"- Machine: {found['machine']}; {shown}.",
        ]
    return "\n".join(parts) + "\n"


def percent(share: float, digits: int) -> str:
    """A share as tables print it, percent; a figure of nothing is undefined."""
    return "undefined" if math.isnan(share) else f"{100 * share:.{digits}f}"


def shown(figure: Estimate | Mapping[str, Any]) -> str:
    """An estimate and its interval as tables print them; a figure of nothing is undefined."""
    found = figure if isinstance(figure, Mapping) else asdict(figure)
    if found["value"] is None or math.isnan(found["value"]):
        return "undefined"
    return f"{found['value']:.3f} ({found['low']:.3f}-{found['high']:.3f})"


def _cell(text: str) -> str:
    """A cell of a table in Markdown, where a bar would begin the next one."""
    return text.replace("|", "\\|")


def _took(found: Mapping[str, Any]) -> str:
    """How long a benchmark took: the last call only where earlier ones have left their runs."""
    time = _duration(found["seconds"])
    if RUNS in found["command"].split():
        return f"the last call took {time}, what stood in {RUNS} was not made again"
    return time


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
