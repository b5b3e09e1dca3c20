"""Which items a person sees next: by chance, shared, controls, hidden repeats, most uncertain.

What a showing is for, its kind, follows from its ordinal alone: every `shared_every` -th is of an
item that another person answered, and controls, repeats and uncertain items lie evenly among the
others, each person's from a place of their own. Which item it is then is drawn by chance, from
numbers that settings' seed, task, person and ordinal decide. Where no item is of the kind that is
due, one is drawn at random; nothing is made up for later.

Statistics of agreement take answers whose reason is "random" or "shared", of each item the first
two. Who answers such items does not depend on what they look like or what was answered of them:

- Items of reason "uncertain" are hard ones, so they take no part. An item answered only as such is
  not shared, and a person's hidden repeats are of items that chance dealt before.
- One answer never settles an item, whatever the posterior, so that a second answer does not depend
  on the first. Later ones do: the stop rule leaves them to items that people disagree about.
- Of what others answered, the items with the fewest such answers are shared first, drawn by chance
  among these. Drawn by chance among all, a growing part would be items that two people disagreed
  about, for only these are not settled; and the same number of answers would cover fewer items.

What remains: a person who was dealt an item as uncertain is not dealt it by chance later. Answers
by chance lack that share of the hardest items: of a task of 10,000 items 100, one percent.

References
----------
Richmond et al. 2017, section 2.2 (every fifth sequence was one that somebody else had scored).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from livewell.answers.settings import TaskSettings
from livewell.metrics.answer_matrix import BY_CHANCE

SETTLED_BY = 2
"""Fewest answers by chance, none of them unsure, that settle an item."""
PERIOD = 1000
"""Showings, beside shared ones, after which the row of kinds begins anew."""
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Choice(NamedTuple):
    """An item to be shown: its row, why (of `livewell.answers.tables.REASONS`), which round."""

    item: int
    reason: str
    round: int


@dataclass(frozen=True, slots=True, eq=False)
class ItemStates:
    """What is known of a task's items (n,), in the order of their numbers, for one person.

    Answers that were taken back do not count, and of one person only one counts. "By chance": dealt
    as random or shared.
    """

    dealt: Integers
    """People to whom it was dealt, whatever the reason, this one among them."""
    answers: Integers
    """People who answered it where it was dealt by chance, this one among them."""
    others: Integers
    """The same without this person."""
    sure: Integers
    """People who answered it with a class, and not "unsure", where it was dealt by chance."""
    last: Integers
    """Ordinal at which it was last dealt to this person; -1: never."""
    round: Integers
    """Round in which that was; -1: never."""
    by_chance: Flags
    """Whether it was first dealt to this person by chance."""
    control: Flags
    """Whether its truth is known."""
    uncertainty: NDArray[np.float64]
    """Of a model, the higher the less sure; NaN: no model judged it."""
    posterior: NDArray[np.float64]
    """Of its likeliest class, by Dawid and Skene from all answers; NaN: not known."""
    part: Integers
    """Of a quiz, number in `QUIZ_PARTS`."""

    @classmethod
    def unseen(cls, number: int) -> "ItemStates":
        """Items that nobody was dealt; arrays are to be filled."""
        zeros, never = np.zeros(number, np.int64), np.full(number, -1, np.int64)
        unknown, no = np.full(number, np.nan), np.zeros(number, np.bool_)
        return cls(
            dealt=zeros,
            answers=zeros.copy(),
            others=zeros.copy(),
            sure=zeros.copy(),
            last=never,
            round=never.copy(),
            by_chance=no,
            control=no.copy(),
            uncertainty=unknown,
            posterior=unknown.copy(),
            part=zeros.copy(),
        )

    def settled(self, settings: TaskSettings) -> Flags:
        """Which need no more answers by the stop rule, (n,)."""
        if settings.stop_at is None:
            return np.zeros(len(self.sure), np.bool_)
        return (self.posterior >= settings.stop_at) & (self.sure >= SETTLED_BY)


def choose(
    items: ItemStates,
    settings: TaskSettings,
    *,
    task: int,
    person: int,
    ordinal: int,
    count: int = 1,
) -> list[Choice]:
    """The next items of a person; fewer than `count` where no more are left to be answered.

    Parameters
    ----------
    task, person
        Their numbers, which decide with `settings.seed` and the ordinal what chance draws.
    ordinal
        How many items the person was dealt in this task, repeats among them.
    """
    if settings.quiz is not None:
        order = np.lexsort((np.arange(len(items.part)), items.part))
        return [Choice(int(row), "fixed", 0) for row in order[items.last[order] < 0][:count]]
    own = _PersonStates(items, settings)
    chosen: list[Choice] = []
    for number in range(ordinal, ordinal + count):
        rng = np.random.default_rng([settings.seed, task, person, number])
        choice = own.draw(due(settings, task, person, number), number, rng)
        if choice is None:
            break
        chosen.append(choice)
    return chosen


def due(settings: TaskSettings, task: int, person: int, ordinal: int) -> str:
    """What a showing is for: "shared", "control", "repeat", "uncertain" or "random".

    Of any number of showings from the first on exactly as many are shared as said; of the other
    kinds the number differs by less than two from what their share says, and they lie evenly.
    Shares are rounded to a thousandth.
    """
    every = settings.shared_every
    if every and (ordinal + 1) % every == 0:
        return "shared"
    plan = _plan(every, settings.controls, settings.repeats, settings.uncertain)
    first = int(np.random.default_rng([settings.seed, task, person]).integers(PERIOD))
    return plan[(first + ordinal - (ordinal // every if every else 0)) % PERIOD]


@lru_cache
def _plan(every: int, controls: float, repeats: float, uncertain: float) -> tuple[str, ...]:
    """Kinds of `PERIOD` showings that are not shared, each as evenly as can be.

    The nth of a kind has a window of its own, as long as such showings are apart, and of those
    whose window has begun the one that ends first is next: then all lie in their windows (Baruah
    et al. 1996, Algorithmica 15:600).
    """
    own = 1 - 1 / every if every else 1.0
    shares = {"control": controls, "repeat": repeats, "uncertain": uncertain}
    numbers = {kind: round(PERIOD * share / own) for kind, share in shares.items()}
    numbers["random"] = PERIOD - sum(numbers.values())
    done = {kind: 0 for kind, number in numbers.items() if number > 0}
    plan: list[str] = []
    for slot in range(PERIOD):
        begun = [kind for kind in done if done[kind] * PERIOD // numbers[kind] <= slot]
        kind = min(begun, key=lambda each: ceil((done[each] + 1) * PERIOD / numbers[each]))
        done[kind] += 1
        plan.append(kind)
    return tuple(plan)


class _PersonStates:
    """What a person was dealt, through several draws."""

    def __init__(self, items: ItemStates, settings: TaskSettings) -> None:
        self.items, self.settings = items, settings
        self.last, self.round = items.last.copy(), items.round.copy()
        self.dealt, self.by_chance = items.dealt.copy(), items.by_chance.copy()
        # where none are asked for, or there are no others, controls are as all items
        asked = settings.controls > 0 and not items.control.all()
        self.control = items.control & asked
        self.open = ~items.settled(settings) & ~self.control

    def draw(self, kind: str, ordinal: int, rng: np.random.Generator) -> Choice | None:
        """An item of this kind or else a random one; ``None`` where no more are to be answered."""
        fresh = self.last < 0
        open_ = fresh & self.open
        if not open_.any():
            return None
        pool = self._pool(kind, ordinal, fresh, open_)
        if not len(pool):
            kind, pool = "random", np.flatnonzero(open_)
        item = int(rng.choice(pool))
        self.last[item] = ordinal
        self.round[item] += 1
        self.dealt[item] += fresh[item]
        self.by_chance[item] |= kind in BY_CHANCE
        return Choice(item, kind, int(self.round[item]))

    def _pool(self, kind: str, ordinal: int, fresh: Flags, open_: Flags) -> Integers:
        """Items among which chance decides."""
        match kind:
            case "shared":
                pool = np.flatnonzero(open_ & (self.items.others > 0))
                return _least(pool, self.items.others)
            case "control":
                return np.flatnonzero(fresh & self.control)
            case "repeat":
                long_ago = self.last <= ordinal - self.settings.repeat_after
                return _least(np.flatnonzero(~fresh & long_ago & self.by_chance), self.round)
            case "uncertain":
                pool = np.flatnonzero(open_ & np.isfinite(self.items.uncertainty))
                return _least(_least(pool, self.dealt), -self.items.uncertainty)
            case _:
                return np.flatnonzero(open_)


def _least(pool: Integers, values: NDArray[Any]) -> Integers:
    """Those of the pool of which the value is least."""
    return pool[values[pool] == values[pool].min()] if len(pool) else pool
