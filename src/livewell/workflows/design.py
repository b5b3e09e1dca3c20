"""Designs of a study: what a model is worth on lines, experiments, hours, doses and few wells."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from livewell.execution.designs import DesignFigures, figures_of, scores_path
from livewell.execution.items import FolderRecords, Item, map_items
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, write_json
from livewell.images.opening import noted_channels
from livewell.labels.times import timed_frames
from livewell.report.design import design_report
from livewell.splitting.design_rows import DesignPlan, labelled_rows, question_of
from livewell.splitting.designs import HOURS, items_of, keyed, refuse_unasked
from livewell.study.audited import audit_state
from livewell.study.runs import versions
from livewell.study.study import Study, checked_name
from livewell.tables.metadata import AuditSummary
from livewell.workflows.design_items import KIND, DesignSettings, DesignWork

RESULTS = "results.json"
ITEM = "item.json"


@dataclass(frozen=True, slots=True)
class DesignResult:
    """What `design` found; `failures` (image: the item, error) are items that were not made."""

    folder: Path
    found: DesignFigures
    tables: dict[str, pd.DataFrame]
    failures: pd.DataFrame
    page: Path
    audit: AuditSummary
    warnings: tuple[str, ...] = ()


def design(
    study: Study | AnyPath,
    out: AnyPath,
    designs: Sequence[str],
    plan: DesignPlan,
    settings: DesignSettings,
    *,
    collapse: tuple[str, str] | None = None,
) -> DesignResult:
    """Train and test a study in some designs, and lay their figures side by side.

    Parameters
    ----------
    study
        With labels.
    out
        Folder for everything, one folder an item; a design that was stopped goes on, and more
        designs or repeats may be asked of the same one.
    designs
        Names among `livewell.splitting.designs.DESIGNS`.
    plan
        What is never split, what tests, how often.
    settings
        Recipe, labels, and what items are called in the study.
    collapse
        Column and value of it that is sought: of three or more classes, and of classes that a
        model does not know, it is also asked what stands in this column, such as the treatment.

    Raises
    ------
    SpecError
        No such design; a column that a design needs; settings that fit no item.
    SplitError
        A labelled image without a group; too few groups for a design that fixes its test groups.
    TableError
        No times of frames, for the hours.
    LabelError
        A class with two values in the column of `collapse`, or none.
    OutputError
        `out` holds something else, or was begun with other settings.
    """
    study, out = Study.of(study), Path(out)
    checked_name(settings.name)
    fields, labels = study.fields(), study.labels(settings.labels)
    by_frame = HOURS in designs or plan.death is not None
    times, note = timed_frames(study) if by_frame else (None, "")
    rows = labelled_rows(fields, labels, plan, times)
    question = None if collapse is None else question_of(rows, fields, *collapse)
    items = keyed(items_of(designs, rows, plan))
    refuse_unasked(list(items.values()), question, study.label_meta(settings.labels).class_names)
    said = {
        "study": str(study.folder.resolve()),
        "labels": settings.labels,
        "profile": settings.profile.model_dump(mode="json"),
        "channel": noted_channels(settings.channels),
        "every": settings.every,
        "collapse": collapse and list(collapse),
        "plan": {name: value for name, value in asdict(plan).items() if name != "repeats"},
    }
    folder = ResultFolder.claim(out, KIND, "design.json", said).begin()
    labelled = study.folder / "labels" / f"{settings.labels}.parquet"
    todo = [Item(name, labelled, item.noted(rows)) for name, item in items.items()]
    made = map_items(
        todo,
        DesignWork(study, out, rows, plan, items, settings),
        FolderRecords(out, {name: out / name for name in items}, ITEM, ()),
        what="items of designs",
        files=lambda record: [scores_path(out, record["asked"]["image"], record)],
    )
    found = figures_of(items, made.records, rows, out, question, seed=plan.seed)
    notes = (note,) if note and "hours" not in fields else ()
    page, tables = design_report(study, designs, plan, settings.profile, found, made, notes, said)
    path = folder.write(page, tables)
    values = {name: table.to_dict("records") for name, table in tables.items()}
    write_json(out / RESULTS, {"kind": KIND, **said, **values, "versions": versions()})
    ended = audit_state(study, settings.labels)
    return DesignResult(out, found, tables, made.failures, path, ended, notes)
