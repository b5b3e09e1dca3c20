"""Labels from experts' votes on short sequences: DeadNet's data set B."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import Labels, refuse
from livewell.metrics.agreement import Agreement
from livewell.tables.faults import column_faults, listed
from livewell.tables.schemas import as_text

ROUTE = "votes"
UNSURE = "unsure"

Doubt = Literal["drop", "ignore"]
"""A sequence that somebody is unsure of is left out, or counts by the other votes."""


def by_votes(
    sequences: pd.DataFrame,
    votes: pd.DataFrame,
    classes: Mapping[str, str],
    *,
    doubt: Doubt = "drop",
    least: int = 1,
) -> tuple[Labels, Agreement]:
    """Label every frame of the sequences on which all experts agree; also, how far they do.

    There is one label a frame and box; the score is the number of votes.

    Parameters
    ----------
    sequences
        Columns `livewell.study.regions.SEQUENCE`; the box's may be empty for whole frames.
    votes
        One row a vote: ``sequence``, ``expert``, ``vote``; more columns are no matter.
    classes
        Class of each vote, such as ``{"healthy": "healthy", "sick": "sick"}``; votes are compared
        without regard to capitals. ``unsure`` is known.
    doubt
        What to do with sequences that somebody is unsure of.
    least
        Fewest votes that a sequence needs, unsure ones left aside.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.2, data set B: all frames take the sequence's label;
    sequences on which experts disagree are dropped.
    """
    refuse(column_faults(votes, ["sequence", "expert", "vote"]), ROUTE)
    said = {str(word).casefold(): name for word, name in classes.items()} | {UNSURE: UNSURE}
    table = pd.DataFrame({name: as_text(votes[name]) for name in ("sequence", "expert", "vote")})
    table["vote"] = table["vote"].str.casefold()
    refuse(_faults(table, set(sequences["sequence"]), set(said)), ROUTE, "correct the votes")
    table["label"] = table["vote"].map(said)
    sure = table[table["label"] != UNSURE]
    per = sure.groupby("sequence")["label"].agg(votes="size", kinds="nunique", label="first")
    doubted = set(table.loc[table["label"] == UNSURE, "sequence"])
    twice = per[(per["votes"] >= 2) & ~per.index.isin(doubted)]
    agreed = per[per["kinds"] == 1]
    if doubt == "drop":
        agreed = agreed[~agreed.index.isin(doubted)]
    kept = agreed[agreed["votes"] >= least]
    rows = sequences[sequences["sequence"].isin(kept.index)]
    frames = rows.loc[rows.index.repeat(rows["frames"])].reset_index(drop=True)
    frames["t"] = frames["t"] + frames.groupby("sequence").cumcount()
    labels = frames["sequence"].map(kept["label"]).tolist()
    agreement = Agreement(len(twice), int((twice["kinds"] > 1).sum()))
    by_class = kept["label"].value_counts()
    steps = {
        "sequences": len(sequences),
        "scored by somebody": int(table["sequence"].nunique()),
        "scored by two or more, none unsure": agreement.pairs,
        "experts disagree, dropped": int((per["kinds"] > 1).sum()),
        "somebody unsure" + (", dropped" if doubt == "drop" else ""): len(doubted),
        f"fewer than {least} votes, dropped": len(agreed) - len(kept),
        "sequences left": len(kept),
        **{f"sequences {name}": int(by_class.get(name, 0)) for name in classes.values()},
    }
    votes_of = frames["sequence"].map(kept["votes"])
    made = Labels.of(ROUTE, frames, labels, classes.values(), steps, score=votes_of)
    return made, agreement


def _faults(table: pd.DataFrame, known: set[str], words: set[str]) -> list[Fault]:
    found = [
        Fault("empty-value", name, f"empty in {int(table[name].isna().sum())} rows")
        for name in ("sequence", "expert", "vote")
        if table[name].isna().any()
    ]
    for name, there in (("sequence", known), ("vote", words)):
        odd = table[name].dropna()[~table[name].dropna().isin(there)].unique()
        if len(odd):
            expected = f"; known: {listed(sorted(there), 8)}"
            found.append(Fault(f"unknown-{name}", name, f"{listed(odd)}{expected}"))
    twice = table[table.duplicated(["sequence", "expert"]) & table["sequence"].notna()]
    if len(twice):
        pairs = [f"{s} by {e}" for s, e in zip(twice["sequence"], twice["expert"], strict=True)]
        found.append(Fault("duplicate-row", "sequence, expert", f"scored twice: {listed(pairs)}"))
    return found
