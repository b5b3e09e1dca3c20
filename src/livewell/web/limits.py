"""How many requests are too many: of one session, of one account, from one address."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = {"account": 5, "address": 50}
"""So many wrong passwords cost nothing; a laboratory may share an address."""
HOURLY = {"invitations": 50}
"""How often somebody may do what is done now and then."""
LONGEST_S = 300.0
"""Nobody waits longer, so that nobody locks an account's owner out for ever."""
FORGOTTEN_S = 3600.0
RATE, BURST = 200.0, 2000.0
"""Requests a second of one session in the long run, and at once; who annotates makes a few."""
KEPT = 10_000
"""So many accounts, addresses and sessions are remembered, the last ones."""


@dataclass(slots=True)
class _Failures:
    count: int
    until: float
    last: float


class Limits:
    """What was asked too often, kept in memory.

    Parameters
    ----------
    clock
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._times: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def general(self, session: str) -> float:
        """Count a request of a session; seconds to wait, 0 where it is none too many."""
        now = self._clock()
        with self._lock:
            left, then = self._buckets.pop(session, (BURST, now))
            left = min(BURST, left + (now - then) * RATE)
            allowed = left >= 1
            self._buckets[session] = (left - allowed, now)
            while len(self._buckets) > KEPT:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / RATE

    def wait(self, *keys: tuple[str, str]) -> float:
        """Seconds until another try is heard; keys are kind and name, such as an account's."""
        now = self._clock()
        with self._lock:
            found = [self._failures[key].until for key in keys if key in self._failures]
        return max(0.0, *(until - now for until in found)) if found else 0.0

    def allowed(self, key: tuple[str, str]) -> bool:
        """Count what is done now and then (`HOURLY`), and whether that is not too often."""
        now, kind = self._clock(), key[0]
        with self._lock:
            times = [then for then in self._times.pop(key, []) if now - then < FORGOTTEN_S]
            free = len(times) < HOURLY[kind]
            self._times[key] = [*times, now] if free else times
            while len(self._times) > KEPT:
                self._times.popitem(last=False)
        return free

    def failed(self, *keys: tuple[str, str]) -> None:
        """Remember a wrong password: from the `FREE`th on the wait doubles each time."""
        now = self._clock()
        with self._lock:
            for key in keys:
                known = self._failures.pop(key, None)
                fresh = known is None or now - known.last > FORGOTTEN_S
                count = 1 if fresh or known is None else known.count + 1
                above = count - FREE[key[0]]
                delay = min(LONGEST_S, 2.0 ** min(above, 60)) if above >= 0 else 0.0
                self._failures[key] = _Failures(count, now + delay, now)
            while len(self._failures) > KEPT:
                self._failures.popitem(last=False)

    def succeeded(self, *keys: tuple[str, str]) -> None:
        """Forget what was wrong before."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)
