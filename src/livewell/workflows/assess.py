"""Verdicts on new images: one row an image and frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from livewell import __version__
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.frames import FileFrame, OpenSettings, counted, judge_frames
from livewell.execution.items import Item, Journal, Record, map_items
from livewell.execution.results import ResultFolder
from livewell.execution.sources import Source
from livewell.files import AnyPath, sha256
from livewell.images.opening import Channels, noted_channels
from livewell.images.walking import left_out_lines
from livewell.inference.frames import gaps
from livewell.inference.model import Model
from livewell.inference.occupancy import ModelOccupancy
from livewell.models.device import AUTO
from livewell.models.files import find_model
from livewell.names import name_of
from livewell.outputs.verdicts import judged_frame, placed_failures, verdict_row, verdict_table
from livewell.progress import Tick
from livewell.report.examples import extremes, galleries
from livewell.report.model import meaning, model_summary
from livewell.report.named import NamedVerdicts, check_words, named_verdicts
from livewell.report.page import noted, render
from livewell.report.results import AssessResults
from livewell.report.verdicts import assess_page
from livewell.study.runs import versions
from livewell.tables.metadata import AuditSummary


@dataclass(frozen=True, slots=True)
class Assessment:
    """What `assess` made: verdicts, failures, the page, and what no image was by reason."""

    verdicts: pd.DataFrame
    failures: pd.DataFrame
    page: Path
    warnings: tuple[str, ...]
    left_out: Mapping[str, int]
    audit: AuditSummary
    named: NamedVerdicts


def assess(
    images: AnyPath,
    model: AnyPath,
    out: AnyPath,
    *,
    stride_px: int | None = None,
    pattern: str | None = None,
    channels: Channels = None,
    pixel_um: float | None = None,
    frame_s: float | None = None,
    occupied_by: AnyPath | None = None,
    named: Mapping[str, str] | None = None,
    device: str = AUTO,
    executor: Executor = SERIAL,
) -> Assessment:
    """Judge images by a trained model.

    Parameters
    ----------
    images
        A file, or a folder that is searched with its folders; every file is an image or a movie.
        Or a study, which a model needs whose features are relative to untreated wells: these are
        left out.
    model
        Model folder, a file in it, or a training run of one fold.
    out
        Takes ``verdicts.csv``, ``failures.csv`` and ``report.html``. If a judging of the same
        images by the same model was stopped here, it goes on.
    stride_px
        From patch to patch, in the model's pixels; by default patches touch, or their middles where
        the net judges what is at their centres. The last row and column are moved back to end at
        the edge, so that every pixel is seen.
    pattern
        File-name pattern with parts such as ``{well}`` and ``{position}``.
    channels
        Channels to judge, in the model's order; by default the model's own, else the transmitted
        light.
    pixel_um, frame_s
        Override what the files say: micrometres, seconds.
    occupied_by
        A model that tells empty patches, trained on marked ones; their texture does where ``None``.
    named
        Class of each word that a file's name may hold, as in `livewell.Words`: verdicts are held
        against it, in ``named.csv`` and on the page.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    executor
        Where the work is done, see `livewell.Executor`.

    Raises
    ------
    ModelFileError
        No usable model, or `occupied_by` is none for this.
    ImageContentError
        `occupied_by` is of other channels or another magnification than the model.
    ImageReadError
        No image at all. A single image that cannot be read is a row of ``failures.csv``.
    OutputError
        `out` cannot be written, holds something else, or verdicts begun with other settings.
    SpecError
        The pattern fits no image, or words mean classes that the model does not tell.
    """
    images, model, out = Path(images), Path(model), Path(out)
    judge = Model.load(model, device=device).need_patches()
    card = judge.card
    check_words(named, card.class_names)
    source = Source.of(images, out, judge, OpenSettings(channels, pixel_um, frame_s))
    files, opening = source.files, source.opening
    stride = stride_px or card.profile.middle_px
    settings = {
        "images": str(images.resolve()),
        "weights": card.weights_sha256,
        "stride_px": stride,
        "channel": noted_channels(opening.channels),
        "pixel_um": opening.pixel_um,
    }
    if card.anchor is not None:
        settings["fields"] = sha256(images / "fields.parquet")
    occupancy = None
    if occupied_by is not None:
        telling = Model.load(occupied_by, device=device)
        occupancy = ModelOccupancy(telling, judge.channels, card.pixel_um)
        settings["occupied_by"] = occupancy.weights_sha256
    positions, unplaced = source.positions(pattern)
    folder = ResultFolder.claim(out, "assessment", "assessment.json", settings).begin()

    def judged(judge: Model, frame: FileFrame) -> Record:
        found = judged_frame(judge, frame, stride, occupancy)
        return verdict_row(found) | ({"extremes": extremes(found)} if found.boxes else {})

    shared = source.shared()

    def worked(item: Item, tick: Tick) -> Record:
        own = shared.model(item.name)
        return judge_frames(item, tick, own, opening, partial(judged, own))

    # records of other versions may hold other rows: their files are judged again
    own = settings | {"rows": 3, "livewell": __version__}
    items = [Item(name, path, own) for name, path in files.items()]
    batch = map_items(items, worked, Journal(out), what="judging images", executor=executor)
    verdicts = verdict_table(batch.rows, positions, judge.classes)
    failures = placed_failures(batch.failures, positions)
    notes = counted((row["image"], row["note"]) for row in batch.rows if row["note"])
    warnings = (*source.notes, *unplaced, *gaps(card.patch_px, stride), *notes)
    truth = named_verdicts(verdicts, named, card.class_names)
    results = AssessResults(
        title=f"Verdicts on {name_of(images)}",
        subtitle=f"by the model {find_model(model)}",
        classes=card.class_names,
        verdicts=verdicts,
        failures=failures,
        card=model_summary(card),
        audits=card.audits,
        threshold=card.image_rule.threshold,
        familiarity=card.familiarity_rule,
        band=(card.image_rule.low, card.image_rule.high),
        galleries=galleries(batch.rows, files, card, opening.channels, opening.pixel_um),
        notes=noted(warnings, (*meaning(card), *left_out_lines(source.left_out))),
        further=truth.sections(),
        settings=settings,
        versions=versions(),
    )
    tables = {"verdicts": verdicts, "failures": failures}
    tables |= {} if truth.table.empty else {"named": truth.table}
    page = folder.write(render(assess_page(results)), tables)
    told = (source.left_out, card.audits[0], truth)
    return Assessment(verdicts, failures, page, warnings, *told)
