"""Quizzes of a study: what is asked, what a model calls it, and what people scored."""

from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import SpecError
from livewell.files import read_json
from livewell.metrics.quiz import PersonScore, person_scores
from livewell.study.study import Study, checked_name

KIND, MARKER, ITEMS = "quiz", "quiz.json", "items.parquet"


def quiz_folder(study: Study, name: str) -> Path:
    """Where a quiz's items are kept, with what the model calls them."""
    return study.folder / "site" / "quizzes" / checked_name(name)


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
) -> list[PersonScore]:
    """Scores of everybody who answered; `answers` are those that stand (`schemas.ANSWERS`)."""
    return person_scores(answers, items, settings["classes"], seed=settings["seed"])
