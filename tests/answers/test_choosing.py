"""What people see next: shares, distances, nothing twice, and the same again after a restart."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from livewell.answers.choosing import Choice, ItemStates, choose
from livewell.answers.settings import TaskSettings
from livewell.tables.schemas import QUIZ_PARTS

SETTINGS = st.builds(
    TaskSettings,
    shared_every=st.sampled_from([0, 2, 3, 5, 7]),
    controls=st.sampled_from([0.0, 0.05, 0.1, 0.13]),
    repeats=st.sampled_from([0.0, 0.05, 0.1, 0.12]),
    repeat_after=st.integers(1, 30),
    uncertain=st.sampled_from([0.0, 0.1, 0.2]),
    stop_at=st.sampled_from([None, 0.95]),
    seed=st.integers(0, 2**31),
)


def items_of(number: int, seed: int) -> ItemStates:
    """Items some of which are controls, settled, judged by a model, answered by others."""
    rng = np.random.default_rng(seed)
    others = rng.integers(0, 4, number)
    return replace(
        ItemStates.unseen(number),
        dealt=others.copy(),
        answers=others.copy(),
        others=others,
        sure=others.copy(),
        control=rng.random(number) < 0.2,
        uncertainty=np.where(rng.random(number) < 0.7, rng.random(number), np.nan),
        posterior=np.where(others > 0, rng.random(number) ** 0.1, np.nan),
    )


def dealt(items: ItemStates, settings: TaskSettings, count: int, person: int = 3) -> list[Choice]:
    return choose(items, settings, task=1, person=person, ordinal=0, count=count)


def after(items: ItemStates, choices: list[Choice], first: int = 0) -> ItemStates:
    """The states once these were dealt to the person."""
    last, round_ = items.last.copy(), items.round.copy()
    seen, by_chance = items.dealt.copy(), items.by_chance.copy()
    for ordinal, choice in enumerate(choices, first):
        last[choice.item], round_[choice.item] = ordinal, choice.round
        if choice.round == 0:
            seen[choice.item] += 1
            by_chance[choice.item] = choice.reason in ("random", "shared")
    return replace(items, last=last, round=round_, dealt=seen, by_chance=by_chance)


@given(SETTINGS, st.integers(1, 300), st.integers(0, 10**6))
@examples(max_examples=60, deadline=None)
def test_nothing_is_dealt_twice_but_as_a_hidden_repeat(
    settings: TaskSettings, number: int, seed: int
) -> None:
    """Rounds of an item rise by one, each at least `repeat_after` showings after the last."""
    choices = dealt(items_of(number, seed), settings, 400)
    last: dict[int, int] = {}
    rounds: Counter[int] = Counter()
    for ordinal, choice in enumerate(choices):
        assert choice.round == rounds[choice.item]
        assert (choice.round > 0) == (choice.reason == "repeat")
        if choice.round:
            assert ordinal - last[choice.item] >= settings.repeat_after
        last[choice.item] = ordinal
        rounds[choice.item] += 1


@given(SETTINGS, st.integers(1, 300), st.integers(0, 10**6))
@examples(max_examples=60, deadline=None)
def test_reasons_are_true(settings: TaskSettings, number: int, seed: int) -> None:
    """Shared items were answered by others, controls are known, none of the others is settled."""
    items = items_of(number, seed)
    settled = items.settled(settings)
    first: dict[int, str] = {}
    for item, reason, _ in dealt(items, settings, 400):
        known = items.control[item] and settings.controls > 0 and not items.control.all()
        assert (reason == "control") == known or reason == "repeat"
        if reason in ("random", "shared", "uncertain"):
            assert not settled[item]
        if reason == "shared":
            assert items.others[item] > 0
        if reason == "uncertain":
            assert np.isfinite(items.uncertainty[item])
        assert first.setdefault(item, reason) in ("random", "shared") or reason != "repeat"


@given(SETTINGS, st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 20))
@examples(max_examples=40, deadline=None)
def test_a_restart_deals_the_same(settings: TaskSettings, seed: int, count: int, page: int) -> None:
    """Dealt in parts, each from what stands in the database, as dealt at once."""
    items = items_of(150, seed)
    whole = dealt(items, settings, count)
    parts: list[Choice] = []
    for ordinal in range(0, count, page):
        state = after(items, parts)
        asked = min(page, count - ordinal)
        parts += choose(state, settings, task=1, person=3, ordinal=ordinal, count=asked)
    assert parts == whole


@given(SETTINGS, st.integers(1, 600))
@examples(max_examples=60, deadline=None)
def test_shares_are_met(settings: TaskSettings, count: int) -> None:
    """Where there is enough of all, every nth is shared, other kinds differ by less than two."""
    number = 2000
    items = replace(
        items_of(number, 0), others=np.ones(number, np.int64), answers=np.ones(number, np.int64)
    )
    settings = settings.model_copy(update={"repeats": 0.0})
    reasons = [choice.reason for choice in dealt(items, settings, count)]
    every = settings.shared_every
    shared = [at for at, reason in enumerate(reasons) if reason == "shared"]
    assert shared == (list(range(every - 1, count, every)) if every else [])
    for reason, share in (("control", settings.controls), ("uncertain", settings.uncertain)):
        places = [at for at, each in enumerate(reasons) if each == reason]
        assert abs(len(places) - share * count) < 2
        if share:
            assert max(np.diff([-1, *places, count])) <= 2 / share + every + 1


def test_repeats_come_as_often_as_said() -> None:
    """From the place on where they can be far enough apart, one in ten, of different items."""
    settings = TaskSettings(shared_every=0, repeats=0.1, repeat_after=50)
    choices = dealt(items_of(1000, 0), settings, 500)
    repeats = [choice.item for choice in choices if choice.reason == "repeat"]
    assert abs(len(repeats) - 45) < 3
    assert len(set(repeats)) == len(repeats)


def test_people_are_dealt_different_items() -> None:
    """Order and place of controls are each person's own."""
    settings = TaskSettings(controls=0.1)
    one, two = (dealt(items_of(1000, 0), settings, 100, person) for person in (1, 2))
    assert len({c.item for c in one} & {c.item for c in two}) < 30
    assert [c.reason for c in one] != [c.reason for c in two]


