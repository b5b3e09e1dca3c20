"""How long work says how far it is; silent unless somebody watches."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Tick(Protocol):
    """Says that `done` more units are finished; `note` is shown beside the bar."""

    def __call__(self, done: int = 1, note: str = "") -> None:
        """Say it."""


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, what: str, total: int) -> AbstractContextManager[Tick]:
        """A bar of `total` units called `what`, as long as the block lasts."""
        ...


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """A bar that nobody sees."""

        def tick(done: int = 1, note: str = "") -> None:
            """Ignore the step."""

        yield tick


class Bars:
    """Bars on standard error with the time left, for a person at a terminal or a log file."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """A bar of `total` units called `what`; a plain line at the end where no terminal is."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with RichProgress(*columns, console=Console(stderr=True)) as bars:
            bar = bars.add_task(what, total=total, note="")

            def tick(done: int = 1, note: str = "") -> None:
                """Move the bar."""
                if note:
                    bars.update(bar, advance=done, note=note)
                else:
                    bars.update(bar, advance=done)

            yield tick


SILENT = Silent()
"""The default everywhere."""
