"""What a table of answers says of the persons, one by one and together."""

import math

import numpy as np
import pandas as pd
import pytest

from livewell.metrics.annotators import crew_agreement
from livewell.metrics.answer_matrix import checked_answers

CLASSES = ("healthy", "sick")
WORDS = {"h": "healthy", "s": "sick", "u": "unsure"}


def answers(**said: str) -> pd.DataFrame:
    """Answers of persons to items 0, 1, ...; one letter an item, a dot where there is none."""
    rows = [
        (f"i{item:02}", person, WORDS[letter], 0)
        for person, letters in said.items()
        for item, letter in enumerate(letters)
        if letter != "."
    ]
    return checked_answers(pd.DataFrame(rows, columns=["item", "person", "answer", "round"]))


def person(table: pd.DataFrame, name: str) -> pd.Series:
    """The row of a person."""
    return table.set_index("person").loc[name]


def test_overlap_and_disagreement_are_counted() -> None:
    """How many items so many persons answered; the paper's counts are of the first two answers."""
    found = crew_agreement(answers(ann="hhssu.", bob="hsss.h", cyd="s....."), CLASSES)
    assert found.overlap.to_numpy().tolist() == [[1, 2], [2, 3], [3, 1]]
    assert (found.paper.pairs, found.paper.disagreed) == (4, 1)
    assert found.disagreement.value == 0.25
    assert found.ceiling.low < found.ceiling.value == found.paper.ceiling < found.ceiling.high
    assert found.unsure.value == pytest.approx(1 / 11)
    assert found.unsure_as_class is not None
    assert crew_agreement(answers(ann="hs", bob="hs"), CLASSES).unsure_as_class is None


def test_the_paper_s_numbers_with_intervals() -> None:
    """263 sequences, 49 disputed: 18.6% (14.1-23.9%), ceilings of 77.1 and 88.6%."""
    found = crew_agreement(answers(ann="h" * 263, bob="s" * 49 + "h" * 214), CLASSES)
    share = found.disagreement
    assert [share.value, share.low, share.high] == pytest.approx([0.186, 0.141, 0.239], abs=2e-3)
    assert found.ceiling.value == pytest.approx(0.771, abs=5e-4)
    assert found.chance_ceiling.value == pytest.approx(0.886, abs=5e-4)
    assert found.ceiling.low == pytest.approx(1 - 0.239 / (1 - 0.239), abs=5e-3)


def test_each_person_against_most_others() -> None:
    """The person is left out of the others; ties among these say nothing."""
    found = crew_agreement(answers(ann="hhsh", bob="hsss", cyd="hhsh", dan="...s"), CLASSES)
    ann, dan = (person(found.people, name) for name in ("ann", "dan"))
    assert (ann["compared"], ann["agrees"]) == (3, pytest.approx(2 / 3))
    assert (dan["compared"], dan["agrees"]) == (1, 0.0)
    mine = found.confusion[found.confusion["person"] == "dan"].set_index(["others", "answer"])
    assert mine["items"].loc[("healthy", "sick")] == 1
    assert mine["items"].sum() == 1


def test_hidden_repeats_show_drift() -> None:
    """A person who was steady and then was not: all, first and second half, in order of time."""
    first = answers(ann="hs" * 20).assign(time_s=range(40))
    again = first.assign(round=1, time_s=range(100, 140))
    again.loc[20:, "answer"] = "unsure"
    table = pd.concat([first, again.sample(frac=1, random_state=1)], ignore_index=True)
    ann = person(crew_agreement(table, CLASSES).people, "ann")
    assert (ann["repeats"], ann["same"]) == (40, 0.5)
    assert (ann["same_early"], ann["same_late"]) == (1, 0)
    assert ann["same_late_high"] < ann["same_early_low"]
    few = crew_agreement(table[table["round"].eq(0) | table["time_s"].lt(105)], CLASSES)
    assert math.isnan(person(few.people, "ann")["same_early"])


def test_hidden_repeats_show_what_a_person_comes_to_say_more_often() -> None:
    """Healthy becomes sick on a second look and never the other way round: all moved to sick."""
    first = answers(ann="hs" * 20, bob="hs" * 20)
    again = first.assign(round=1)
    drifting = again["person"].eq("ann") & again["item"].isin([f"i{n:02}" for n in range(0, 40, 4)])
    again.loc[drifting, "answer"] = "sick"
    people = crew_agreement(pd.concat([first, again], ignore_index=True), CLASSES).people
    ann, bob = person(people, "ann"), person(people, "bob")
    assert (ann["moved"], ann["towards"]) == (10, 1)
    assert ann["towards_low"] > 0.5
    assert (bob["moved"], math.isnan(bob["towards"])) == (0, True)


def test_controls_and_speed() -> None:
    """Controls say who is right and stay out of agreement; seconds are told by quartiles."""
    table = answers(ann="hhss", bob="hsss")
    table["truth"] = ["healthy", "healthy", "healthy", None] * 2
    table["reason"] = ["control"] * 3 + ["random"] + ["random"] * 4
    table["seconds"] = [1.0, 2.0, 3.0, 9.0, 4.0, 4.0, 4.0, 4.0]
    found = crew_agreement(table, CLASSES)
    ann, bob = (person(found.people, name) for name in ("ann", "bob"))
    assert (ann["controls"], ann["right"]) == (3, pytest.approx(2 / 3))
    assert bob["right"] == pytest.approx(1 / 3)
    assert (ann["median_s"], bob["median_s"], bob["q3_s"]) == (2.5, 4, 4)
    assert found.coefficients.items == 1


def test_answers_against_dose_resample_wells() -> None:
    """The share called healthy falls with dose; a dose of one well has no interval."""
    rng = np.random.default_rng(3)
    said = "".join("h" if rng.random() < (0.9 if n < 60 else 0.2) else "s" for n in range(100))
    table = answers(ann=said, bob=said)
    items = pd.Index([f"i{n:02}" for n in range(100)])
    well = {item: f"w{n // 10}" for n, item in enumerate(items)}
    doses = pd.DataFrame(
        {"dose": [0.0] * 60 + [20.0] * 30 + [40.0] * 10, "dose_unit": "s"}, index=items
    )
    found = crew_agreement(table, CLASSES, group=well, doses=doses).doses
    mine = found[found["class"] == "healthy"].set_index("dose")
    assert mine["share"].tolist() == sorted(mine["share"], reverse=True)
    assert mine["groups"].tolist() == [6, 3, 1]
    assert mine.loc[0, "low"] > mine.loc[20, "high"]
    assert math.isnan(mine.loc[40, "low"])


def test_a_stop_rule_leaves_the_first_two_answers() -> None:
    """Third answers, which only disputed items got, take no part."""
    table = answers(ann="hhhh", bob="hhhs", cyd="...s").assign(time_s=[*range(8), 99])
    assert crew_agreement(table, CLASSES, stopped=True).overlap["persons"].tolist() == [2]
    assert crew_agreement(table, CLASSES).overlap["persons"].tolist() == [2, 3]
