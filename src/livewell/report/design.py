"""The report of designs: the tables of the paper with intervals over groups, and their curves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import NamedTuple

import numpy as np
import pandas as pd

from livewell.execution.designs import DesignFigures
from livewell.execution.items import ItemResults
from livewell.metrics.designs import DesignRow, LagFigure, Repeated
from livewell.metrics.intervals import Estimate
from livewell.models.profile import Profile
from livewell.report import trust
from livewell.report.design_words import CURVES, NEVER, SHOWN, TITLES
from livewell.report.figures import estimates
from livewell.report.page import Note, Page, Picture, Section, Table, Tone, info, render, warn
from livewell.report.results import PageResults
from livewell.report.style import HEALTHY, UNSURE, Sheet, empty, unit_axis
from livewell.report.vocabulary import Named, Vocabulary, has_interval, short, span
from livewell.splitting.design_rows import DesignPlan
from livewell.splitting.designs import ALL, ALL_LINES, EACH_LINE, HOURS, LEFT_OUT, REPEATS, WARNING
from livewell.study.audited import audit_state
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.text import plural, sentence

COLUMNS = ("row", "told apart", "validation accuracy", "test accuracy", "95% interval")
"""Columns of the tables; balanced accuracy, AUC and the number of groups follow."""
SAYS = {ALL_LINES: "{}, model of all", EACH_LINE: "{} alone", LEFT_OUT: "{} left out"}
"""What a row is called by its design, where its name is that of a line."""


@dataclass(frozen=True)
class DesignResults(PageResults):
    """What `design_page` shows; `failures` has one row an item (image, error)."""

    found: DesignFigures
    failures: pd.DataFrame
    designs: Sequence[str]
    words: Vocabulary

    def of(self, *designs: str) -> list[DesignRow]:
        """The rows of some designs."""
        return [row for row in self.found.rows if row.key.design in designs]

    @property
    def trainings(self) -> int:
        """Most trainings of a row."""
        return max((len(row.test.each) for row in self.found.rows), default=0)


def design_report(
    study: Study,
    designs: Sequence[str],
    plan: DesignPlan,
    profile: Profile,
    found: DesignFigures,
    made: ItemResults,
    notes: Sequence[str],
    said: Mapping[str, object],
) -> tuple[str, dict[str, pd.DataFrame]]:
    """The page as HTML, and tables by name, of the items that were made and those that were not."""
    words = Vocabulary("image" if profile.sees_frames else "patch", plan.by.replace("_", " "))
    results = DesignResults(
        title=f"Designs: {study.folder.name}",
        subtitle=f"{', '.join(designs)}; {plural(len(made.records), 'split')} trained with"
        f" {profile.name}, split by {words.group}",
        found=found,
        failures=made.failures,
        designs=designs,
        words=words,
        notes=[warn(text) for text in notes],
        audits=[audit_state(study, str(said["labels"]))],
        settings={name: value for name, value in said.items() if name != "profile"}
        | {"profile": profile.name},
        versions=versions(),
    )
    flat = [row.flat() for row in found.rows]
    table = pd.DataFrame(flat) if flat else pd.DataFrame(columns=["design", "name"])
    left_out = table["design"] == LEFT_OUT
    tables = {"table1": table[~left_out], "table2": table[left_out]}
    tables |= {"early_warning": _lag_table(found.lags), "failures": made.failures}
    return render(design_page(results)), tables


def design_page(results: DesignResults) -> Page:
    """The page of designs."""
    verdict, tone = headline(results)
    lead = (
        f"Every figure is of {results.words.groups} that no model of its row has learnt from or was"
        f" chosen by. Brackets are 95% intervals that resample whole {results.words.groups}."
    )
    return results.page(verdict, tone, _sections(results), _notes(results), lead=lead)


def headline(results: DesignResults) -> tuple[str, Tone]:
    """The first row's accuracy, and the worst line that was left out."""
    rows, left = results.found.rows, results.of(LEFT_OUT)
    if not rows:
        return "No item of these designs could be made.", "bad"
    said = [_told(next((row for row in rows if row.key.design != LEFT_OUT), rows[0]))]
    if left:
        alike = [row for row in left if row.question == left[-1].question]
        worst = min(alike, key=lambda row: row.test.mean)
        said.append(f"Of {len(alike)} lines left out the lowest is {_told(worst, small=True)}")
    return " ".join(said), "warn" if len(results.failures) else "info"


def _told(row: DesignRow, *, small: bool = False) -> str:
    name = row.key.name if small else sentence(_called(row))
    return f"{name}: {row.question}, accuracy {short(row.figures['accuracy'])}."


def _notes(results: DesignResults) -> list[Note | None]:
    words, rows = results.words, results.found.rows
    lost = [warn(f"Not made: {row.image}: {row.error}") for row in results.failures.itertuples()]
    least = min((row.groups for row in rows), default=0)
    return [
        *lost,
        trust.group_count(least, least, words) if least else None,
        _seeds(results),
        info(
            f"Validation accuracy is of {words.groups} that thresholds and calibration were chosen"
            " by, so it flatters; the highest of several trainings flatters too."
        ),
        *results.notes,
    ]


def _seeds(results: DesignResults) -> Note:
    groups = results.words.groups
    if results.trainings < 2:
        return info(f"One training each. Intervals are over {groups}, not over other seeds.")
    return warn(
        f"± is the standard deviation over {results.trainings} trainings with other seeds, as the"
        f" paper prints it. It is not the uncertainty over new {groups}: all trainings are tested"
        f" on the same ones. For that read the interval, which resamples {groups}."
    )


