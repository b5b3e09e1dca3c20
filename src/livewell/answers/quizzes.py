"""Quizzes of a study: what is asked, what a model calls it, and what people scored."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore
from livewell.errors import SpecError
from livewell.files import claim_same, read_json, stamp
from livewell.study.study import Study, checked_name
from livewell.tables.schemas import BOX, write_table

if TYPE_CHECKING:
    from livewell.metrics.quiz import PersonScore

KIND, MARKER, ITEMS = "quiz", "quiz.json", "items.parquet"


def quiz_folder(study: Study, name: str) -> Path:
    """Where a quiz's items are kept, with what the model calls them."""
    return study.folder / "site" / "quizzes" / checked_name(name)


def make_quiz(
    study: Study,
    store: AnswerStore,
    name: str,
    kind: str,
    items: pd.DataFrame,
    settings: Mapping[str, Any],
) -> int:
    """Write a quiz into a study; the number of its task.

    Parameters
    ----------
    study, store
        Where what is asked is kept, and where answers are.
    name
        Of the quiz, and of its task.
    kind
        ``patch`` or ``frame``.
    items
        In the order in which they are shown: item (as the store names it), image, t, y0, x0, y1,
        x1, part (`schemas.QUIZ_PARTS`), group, truth, and model, the class it calls.
    settings
        model (its folder), classes, by (the column of the groups), seed, notes, and more.

    Raises
    ------
    OutputError
        There is another quiz of this name, or the study cannot be written.
    """
    folder = quiz_folder(study, name)
    claim_same(folder, KIND, MARKER, settings)
    write_table(folder / ITEMS, items)
    stamp(folder, MARKER, KIND, **settings)
    asked = items.assign(frames=1)[["image", "t", "frames", *BOX, "truth", "part"]]
    shown = TaskSettings(
        quiz=str(settings["model"]), shared_every=0, repeats=0, seed=settings["seed"]
    )
    return store.make_task(name, kind, list(settings["classes"]), asked, shown)


def quiz_items(study: Study, name: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Settings and items of a quiz."""
    folder = quiz_folder(study, name)
    if not (folder / MARKER).is_file():
        there = sorted(path.parent.name for path in folder.parent.glob(f"*/{MARKER}"))
        raise SpecError(
            "no quiz of this name",
            where=str(study.folder),
            expected=", ".join(there) or "none has been made yet",
            got=name,
            remedy="make it with `livewell quiz STUDY --model MODEL`",
        )
    return read_json(folder / MARKER, kind=KIND), pd.read_parquet(folder / ITEMS)


def quiz_scores(
    answers: pd.DataFrame, items: pd.DataFrame, settings: dict[str, Any]
) -> "list[PersonScore]":
    """Scores of everybody who answered; `answers` are those that stand (`schemas.ANSWERS`)."""
    # statistics take seconds to load, which no server should wait for as it starts
    from livewell.metrics.quiz import person_scores

    return person_scores(answers, items, settings["classes"], seed=settings["seed"])
