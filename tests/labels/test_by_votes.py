"""Labels from experts' votes on sequences."""

import pandas as pd
import pytest

from livewell.errors import SpecError, TableError
from livewell.labels.by_votes import by_votes
from livewell.labels.voting import Voting
from livewell.metrics.agreement import Agreement
from livewell.metrics.answer_matrix import AnswerMatrix
from livewell.study.regions import SEQUENCE

CLASSES = {"healthy": "healthy", "sick": "sick"}
SEQUENCES = pd.DataFrame(
    [(f"s{n}", "m.tif", 10 * n, 0, 0, 256, 256, 10) for n in range(6)],
    columns=SEQUENCE,
)
VOTES = pd.DataFrame(
    [
        *[("s0", "ann", "Healthy"), ("s0", "bob", "healthy")],
        *[("s1", "ann", "Sick"), ("s1", "bob", "Healthy")],
        ("s2", "ann", "SICK"),
        *[("s3", "ann", "sick"), ("s3", "bob", "Unsure")],
        ("s4", "bob", "unsure"),
    ],
    columns=["sequence", "expert", "vote"],
)


def labels(made) -> dict[int, str]:
    """Label of every sequence by its first frame."""
    found = made.table.groupby(made.table["t"] // 10)["label"].unique()
    assert all(len(kinds) == 1 for kinds in found)
    return {int(at): kinds[0] for at, kinds in found.items()}


def test_sequences_on_which_experts_disagree_are_dropped() -> None:
    """Agreed ones label all their ten frames; disputed, doubted and unscored ones are left out."""
    made, agreement = by_votes(SEQUENCES, VOTES, CLASSES)
    assert labels(made) == {0: "healthy", 2: "sick"}
    assert made.table["t"].tolist() == [*range(10), *range(20, 30)]
    assert set(made.table["score"]) == {1, 2}
    counts = {count.step: count.count for count in made.counts}
    assert counts["experts disagree, dropped"] == 1
    assert counts["somebody unsure, dropped"] == 2
    assert counts["sequences left"] == 2
    assert agreement == Agreement(2, 1)


def test_doubt_may_be_ignored_and_two_votes_asked_for() -> None:
    """Unsure votes then do not count, and sequences scored by one expert only are left out."""
    assert labels(by_votes(SEQUENCES, VOTES, CLASSES, doubt="ignore")[0]) == {
        0: "healthy",
        2: "sick",
        3: "sick",
    }
    assert labels(by_votes(SEQUENCES, VOTES, CLASSES, least=2)[0]) == {0: "healthy"}


def test_all_faults_of_votes_at_once() -> None:
    """Empty cells, unknown sequences and words, and an expert who scored twice."""
    wrong = pd.concat(
        [
            VOTES,
            pd.DataFrame(
                [
                    ("s9", "ann", "sick"),
                    ("s5", "ann", "meh"),
                    ("s0", "ann", "sick"),
                    (None, "b", "sick"),
                ],
                columns=VOTES.columns,
            ),
        ],
        ignore_index=True,
    )
    with pytest.raises(TableError) as caught:
        by_votes(SEQUENCES, wrong, CLASSES)
    codes = {fault.code for fault in caught.value.faults}
    assert codes == {"empty-value", "unknown-sequence", "unknown-vote", "duplicate-row"}
    with pytest.raises(TableError, match="expert"):
        by_votes(SEQUENCES, VOTES.drop(columns="expert"), CLASSES)


def matrix(*rows: str) -> AnswerMatrix:
    """Answers as letters, one row an item and one letter a person: h, s, u or a dot."""
    words = {"h": "healthy", "s": "sick", "u": "unsure"}
    table = pd.DataFrame(
        [
            (f"i{item}", f"p{person}", words[letter])
            for item, row in enumerate(rows)
            for person, letter in enumerate(row)
            if letter != "."
        ],
        columns=["item", "person", "answer"],
    )
    return AnswerMatrix.of(table, ("healthy", "sick"))


def decided(voting: Voting, *rows: str, known: dict[str, int] | None = None) -> dict[str, str]:
    """Letter of the class of each item that is kept."""
    table = voting.decide(matrix(*rows), known).table
    return {item: "hs"[code] for item, code in zip(table["item"], table["code"], strict=True)}


def test_majority_drops_ties() -> None:
    """The most frequent answer stands with its share; ties and items all unsure are dropped."""
    rows = ("hhs", "hs.", "ss.", "uu.", "hhu")
    assert decided(Voting("majority", "ignore"), *rows) == {"i0": "h", "i2": "s", "i4": "h"}
    made = Voting("majority", "ignore").decide(matrix(*rows))
    assert made.table["score"].tolist() == pytest.approx([2 / 3, 1, 1])
    assert made.steps["ties, dropped"] == 1


def test_unsure_as_stated() -> None:
    """Dropped, ignored, or a vote that breaks unanimity and may outvote a class."""
    rows = ("hhu", "huu", "ss.")
    kept = {
        (rule, doubt): "".join(sorted(decided(Voting(rule, doubt), *rows)))
        for rule in ("unanimous", "majority")
        for doubt in ("drop", "ignore", "vote")
    }
    assert kept == {
        ("unanimous", "drop"): "i2",
        ("unanimous", "ignore"): "i0i1i2",
        ("unanimous", "vote"): "i2",
        ("majority", "drop"): "i2",
        ("majority", "ignore"): "i0i1i2",
        ("majority", "vote"): "i0i2",
    }


def test_dawid_and_skene_weigh_persons() -> None:
    """One answer of a good person is enough, two of poor ones that contradict are not."""
    agreed = ["hh..", "ss.."] * 40
    poor = ["hhhs", "sshs", "hhsh", "ssss"] * 10
    rows = [*agreed, *poor, "h...", "..hs", "..h."]
    found = decided(Voting("dawid-skene", "ignore", at_least=0.9), *rows)
    last = len(rows)
    assert found[f"i{last - 3}"] == "h"
    assert f"i{last - 2}" not in found
    assert f"i{last - 1}" not in found
    known = decided(Voting("dawid-skene", "ignore"), "hh", "ss", "h.", known={"i2": 1})
    assert known["i2"] == "s"


def test_least_votes_and_what_they_must_be() -> None:
    """Items with fewer answers than asked for are dropped, and impossible settings refused."""
    assert decided(Voting(least=2), "h.", "hh", "uh") == {"i1": "h"}
    for wrong in ({"least": 0}, {"at_least": 1.0}):
        with pytest.raises(SpecError, match="count votes"):
            Voting(**wrong)
