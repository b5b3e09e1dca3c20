"""Heat maps of a whole experiment, and the curve of sick area per position, well and dose."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.doses import over_time
from livewell.errors import GeometryError, ImageContentError, ImageReadError, StudyError
from livewell.files import (
    AnyPath,
    claim_same,
    folder_names,
    read_json,
    stamp,
    whole_file,
    write_json,
    write_text,
)
from livewell.images.listing import fingerprint
from livewell.images.opening import Channels, asked_channels, noted_channels
from livewell.inference.backends import Backend
from livewell.inference.engines import AskedEngine
from livewell.inference.frames import why
from livewell.inference.model import Model
from livewell.inference.unseen import candidates, scorers
from livewell.models.device import AUTO
from livewell.progress import Tick, shown, task
from livewell.report.page import Note, render
from livewell.report.timelapse import TimelapseResults, cautions, timelapse_page
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.workflows.assess import summary
from livewell.workflows.heatmap import MAP, Edges, heatmap, usual_stride

KIND, STAMP = "time-lapse", "timelapse.json"
RECORD = "position.json"
"""Written into a position's folder when all else in it is whole."""
ONE_FILE = (ImageReadError, ImageContentError, GeometryError)
"""Errors of one image; others, as of settings, stop the batch."""


@dataclass(frozen=True, slots=True)
class TimeLapseResult:
    """What `timelapse` made: its report, and its tables as in the files of their names.

    Parameters
    ----------
    page, curves, positions, failures
        Report and tables.
    made, kept
        Positions mapped now, and found whole from an earlier call.
    warnings
        What to know.
    """

    page: Path
    curves: over_time.Curves
    positions: pd.DataFrame
    failures: pd.DataFrame
    made: int
    kept: int
    warnings: tuple[str, ...]


