"""The report of a quiz: what people scored before and after studying, beside a model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.metrics.intervals import ROUGH_GROUPS, Estimate
from livewell.metrics.quiz import SCORED, PersonScore
from livewell.report.figures import estimates
from livewell.report.page import Note, Page, Section, Table, Tone, info, warn
from livewell.report.quiz_words import MODEL, WHEN, quiz_words
from livewell.report.results import PageResults
from livewell.report.vocabulary import short
from livewell.text import plural, sentence, several


@dataclass(frozen=True)
class QuizResults(PageResults):
    """What `quiz_page` shows: scores by person, the classes, and the column `by` of the groups.

    `remarks` are notes on how the quiz was made.
    """

    scores: Sequence[PersonScore]
    classes: Sequence[str]
    by: str
    remarks: Sequence[str] = ()

    def tables(self) -> dict[str, pd.DataFrame]:
        """Figures and confusions, one row each, for files."""
        figures: list[dict[str, object]] = []
        confusions: list[pd.DataFrame] = []
        for one in self.scores:
            for part, score in one.parts.items():
                base = {"person": one.person, "part": part}
                for what, of in (
                    ("person", score.figures),
                    ("model", score.model),
                    ("person less model", score.ahead),
                ):
                    figures += [base | {"of": what} | _row(name, e) for name, e in of.items()]
                for who, table in (("person", score.confusion), ("model", score.model_confusion)):
                    long = table.rename_axis(index="truth", columns=None).reset_index()
                    long = long.melt("truth", var_name="answer", value_name="count")
                    confusions.append(long.assign(of=who, **base))
            base = {"person": one.person, "part": "after less before", "of": "person"}
            figures += [base | _row(name, e) for name, e in one.change.items()]
        return {"scores": pd.DataFrame(figures), "confusion": pd.concat(confusions)}


def _row(name: str, found: Estimate) -> dict[str, object]:
    kept = ("value", "low", "high", "groups", "method", "note")
    return {"figure": name, **{key: getattr(found, key) for key in kept}}


def quiz_page(results: QuizResults) -> Page:
    """The page of a quiz."""
    verdict, tone = _headline(results.scores)
    lead = (
        "Nobody was shown the truth of what they were asked before and after; the model has not"
        f" learnt from any of it. Intervals resample whole {several(results.by)}."
    )
    return results.page(verdict, tone, _sections(results), _cautions(results), lead=lead)


def _headline(scores: Sequence[PersonScore]) -> tuple[str, Tone]:
    """Mean accuracies in a sentence."""
    said = []
    for part in SCORED:
        there = [one.parts[part] for one in scores if part in one.parts]
        if there:
            own = np.mean([each.figures["accuracy"].value for each in there])
            model = np.mean([each.model["accuracy"].value for each in there])
            people = plural(len(there), "person") if len(there) == 1 else f"{len(there)} people"
            said.append(
                f"{WHEN[part]} {people} called {own:.0%} right, and {MODEL} {model:.0%} of the same"
            )
    return sentence("; ".join(said)) + ".", "info"


def _cautions(results: QuizResults) -> list[Note]:
    """What to know before the scores are believed."""
    groups = [
        score.figures["accuracy"].groups for one in results.scores for score in one.parts.values()
    ]
    notes = [warn(text) for text in results.remarks]
    if groups and min(groups) < ROUGH_GROUPS:
        notes.append(
            warn(
                f"A part rests on {plural(min(groups), results.by)} only: intervals are rough, and"
                f" images of one {results.by} are not independent of each other."
            )
        )
    notes.append(
        info(
            "People and the model are compared on the same images; before and after are other"
            " images, so that a change holds how hard these are, too: the model's scores show it."
        )
    )
    notes.append(info('"Unsure" is never right, neither of a person nor of the model.'))
    return notes


def _sections(results: QuizResults) -> Iterator[Section]:
    rows = [
        (f"{one.person}, {part}", score.figures["accuracy"])
        for one in results.scores
        for part, score in one.parts.items()
    ]
    theirs: dict[str, Estimate] = {}
    for one in results.scores:
        for part, score in one.parts.items():
            found = score.model["accuracy"]
            # of who answered all of a part the model's figures are the same
            name = f"{MODEL}, {part}"
            name = name if theirs.get(name, found) == found else f"{name} of {one.person}"
            theirs[name] = found
    rows += theirs.items()
    yield Section(
        "Accuracy",
        f"Intervals resample whole {several(results.by)}.",
        pictures=[estimates(rows, title="Accuracy")],
        tables=[_figures(results)],
    )
    for one in results.scores:
        yield Section(
            one.person,
            " ".join(quiz_words(one, results.by)),
            tables=[
                confusion_table(score.confusion, f"{one.person}, {part}: truth by answer")
                for part, score in one.parts.items()
            ],
        )


def confusion_table(confusion: pd.DataFrame, caption: str) -> Table:
    """Rows of truths, columns of answers."""
    rows = [
        (str(truth), *map(str, row))
        for truth, row in zip(confusion.index, confusion.to_numpy().tolist(), strict=True)
    ]
    return Table(["truth", *map(str, confusion.columns)], rows, caption)


def _figures(results: QuizResults) -> Table:
    names = list(next(iter(results.scores[0].parts.values())).figures)
    rows = [
        (
            one.person,
            part,
            str(score.count),
            *(short(score.figures[name]) for name in names),
            *(short(score.model[name]) for name in names),
            "" if np.isnan(score.seconds) else f"{score.seconds:.1f} s",
        )
        for one in results.scores
        for part, score in one.parts.items()
    ]
    columns = ["person", "part", "regions", *names, *(f"model's {name}" for name in names)]
    caption = "95% intervals in brackets; the time is the median of an answer."
    return Table([*columns, "time"], rows, caption, "ll" + "r" * (2 + 2 * len(names)))
