"""What a route to labels is, what it gives back, and the checks that routes share."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import Fault, LabelError, TableError
from livewell.labels.mixture import Mixture
from livewell.labels.stain_decisions import StainDecisions
from livewell.measure.occupancy import Occupancy
from livewell.study.study import Study
from livewell.tables.faults import listed, near
from livewell.tables.metadata import LabelSource
from livewell.tables.schemas import KEY, LABELS

Others = Literal["refuse", "drop"]
"""What happens to rows that no class is said for: an error that lists them, or left out."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many things a step had or left: ``Count("live", 1968)``."""

    step: str
    count: int


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels made by one route.

    Parameters
    ----------
    table
        Schema `schemas.LABELS`; empty t or box means every frame or the whole frame.
    counts
        Every step, in order.
    notes
        What a careful user should know of these labels.
    mixtures
        Of a stain, by group; ``""`` where it was fitted whole.
    decisions
        Of a stain: what every patch was decided on.
    boxes
        Schema `livewell.study.boxes.BOXED_CELLS`: the cells in boxes that the labels rest on.
    source
        The set of labels that these were merged from.
    """

    table: pd.DataFrame
    counts: tuple[Count, ...]
    notes: tuple[str, ...] = ()
    mixtures: Mapping[str, Mixture] = field(default_factory=dict)
    decisions: StainDecisions | None = None
    boxes: pd.DataFrame | None = None
    source: LabelSource | None = None

    @classmethod
    def of(
        cls,
        route: str,
        keys: pd.DataFrame,
        labels: Iterable[str],
        classes: Iterable[str],
        steps: Mapping[str, int],
        *,
        score: Iterable[float] | None = None,
        notes: Iterable[str] = (),
    ) -> "Labels":
        """Labels of the rows of `keys`, see `label_table`; classes are counted after the steps."""
        table = label_table(keys, labels, route, score)
        counts = [Count(step, count) for step, count in steps.items()]
        return cls(table, (*counts, *class_counts(table, classes)), tuple(notes))


@dataclass(frozen=True, slots=True)
class Request:
    """Which labels are asked for: of which study, of which classes, and under which name."""

    study: Study
    classes: ClassNames
    name: str
    seed: int = 0
    occupancy: Occupancy | None = None
    """What tells empty patches; by texture where ``None``."""
    healthy_only: bool = False
    """Whether the negative class alone is labelled."""

    @property
    def least(self) -> int:
        """How many classes there must be."""
        return 1 if self.healthy_only else 2


@dataclass(frozen=True, slots=True)
class Route(ABC):
    """A way to labels: frozen settings, and how labels are made with them.

    A new route is a file with a subclass, its name in `livewell`, and its options in `cli.labels`.
    """

    @property
    def name(self) -> str:
        """What messages and metadata call the route."""
        return type(self).__name__.lower()

    @property
    def settings(self) -> dict[str, Any]:
        """What metadata keep of how the labels were made."""
        return asdict(self)

    @abstractmethod
    def make(self, request: Request) -> Labels:
        """The labels, of what the study knows."""


def label_table(
    keys: pd.DataFrame, labels: Iterable[str], route: str, score: Iterable[float] | None = None
) -> pd.DataFrame:
    """One label a row of `keys`, in the schema `schemas.LABELS`.

    `keys` has a column image, and t, y0, x0, y1, x1 where they are known.
    """
    scores = float("nan") if score is None else list(score)
    table = keys.reindex(columns=KEY).reset_index(drop=True)
    table = table.assign(label=list(labels), route=route, score=scores)
    return LABELS.check(table, where=f"labels by {route}")


def class_counts(table: pd.DataFrame, classes: Iterable[str]) -> list[Count]:
    """One count a class of a table of labels, also for classes that got none."""
    found = table["label"].value_counts()
    return [Count(name, int(found.get(name, 0))) for name in dict.fromkeys(classes)]


def stripped(classes: Mapping[str, str]) -> dict[str, str]:
    """Class of each value, as text without spaces around the value."""
    return {str(value).strip(): str(name) for value, name in classes.items()}


def class_faults(classes: Mapping[str, str], least: int = 2) -> list[Fault]:
    """A fault where fewer than two classes, or so many, are meant, or one has no name."""
    names = set(classes.values())
    found = []
    if any(not name.strip() for name in names):
        found.append(Fault("class-name", "classes", "a class has an empty name"))
    if len(names) < least:
        text = f"only {listed(sorted(names))} is said" if names else "no class is said"
        found.append(Fault("one-class", "classes", f"{text}; two classes are needed to tell apart"))
    return found


def state_faults(
    states: "pd.Series[str]", classes: Mapping[str, str], noun: str, others: Others
) -> list[Fault]:
    """Faults of a column of cells' states: classes of states that no cell has, and the reverse.

    `noun` says what has a state, such as point.
    """
    known = sorted(states.dropna().unique())
    found = [
        Fault("unknown-value", f"states, {value!r}", f"no {noun} has it; {near(value, known)}")
        for value in classes
        if value not in known
    ]
    unmapped = states[~states.isin(list(classes))]
    if others == "refuse" and len(unmapped):
        without = listed(unmapped.fillna("(empty)").unique())
        found.append(Fault("unmapped-value", str(states.name), f"no class is said for {without}"))
    return found


def two_classes(classes: ClassNames, route: str) -> tuple[str, str]:
    """The negative and the positive class, for a route whose rule gives no third one."""
    if not classes.binary:
        raise LabelError(
            f"labels by {route} tell two classes apart",
            where=f"route {route}",
            expected="a negative and a positive class",
            got=str(classes),
            remedy="name two classes; for more label by a column, words in file names or points",
        )
    return classes[0], classes[1]


def refuse_other_classes(labelled: Labels, request: Request) -> None:
    """Refuse a set of labels that does not hold just the classes that are asked for."""
    found, classes = set(labelled.table["label"]), request.classes
    if request.healthy_only and found != {classes[0]}:
        raise LabelError(
            "other classes than the negative one, which alone was to be labelled",
            where=f"set of labels {request.name!r}",
            expected=classes[0],
            got=", ".join(sorted(found)) or "no label at all",
            remedy="name the healthy class with --negative, or label without --healthy-only",
        )
    if found != set(classes) and not request.healthy_only:
        raise LabelError(
            "one class only" if len(found) < 2 else "other classes than said",
            where=f"set of labels {request.name!r}",
            expected=f"{classes[0]} (negative) and {classes[1]} (positive)"
            if classes.binary
            else str(classes),
            got=", ".join(sorted(found)) or "no label at all",
            remedy="check the classes, the thresholds or the time window",
        )


def refuse(faults: Sequence[Fault], route: str, remedy: str = "", where: str = "labels") -> None:
    """Raise all `faults` at once, if there are any; `where` is the file they are in."""
    if faults:
        raise TableError(f"no labels by {route}", faults, where=where, remedy=remedy)
