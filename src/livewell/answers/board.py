"""An annotation task in memory: who was dealt what, and which answers stand.

Built from the database, and kept up to date by whoever writes: what comes next is told without
asking the disk.
"""

import secrets
import time
from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from livewell.answers.checks import NewAnswer, check_answer
from livewell.answers.choosing import Choice, ItemStates, choose
from livewell.answers.history import Progress
from livewell.answers.settings import TaskSettings
from livewell.answers.tables import UNSURE, Answer, Item, Showing, Task
from livewell.errors import AnswerError
from livewell.metrics.answer_matrix import BY_CHANCE, NOTHING
from livewell.metrics.consensus import dawid_skene
from livewell.tables.schemas import QUIZ_PARTS

AHEAD = 5
"""How many more items than asked for are dealt, so that what is shown is durable by then."""
STALE = 0.02
"""Share of all answers that must be new before it is told again how sure each item's class is."""


@dataclass(slots=True, eq=False)
class Dealt:
    """A showing, its item's row, and the answer that stands."""

    showing: Showing
    row: int
    answer_id: str | None = None
    answer: str | None = None


class Hand:
    """What one person was dealt of a task of `number` items."""

    def __init__(self, number: int) -> None:
        self.dealt: list[Dealt] = []
        self.waiting: list[Dealt] = []
        self.last = np.full(number, -1, np.int64)
        self.round = np.full(number, -1, np.int64)
        self.by_chance = np.zeros(number, np.bool_)
        self.counted = np.zeros(number, np.bool_)
        """Items of which an answer by chance stands."""
        self.answers = 0


