"""Labels from what several persons say of the same items: sequences, frames, patches, cells."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from livewell.errors import Fault, SpecError
from livewell.labels.made import Labels, Request, Route, class_faults, refuse, stripped
from livewell.labels.marks import NONE, joined_cells
from livewell.labels.voting import POSTERIOR, Decisions, Doubt, Rule, Voting
from livewell.metrics.agreement import Agreement
from livewell.metrics.answer_matrix import (
    FIRST_ANSWERS,
    UNSURE,
    AnswerMatrix,
    by_chance,
    checked_answers,
)
from livewell.names import AnyPath
from livewell.region import centred
from livewell.study.answers import read_answers
from livewell.tables.faults import column_faults, listed, near
from livewell.tables.schemas import BOX, KEY, as_text, key_table
from livewell.text import plural

ROUTE = "votes"
CELLS = "cells"
NEAR = 4
"""Marks within a patch's edge over this are one cell where nothing is said."""


@dataclass(frozen=True, slots=True)
class Votes(Route):
    """Label what several persons answered (`livewell serve`, `answers export`).

    All frames of a sequence get its label. Of marked cells each gets a patch; who did a frame and
    did not mark a cell there says that it is none. First answers count, hidden repeats do not.

    Parameters
    ----------
    answers
        A table of answers (`schemas.ANSWERS`), or a CSV or Parquet file of one.
    classes
        Class of each answer; answers are compared without regard to capitals.
    rule, unsure, least, posterior
        See `livewell.labels.voting.Voting`.
    patch_px
        Of cells: edge of a patch, centred on a cell.
    frames_each
        Most frames of a sequence that get its label, evenly spaced; all where ``None``.
    near_px
        Of cells: farthest that marks of one cell lie from its middle, by default a quarter of the
        patch.
    task
        Name of the annotation task, where the answers come from a database.
    """

    answers: pd.DataFrame | AnyPath
    classes: Mapping[str, str]
    rule: Rule = "unanimous"
    unsure: Doubt = "drop"
    least: int = 1
    posterior: float = POSTERIOR
    patch_px: int | None = None
    near_px: float | None = None
    frames_each: int | None = None
    task: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, with a digest in place of the answers."""
        table = self._table()
        known = {name: getattr(self, name) for name in self.__dataclass_fields__}
        known |= {"answers": "" if self._given else str(self.answers)}
        digest = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
        return known | {"answers_sha256": digest, "kind": kind_of(table)}

    @property
    def _given(self) -> bool:
        return isinstance(self.answers, pd.DataFrame)

    def _table(self) -> pd.DataFrame:
        if isinstance(self.answers, pd.DataFrame):
            return checked_answers(self.answers, self._where)
        return read_answers(self.answers)

    @property
    def _where(self) -> str:
        task = f"answers of the task {self.task!r}" if self.task else "answers"
        return task if self._given else str(self.answers)

    def make(self, request: Request) -> Labels:
        """The labels, of the answers and what the study knows of its images."""
        table, headers = self._table(), request.study.headers().set_index("image")
        first = table[table["round"] == 0].reset_index(drop=True)
        cells, voting = kind_of(table) == CELLS, self._voting()
        classes = _folded(stripped(self.classes))
        found = class_faults(classes, request.least) + column_faults(table, ["image", "t"])
        if "image" in table and "t" in table:
            found += _place_faults(first, headers)
        refuse(found, self.name, "correct the answers, or name all classes", self._where)
        items = first.drop_duplicates("item")
        if cells:
            first = joined_cells(first, self._near())
            items = first.drop_duplicates("item")
        names = tuple(dict.fromkeys(classes.values()))
        said = {UNSURE: UNSURE} | ({NONE: NONE} if cells else {}) | classes
        answers = first.assign(answer=first["answer"].astype("str").str.casefold().map(said))
        unknown = first.loc[answers["answer"].isna(), "answer"].unique()
        if len(unknown):
            fault = Fault("unknown-answer", "answer", f"no class is said for {listed(unknown)}")
            refuse([fault], self.name, "say their class with --class", self._where)
        matrix = AnswerMatrix.of(answers, (*names, NONE) if cells else names)
        truth = {} if cells else _truth(items, said, names)
        nouns = ("cell", "person") if cells else ("item", "person")
        made = voting.decide(matrix, truth, *nouns)
        two = AnswerMatrix.of(by_chance(answers, FIRST_ANSWERS), matrix.answers[: matrix.classes])
        repeats = len(table) - int((table["round"] == 0).sum())
        return self._labels(made, items, names, repeats, Agreement.of(two))

    def _voting(self) -> Voting:
        return Voting(self.rule, self.unsure, self.least, self.posterior)

    def _near(self) -> float:
        if self.patch_px is None or self.patch_px < 1:
            raise SpecError(
                "marked cells are labelled as patches",
                where="patch_px",
                expected="the edge of a patch in pixels",
                got=str(self.patch_px),
                remedy="give --patch-px",
            )
        return self.patch_px / NEAR if self.near_px is None else self.near_px

    def _labels(
        self,
        made: Decisions,
        items: pd.DataFrame,
        names: tuple[str, ...],
        repeats: int,
        agreement: Agreement,
    ) -> Labels:
        """Labels of the regions of the items that were decided."""
        some = made.table[made.table["code"] < len(names)]
        items = items.set_index("item").loc[some["item"]].reset_index()
        items["label"] = [names[code] for code in some["code"]]
        items["score"] = some["score"].to_numpy()
        steps = {"answers left aside: hidden repeats": repeats} if repeats else {}
        steps |= made.steps
        if len(some) < len(made.table):
            steps["called none, dropped"] = len(made.table) - len(some)
        steps |= {f"items {name}": int((items["label"] == name).sum()) for name in names}
        rows = (
            self._patches(items)
            if self.patch_px and "y" in items
            else some_frames(items, self.frames_each)
        )
        torn = rows.groupby(KEY, dropna=False)["label"].transform("nunique") > 1
        once = rows[~torn].drop_duplicates(KEY)
        if torn.any():
            steps["frames with two labels, dropped"] = len(rows[torn].drop_duplicates(KEY))
        notes = [said for said in (_ceiling(agreement), self._alone(made)) if said]
        return Labels.of(ROUTE, once, once["label"], names, steps, score=once["score"], notes=notes)

    def _alone(self, made: Decisions) -> str:
        """A caution where Dawid and Skene's model has little to learn persons from."""
        items, pairs = made.steps["scored by somebody"], made.agreement.pairs
        if self.rule != "dawid-skene" or 2 * pairs >= items:
            return ""
        return (
            f"only {pairs:,} of {plural(items, 'item')} were answered by two persons or more: what"
            " Dawid and Skene's model says of persons rests on these; with so few the majority"
            " (--rule majority) may be nearer the truth"
        )

    def _patches(self, items: pd.DataFrame) -> pd.DataFrame:
        places = zip(*(items[name].tolist() for name in ("image", "t", "y", "x")), strict=True)
        keys = key_table(
            patch
            for image, t, y, x in places
            for patch in centred(str(image), int(t), [(float(y), float(x))], self.patch_px or 1)
        )
        return keys.assign(label=items["label"].tolist(), score=items["score"].tolist())


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
    said = _folded(classes) | {UNSURE: UNSURE}
    table = pd.DataFrame({name: as_text(votes[name]) for name in ("sequence", "expert", "vote")})
    table["vote"] = table["vote"].str.casefold()
    refuse(_faults(table, set(sequences["sequence"]), set(said)), ROUTE, "correct the votes")
    answers = table.assign(answer=table["vote"].map(said))
    answers = answers.rename(columns={"sequence": "item", "expert": "person"})
    names = tuple(dict.fromkeys(classes.values()))
    made = Voting(doubt=doubt, least=least).decide(AnswerMatrix.of(answers, names))
    kept = made.table.set_index("item")
    rows = sequences[sequences["sequence"].isin(kept.index)]
    label = [names[code] for code in kept.loc[rows["sequence"], "code"]]
    score = kept.loc[rows["sequence"], "score"].to_numpy()
    frames = some_frames(rows.assign(label=label, score=score))
    each = pd.Series(label).value_counts()
    steps = {"sequences": len(sequences), **made.steps}
    steps |= {f"sequences {name}": int(each.get(name, 0)) for name in classes.values()}
    labels = Labels.of(
        ROUTE, frames, frames["label"], classes.values(), steps, score=frames["score"]
    )
    return labels, made.agreement


