"""When a series of verdicts counts as an alarm: a class that persists, not one frame that is off.

Frames of one position are not independent: what is wrong with one, such as a bubble or a drifting
focus, is wrong with the next. Persistence guards against single frames that are off, not against
that.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from livewell.classes import UNSURE
from livewell.errors import SpecError
from livewell.metrics.outcomes import Floats

LONGEST = 12
"""Most frames that a rule looks back on."""


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """A position is in the class that at least `least` of its `last` judged frames speak for.

    A frame speaks for the class of its verdict. With a threshold `above` it speaks for `positive`
    where p lies above it, and for no class where it does not and the verdict is `positive` all the
    same. Frames without anything to judge do not count. Without a `positive` class there are states
    and no alarm.

    Raises
    ------
    SpecError
        Not 1 <= `least` <= `last` <= 12, a threshold outside [0, 1), or one without a class.
    """

    positive: str | None
    least: int = 3
    last: int = 5
    above: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.last <= LONGEST:
            raise SpecError(
                "no such rule for an alarm",
                where="--alarm-frames",
                expected=f"two numbers, at least the first of the last so many frames, at most"
                f" {LONGEST}",
                got=f"{self.least} {self.last}",
            )
        if self.above is not None and not 0 <= self.above < 1:
            raise SpecError(
                "no such threshold", where="--alarm-above", expected="[0, 1)", got=str(self.above)
            )
        if self.above is not None and self.positive is None:
            raise SpecError(
                "a threshold for an alarm, and the model seeks no class",
                where="--alarm-above",
                remedy="leave it out, or train with a positive class",
            )

    def vote(self, verdict: str, p: float | None) -> str | None:
        """The class that a frame speaks for, ``unsure``, or ``None`` without anything to judge.

        `p` is that of the positive class.
        """
        if p is None:
            return None
        if self.above is None or self.positive is None:
            return verdict
        if p > self.above:
            return self.positive
        return UNSURE if verdict == self.positive else verdict

    def state(self, votes: Iterable[str | None]) -> str:
        """The state of a position, a class or ``unsure``, by its frames, the last one first."""
        counts = Counter(islice((vote for vote in votes if vote is not None), self.last))
        if self.positive is not None and counts[self.positive] >= self.least:
            return self.positive
        del counts[UNSURE]
        most = counts.most_common(2)
        if not most or most[0][1] < self.least or (len(most) > 1 and most[1][1] == most[0][1]):
            return UNSURE
        return most[0][0]

    def false_alarms(self, share: float, frames: int) -> float:
        """Chance that a position of another class is in alarm at least once in so many frames.

        `share` of its frames speak for the positive class, each independently of all others, which
        frames of one position are not: where they all err alike the chance is `share`. Exact, by
        the chain of what the last frames spoke for.
        """
        states = np.arange(2 ** (self.last - 1))
        hits = np.array([int(state).bit_count() for state in states])
        after = (2 * states) % len(states)
        chances: Floats = np.zeros(len(states))
        chances[0], raised = 1.0, 0.0
        for _ in range(frames):
            alarm = chances[hits + 1 >= self.least].sum() * share
            goes_on = np.where(hits + 1 >= self.least, 0.0, chances * share)
            moved = np.zeros(len(states))
            np.add.at(moved, after, chances * (1 - share))
            np.add.at(moved, (after + 1) % len(states), goes_on)
            chances = moved
            raised += float(alarm)
        return min(raised, 1.0)