class Board:
    """A task, its items, and all its showings.

    Parameters
    ----------
    task, items
        Rows of the database, the items in the order of their numbers.
    """

    def __init__(self, task: Task, items: list[Item]) -> None:
        number = len(items)
        self.task, self.items = task, items
        self.settings = TaskSettings.model_validate(task.settings)
        self.showings: dict[str, Dealt] = {}
        self.answer_ids: set[str] = set()
        self.posterior = np.full(number, np.nan)
        self._new = 1
        """Answers that came or went since the posterior was told."""
        unsure = [np.nan if item.uncertainty is None else item.uncertainty for item in items]
        self.uncertainty = np.array(unsure, np.float64)
        self._rows = {item.id: row for row, item in enumerate(items)}
        self._hands: dict[int, Hand] = {}
        self._dealt = np.zeros(number, np.int64)
        self._answers = np.zeros(number, np.int64)
        self._sure = np.zeros(number, np.int64)
        self._standing = np.zeros(number, np.int64)
        self._control = np.array([item.truth is not None for item in items], np.bool_)
        parts = {name: place for place, name in enumerate(QUIZ_PARTS)}
        self._part = np.array([parts.get(item.part or "", 0) for item in items], np.int64)

    @classmethod
    def load(cls, session: Session, task: int) -> "Board | None":
        """The task of this number as the database has it; ``None`` where there is none."""
        found = session.get(Task, task)
        if found is None:
            return None
        items = select(Item).where(Item.task_id == task).order_by(Item.number)
        board = cls(found, list(session.scalars(items)))
        showings = select(Showing).where(Showing.task_id == task)
        for showing in session.scalars(showings.order_by(Showing.person_id, Showing.number)):
            board._deal(showing, board._rows[showing.item_id])
        answers = session.execute(
            select(Answer.id, Answer.showing_id, Answer.undoes, Answer.answer)
            .join(Showing, Answer.showing_id == Showing.id)
            .where(Showing.task_id == task)
        ).all()
        board.answer_ids.update(row.id for row in answers)
        undone = {row.undoes for row in answers}
        for row in answers:
            if row.answer is not None and row.id not in undone:
                board._stand(board.showings[row.showing_id], row.id, row.answer)
        return board

    def rank(self, uncertainty: Mapping[int, float], run: str) -> None:
        """Take over how unsure a model is of items, by number."""
        for number, value in uncertainty.items():
            self.items[number].uncertainty, self.items[number].uncertain_by = value, run
            self.uncertainty[number] = value

    def next(self, person: int, count: int) -> tuple[list[Dealt], list[Dealt]]:
        """What waits for this person, the earliest first, and what of it was dealt just now."""
        hand = self._hand(person)
        missing = 0 if self.task.closed else count + AHEAD - len(hand.waiting)
        new: list[Dealt] = []
        if missing > 0:
            self._weigh()
            chosen = choose(
                self._states(hand),
                self.settings,
                task=self.task.id,
                person=person,
                ordinal=len(hand.dealt),
                count=missing,
            )
            new = [self._deal(self._showing(person, each), each.item) for each in chosen]
        return hand.waiting[:count], new

    def check(self, person: int, new: NewAnswer) -> Dealt:
        """The showing that an answer is for; an `AnswerError` where it may not be given."""
        dealt = self.showings.get(new.showing)
        if dealt is None or dealt.showing.person_id != person:
            raise AnswerError(
                "there is no such item among yours",
                remedy="load the page again; the answers it confirmed are kept",
            )
        check_answer(new, self.task, self.settings, self.items[dealt.row])
        if new.undoes is not None and new.undoes != dealt.answer_id:
            raise AnswerError(
                "this answer cannot be taken back",
                expected="an answer of yours to this item that stands",
            )
        if new.undoes is None and dealt.answer_id is not None:
            raise AnswerError(
                "this item is answered already", remedy="take the earlier answer back first"
            )
        return dealt

    def keep(self, dealt: Dealt, new: NewAnswer) -> None:
        """Take over an answer that was checked."""
        self.answer_ids.add(new.id)
        if new.answer is not None:
            self._stand(dealt, new.id, new.answer)
        else:
            self._take_back(dealt)

    def progress(self, person: int) -> Progress:
        """How far the task is, seen by this person."""
        hand = self._hands.get(person)
        self._weigh()
        return Progress(
            items=len(self.items),
            mine=hand.answers if hand else 0,
            anybody=int(np.count_nonzero(self._standing)),
            answers=int(self._standing.sum()),
            settled=int(self._states(self._hand(person)).settled(self.settings).sum()),
        )

    def votes(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows, people and classes of all answers that stand, each person's first of an item.

        Three arrays (n,); answers that are unsure or not a class are left out.
        """
        codes = {name: code for code, name in enumerate(self.task.classes)}
        found = [
            (dealt.row, person, codes[dealt.answer])
            for person, hand in self._hands.items()
            for dealt in hand.dealt
            if dealt.showing.round == 0 and dealt.answer not in (None, UNSURE)
            if dealt.answer in codes
        ]
        table = np.array(found, np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]

    def _weigh(self) -> None:
        """Tell how sure each item's class is, where a stop rule asks and enough answers are new."""
        if self.settings.stop_at is None or self._new <= self._standing.sum() * STALE:
            return
        self._new = 0
        rows, persons, codes = self.votes()
        if not len(rows):
            return
        people, columns = np.unique(persons, return_inverse=True)
        table = np.full((len(self.items), len(people)), NOTHING)
        table[rows, columns] = codes
        places = {name: place for place, name in enumerate(self.task.classes)}
        truth = [places.get(item.truth or "", NOTHING) for item in self.items]
        found = dawid_skene(table, len(places), known=truth).posterior.max(axis=1)
        self.posterior = np.where((table != NOTHING).any(axis=1), found, np.nan)

    def _states(self, hand: Hand) -> ItemStates:
        return ItemStates(
            dealt=self._dealt,
            answers=self._answers,
            others=self._answers - hand.counted,
            sure=self._sure,
            last=hand.last,
            round=hand.round,
            by_chance=hand.by_chance,
            control=self._control,
            uncertainty=self.uncertainty,
            posterior=self.posterior,
            part=self._part,
        )

    def _showing(self, person: int, choice: Choice) -> Showing:
        return Showing(
            id=secrets.token_urlsafe(16),
            task_id=self.task.id,
            person_id=person,
            item_id=self.items[choice.item].id,
            round=choice.round,
            number=len(self._hand(person).dealt),
            reason=choice.reason,
            created=time.time(),
        )

    def _deal(self, showing: Showing, row: int) -> Dealt:
        hand = self._hand(showing.person_id)
        dealt = Dealt(showing, row)
        self._dealt[row] += hand.last[row] < 0
        hand.last[row] = showing.number
        hand.round[row] = showing.round
        hand.by_chance[row] |= showing.reason in BY_CHANCE
        hand.dealt.append(dealt)
        hand.waiting.append(dealt)
        self.showings[showing.id] = dealt
        return dealt

    def _stand(self, dealt: Dealt, name: str, answer: str) -> None:
        dealt.answer_id, dealt.answer = name, answer
        self._count(dealt, 1)
        self._hand(dealt.showing.person_id).waiting.remove(dealt)

    def _take_back(self, dealt: Dealt) -> None:
        self._count(dealt, -1)
        dealt.answer_id = dealt.answer = None
        waiting = self._hand(dealt.showing.person_id).waiting
        insort(waiting, dealt, key=lambda each: each.showing.number)

    def _count(self, dealt: Dealt, change: int) -> None:
        hand = self._hand(dealt.showing.person_id)
        hand.answers += change
        self._standing[dealt.row] += change
        self._new += 1
        if dealt.showing.reason in BY_CHANCE:
            self._answers[dealt.row] += change
            self._sure[dealt.row] += change * (dealt.answer != UNSURE)
            hand.counted[dealt.row] = change > 0

    def _hand(self, person: int) -> Hand:
        if person not in self._hands:
            self._hands[person] = Hand(len(self.items))
        return self._hands[person]