def some_frames(items: pd.DataFrame, each: int | None = None) -> pd.DataFrame:
    """One row a frame of items (image, t, frames, box): columns `KEY` and all others.

    Of an item of more than `each` frames so many, the middles of as many equal parts.
    """
    items = items.reindex(columns=list(dict.fromkeys([*items, *BOX, "frames"])))
    counts = items["frames"].fillna(1).astype("int64")
    taken = counts if each is None else counts.clip(upper=each)
    rows = items.loc[items.index.repeat(taken)]
    number = rows.groupby(level=0).cumcount().to_numpy()
    whole, part = (of.loc[rows.index].to_numpy() for of in (counts, taken))
    # the middles of as many equal parts of the sequence
    later = (2 * number + 1) * whole // (2 * part)
    return rows.assign(t=rows["t"].astype("Int64") + later).reset_index(drop=True)


def kind_of(table: pd.DataFrame) -> str:
    """What items are, where it is said: the kind of the task."""
    kinds = list(table["kind"].dropna().unique()) if "kind" in table else []
    if kinds:
        return str(kinds[0])
    return CELLS if "marks" in table and table["marks"].notna().any() else ""


def _folded(classes: Mapping[str, str]) -> dict[str, str]:
    return {str(word).casefold(): name for word, name in classes.items()}


