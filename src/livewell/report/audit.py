"""The page of an audit: what was found, a row a check, then every check with its figure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from livewell.report.audit_figures import SPOKEN, figures
from livewell.report.page import Note, Page, Section, Table, Tone, info, warn
from livewell.report.results import PageResults
from livewell.splitting.audit import LEVEL, Association, Audit, Check
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.sample import SHOWN
from livewell.splitting.confounds import LEVEL as OUTRIGHT
from livewell.tables.metadata import AuditMeta, Verdict
from livewell.text import plural

TONES: dict[Verdict, Tone] = {
    "fails": "bad",
    "attention": "warn",
    "passes": "good",
    "unchecked": "info",
}
MARKS: dict[Verdict, str] = {
    "fails": "\u2716 fails",
    "attention": "\u25b2 attention",
    "passes": "\u2714 passes",
    "unchecked": "\u25cb not checked",
}
"""A mark and a word for every verdict: its colour is never the only sign."""


@dataclass(frozen=True)
class AuditResults(PageResults):
    """What `audit_page` shows."""

    data: AuditData
    audit: Audit
    meta: AuditMeta

    @classmethod
    def of(
        cls, data: AuditData, audit: Audit, meta: AuditMeta, versions: Mapping[str, Any]
    ) -> "AuditResults":
        """Of an audit that was made."""
        images, units = data.fields["image"].nunique(), data.fields["unit"].nunique()
        of = f" of {plural(units, data.thing)}" if data.thing != "image" else ""
        return cls(
            title=f"Audit of {data.study.folder.name}",
            subtitle=f"{' or '.join(data.classes)} ({meta.labels}), {plural(images, 'image')}{of}",
            data=data,
            audit=audit,
            meta=meta,
            settings=meta.values("labels", "split", "model", "seed"),
            versions=versions,
        )


def audit_page(results: AuditResults) -> Page:
    """The page of an audit."""
    lead = (
        "A net learns whatever tells the classes apart, also what is not health: the lamp of one"
        " day, the edge of a plate, a program's compression. Checks ask for such shortcuts, one by"
        " one."
    )
    state = results.audit.state
    return results.page(
        results.audit.headline, TONES[state], _sections(results), _notes(results), lead=lead
    )


def _notes(results: AuditResults) -> Iterator[Note]:
    failures = results.data.failures
    if len(failures):
        first = failures.iloc[0]
        yield warn(
            f"{plural(len(failures), 'image')} could not be read and {'is' * (len(failures) == 1)}"
            f"{'are' * (len(failures) > 1)} left out, such as {first['image']}: {first['error']}"
        )
    yield info(
        "Checks with a p value of the whole check are corrected for their number (Holm): of forty"
        f" studies without any shortcut one at most is expected to fail so (p {LEVEL:g} in all). A"
        f" declared batch that goes strongly with the label fails outright at p {OUTRIGHT:g},"
        " corrected for the number of batches alone. Replicates, shuffled and attribution decide by"
        f" their intervals, or by a p of {SHOWN:g} of their own. What could not be checked has not"
        " passed."
    )


def _sections(results: AuditResults) -> Iterator[Section]:
    audit = results.audit
    rows = [
        (MARKS[verdict], check.name, check.question, answer)
        for check, verdict, answer in zip(audit.checks, audit.verdicts, audit.answers, strict=True)
    ]
    yield Section(
        "All checks", tables=[Table(("verdict", "check", "question", "answer"), rows, align="llll")]
    )
    for check, verdict, answer in zip(audit.checks, audit.verdicts, audit.answers, strict=True):
        yield _section(results, check, verdict, answer)


def _section(results: AuditResults, check: Check, verdict: Verdict, answer: str) -> Section:
    advice = verdict in ("fails", "attention") and check.remedy
    return Section(
        f"{MARKS[verdict]}: {check.question}",
        answer,
        figures(results.data, check) if verdict != "unchecked" else (),
        [_table(check)] if check.associations else (),
        [info(f"What to do: {check.remedy}")] if advice else (),
    )


def _table(check: Check) -> Table:
    rows = [
        (SPOKEN.get(one.what, one.what), one.metric, _value(one), one.text)
        for one in check.associations
    ]
    p = "" if check.p_value != check.p_value else f" p of the whole check {check.p_value:.2g}."
    corrected = any(one.metric == "Cramer's V" for one in check.associations)
    bias = " Cramer's V is corrected for its bias (Bergsma 2013)." * corrected
    return Table(
        ("what", "measure", "value (95% interval)", "in words"),
        rows,
        f"What was looked at, most certain first.{p}{bias}",
        "llll",
    )


def _value(one: Association) -> str:
    ends = f" ({one.low:.2f} to {one.high:.2f})" if one.low == one.low else ""
    return f"{one.value:.2f}{ends}"
