"""Verdicts on new images: one row a picture and frame."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LivewellError
from livewell.execution.journal import JOURNAL, Journal, version_of
from livewell.files import AnyPath, claim_same, stamp, whole_file, write_text
from livewell.images.listing import find_images
from livewell.images.opening import Channels, noted_channels, open_image
from livewell.inference.frames import fit_to, gaps, read_field, why
from livewell.inference.model import Model
from livewell.inference.prediction import Prediction
from livewell.inference.unseen import learnt
from livewell.models.device import AUTO
from livewell.models.files import Card, find_model
from livewell.progress import Tick, each, task
from livewell.report.examples import extremes, galleries
from livewell.report.page import Note, render
from livewell.report.results import AssessResults, Gallery
from livewell.report.verdicts import assess_page
from livewell.study.naming import wells
from livewell.study.runs import versions

LEARNT = "the model was trained or calibrated on it, so its verdict is no evidence"
KIND, STAMP = "assessment", "assessment.json"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What `assess` made: verdicts, failures and the page."""

    verdicts: pd.DataFrame
    failures: pd.DataFrame
    page: Path
    warnings: tuple[str, ...]


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
    device: str = AUTO,
) -> Assessment:
    """Judge images by a trained model.

    Parameters
    ----------
    images
        A file, or a folder that is searched with its folders; every file is a picture or a movie.
    model
        Model folder, a file in it, or a training run of one fold.
    out
        Takes ``verdicts.csv``, ``failures.csv`` and ``report.html``. If a judging of the same
        images by the same model was stopped here, it goes on.
    stride_px
        From patch to patch, in the model's pixels; by default patches touch. The last row and
        column are moved back to end at the edge, so that every pixel is seen.
    pattern
        File-name pattern with parts such as ``{well}`` and ``{position}``.
    channels
        Channels to judge, in the model's order; by default the model's own, else the transmitted
        light.
    pixel_um, frame_s
        Override what the files say: micrometres, seconds.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Returns
    -------
    Assessment

    Raises
    ------
    ModelFileError
        No usable model.
    ImageReadError
        No image at all. A single image that cannot be read is a row of ``failures.csv``.
    OutputError
        `out` cannot be written, holds something else, or verdicts begun with other settings.
    SpecError
        The pattern fits no image.
    """
    images, model, out = Path(images), Path(model), Path(out)
    judge = Model.load(model, device=device).need_patches()
    card = judge.card
    paths = [images] if images.is_file() else find_images(images)
    root = images.parent if images.is_file() else images
    names = [path.relative_to(root).as_posix() for path in paths]
    stride = stride_px or card.patch_px
    asked = {
        "images": str(images.resolve()),
        "weights": card.weights_sha256,
        "stride_px": stride,
        "channel": noted_channels(channels),
        "pixel_um": pixel_um,
    }
    places, unplaced = wells(names, pattern)
    claim_same(out, KIND, STAMP, asked)
    stamp(out, STAMP, KIND, **asked, versions=versions())
    # entries of version 0.1 hold other rows: their files are judged again
    journal = Journal(out / JOURNAL, asked | {"rows": 2})
    done = journal.entries()
    entries = []
    with task("judging pictures", total=len(paths)) as tick:
        for (path, name), part in each(zip(paths, names, strict=True), tick):
            entry = done.get(name)
            if entry is None or entry["file"] != version_of(path):
                entry = _judge_file(path, name, judge, stride, (channels, pixel_um, frame_s), part)
                journal.add(entry)
            entries.append(entry)
    verdicts = _verdicts(entries, places, judge.classes)
    failures = pd.DataFrame(
        [(e["image"], row["t"], row["error"]) for e in entries for row in e["failures"]],
        columns=["image", "t", "error"],
    ).astype({"t": "Int64"})
    for name, table in (("verdicts.csv", verdicts), ("failures.csv", failures)):
        with whole_file(out / name) as temporary:
            table.to_csv(temporary, index=False)
    warnings = (*unplaced, *gaps(card.patch_px, stride), *_warnings(verdicts))
    shown = galleries(entries, dict(zip(names, paths, strict=True)), card, channels, pixel_um)
    results = _results(images, model, card, verdicts, failures, shown, warnings, asked)
    write_text(out / "report.html", render(assess_page(results)))
    journal.end()
    return Assessment(verdicts, failures, out / "report.html", warnings)


