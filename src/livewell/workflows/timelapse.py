"""Heat maps of a whole experiment, and the curve of sick area per position, well and dose."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from livewell.doses.over_time import Curves
from livewell.doses.positions import refuse_untimed
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.items import FolderRecords, Item, Record, map_items
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, folder_names, sha256
from livewell.images.opening import Channels, asked_channels, noted_channels
from livewell.inference.engines import AskedEngine, Edges, MapSettings
from livewell.inference.plates import on_plate
from livewell.inference.unseen import candidates, models_by_image
from livewell.models.backends import AskedBackend
from livewell.models.device import AUTO
from livewell.outputs.positions import position_results
from livewell.progress import Tick
from livewell.report.model import meaning, model_summary
from livewell.report.page import noted, render
from livewell.report.timelapse import TimelapseResults, cautions, timelapse_page
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.tables.metadata import AuditSummary
from livewell.training.anchors import beside_anchor
from livewell.workflows.heatmap import heatmap

RECORD = "position.json"  # written into a position's folder when all else in it is whole


@dataclass(frozen=True, slots=True)
class TimeLapseResult:
    """What `timelapse` made: tables and page; positions mapped now, and kept from earlier calls."""

    page: Path
    curves: Curves
    positions: pd.DataFrame
    failures: pd.DataFrame
    made: int
    kept: int
    warnings: tuple[str, ...]
    audit: AuditSummary


def timelapse(
    study: Study | AnyPath,
    model: AnyPath,
    out: AnyPath,
    *,
    only: Sequence[str] = (),
    stride_px: int | None = None,
    edges: Edges | None = None,
    engine: AskedEngine = "auto",
    backend: AskedBackend = "auto",
    memory_gb: float | None = None,
    channels: Channels = None,
    fps: float = 5.0,
    video: str = "webm",
    device: str = AUTO,
    executor: Executor = SERIAL,
) -> TimeLapseResult:
    """Map every image of a study, and draw sick area over time.

    A position that is whole from an earlier call with the same settings is not made again.

    Parameters
    ----------
    study
        Its images; wells and doses where its fields name them.
    model
        Model folder, or a training run. Of a run on this study with several folds, each image is
        scored by a model that never saw its group.
    out
        Takes a folder of every position, ``curves.csv``, ``wells.csv``, ``doses.csv``,
        ``positions.csv``, ``failures.csv`` and ``report.html``.
    only
        Names of images; all of the study where empty.
    stride_px, edges, engine, backend, memory_gb, fps, video, device
        As in `livewell.workflows.heatmap.heatmap`.
    executor
        Where the work is done, see `livewell.Executor`.
    channels
        Channels to judge, in the model's order; by default the study's, else the model's.

    Raises
    ------
    StudyError
        The study has no such image.
    ModelFileError
        No usable model; a fold that is not trained to its end; several folds of another study.
    SpecError, MissingExtraError
        The engine or backend cannot do it.
    TableError, LeakError
        The model has an anchor, and plates have none, or all images are of it; several files of a
        position say no time.
    OutputError
        `out` cannot be written, holds something else, or was begun with other settings.
    """
    study, model, out = Study.of(study), Path(model), Path(out)
    every = study.fields()
    for image in only:
        study.path(image)
    fields = every[every["image"].isin(only)] if only else every
    refuse_untimed(fields, str(study.folder))
    found = candidates(model, study, device=device)
    models, card = found.models, found.models[0].card
    models[0].need_two_classes("time courses are of")
    fields, notes = beside_anchor(study, card.anchor, fields)
    scored, scorer = models_by_image(study, found, fields["image"])
    channel = noted_channels(asked_channels(channels) or study.channels)
    made_by = MapSettings.of(card, stride_px, edges, engine, backend, channel, study.pixel_um)
    asked = asdict(made_by) | {"frame_s": study.frame_s, "fps": fps, "video": video}
    weights = {each.name: each.card.weights_sha256 for each in models}
    known = {"study": str(study.folder.resolve()), "images": str(study.root)}
    known |= {} if card.anchor is None else {"fields": sha256(study.folder / "fields.parquet")}
    settings = known | {"models": weights} | asked
    folder = ResultFolder.claim(out, "time-lapse", "timelapse.json", settings).begin()
    names = folder_names(every["image"].tolist())
    folders = {image: out / "positions" / name for image, name in names.items()}
    options = {("channels" if name == "channel" else name): asked[name] for name in asked}

    def mapped(item: Item, _: Tick) -> Record:
        (folders[item.name] / RECORD).unlink(missing_ok=True)
        judge = on_plate(scorer[item.name], study, item.name, channels)
        made = heatmap(item.path, judge, folders[item.name], memory_gb=memory_gb, **options)
        return {"engine": made.used.noted(), "warnings": list(made.warnings)}

    items = []
    for image, of in scorer.items():
        about = {"movie": str(study.path(image)), "model": of.card.weights_sha256}
        items.append(Item(image, study.path(image), about | asked))
    files = ("map.ome.tif", "curve.csv", "report.html", f"overlay.{video}")
    records = FolderRecords(out, folders, RECORD, files)
    batch = map_items(items, mapped, records, what="mapping positions", executor=executor)
    curves, positions = position_results(batch, study, fields, folders, scored)
    failures = batch.failures[["image", "error"]]
    results = TimelapseResults(
        title=f"Time-lapse of {study.folder.name}",
        subtitle=f"{len(positions)} of {len(fields)} images mapped by {found.named}",
        classes=card.class_names.pair,
        curves=curves,
        images=positions,
        failures=failures,
        thresholds=tuple(sorted({m.card.region_rule.threshold for m in models})),
        warnings={image: record["warnings"] for image, record in batch.records.items()},
        same_study=found.same_study,
        of_centres=card.profile.net.reads_centre,
        notes=noted((*found.notes, *notes), meaning(card)),
        card=model_summary(card),
        audits=card.audits,
        settings=settings,
        versions=versions(),
    )
    tables = {"curves": curves.frames, "wells": curves.wells, "doses": curves.doses}
    tables |= {"positions": positions, "failures": failures}
    page = folder.write(render(timelapse_page(results)), tables)
    warnings = tuple(note.text for note in cautions(results) if note.tone in ("bad", "warn"))
    counts = (batch.made, len(positions) - batch.made)
    return TimeLapseResult(page, curves, positions, failures, *counts, warnings, card.audits[0])
