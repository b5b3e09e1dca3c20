"""Scores of people beside a model, before and after studying: right by hand."""

import numpy as np
import pandas as pd
import pytest

from livewell.errors import SpecError
from livewell.metrics.quiz import person_scores

CLASSES = ("healthy", "sick")


def quiz(groups: int = 4, each: int = 6, seed: int = 0) -> pd.DataFrame:
    """Items of before and after, in groups of their own, half of each class; the model's calls."""
    rows = []
    for part in ("before", "study", "after"):
        for group in range(groups):
            for number in range(each):
                truth = CLASSES[number % 2]
                rows.append((f"{part}{group}-{number}", part, f"{part[0]}{group}", truth))
    items = pd.DataFrame(rows, columns=["item", "part", "group", "truth"])
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(items)) < 0.2
    other = items["truth"].map({"healthy": "sick", "sick": "healthy"})
    return items.assign(model=items["truth"].where(~wrong, other))


def answered(items: pd.DataFrame, wrong: dict[str, int], person: str = "ann") -> pd.DataFrame:
    """Answers to all items, in each part so many of the first ones wrong."""
    parts = []
    for part, own in items.groupby("part", sort=False):
        answers = own["truth"].tolist()
        for number in range(wrong.get(str(part), 0)):
            answers[number] = CLASSES[answers[number] == "healthy"]
        parts.append(pd.DataFrame({"item": own["item"], "person": person, "answer": answers}))
    return pd.concat(parts).assign(seconds=2.0)


def test_counts_by_hand() -> None:
    """18 of 24 right before and 21 of 24 after are 0.75 and 0.875, a change of 0.125."""
    items = quiz()
    (one,) = person_scores(answered(items, {"before": 6, "after": 3}), items, CLASSES, seed=0)
    before, after = one.parts["before"], one.parts["after"]
    assert before.count == after.count == 24
    assert before.figures["accuracy"].value == pytest.approx(18 / 24)
    assert after.figures["accuracy"].value == pytest.approx(21 / 24)
    assert one.change["accuracy"].value == pytest.approx(3 / 24)
    assert before.confusion.loc["healthy"].tolist() == [9, 3, 0]
    assert before.confusion.loc["sick"].tolist() == [3, 9, 0]
    assert before.figures["sensitivity"].value == pytest.approx(9 / 12)
    assert before.figures["specificity"].value == pytest.approx(9 / 12)
    assert before.seconds == 2.0
    assert set(one.parts) == {"before", "after"}


def test_beside_the_model() -> None:
    """The difference from the model is that of the two accuracies on the same items."""
    items = quiz()
    (one,) = person_scores(answered(items, {"before": 2}), items, CLASSES, seed=0)
    asked = items[items["part"] == "before"]
    right = float((asked["model"] == asked["truth"]).mean())
    score = one.parts["before"]
    assert score.model["accuracy"].value == pytest.approx(right)
    assert score.ahead["accuracy"].value == pytest.approx(22 / 24 - right)


def test_unsure_is_never_right() -> None:
    """An unsure answer counts against both sensitivity and specificity, and is counted."""
    items = quiz()
    answers = answered(items, {})
    asked = items[items["part"] == "before"]["item"].iloc[:2]
    answers.loc[answers["item"].isin(asked), "answer"] = "unsure"
    (one,) = person_scores(answers, items, CLASSES, seed=0)
    score = one.parts["before"]
    assert score.unsure == 2
    assert score.figures["sensitivity"].value == pytest.approx(11 / 12)
    assert score.figures["specificity"].value == pytest.approx(11 / 12)
    assert score.confusion["unsure"].tolist() == [1, 1]


def test_three_classes() -> None:
    """Of three classes there is accuracy alone, and a wrong class is wrong."""
    items = pd.DataFrame(
        [
            (f"{part}{group}-{truth}", part, f"{part}{group}", truth, truth)
            for part in ("before", "after")
            for group in range(4)
            for truth in ("live", "sick", "dead")
        ],
        columns=["item", "part", "group", "truth", "model"],
    )
    answers = items[["item"]].assign(person="ann", answer=items["truth"].replace("dead", "sick"))
    (one,) = person_scores(answers, items, ("live", "sick", "dead"), seed=0)
    assert list(one.parts["before"].figures) == ["accuracy"]
    assert one.parts["before"].figures["accuracy"].value == pytest.approx(2 / 3)
    assert one.parts["before"].model["accuracy"].value == 1


def test_a_part_alone() -> None:
    """Who has only begun has a score of what was answered, and no change yet."""
    items = quiz()
    answers = answered(items, {})
    first = answers[answers["item"].str.startswith("before")].head(5)
    (one,) = person_scores(first, items, CLASSES, seed=0)
    assert one.parts["before"].count == 5
    assert one.change == {}


def test_strange_answers_are_refused() -> None:
    """Answers to other items, or two of one person to one item, are not those of this quiz."""
    items = quiz()
    answers = answered(items, {})
    with pytest.raises(SpecError, match="not the answers to this quiz"):
        person_scores(answers.assign(item="x"), items, CLASSES, seed=0)
    with pytest.raises(SpecError, match="not the answers to this quiz"):
        person_scores(pd.concat([answers, answers.head(1)]), items, CLASSES, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("shared", [False, True])
def test_the_interval_of_a_change_holds_the_truth(shared: bool) -> None:
    """Where nothing changes, the 95% interval of the change holds zero in most of 120 quizzes,
    also where before and after show images of the same groups."""
    held, rng = 0, np.random.default_rng(1)
    for trial in range(120):
        items = quiz(groups=12, each=4)
        if shared:
            items["group"] = items["group"].str[1:]
        skill = dict(zip(items["group"].unique(), rng.normal(1.0, 0.8, 99), strict=False))
        p = 1 / (1 + np.exp(-items["group"].map(skill)))
        other = items["truth"].map({"healthy": "sick", "sick": "healthy"})
        said = items["truth"].where(rng.random(len(items)) < p, other)
        answers = items[["item"]].assign(person="ann", answer=said)
        (one,) = person_scores(answers, items, CLASSES, seed=trial, resamples=400)
        change = one.change["accuracy"]
        held += bool(change.low <= 0 <= change.high)
    assert held >= 108