def _sections(results: DesignResults) -> Iterator[Section | None]:
    first = [d for d in results.designs if d not in (LEFT_OUT, *CURVES)]
    if first:
        words = [SHOWN[design] for design in first]
        rows = results.of(*first)
        if results.trainings < 2 and REPEATS in first:
            words.append("One training only could be made.")
        yield _section("Table 1: trained on what is tested", words, rows)
    if LEFT_OUT in results.designs:
        rows = results.of(LEFT_OUT)
        yield _section("Table 2: lines left out of training", [SHOWN[LEFT_OUT]], rows)
    for design, (axis, log) in CURVES.items():
        if design in results.designs:
            rows = results.of(design)
            picture = _curve(rows, axis.format(groups=results.words.groups), log=log)
            yield _section(TITLES[design], [SHOWN[design]], rows, picture)
    if HOURS in results.designs and results.found.lags:
        yield _early(results)


def _section(
    title: str, words: Sequence[str], rows: Sequence[DesignRow], picture: Picture | None = None
) -> Section:
    pictures = [estimates(_named(rows), title="Test accuracy")] if picture is None else [picture]
    text = " ".join([*words, NEVER])
    return Section(title, text, pictures if rows else [], [_table(rows)])


def _called(row: DesignRow) -> str:
    """What a row is called on the page."""
    name = row.key.name
    return name if name == ALL else SAYS.get(row.key.design, "{}").format(name)


def _named(rows: Sequence[DesignRow]) -> list[Named]:
    several = len({row.question for row in rows}) > 1
    each = [(_called(row), row.question, row.figures["accuracy"]) for row in rows]
    return [(f"{name}, {asked}" if several else name, figure) for name, asked, figure in each]


def _table(rows: Sequence[DesignRow]) -> Table:
    cells = [
        (
            _called(row), row.question, _accuracy(row.validation), _accuracy(row.test),
            span(row.figures["accuracy"]),
            *(short(row.figures[name]) for name in ("balanced_accuracy", "roc_auc")),
            str(row.groups),
        )
        for row in rows
    ]  # fmt: skip
    head = [*COLUMNS, "balanced accuracy", "AUC", "groups"]
    several = any(len(row.test.each) > 1 for row in rows)
    return Table(head, cells, "Accuracies as mean ± sd over trainings." if several else "")


def _accuracy(of: Repeated) -> str:
    """Mean, deviation and best, as the paper prints them."""
    return f"{of}, best {100 * of.best:.2f}%" if len(of.each) > 1 else str(of)


class _Point(NamedTuple):
    """A figure at one hour, dose or number of groups, and that of single trainings."""

    x: float
    figure: Estimate
    each: tuple[float, ...] = ()


def _curve(rows: Sequence[DesignRow], axis: str, *, log: bool) -> Picture:
    """Accuracy along hours, doses or numbers of groups."""
    points = [_Point(row.key.x, row.figures["accuracy"], row.test.each) for row in rows]
    return _along([point for point in points if np.isfinite(point.x)], axis, "accuracy", log=log)


def _early(results: DesignResults) -> Section:
    lags = results.found.lags
    points = [_Point(lag.hours, lag.auc) for lag in lags]
    cells = [
        (f"{lag.hours} to {lag.hours + 1} h", short(lag.auc), *map(str, lag.counts)) for lag in lags
    ]
    columns = ("before death", "AUC", results.words.groups, "of dying", "of survivors")
    picture = _along(points, "hours before death", "AUC")
    text = f"{SHOWN[WARNING]} {NEVER}"
    return Section(TITLES[WARNING], text, [picture], [Table(columns, cells)])


def _along(points: Sequence[_Point], axis: str, figure: str, *, log: bool = False) -> Picture:
    """A figure with its interval along x; grey: single trainings."""
    if not points:
        return empty("No item was made.", f"{sentence(figure)} by {axis}")
    points = sorted(points)
    x = [point.x for point in points]
    with Sheet(6.4, 3.6) as sheet:
        axes = sheet.axes
        for at, estimate, each in points:
            if has_interval(estimate):
                ends = estimate.low, estimate.high
                axes.vlines(at, *ends, color=HEALTHY, lw=2.2, alpha=0.55)
            if len(each) > 1:
                axes.scatter([at] * len(each), each, s=14, color=UNSURE, marker="D", zorder=3)
        axes.plot(x, [p.figure.value for p in points], color=HEALTHY, lw=1.2, marker="o")
        if log:
            axes.set_xscale("log", base=2)
        axes.set_xticks(x, [f"{at:g}" for at in x])
        axes.minorticks_off()
        unit_axis(axes, "y")
        axes.set(xlabel=axis, ylabel=f"test {figure}")
        said = "; ".join(f"{p.x:g}: {short(p.figure)}" for p in points)
        grey = " Grey: single trainings." if any(len(p.each) > 1 for p in points) else ""
        caption = f"Test {figure} with its 95% interval over groups.{grey}"
        return sheet.picture(f"Test {figure} by {axis}: {said}.", caption)


def _lag_table(lags: Sequence[LagFigure]) -> pd.DataFrame:
    rows = [(lag.hours, *astuple(lag.auc), lag.dying, lag.alive) for lag in lags]
    names = [field.name for field in fields(Estimate)]
    return pd.DataFrame(rows, columns=["hours_before_death", *names, "dying", "alive"])
