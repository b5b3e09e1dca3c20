"""Which regions people are asked about in a quiz, and in which part of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.errors import SplitError
from livewell.splitting.assignment import assignments, can_cover
from livewell.splitting.groups import group_counts
from livewell.tables.schemas import BOX, QUIZ_PARTS, STUDY
from livewell.text import listed, plural


@dataclass(frozen=True, slots=True)
class QuizSizes:
    """How many regions each part has; no part is studied where `study` is 0.

    Notes
    -----
    The defaults are the design of La Greca et al. 2021: five people called 50 images, were shown
    500 with their labels, and called 50 others.
    """

    before: int = 50
    study: int = 500
    after: int = 50

    def __post_init__(self) -> None:
        if min(self.before, self.after) < 1 or self.study < 0:
            raise SplitError(
                "not the parts of a quiz",
                expected="1 region or more before and after, 0 or more to study",
                got=f"{self.before}, {self.study}, {self.after}",
            )

    @property
    def of(self) -> dict[str, int]:
        """Size of each part that there is."""
        sizes = dict(zip(QUIZ_PARTS, (self.before, self.study, self.after), strict=True))
        return {part: size for part, size in sizes.items() if size}


def quiz_parts(
    patches: pd.DataFrame, classes: Sequence[str], sizes: QuizSizes, seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """Regions of a quiz in the order in which they are shown, and what a reader should know.

    Each part holds as many of each class, from all its groups alike. Regions of one image that lie
    on each other are taken only where there are no others, and never for different parts: nobody
    studies pixels that they are asked about.

    Parameters
    ----------
    patches
        Columns of `schemas.PATCHES`, of groups that the model has not learnt from.
    classes
        All of them must be there.
    sizes
        What is asked for; where a class has too few regions a part is smaller.
    seed
        Of what is left to chance.

    Returns
    -------
    DataFrame, list of str
        The rows of `patches` with a column part; notes.

    Raises
    ------
    SplitError
        A class has no region for a part.
    """
    patches = patches.reset_index(drop=True)
    rng, parts, notes = np.random.default_rng(seed), list(sizes.of), []
    home, note = _homes(patches, parts, seed)
    notes += [note] if note else []
    found: list[pd.DataFrame] = []
    used: set[int] = set()
    # parts that are scored choose first
    for part in sorted(parts, key=lambda name: name == STUDY):
        own = patches[home[part] & ~patches.index.isin(used)]
        own = own[~_lies_on(own, patches.loc[sorted(used)])]
        shares = _shares(sizes.of[part], classes, own, rng)
        if min(shares.values()) == 0 and sizes.of[part] >= len(classes):
            lacking = [name for name in classes if name not in set(own["label"])]
            raise SplitError(
                f"no region of {listed(lacking)} is left for the part {part!r}",
                expected="regions of each class, in groups that the model has not learnt from",
                got=", ".join(f"{int((own['label'] == c).sum())} {c}" for c in classes),
                remedy="ask for smaller parts, or take a run with larger test parts",
            )
        rows = [
            row
            for name, count in shares.items()
            for row in _drawn(own[own["label"] == name], count, rng)
        ]
        if len(rows) < sizes.of[part]:
            notes.append(
                f"Part {part!r} has {len(rows)} of the {sizes.of[part]} regions asked for: there"
                " are no more of the rarer class that fit it."
            )
        used |= set(rows)
        found.append(patches.loc[rng.permutation(rows)].assign(part=part))
    every = pd.concat(found)
    order = pd.Categorical(every["part"], QUIZ_PARTS, ordered=True)
    every = every.iloc[np.argsort(order.codes, kind="stable")]
    return every.reset_index(drop=True), notes


def _homes(
    patches: pd.DataFrame, parts: Sequence[str], seed: int
) -> tuple[dict[str, "pd.Series[bool]"], str]:
    """Which regions each part may take, and what is to be said where groups are shared."""
    counts = group_counts(patches)
    values = counts.to_numpy(float)
    scored = [part for part in parts if part != STUDY]
    for homes, note in (
        ([[part] for part in parts], ""),
        (
            [[STUDY], scored] if STUDY in parts else [],
            "Groups are too few for three parts: images before and after are of the same groups,"
            " those that are studied of others.",
        ),
    ):
        if len(homes) < 2 or not can_cover(values, len(homes)):
            continue
        ways = assignments(values, np.full(len(homes), 1 / len(homes)), seed)
        if ways:
            place = dict(zip(counts.index, ways[0].tolist(), strict=True))
            at = patches["group"].astype("str").map(place)
            return {p: at == n for n, home in enumerate(homes) for p in home}, note
    everything = pd.Series(True, index=patches.index)
    note = (
        f"All parts show images of the same {plural(len(counts), 'group')}, for there are too few:"
        " who studies them may learn to know the groups, not the classes."
    )
    return dict.fromkeys(parts, everything), note


def _shares(
    size: int, classes: Sequence[str], own: pd.DataFrame, rng: np.random.Generator
) -> dict[str, int]:
    """How many regions of each class a part takes: alike, and one more of some for the rest."""
    there = own["label"].value_counts()
    each = min([size // len(classes), *(int(there.get(name, 0)) for name in classes)])
    shares = dict.fromkeys(classes, each)
    if each == size // len(classes):
        for name in rng.permutation(list(classes))[: size % len(classes)]:
            shares[str(name)] += int(there.get(name, 0)) > each
    return shares


def _drawn(own: pd.DataFrame, count: int, rng: np.random.Generator) -> list[int]:
    """Rows of so many regions, from all groups in turn, from other images first."""
    queues = [_queue(part, rng) for _, part in own.groupby("group", sort=True)]
    queues = [queues[number] for number in rng.permutation(len(queues))]
    found: list[int] = []
    taken: dict[str, list[tuple[int, ...]]] = {}
    later: list[int] = []
    boxes = own[BOX].to_numpy()
    place = {int(row): at for at, row in enumerate(own.index)}
    waiting = [iter(queue) for queue in queues]
    while waiting and len(found) < count:
        for queue in list(waiting):
            row = _next_apart(queue, own, boxes, place, taken, later)
            if row is None:
                waiting.remove(queue)
                continue
            found.append(row)
            if len(found) == count:
                break
    return found + later[: count - len(found)]


def _queue(part: pd.DataFrame, rng: np.random.Generator) -> list[int]:
    """Rows of a group in random order, those of each image one after another."""
    shuffled = part.loc[rng.permutation(part.index)]
    turn = shuffled.groupby("image", sort=False).cumcount()
    return [int(row) for row in turn.sort_values(kind="stable").index]


def _next_apart(
    queue: Iterator[int],
    own: pd.DataFrame,
    boxes: "np.ndarray[tuple[int, int], np.dtype[np.int64]]",
    place: dict[int, int],
    taken: dict[str, list[tuple[int, ...]]],
    later: list[int],
) -> int | None:
    """The next row that lies on none of the taken ones; those that do wait in `later`."""
    for row in queue:
        image, box = str(own.loc[row, "image"]), tuple(boxes[place[row]].tolist())
        others = taken.setdefault(image, [])
        if any(_overlap(box, other) for other in others):
            later.append(row)
            continue
        others.append(box)
        return row
    return None


def _lies_on(own: pd.DataFrame, others: pd.DataFrame) -> "pd.Series[bool]":
    """Which regions share pixels with one of the others."""
    columns = ["image", "t", *BOX]
    pairs = own[columns].reset_index().merge(others[columns], on=["image", "t"], suffixes=("", "_"))
    found = pd.Series(True, index=pairs.index)
    for axis in "yx":
        found &= (pairs[f"{axis}0"] < pairs[f"{axis}1_"]) & (pairs[f"{axis}0_"] < pairs[f"{axis}1"])
    return own.index.to_series().isin(pairs.loc[found, "index"])


def _overlap(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