def _judge_file(
    path: Path,
    name: str,
    model: Model,
    stride_px: int,
    asked: tuple[Channels, float | None, float | None],
    tick: Tick,
) -> dict[str, Any]:
    """The journal entry of one file; nothing that is wrong with it stops the others."""
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    entry = {"image": name, "rows": rows, "failures": failures, "file": version_of(path)}
    channels, pixel_um, frame_s = asked
    try:
        with open_image(path, pixel_um=pixel_um, frame_s=frame_s) as image:
            fit = fit_to(model.card, image.header, channels, name)
            seen = [LEARNT] if learnt(image, fit.channels[0], model.learnt) else []
            fit = replace(fit, notes=(*fit.notes, *image.header.notes, *seen))
            frames = image.header.frames
            for t, _ in each(range(frames), tick, 1 / frames):
                tick(0, f"{name}, frame {t + 1} of {frames}")
                try:
                    field = read_field(image, t, fit, f"{name}, frame {t}")
                    rows.append({"t": t, **_row(model.judged(field, stride_px=stride_px))})
                except LivewellError as error:
                    failures.append({"t": t, "error": why(error)})
    except LivewellError as error:
        failures.append({"t": None, "error": why(error)})
    return entry


def _row(found: Prediction) -> dict[str, Any]:
    """The journal row of one frame."""
    row = {"n_patches": len(found.boxes), "note": "; ".join(found.notes), "verdict": found.verdict}
    judged = bool(found.boxes)
    for prefix, values in (("called", found.shares), ("p", found.image_probabilities)):
        row |= {
            f"{prefix}_{name}": float(value) if judged else None
            for name, value in zip(found.classes, values, strict=True)
        }
    return row | ({"extremes": extremes(found)} if judged else {})


def _verdicts(
    entries: list[dict[str, Any]], places: pd.DataFrame, classes: ClassNames
) -> pd.DataFrame:
    columns = columns_of(classes)
    old = {"sick_fraction": f"called_{classes.positive}", "p_sick": f"p_{classes.positive}"}
    names = {new: old[new] if classes.binary and new in old else new for new in columns}
    rows = [
        {new: row.get(name) for new, name in names.items()} | {"image": entry["image"]}
        for entry in entries
        for row in entry["rows"]
    ]
    table = pd.DataFrame(rows, columns=[c for c in columns if c not in ("well", "position")])
    table = table.merge(places, on="image", how="left")[columns]
    numbers = [name for name in columns if name.startswith(("p_", "called_", "sick_"))]
    return table.astype({"t": "Int64"} | dict.fromkeys(numbers, "float64"))


def columns_of(classes: ClassNames) -> list[str]:
    """Columns of ``verdicts.csv``: of two classes the share and probability of the positive one."""
    if classes.binary:
        numbers = ["sick_fraction", "p_sick"]
    else:
        numbers = [f"called_{name}" for name in classes] + [f"p_{name}" for name in classes]
    return ["image", "t", "well", "position", "n_patches", *numbers, "verdict", "note"]


def _warnings(verdicts: pd.DataFrame) -> tuple[str, ...]:
    notes = verdicts.loc[verdicts["note"] != "", ["image", "note"]].drop_duplicates()
    return tuple(
        f"{len(rows)} image{'s' if len(rows) > 1 else ''}: {note}"
        for note, rows in notes.groupby("note", sort=False)
    )


def _results(
    images: Path,
    model: Path,
    card: Card,
    verdicts: pd.DataFrame,
    failures: pd.DataFrame,
    shown: list[Gallery],
    warnings: tuple[str, ...],
    asked: dict[str, Any],
) -> AssessResults:
    return AssessResults(
        title=f"Verdicts on {images.name}",
        subtitle=f"by the model {find_model(model)}",
        classes=card.class_names,
        verdicts=verdicts,
        failures=failures,
        card=summary(card),
        threshold=card.image_rule.threshold,
        band=(card.image_rule.low, card.image_rule.high),
        galleries=shown,
        notes=[Note("warn", text) for text in warnings],
        settings=asked,
        versions=versions(),
    )


def summary(card: Card) -> dict[str, Any]:
    """What a report says of a model."""
    shown = {
        row["name"]: f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"
        for row in card.results
    }
    return {
        "weights": card.weights_sha256[:16],
        "profile": card.profile.name,
        "pixel_um": card.pixel_um,
        "patch_px": card.patch_px,
        "dense maps": "equal to windows"
        if card.profile.dense_is_exact
        else "near windows at best; heat maps measure how near",
        "verdicts": card.image_rule.note,
        "trained on": card.data.get("study", ""),
        "results on unseen groups": shown or "not evaluated",
    }
