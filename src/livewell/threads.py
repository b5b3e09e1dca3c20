"""Work beside work: what comes next is made, and what is done written, while something computes."""

import queue
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
_NO_MORE: Any = object()


def leave_interrupts() -> None:
    """Let Ctrl-C be for the process that began this one, which ends it; else both tell of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def ahead(items: Iterable[T], depth: int = 2) -> Generator[T]:
    """The same items in the same order, made in a thread of their own, at most `depth` ahead.

    What `items` raises is raised here, after the items before it. If the loop is left early, the
    other thread ends after its next item.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "livewell-ahead") as maker:
        made = deque(maker.submit(next, iterator, _NO_MORE) for _ in range(depth))
        try:
            while (item := made.popleft().result()) is not _NO_MORE:
                made.append(maker.submit(next, iterator, _NO_MORE))
                yield item
        finally:
            for future in made:
                future.cancel()
            # a generator that is left half-way lets go of what it holds, here and not some day
            close: Callable[[], object] = getattr(iterator, "close", lambda: None)
            try:
                maker.submit(close)
            except RuntimeError:  # the interpreter is ending, and so has the thread
                close()


class Aside(Generic[T]):
    """A function that goes through items given one by one, in a thread of its own.

    Used as a context: at its end the items are at their end too, the function is waited for, and
    what it raised is raised here. At most `depth` items wait; `give` waits for room.
    """

    def __init__(self, take: Callable[[Iterator[T]], object], depth: int = 2) -> None:
        self._waiting: queue.Queue[T] = queue.Queue(depth)
        self._take = take
        self._taker = ThreadPoolExecutor(1, "livewell-aside")
        self._error: BaseException | None = None
        self._over = False

    def __enter__(self) -> Self:
        self._taken = self._taker.submit(self._take, self._items())
        return self

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        # never waits for room, so that the taker ends also where waiting is broken off
        self._error, self._over = error, True
        with self._taker:
            wait([self._taken])
        if error is None:
            self._taken.result()

    def give(self, item: T) -> None:
        """Hand over one item; raises what the function raised, if it has ended."""
        # waits for room, but not for a function that has ended
        while not self._taken.done():
            with suppress(queue.Full):
                self._waiting.put(item, timeout=0.1)
                break
        if self._taken.done():
            self._taken.result()

    def _items(self) -> Iterator[T]:
        while True:
            # looked at first: what is given before the end is in the queue by then
            over = self._over
            try:
                item = self._waiting.get(timeout=0.1)
            except queue.Empty:
                if over:
                    break
                continue
            yield item
        if self._error:
            # half of the items make no whole result
            raise self._error
