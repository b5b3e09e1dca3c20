"""What a net could learn of a study in place of health, sought before a reviewer does."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from livewell.files import AnyPath, claim, whole_folder
from livewell.images.opening import Channels, asked_channels
from livewell.inference.audit_questions import Learning
from livewell.models.folders import find_model
from livewell.progress import task
from livewell.report.audit import AuditResults, audit_page
from livewell.report.audit_evidence import looks_at_cells
from livewell.report.page import render
from livewell.splitting.audit import Audit, Check
from livewell.splitting.checks.data import AuditData, AuditSplit
from livewell.splitting.checks.registry import QUESTIONS, Question
from livewell.study.audited import FILE, audit_folder, fields_hash
from livewell.study.runs import label_hash, split_hashes, versions
from livewell.study.study import Study
from livewell.tables.metadata import AuditMeta
from livewell.tables.results import write_csv

REPORT, FAILURES = "report.html", "failures.csv"


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What `audit` found: the checks decided together, what is kept of them, and the page."""

    folder: Path
    found: Audit
    meta: AuditMeta
    failures: pd.DataFrame
    page: Path
    warnings: tuple[str, ...] = ()


def audit(
    study: Study | AnyPath,
    *,
    labels: str = "labels",
    split: str | None = None,
    model: AnyPath | None = None,
    channels: Channels = None,
    out: AnyPath | None = None,
    seed: int = 0,
    treated_s: float = 0.0,
    learning: bool = True,
) -> AuditResult:
    """Look for what tells the label and is not health, and say what to do about it.

    Parameters
    ----------
    study
        With labels.
    labels
        Name of the labels.
    split
        A split of these labels that is audited too.
    model
        A model or run of these labels that is audited too.
    channels
        Channel to look at; by default the study's, else the transmitted light.
    out
        Folder for the report and the tables; by default ``audits/LABELS`` in the study, where
        training and reports look for it.
    seed
        Of permutations and resamples.
    treated_s
        When cells were treated, in seconds of the study's time.
    learning
        Whether what learns from features of a fixed backbone is asked too: whether an effect holds
        in replicates left out, against shuffled labels, before the treatment. Minutes in a large
        study.

    Raises
    ------
    StudyError
        No such labels or split.
    SplitError
        The split is of other labels.
    LabelError
        Fewer than two classes can be read.
    OutputError
        `out` holds something else, or cannot be written.
    """
    study = Study.of(study)
    if model is not None:
        find_model(Path(model))
    folder = Path(out) if out is not None else audit_folder(study, labels)
    of = None if split is None else AuditSplit.of(study, split, labels)
    data = AuditData.of(study, labels, of, asked_channels(channels), seed)
    claim(folder, "audit", FILE)
    evidence = partial(looks_at_cells, model, labels)
    learnt = Learning(treated_s).questions if learning else Learning.not_asked()
    asked: tuple[Question, ...] = (*QUESTIONS, *learnt, evidence)
    checks: list[Check] = []
    with task("checking", total=len(asked)) as tick:
        for question in asked:
            checks.append(question(data))
            tick(note=checks[-1].name)
    found = Audit(tuple(checks))
    meta = AuditMeta(
        labels=labels,
        labels_sha256=label_hash(study, labels),
        fields_sha256=fields_hash(study),
        split=split or "",
        model=Path(model).name if model is not None else "",
        split_sha256=split_hashes(study, split) if split else {},
        state=found.state,
        headline=found.headline,
        checks=found.metas(),
        failures=dict(data.failures.itertuples(index=False, name=None)),
        seed=seed,
    )
    results = AuditResults.of(data, found, meta, versions())
    tables = {f"{check.name}.csv": check.table for check in checks}
    with whole_folder(folder, (FILE, REPORT, FAILURES, *tables)) as new:
        for name, table in (tables | {FAILURES: data.failures}).items():
            write_csv(new / name, table)
        (new / REPORT).write_text(render(audit_page(results)), "utf-8")
        meta.write(new / FILE)
    return AuditResult(folder, found, meta, data.failures, folder / REPORT)
