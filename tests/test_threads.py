"""Work beside work keeps order, tells errors and never hangs."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from livewell.threads import Aside, ahead


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_items_come_in_order_and_no_further_ahead_than_said() -> None:
    """Items keep their order; never more than `depth` and the one in hand are made ahead."""
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    taken = []
    for item in ahead(items(), depth=2):
        time.sleep(0.002)
        assert len(made) <= item + 5
        taken.append(item)
    assert taken == list(range(20))


def test_an_error_comes_after_the_items_before_it() -> None:
    """What the other thread raises is raised here, and nothing before it is lost."""

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    found = ahead(items())
    assert (next(found), next(found)) == (1, 2)
    with pytest.raises(ValueError, match="broken"):
        next(found)


def test_a_loop_left_early_leaves_no_thread() -> None:
    """The other thread ends when nobody reads any more."""
    for item in ahead(iter(range(1000))):
        if item == 3:
            break
    deadline = time.monotonic() + 5
    while "livewell-ahead" in names() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "livewell-ahead" not in names()


def test_aside_takes_all_and_is_waited_for() -> None:
    """At the end of the block the function has had every item."""
    taken: list[int] = []
    with Aside(lambda items: taken.extend(items)) as aside:
        for item in range(50):
            aside.give(item)
    assert taken == list(range(50))


def test_an_error_aside_is_raised_here() -> None:
    """A function that breaks stops the giver instead of letting it wait for ever."""

    def broken(items: Iterator[int]) -> None:
        next(items)
        raise OSError("disk full")

    def give() -> None:
        with Aside(broken) as aside:
            for item in range(1000):
                aside.give(item)

    with pytest.raises(OSError, match="disk full"):
        give()


def test_half_of_the_items_make_no_whole_result() -> None:
    """Where the giver breaks, the function sees it and cannot finish as if all had come."""
    finished = []

    def take(items: Iterator[int]) -> None:
        for _ in items:
            pass
        finished.append(True)

    def give() -> None:
        with Aside(take) as aside:
            aside.give(1)
            raise KeyError("giver")

    with pytest.raises(KeyError, match="giver"):
        give()
    assert not finished


def test_what_is_left_half_way_is_closed() -> None:
    """A generator behind a loop that ends early is closed, and so is one behind that."""
    closed = []

    def inner() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append("inner")

    def outer() -> Iterator[int]:
        try:
            yield from ahead(inner())
        finally:
            closed.append("outer")

    found = ahead(outer())
    assert next(found) == 0
    found.close()
    assert sorted(closed) == ["inner", "outer"]


@pytest.mark.long
def test_an_end_that_is_broken_off_leaves_nothing_waiting() -> None:
    """Ctrl-C while the end waits for a slow function with a full queue ends both."""
    script = """
import os, signal, threading, time
from livewell.threads import Aside

def take(items):
    for _ in items:
        time.sleep(0.5)

def interrupt():
    time.sleep(0.25)
    os.kill(os.getpid(), signal.SIGINT)

# a shell that starts this in the background has Ctrl-C ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Thread(target=interrupt, daemon=True).start()
try:
    with Aside(take) as aside:
        for item in range(3):
            aside.give(item)
except KeyboardInterrupt:
    print("ended")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "ended\n"
