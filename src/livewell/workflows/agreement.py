"""How far persons agree who answered the same items, as a page, tables and numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import Fault, SpecError, TableError
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, write_json
from livewell.images.listing import STAMP
from livewell.labels.by_votes import CELLS, kind_of
from livewell.labels.marks import NONE, joined_cells
from livewell.metrics.annotators import CrewAgreement, crew_agreement
from livewell.metrics.answer_matrix import FIRST_ANSWERS, UNSURE, by_chance, checked_answers
from livewell.report.agreement import AgreementResults, agreement_page, cautions
from livewell.report.page import render
from livewell.splitting.units import unit_names
from livewell.study.answers import read_answers
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.text import plural

RESULTS = "results.json"
NEAR_PX = 20.0
"""Marks of different persons so near are one cell where nothing is said."""
NOT_CLASSES = (UNSURE, NONE, "done")


@dataclass(frozen=True, slots=True)
class AgreementResult:
    """What `agreement` made: the figures, the page, and what to be careful of."""

    crew: CrewAgreement
    page: Path
    figures: dict[str, Any]
    """Of ``results.json``: the headline, sentences, and estimates by name."""
    warnings: tuple[str, ...]


def agreement(
    source: Study | AnyPath,
    out: AnyPath,
    *,
    task: str | None = None,
    database: str | None = None,
    classes: Sequence[str] = (),
    by: str = "well",
    stopped: bool = False,
    near_px: float = NEAR_PX,
) -> AgreementResult:
    """Report how far persons agree, with intervals, and what it means for labels.

    Parameters
    ----------
    source
        A study, or a table of answers (`schemas.ANSWERS`; CSV or Parquet).
    out
        Takes ``results.json``, tables as CSV and ``report.html``.
    task, database
        Of a study: name of the annotation task; where its answers are, by default in the study.
    classes
        In their order, the healthy one first; by default those of the task, or of the table by
        name.
    by
        Column of the study's fields, or of the table, whose values are groups that intervals
        resample as a whole; where it says nothing, images.
    stopped
        Of a table: whether a stop rule decided how many answers an item got. Of a task its settings
        say so.
    near_px
        Of marked cells: farthest that marks of one cell lie from its middle.

    Raises
    ------
    SpecError
        A study without a task, or a table with one.
    StudyError
        No such task, or nobody has answered yet.
    TableError
        Not a table of answers, or answers of other classes.
    OutputError
        `out` holds something else, or cannot be written.
    """
    of_study = isinstance(source, Study) or (Path(source) / STAMP).is_file()
    if of_study != (task is not None):
        raise SpecError(
            "answers of a study are those of a task, and a table has none",
            where="task",
            expected="the name of an annotation task" if of_study else "no task",
            got=str(task),
            remedy="give --task NAME" if of_study else "leave --task out, or name the study",
        )
    known: dict[str, Any] = {"by": by, "near_px": near_px}
    if of_study:
        from livewell.answers.reading import task_answers  # SQL, where it is needed

        study = Study.of(source)
        found = task_answers(study, str(task), database)
        table, classes = found.table, classes or found.classes
        stopped = stopped or found.stopped
        title, known = f"{task} of {study.folder.name}", known | {"task": task}
    else:
        study, table = None, read_answers(Path(str(source)))
        title = Path(str(source)).name
    results = agreement_results(
        table, classes, study=study, title=title, by=by, stopped=stopped, near_px=near_px
    )
    known |= {"classes": list(results.crew.classes), "stopped": stopped}
    out = Path(out)
    folder = ResultFolder.claim(out, "agreement", "agreement.json", known, anew=True).begin()
    numbers = results.figures()
    write_json(folder.path / RESULTS, numbers)
    page = folder.write(render(agreement_page(results)), results.tables())
    warned = tuple(note.text for note in cautions(results) if note.tone in ("bad", "warn"))
    return AgreementResult(results.crew, page, numbers, warned)


def agreement_results(
    table: pd.DataFrame,
    classes: Sequence[str] = (),
    *,
    study: Study | None = None,
    title: str = "",
    by: str = "well",
    stopped: bool = False,
    near_px: float = NEAR_PX,
) -> AgreementResults:
    """What the page of agreement shows, of answers to one task; parameters as of `agreement`."""
    table = checked_answers(table)
    kind = kind_of(table)
    chosen = by_chance(table[table["round"] == 0], FIRST_ANSWERS if stopped else None)
    aside = _left_aside(table, chosen, stopped)
    times = table[["person", "seconds"]] if "seconds" in table else None
    if kind == CELLS:
        table = _cells(table, near_px)
    if not len(classes):
        said = set(table["answer"].astype("str").unique()) - set(NOT_CLASSES)
        classes = sorted(said)
    if not len(classes):
        fault = Fault("no-classes", "answer", f"{plural(len(table), 'answer')}, all of them unsure")
        raise TableError("no answer names a class", [fault], remedy="answer some items first")
    every = (*classes, NONE) if kind == CELLS and NONE not in classes else tuple(classes)
    items = table.drop_duplicates("item").set_index("item")
    of, noun = _groups(items, study, by)
    alone = of is not None and of.nunique() < 2
    crew = crew_agreement(
        table,
        every,
        sought=classes[-1],
        group=None if of is None or alone else {str(name): each for name, each in of.items()},
        doses=_doses(items, study),
        stopped=stopped,
    )
    if kind == CELLS and times is not None:
        crew = _timed(crew, times)
    item = "cell" if kind == CELLS else kind or "item"
    persons = len(crew.people)
    return AgreementResults(
        title=f"Agreement: {title}" if title else "Agreement",
        subtitle=f"{int(crew.people['answers'].sum()):,} answers of {plural(persons, 'person')}",
        crew=crew,
        item=item,
        group=item if of is None else noun,
        one_group=alone,
        left_aside=aside,
        settings={"groups": item if of is None or alone else noun, "classes": list(every)},
        versions=versions(),
    )


def _cells(table: pd.DataFrame, near_px: float) -> pd.DataFrame:
    """First answers about cells, each with the reason for which its frame was shown."""
    first = table[table["round"] == 0].reset_index(drop=True)
    cells = joined_cells(first, near_px)
    frames = first.drop_duplicates(["item", "person"]).set_index(["item", "person"])
    of = pd.MultiIndex.from_arrays([cells["item"].str.rpartition("#")[0], cells["person"]])
    more = [name for name in ("reason", "time_s") if name in frames]
    return cells.assign(round=0, **{name: frames[name].loc[of].to_numpy() for name in more})


def _timed(crew: CrewAgreement, times: pd.DataFrame) -> CrewAgreement:
    """The same with seconds a frame."""
    each = times.groupby(times["person"].astype("str"))["seconds"]
    names, people = {"median_s": 0.5, "q1_s": 0.25, "q3_s": 0.75}, crew.people
    columns = {name: people["person"].map(each.quantile(q)) for name, q in names.items()}
    return replace(crew, people=people.assign(**columns))


def _left_aside(
    table: pd.DataFrame, chosen: pd.DataFrame, stopped: bool
) -> tuple[tuple[str, int], ...]:
    """How many answers agreement is not computed on, and why."""
    first = table[table["round"] == 0]
    free = by_chance(first)
    counts = {
        "hidden repeats": len(table) - len(first),
        "items shown because a model was unsure, or controls": len(first) - len(free),
    }
    if stopped:
        text = "beyond the first two of an item, whose number the stop rule decided"
        counts[text] = len(free) - len(chosen)
    return tuple((why, count) for why, count in counts.items() if count)


def _groups(
    items: pd.DataFrame, study: Study | None, by: str
) -> "tuple[pd.Series[str] | None, str]":
    """Group of each item and what groups are called; ``None`` where nothing is known."""
    if study is None:
        there = [name for name in (by, "image") if name in items and items[name].notna().any()]
        if not there:
            return None, ""
        of = items[there[-1]].astype("str").fillna("unknown")
        return items[there[0]].astype("str").fillna(of), there[0]
    fields = study.fields()
    if by in fields and fields[by].notna().any():
        names = unit_names(fields, by)
        of = items["image"].astype("str").map(names)
        return of.fillna(items["image"].astype("str")), by
    return items["image"].astype("str"), "image"


def _doses(items: pd.DataFrame, study: Study | None) -> pd.DataFrame | None:
    """Dose and its unit by item; ``None`` where none is known."""
    source = items
    if study is not None:
        fields = study.fields().set_index("image")
        source = fields.reindex(items["image"].astype("str")).set_axis(items.index)
    if "dose" not in source:
        return None
    dose = pd.to_numeric(source["dose"], errors="coerce")
    unit = source["dose_unit"] if "dose_unit" in source else pd.Series("", index=source.index)
    return pd.DataFrame({"dose": dose, "dose_unit": unit}) if dose.notna().any() else None
