"""Work beside work: what comes next is made, and what is done written, while something computes."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _End:
    """The last thing in a queue: how the other side ended."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[T], depth: int = 2) -> Generator[T]:
    """The same items in the same order, made in a thread of their own, at most `depth` ahead.

    What `items` raises is raised here, after the items before it. If the loop is left early, the
    other thread ends after its next item.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(depth)
    left = threading.Event()

    def fill() -> None:
        end = _End()
        try:
            for item in items:
                _put(waiting, item, left)
                if left.is_set():
                    return
        except BaseException as error:
            end = _End(error)
        finally:
            # a generator that is left half-way lets go of what it holds, here and not some day
            getattr(items, "close", lambda: None)()
        _put(waiting, end, left)

    thread = threading.Thread(target=fill, name="livewell-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error:
                    raise item.error
                return
            yield item
    finally:
        left.set()
        thread.join()


def _put(waiting: "queue.Queue[T | _End]", item: "T | _End", left: threading.Event) -> None:
    """Wait for room, but not for a reader who has left."""
    while not left.is_set():
        try:
            waiting.put(item, timeout=0.1)
        except queue.Full:
            continue
        return


class Aside(Generic[T]):
    """A function that goes through items given one by one, in a thread of its own.

    Used as a context: at its end the items are at their end too, the function is waited for, and
    what it raised is raised here. At most `depth` items wait; `give` waits for room.
    """

    def __init__(self, take: Callable[[Iterator[T]], object], depth: int = 2) -> None:
        self._waiting: queue.Queue[T | _End] = queue.Queue(depth)
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._take = take
        self._thread = threading.Thread(target=self._run, name="livewell-aside", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        _put(self._waiting, _End(error), self._ended)
        try:
            self._thread.join()
        except BaseException:
            # what is being finished is finished, or nothing of it is there
            self._thread.join()
            raise
        if error is None and self._error is not None:
            raise self._error

    def give(self, item: T) -> None:
        """Hand over one item; raises what the function raised, if it has ended."""
        _put(self._waiting, item, self._ended)
        if self._error is not None:
            raise self._error

    def _items(self) -> Iterator[T]:
        while True:
            item = self._waiting.get()
            if isinstance(item, _End):
                if item.error:
                    # half of the items make no whole result
                    raise item.error
                return
            yield item

    def _run(self) -> None:
        try:
            self._take(self._items())
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()
