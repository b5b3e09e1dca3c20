"""How long work says how far it is; silent unless somebody watches."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from livewell.text import printable

ROUNDING = 1e-6
SHORT_S, OFTEN_S, SELDOM_S = 2, 10, 30
"""Work of which a log file needs no line; least time between two lines, and how long nothing may be
said."""
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


def printed(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


class Lines:
    """A plain line now and then, for a log file: at most one in ten seconds while work goes on.

    One at each tenth of the work, and where a tenth takes long after half a minute; at the end one,
    unless all was done in a moment.
    """

    def __init__(
        self,
        say: Callable[[str], object] = printed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say, self._clock = say, clock

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Lines on `total` units called `what`."""
        began = said = self._clock()
        at, tenth, noted = 0.0, 0, ""

        def line() -> str:
            gone = self._clock() - began
            left = f", {span(gone * (total - at) / at)} left" if 0 < at < total else ""
            share = f", {at / total:.0%}" if total else ""
            shown = f"{at:,.1f}".removesuffix(".0")
            text = f"{what}: {shown} of {total:,}{share}, {span(gone)} gone{left}"
            return f"{text}; {noted}" if noted else text

        def tick(done: float = 1, note: str = "") -> None:
            """Say how far it is, where it is time."""
            nonlocal at, tenth, noted, said
            at = min(at + done, total)
            noted = note or noted
            now, part = self._clock(), int(10 * at / total + ROUNDING) if total else 0
            if now - said >= OFTEN_S and (part > tenth or now - said >= SELDOM_S) and at < total:
                self._say(line())
                said, tenth = now, part

        yield tick
        at = round(at) if abs(at - round(at)) < ROUNDING else at
        if self._clock() - began >= SHORT_S:
            self._say(line())


def span(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 5 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


class Bars:
    """Bars on standard error with the time left; where no terminal is, lines by `say`."""

    def __init__(self, say: Callable[[str], object] = printed) -> None:
        self._lines = Lines(say)

    def task(self, what: str, total: int) -> AbstractContextManager[Tick]:
        """A bar of `total` units called `what`, or lines."""
        at_terminal = sys.stderr is not None and sys.stderr.isatty()
        return self._bar(what, total) if at_terminal else self._lines.task(what, total)

    @contextmanager
    def _bar(self, what: str, total: int) -> Iterator[Tick]:
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