def timelapse(
    study: Study | AnyPath,
    model: AnyPath,
    out: AnyPath,
    *,
    only: Sequence[str] = (),
    stride_px: int | None = None,
    edges: Edges = "drop",
    engine: AskedEngine = "auto",
    backend: Backend = "torch",
    memory_gb: float | None = None,
    channels: Channels = None,
    fps: float = 5.0,
    video: str = "webm",
    device: str = AUTO,
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
    channels
        Channels to judge, in the model's order; by default the study's, else the model's.

    Returns
    -------
    TimeLapseResult

    Raises
    ------
    StudyError
        The study has no such image.
    ModelFileError
        No usable model; a fold that is not trained to its end; several folds of another study.
    SpecError, MissingExtraError
        The engine or backend cannot do it.
    OutputError
        `out` cannot be written, holds something else, or was begun with other settings.
    """
    study = Study.of(study)
    model, out = Path(model), Path(out)
    every = study.fields()
    for image in only:
        study.path(image)
    fields = every[every["image"].isin(only)] if only else every
    found = candidates(model, study)
    models, notes = found.models, found.notes
    models[0].need_two_classes("time courses are of")
    scored = scorers(study, found)
    scored = scored[scored["image"].isin(fields["image"])].reset_index(drop=True)
    card = models[0].card
    asked = {
        "stride_px": stride_px or usual_stride(card, engine),
        "edges": edges,
        "engine": engine,
        "backend": backend,
        "channel": noted_channels(asked_channels(channels) or study.channels),
        "pixel_um": study.pixel_um,
        "frame_s": study.frame_s,
        "fps": fps,
        "video": video,
    }
    said = {
        "study": str(study.folder.resolve()),
        "images": str(study.root),
        "models": {each.name: each.card.weights_sha256 for each in models},
        **asked,
    }
    claim_same(out, KIND, STAMP, said)
    stamp(out, STAMP, KIND, **said, versions=versions())
    headers, _ = study.read_headers()
    names = folder_names(every["image"].tolist())
    batch = _Batch(study, out, models, asked, memory_gb, device, names)
    made = batch.run(scored)
    mapped = scored[scored["image"].isin(list(batch.records))]
    curves = over_time.curves_of(batch.frames(fields, headers, mapped))
    positions = _positions(fields, mapped, batch)
    failures = pd.DataFrame(batch.failures, columns=["image", "error"])
    tables = {"curves": curves.frames, "wells": curves.wells, "doses": curves.doses}
    for name, table in (tables | {"positions": positions, "failures": failures}).items():
        with whole_file(out / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False)
    results = TimelapseResults(
        title=f"Time-lapse of {study.folder.name}",
        subtitle=f"{len(mapped)} of {len(fields)} images mapped by "
        + (f"{len(models)} models of {model}" if len(models) > 1 else str(models[0].folder)),
        classes=card.class_names.pair,
        curves=curves,
        images=positions,
        failures=failures,
        thresholds=tuple(sorted({m.card.region_rule.threshold for m in models})),
        warnings={image: record["warnings"] for image, record in batch.records.items()},
        same_study=found.same_study,
        notes=[Note("warn", text) for text in notes],
        settings={"model": summary(card), **said},
        versions=versions(),
    )
    write_text(out / "report.html", render(timelapse_page(results)))
    told = tuple(note.text for note in cautions(results) if note.tone in ("bad", "warn"))
    kept = len(mapped) - made
    return TimeLapseResult(out / "report.html", curves, positions, failures, made, kept, told)


@dataclass
class _Batch:
    """Maps images one after the other, each into its folder; collects what came of them."""

    study: Study
    out: Path
    models: Sequence[Model]
    asked: Mapping[str, Any]
    memory_gb: float | None
    device: str
    names: dict[str, str]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def run(self, scored: pd.DataFrame) -> int:
        """Map what is not whole yet; returns how many were mapped now."""
        pairs = zip(scored["image"], scored["model"], strict=True)
        every = [(image, self.models[number]) for image, number in pairs]
        todo = [(image, model) for image, model in every if not self._kept(image, model)]
        if not todo:
            return 0
        with task("mapping positions", total=len(todo)) as tick:
            for image, model in todo:
                try:
                    self.records[image] = self._map(image, model, tick)
                except ONE_FILE as error:
                    self.failures.append((image, why(error)))
                tick()
        return len(todo) - len(self.failures)

    def folder(self, image: str) -> Path:
        """Where an image's map lies."""
        return self.out / "positions" / self.names[image]

    def frames(
        self, fields: pd.DataFrame, headers: pd.DataFrame, mapped: pd.DataFrame
    ) -> pd.DataFrame:
        """Rows of all frames of the mapped images."""
        seen = dict(zip(mapped["image"], mapped["seen"], strict=True))
        # always from the file, so that a table does not depend on when a position was made
        curves = {image: pd.read_csv(self.folder(image) / "curve.csv") for image in seen}
        return over_time.frame_rows(fields, headers, curves, seen)

    def _said(self, image: str, model: Model) -> dict[str, Any]:
        """What an image's map depends on."""
        path = self.study.path(image)
        known = {"image": image, "movie": str(path), "file": list(fingerprint(path))}
        return known | {"model": model.card.weights_sha256, **self.asked}

    def _kept(self, image: str, model: Model) -> bool:
        """Whether an earlier call left this image's map whole, and the image is as it was."""
        folder = self.folder(image)
        try:
            record = read_json(folder / RECORD, kind="position")
            same = record.get("asked") == self._said(image, model)
        except (StudyError, ImageReadError):
            return False
        files = (MAP, "curve.csv", "report.html", f"overlay.{self.asked['video']}")
        if same and all((folder / name).is_file() for name in files):
            self.records[image] = record
        return image in self.records

    def _map(self, image: str, model: Model, tick: Tick) -> dict[str, Any]:
        said, folder = self._said(image, model), self.folder(image)
        (folder / RECORD).unlink(missing_ok=True)
        settings = dict(self.asked)
        with shown(_Words(image, tick)):
            made = heatmap(
                self.study.path(image),
                model.folder,
                folder,
                memory_gb=self.memory_gb,
                device=self.device,
                channels=settings.pop("channel"),
                **settings,
            )
        record = {"asked": said, "engine": made.used.noted(), "warnings": list(made.warnings)}
        write_json(folder / RECORD, record)
        return record


@dataclass(frozen=True)
class _Words:
    """Tells the bars of one position in words beside the bar of all."""

    image: str
    outer: Tick

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """A bar told in words."""
        count = 0

        def tick(done: float = 1, note: str = "") -> None:
            nonlocal count
            count += round(done)
            self.outer(0, f"{self.image}, {count}/{total}")

        yield tick


def _positions(fields: pd.DataFrame, mapped: pd.DataFrame, batch: _Batch) -> pd.DataFrame:
    """One row a mapped image: where it stands, what scored it, where its map lies."""
    table = fields.reindex(columns=["image", "plate", "well", "position", "dose", "dose_unit"])
    scored = mapped.rename(columns={"name": "scorer"})[["image", "scorer", "group", "seen"]]
    table = table.merge(scored, on="image")
    engines = [batch.records[image]["engine"] for image in table["image"]]
    return table.assign(
        engine=[f"{used['engine']}, {used['backend']}" for used in engines],
        folder=[f"positions/{batch.names[image]}" for image in table["image"]],
    )
