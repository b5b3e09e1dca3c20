"""What a person may answer to an item, and which tasks can be."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from livewell.answers.settings import TaskSettings
from livewell.answers.tables import KINDS, UNSURE, Item, Task
from livewell.errors import AnswerError, SpecError
from livewell.text import few, listed, printable, short

DONE = "done"
"""The answer of an item in which cells were marked."""
MOST_MARKS, LONGEST_NOTE, LONGEST_NAME, LONGEST_S = 20_000, 4000, 100, 1e7
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer, or the taking back of one (`undoes`), as a page sends it."""

    id: str
    showing: str
    answer: str | None = None
    undoes: str | None = None
    marks: list[dict[str, Any]] | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    death_t: int | None = None
    seconds: float = 0.0


def cleaned(new: NewAnswer) -> NewAnswer:
    """An answer as it is kept: the note in one line of characters that can be seen."""
    note = printable(" ".join(new.note.split()))
    return replace(new, note=note, seconds=float(new.seconds), tags=tuple(new.tags))


def check_answer(new: NewAnswer, task: Task, settings: TaskSettings, item: Item) -> None:
    """Refuse what is no answer to this item; an `AnswerError` names all that is wrong."""
    faults: list[str] = []
    if not _ID.fullmatch(new.id):
        faults.append("its name is not one of 1 to 64 letters, digits, dashes, underscores")
    if (new.answer is None) == (new.undoes is None):
        faults.append("it neither answers nor takes back, or does both")
    if not set(new.tags) <= set(settings.tags) or len(set(new.tags)) < len(new.tags):
        faults.append(f"tags that are not of the list, or twice: {few(map(short, new.tags))}")
    if len(new.note) > LONGEST_NOTE:
        faults.append(f"a note of more than {LONGEST_NOTE:,} characters")
    if not 0 <= new.seconds <= LONGEST_S:
        faults.append(f"it took {new.seconds} s")
    if new.death_t is not None and not item.t <= new.death_t < item.t + item.frames:
        faults.append(f"death in frame {new.death_t}, which is not among those shown")
    faults += _answer_faults(new, task) + _mark_faults(new.marks, task, item)
    if faults:
        raise AnswerError("not an answer to this item", got="; ".join(faults))


def _answer_faults(new: NewAnswer, task: Task) -> list[str]:
    if new.answer is None:
        more = new.marks or new.note or new.tags or new.death_t is not None
        return ["what takes an answer back holds nothing else"] if more else []
    possible = (DONE, UNSURE) if task.kind == "cells" else (*task.classes, UNSURE)
    if new.answer in possible:
        return []
    return [f"{short(new.answer)!r} is not one of {listed(possible)}"]


def _mark_faults(marks: list[dict[str, Any]] | None, task: Task, item: Item) -> list[str]:
    if marks is None:
        return []
    if task.kind != "cells":
        return ["marks, in a task in which no cells are marked"]
    if len(marks) > MOST_MARKS:
        return [f"more than {MOST_MARKS:,} marks"]
    wrong = [number for number, mark in enumerate(marks) if not _is_mark(mark, task, item)]
    return [f"marks of no class of the task, or outside the image: {few(wrong)}"] if wrong else []


def _is_mark(mark: Any, task: Task, item: Item) -> bool:
    """Whether it is a class and a point in the image, or a class and two corners of a box."""
    if not isinstance(mark, dict):
        return False
    corners = {"class", "y", "x", "y1", "x1"}
    if set(mark) not in ({"class", "y", "x"}, corners):
        return False
    if mark["class"] not in (*task.classes, UNSURE):
        return False
    numbers = [mark[name] for name in ("y", "x", "y1", "x1") if name in mark]
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in numbers):
        return False
    if len(numbers) == 4 and not (numbers[0] <= numbers[2] and numbers[1] <= numbers[3]):
        return False
    height = math.inf if item.height is None else item.height
    width = math.inf if item.width is None else item.width
    return all(0 <= y <= height for y in numbers[::2]) and all(
        0 <= x <= width for x in numbers[1::2]
    )


def check_task(name: str, kind: str, classes: Sequence[str], items: int) -> None:
    """Refuse a task that cannot be; a `SpecError` names all that is wrong."""
    faults = [f"{what} {short(each)!r}" for what, each in _words(name, classes) if not _word(each)]
    faults += [f"the class {each!r}" for each in classes if each in (UNSURE, DONE)]
    if kind not in KINDS:
        faults.append(f"the kind {short(kind)!r}")
    if len(set(classes)) < max(len(classes), 1):
        faults.append(f"classes {few(map(short, classes))}")
    if not items:
        faults.append("no item at all")
    if faults:
        raise SpecError(
            "not an annotation task",
            where=name,
            expected=f"names of 1 to {LONGEST_NAME} characters that can be seen; one kind of"
            f" {', '.join(KINDS)}; classes that differ, none of them {UNSURE} or {DONE}; items",
            got="; ".join(faults),
        )


def _words(name: str, classes: Sequence[str]) -> list[tuple[str, str]]:
    return [("the name", name), *(("the class", each) for each in classes)]


def _word(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text == printable(text) == text.strip()