def _truth(items: pd.DataFrame, said: Mapping[str, str], names: tuple[str, ...]) -> dict[str, int]:
    """Number of the class of items whose truth is known."""
    if "truth" not in items:
        return {}
    known = items[items["truth"].notna()]
    classes = known["truth"].astype("str").str.casefold().map(dict(said))
    pairs = zip(known["item"].astype("str"), classes, strict=True)
    return {item: names.index(name) for item, name in pairs if name in names}


def _ceiling(found: Agreement) -> str:
    """What disagreement says of labels, in a sentence; empty where nothing was answered twice."""
    if not found.pairs:
        return ""
    return (
        f"of {plural(found.pairs, 'item')} that chance showed to two persons or more the first two"
        f" disagree on {found.disagreed:g} ({found.share:.1%}): at most {found.ceiling:.1%}"
        f" accuracy can be expected on labels on which both agree, {found.chance_ceiling:.1%} with"
        " luck on ambiguous ones (Richmond et al. 2017, section 3.1)"
    )


def _place_faults(first: pd.DataFrame, headers: pd.DataFrame) -> list[Fault]:
    """Items in images that the study lacks, or beyond their frames."""
    found = [
        Fault("empty-value", name, f"empty in {plural(int(first[name].isna().sum()), 'row')}")
        for name in ("image", "t")
        if first[name].isna().any()
    ]
    items = first.dropna(subset=["image", "t"]).drop_duplicates("item")
    found += [
        Fault("unknown-image", str(image), near(image, headers.index))
        for image in items["image"].unique()
        if image not in headers.index
    ]
    items = items[items["image"].isin(headers.index)]
    sizes = headers.loc[items["image"], ["frames", "height", "width"]].astype(int)
    items = _ends(items)
    beyond = (
        (items["end"].to_numpy() > sizes["frames"].to_numpy())
        | (items["y1"].to_numpy() > sizes["height"].to_numpy())
        | (items["x1"].to_numpy() > sizes["width"].to_numpy())
    )
    if beyond.any():
        text = f"{listed(items.loc[beyond, 'item'])}: beyond the frames or edges of the image"
        found.append(Fault("outside", "items", text))
    return found


def _ends(items: pd.DataFrame) -> pd.DataFrame:
    items = items.reindex(columns=list(dict.fromkeys([*items, "y1", "x1", "frames"])))
    ends = {name: items[name].fillna(0).astype("int64") for name in ("y1", "x1")}
    last = items["t"].astype("int64") + items["frames"].fillna(1).astype("int64")
    return items.assign(**ends, end=last).reset_index(drop=True)


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
