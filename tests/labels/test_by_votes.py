"""Labels from experts' votes on sequences."""

import pandas as pd
import pytest

from livewell.errors import TableError
from livewell.labels.by_votes import by_votes
from livewell.metrics.agreement import Agreement
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
