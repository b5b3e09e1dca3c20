"""The page of a celldeath training: what came of it first, then where everything is."""

import math
from dataclasses import dataclass

from livewell.report import trust
from livewell.report.page import Link, Page, Section, Table, Tone
from livewell.report.results import PageResults
from livewell.report.vocabulary import Named, short
from livewell.tables.metadata import AuditSummary
from livewell.text import listed

OLD_OUTPUTS = (
    Link("run/evaluation/report.html", "confusion matrix, ROC, calibration, examples, training"),
    Link("study/audits/labels/report.html", "the audit: what tells the classes and is not health"),
    Link("run/fold-00/log.csv", "history: losses and validation AUC, one row an epoch"),
    Link("run/evaluation/results.json", "every figure with its interval"),
    Link("run/fold-00/model", "the model; celldeath predict takes the whole folder"),
)
"""What the old tool wrote, and where it is now."""


@dataclass(frozen=True)
class CelldeathResults(PageResults):
    """What `celldeath_page` shows: figures on unseen groups, headline first, and steps.

    `steps` are pairs of what was done and how many there were.
    """

    classes: tuple[str, ...]
    figures: tuple[Named, ...]
    steps: tuple[tuple[str, str], ...]

    @property
    def audit(self) -> AuditSummary:
        """How the audit ended."""
        return next(iter(self.audits), AuditSummary())


def headline(results: CelldeathResults) -> tuple[str, str]:
    """The result in a sentence, and what follows; what the audit found comes first if it fails."""
    name, figure = results.figures[0]
    told = f"{listed(results.classes)} told apart with {name} {short(figure)} on unseen images."
    if not math.isfinite(figure.value):
        told = f"No figure on unseen images: {figure.note}."
    elif not trust.beats_guessing(figure):
        told = (
            f"{listed(results.classes)} are not shown to be told apart: {name} {short(figure)} on"
            " unseen images."
        )
    audit = results.audit
    if audit.state == "fails":
        return audit.headline, f"So this is no evidence of health. {told}"
    return told, audit.headline


def celldeath_page(results: CelldeathResults) -> Page:
    """The page of a training by file names."""
    _, figure = results.figures[0]
    beaten = trust.beats_guessing(figure)
    rows = [(name, short(each), each.note) for name, each in results.figures]
    sections = [
        Section(
            "On images that the model never saw",
            "Intervals resample whole groups. Neither thresholds nor epochs were chosen on these.",
            tables=[Table(("figure", "value (95% interval)", "note"), rows, "", "lrl")],
        ),
        Section("What was done", tables=[Table(("step", "here"), results.steps, "", "ll")]),
        Section("Where everything is", links=OLD_OUTPUTS),
    ]
    tones = {note.tone for note in results.notes}
    tone: Tone = "bad" if not beaten else "warn" if tones & {"warn", "bad"} else "good"
    verdict, lead = headline(results)
    return results.page(verdict, tone, sections, results.notes, lead=lead)