def test_fewest_answers_are_shared_first() -> None:
    """Items of one other answer before those of two; which of them, chance decides."""
    others = np.array([2] * 10 + [1] * 10 + [0] * 80)
    items = replace(ItemStates.unseen(100), others=others, answers=others)
    choices = dealt(items, TaskSettings(shared_every=1, repeats=0), 20)
    assert {choice.reason for choice in choices} == {"shared"}
    assert set(others[[choice.item for choice in choices[:10]]]) == {1}
    firsts = {
        dealt(items, TaskSettings(shared_every=1, repeats=0, seed=s), 1)[0] for s in range(20)
    }
    assert len(firsts) > 3


def test_what_was_dealt_as_uncertain_only_is_not_shared() -> None:
    """An item that another person answered as uncertain is one of the random ones for others."""
    items = replace(ItemStates.unseen(50), dealt=np.ones(50, np.int64))
    assert {choice.reason for choice in dealt(items, TaskSettings(repeats=0), 50)} == {"random"}


def test_most_uncertain_first_of_those_that_nobody_was_dealt() -> None:
    """Highest first, each person others; where there is no model, chance."""
    uncertainty = np.linspace(0, 1, 100)
    uncertainty[::2] = np.nan
    seen = np.zeros(100, np.int64)
    seen[99] = 1
    items = replace(ItemStates.unseen(100), uncertainty=uncertainty, dealt=seen)
    settings = TaskSettings(shared_every=0, repeats=0, uncertain=0.5)
    choices = dealt(items, settings, 20)
    uncertain = [choice.item for choice in choices if choice.reason == "uncertain"]
    assert uncertain == sorted(uncertain, reverse=True)
    assert uncertain[0] in (97, 95)
    assert len(uncertain) == 10
    blank = replace(items, uncertainty=np.full(100, np.nan))
    assert {choice.reason for choice in dealt(blank, settings, 20)} == {"random"}


def test_one_answer_settles_nothing() -> None:
    """However high the posterior, a second class by chance is asked for; then no third."""
    posterior = np.full(10, 0.999)
    for answers, unsure, left in ((1, 0, 10), (2, 1, 10), (2, 0, 0)):
        number = np.full(10, answers)
        items = replace(
            ItemStates.unseen(10),
            answers=number,
            others=number,
            sure=number - unsure,
            posterior=posterior,
        )
        assert len(dealt(items, TaskSettings(stop_at=0.95), 20)) == left
        assert len(dealt(items, TaskSettings(stop_at=None), 20)) == 10


def test_a_task_of_controls_alone_is_dealt() -> None:
    """Where the truth of all items is known they are as all others."""
    items = replace(ItemStates.unseen(10), control=np.ones(10, np.bool_))
    choices = dealt(items, TaskSettings(controls=0.1, repeats=0), 20)
    assert sorted(choice.item for choice in choices) == list(range(10))


def test_a_quiz_keeps_its_order() -> None:
    """Before, study, after, each by number; nothing twice, and on from where a person stopped."""
    part = np.array([QUIZ_PARTS.index(name) for name in ("after", "before", "study", "before")])
    items = replace(ItemStates.unseen(4), part=part)
    settings = TaskSettings(quiz="run")
    choices = dealt(items, settings, 9)
    assert choices == [Choice(item, "fixed", 0) for item in (1, 3, 2, 0)]
    left = choose(after(items, choices[:2]), settings, task=1, person=3, ordinal=2, count=9)
    assert left == choices[2:]


def test_shares_of_more_than_all_are_refused() -> None:
    """What cannot be is said when the settings are made."""
    with pytest.raises(ValueError, match="more than 100%"):
        TaskSettings(shared_every=2, controls=0.3, repeats=0.3)
