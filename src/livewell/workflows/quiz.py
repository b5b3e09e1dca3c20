"""People against a model: a quiz on images that it has not learnt from, and its results."""

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.answers.database import Database
from livewell.answers.quizzes import make_quiz, quiz_items, quiz_scores
from livewell.answers.store import AnswerStore
from livewell.answers.tables import Item
from livewell.errors import SpecError
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.unseen import scored_by
from livewell.metrics.quiz import PersonScore
from livewell.models.device import AUTO
from livewell.report.page import render
from livewell.report.quiz import QuizResults, quiz_page
from livewell.report.quiz_words import quiz_words
from livewell.splitting.quiz_parts import QuizSizes, quiz_parts
from livewell.study.runs import RUN, Run, versions
from livewell.study.study import Study
from livewell.tables.schemas import BOX, KEY


@dataclass(frozen=True, slots=True)
class QuizTask:
    """A quiz in a study: number of its annotation task, its items, and what to know of it.

    `items` has the columns item, image, t, y0, x0, y1, x1, part, group, truth and model.
    """

    study: Path
    name: str
    task: int
    items: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuizScores:
    """What people scored in a quiz; `sentences` say it, and `page` shows it."""

    scores: tuple[PersonScore, ...]
    sentences: tuple[str, ...]
    page: Path
    warnings: tuple[str, ...]


def quiz(
    study: Study | AnyPath,
    model: AnyPath,
    *,
    name: str = "quiz",
    sizes: QuizSizes | None = None,
    labels: str = "labels",
    database: str | None = None,
    device: str = AUTO,
    seed: int = 0,
) -> QuizTask:
    """Make a quiz: regions that people call before and after studying others, and a model too.

    Parameters
    ----------
    study
        Its images are shown; the quiz is an annotation task of its site (`livewell serve`).
    model
        A finished run: regions are of its test groups, each called by the model of the fold that
        tests it. Or a model of other images, or a run of another study: then regions are all
        labelled ones that it has not learnt from.
    name
        Of the quiz.
    sizes
        Regions of each part; by default 50, 500 and 50, the design of La Greca et al. 2021.
    labels
        The truth, where the model is of another study.
    database
        Where answers are kept; by default in the study.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    seed
        Of what is left to chance.

    Raises
    ------
    SpecError
        A task of this name is there.
    SplitError
        No region of a class is left for a part, or the run has no test groups.
    LeakError, LabelError, ModelFileError
        As `livewell.evaluate`.
    OutputError
        The study cannot be written.
    """
    study, model, sizes = Study.of(study), Path(model), sizes or QuizSizes()
    store = AnswerStore(Database.of_study(study.folder, database))
    try:
        if any(task.name == name for task in store.tasks()):
            raise SpecError(
                "a task of this name is there",
                where=f"quiz {name!r}",
                remedy="give another name; results of this one with `livewell quiz --results`",
            )
        tested = _tested(study, model, labels, device)
        regions = tested.part("test")
        chosen, notes = quiz_parts(regions, tuple(tested.classes), sizes, seed)
        models = {int(fold): tested.model(int(fold)) for fold in sorted(chosen["fold"].unique())}
        called = scored_by(models, chosen, tested.pixels, "calling the quiz's regions")
        items = _items(chosen, called, tested)
        settings = {
            "model": str(model.resolve()),
            "seed": seed,
            "sizes": asdict(sizes),
            "classes": list(tested.classes),
            "by": tested.meta.by,
            "labels": tested.meta.labels,
            "notes": notes,
            "versions": versions(),
        }
        kind = "patch" if tested.meta.patch_px else "frame"
        number = make_quiz(study, store, name, kind, items, settings)
        return QuizTask(study.folder, name, number, items, tuple(notes))
    finally:
        store.database.close()


def quiz_results(
    study: Study | AnyPath,
    name: str,
    out: AnyPath,
    *,
    database: str | None = None,
) -> QuizScores:
    """Score everybody who answered a quiz, beside the model, and report.

    Parameters
    ----------
    study, name, database
        As in `quiz`.
    out
        Takes ``scores.csv``, ``confusion.csv`` and ``report.html``.

    Raises
    ------
    SpecError
        There is no such quiz, or nobody has answered yet.
    OutputError
        `out` holds something else, or cannot be written.
    """
    study, out = Study.of(study), Path(out)
    settings, items = quiz_items(study, name)
    store = AnswerStore(Database.of_study(study.folder, database))
    try:
        tasks = [task for task in store.tasks() if task.name == name]
        answers = store.answers(tasks[0].id) if tasks else pd.DataFrame()
    finally:
        store.database.close()
    if answers.empty:
        raise SpecError("nobody has answered this quiz yet", where=f"quiz {name!r}")
    shown = {key: value for key, value in settings.items() if key != "versions"}
    folder = ResultFolder.claim(out, "quiz results", "quizresults.json", {"quiz": name})
    results = QuizResults(
        title=f"People and a model: {name} of {study.folder.name}",
        subtitle=f"{len(items)} regions, {answers['person'].nunique()} people",
        scores=quiz_scores(answers, items, settings),
        classes=tuple(settings["classes"]),
        by=settings["by"],
        remarks=tuple(settings["notes"]),
        settings=shown,
        versions=versions(),
    )
    folder.begin()
    page = folder.write(render(quiz_page(results)), results.tables())
    sentences = tuple(text for one in results.scores for text in quiz_words(one, results.by))
    return QuizScores(tuple(results.scores), sentences, page, tuple(settings["notes"]))


def _tested(study: Study, model: Path, labels: str, device: str) -> EvaluationSet:
    """Regions that the model has not learnt from: of its own test groups, or of a study."""
    if (model / RUN).is_file():
        own = Path(Run.open(model).spec.study)
        if own.resolve() == study.folder.resolve():
            return EvaluationSet.of_run(model, device=device)
    return EvaluationSet.of_study(model, study, labels=labels, device=device)


def _items(chosen: pd.DataFrame, called: pd.DataFrame, tested: EvaluationSet) -> pd.DataFrame:
    """The quiz's items in their order, with what the model calls each."""
    keyed, whole = called.set_index(KEY), not tested.meta.patch_px
    codes = keyed["called"].loc[list(chosen[KEY].itertuples(index=False, name=None))]
    rows = chosen.assign(**dict.fromkeys(BOX, None)) if whole else chosen
    return pd.DataFrame(
        {
            # as the store names them
            "item": [_name(row) for row in rows[KEY].to_dict("records")],
            **{name: rows[name] for name in (*KEY, "part", "group")},
            "truth": chosen["label"],
            "model": [tested.classes.called(int(code)) for code in codes],
        }
    )


def _name(row: Mapping[Hashable, Any]) -> str:
    """What the store calls an item."""
    return Item(**{str(key): value for key, value in row.items()}).name
