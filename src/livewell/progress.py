"""How long work says how far it is; silent unless somebody watches."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from livewell.text import printable

ROUNDING = 1e-6
T = TypeVar("T")


class Tick(Protocol):
    """Says that `done` more units are finished; `note` is shown beside the bar."""

    def __call__(self, done: float = 1, note: str = "") -> None:
        """Say it."""


class Progress(Protocol):
    """Where long work reports to."""

    def task(self, what: str, total: int) -> AbstractContextManager[Tick]:
        """A bar of `total` units called `what`, as long as the block lasts."""


class Silent:
    """Shows nothing."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """A bar that nobody sees."""

        def tick(done: float = 1, note: str = "") -> None:
            """Ignore the step."""

        yield tick


class Bars:
    """Bars on standard error with the time left, for a person at a terminal or a log file."""

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """A bar of `total` units called `what`; a plain line at the end where no terminal is."""
        from rich import progress as rich
        from rich.console import Console

        columns = (
            rich.TextColumn("{task.description}", markup=False),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(),
            rich.TextColumn("left"),
            rich.TimeRemainingColumn(),
            rich.TextColumn("{task.fields[note]}", markup=False),
        )
        with rich.Progress(*columns, console=Console(stderr=True, force_jupyter=False)) as bars:
            bar = bars.add_task(printable(what), total=total, note="")
            at = 0.0

            def tick(done: float = 1, note: str = "") -> None:
                """Move the bar."""
                nonlocal at
                at += done
                # the parts of a unit add up to it but for rounding
                shown = round(at) if abs(at - round(at)) < ROUNDING else at
                bars.update(bar, completed=shown)
                if note:
                    bars.update(bar, note=printable(note))

            yield tick


SILENT = Silent()
"""What is shown unless `shown` says otherwise."""
_shown: Progress = SILENT


@contextmanager
def shown(progress: Progress) -> Iterator[None]:
    """Show the progress of all work within the block, ``Bars()`` for a terminal or a log file."""
    global _shown
    before, _shown = _shown, progress
    try:
        yield
    finally:
        _shown = before


@contextmanager
def task(what: str, total: int) -> Iterator[Tick]:
    """A bar of `total` units called `what`, as long as the block lasts.

    Where nothing else is said by `shown`, work within the block shows no bars of its own.
    """
    with _shown.task(what, total) as tick, shown(SILENT):
        yield tick


def each(items: Iterable[T], tick: Tick, share: float = 1) -> Iterator[tuple[T, Tick]]:
    """Items, and what tells how far each one is, which makes `share` units of `tick`.

    Where a bar counts files, a file of many frames moves it frame by frame, and the time left is
    known before the file ends. The rest of an item is counted when the next is asked for.
    """
    for item in items:
        part = _Part(tick, share)
        yield item, part
        part(part.left)


class _Part:
    """One unit that is `share` of a larger one."""

    def __init__(self, tick: Tick, share: float) -> None:
        self.tick, self.share, self.left = tick, share, 1.0

    def __call__(self, done: float = 1, note: str = "") -> None:
        """Tell a part, never more than the unit."""
        step = min(done, self.left)
        self.left -= step
        if step > 0 or note:
            self.tick(step * self.share, note)
