"""Where in new images a net that learnt from labels of images sees the positive class."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.execution.journal import JOURNAL, Journal, version_of
from livewell.files import AnyPath, claim_same, remove_others, stamp, whole_file, write_text
from livewell.images.listing import find_images
from livewell.images.opening import Channels, noted_channels
from livewell.inference.detections import Look
from livewell.inference.frames import UNSCALED
from livewell.inference.model import Model
from livewell.models.device import AUTO
from livewell.models.files import find_model
from livewell.outputs.located import Asked, Locator, locate
from livewell.progress import each, task
from livewell.report.localisation_figures import model_summary, show
from livewell.report.localise import LocaliseResults, localise_page
from livewell.report.page import Note, Tone, render
from livewell.study.naming import file_names, wells
from livewell.study.runs import versions
from livewell.text import plural

KIND, STAMP = "localisation", "localisation.json"
PICTURES = ["image", "t", "well", "position", "p", "verdict", "found", "note", "learnt", "mask"]
"""Columns of ``pictures.csv``."""
DETECTIONS = ["image", "t", "number", "y", "x", "score", "p", "y0", "x0", "y1", "x1"]
"""Columns of ``detections.csv``."""
FIGURES = 24
"""Overlays that are drawn unless another number is asked for."""


@dataclass(frozen=True, slots=True)
class Localisation:
    """What `localise` made.

    Parameters
    ----------
    folder
        Holds all of it.
    pictures
        One row a picture and frame, `PICTURES`.
    detections
        One row a place, `DETECTIONS`.
    failures
        What could not be judged: image, t, error.
    least
        Least probability of a place that was listed.
    figure3
        Class maps of three pictures; ``None`` if none was judged or drawn.
    page, warnings
        The report, and what a careful user should know.
    """

    folder: Path
    pictures: pd.DataFrame
    detections: pd.DataFrame
    failures: pd.DataFrame
    least: float
    figure3: Path | None
    page: Path
    warnings: tuple[str, ...]


def localise(
    images: AnyPath,
    model: AnyPath,
    out: AnyPath,
    *,
    least: float | None = None,
    sigma_px: float | None = None,
    share: float | None = None,
    figures: int = FIGURES,
    pattern: str | None = None,
    channels: Channels = None,
    pixel_um: float | None = None,
    device: str = AUTO,
) -> Localisation:
    """Say of every picture whether it holds the positive class, and where.

    Parameters
    ----------
    images
        A file, or a folder that is searched with its folders; every file is a picture or a movie.
    model
        Model folder, a file in it, or a training run of one fold; of a net that sees whole frames.
    out
        Takes ``pictures.csv``, ``detections.csv``, ``failures.csv``, ``masks``, ``overlays``,
        ``figure3.png`` and ``report.html``. If a localisation of the same images by the same model
        was stopped here, it goes on.
    least
        Least probability of a place, by the card's rule for places; by default the card's
        threshold, chosen on validation frames by labels of frames alone.
    sigma_px, share
        As in `livewell.inference.detections.Look`, and its defaults.
    figures
        Most overlays that are drawn, see `places_shown.chosen`; 0: no figure at all.
    pattern, channels, pixel_um, device
        As in `livewell.workflows.assess.assess`.

    Returns
    -------
    Localisation

    Raises
    ------
    ModelFileError
        No usable model, one of patches, or one whose card has no rule for places.
    ImageReadError
        No image at all. A single image that cannot be read is a row of ``failures.csv``.
    OutputError
        `out` cannot be written, holds something else, or a localisation with other settings.
    SpecError
        A number out of range, or a pattern that fits no image.
    """
    images, model, out = Path(images), Path(model), Path(out)
    locator = Locator(Model.load(model, device=device), _look(sigma_px, share), least)
    card = locator.card
    files = _files(images, out)
    opened = Asked(out, channels, pixel_um)
    asked = {
        "images": str(images.resolve()),
        "weights": card.weights_sha256,
        **asdict(locator.look),
        # in place of log odds the probability that was asked for
        "least": locator.least,
        "channel": noted_channels(channels),
        "pixel_um": pixel_um,
    }
    placed, unplaced = wells(list(files), pattern)
    claim_same(out, KIND, STAMP, asked)
    stamp(out, STAMP, KIND, **asked, versions=versions())
    journal = Journal(out / JOURNAL, asked)
    entries = _entries(files, locator, opened, journal)
    pictures, detections, failures = _tables(entries, placed)
    for name, table in (("pictures", pictures), ("detections", detections), ("failures", failures)):
        with whole_file(out / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False)
    remove_others(out / "masks", "*.tif", [Path(mask).name for mask in pictures["mask"]])
    shown = show(files, pictures, detections, locator, opened, most=figures)
    warnings = (*unplaced, *_warnings(entries))
    results = LocaliseResults(
        title=f"Places in {images.name}",
        subtitle=f"by the model {find_model(model)}",
        classes=card.class_names.pair,
        pictures=pictures,
        detections=detections,
        failures=failures,
        threshold=card.image_rule.threshold,
        band=(card.image_rule.low, card.image_rule.high),
        least=locator.least,
        pooling=card.profile.net.pooled_by,
        chosen=least is None,
        overlays=shown.overlays,
        maps=shown.maps,
        learnt=int(pictures["learnt"].sum()),
        measured=[(r["name"], r["value"], r["low"], r["high"]) for r in card.results],
        card=model_summary(card),
        notes=[Note(_tone(text), text) for text in warnings],
        settings=asked | {"figures": figures},
        versions=versions(),
    )
    write_text(out / "report.html", render(localise_page(results)))
    journal.end()
    return Localisation(
        out,
        pictures,
        detections,
        failures,
        locator.least,
        shown.figure3,
        out / "report.html",
        warnings,
    )


def _look(sigma_px: float | None, share: float | None) -> Look:
    usual = Look()
    return Look(
        sigma_px=usual.sigma_px if sigma_px is None else sigma_px,
        share=usual.share if share is None else share,
    )


def _files(images: Path, out: Path) -> dict[str, Path]:
    """Image files by name, without what an earlier call wrote into `out` where it lies inside."""
    if images.is_file():
        return {images.name: images}
    inside = out.resolve()
    found = [path for path in find_images(images) if inside not in path.resolve().parents]
    return {path.relative_to(images).as_posix(): path for path in found}


def _entries(
    files: dict[str, Path], locator: Locator, asked: Asked, journal: Journal
) -> list[dict[str, Any]]:
    """One entry a file, from the journal where it holds it."""
    bases, done = file_names(list(files)), journal.entries()
    entries = []
    with task("locating", total=len(files)) as tick:
        for (name, path), part in each(files.items(), tick):
            entry = done.get(name)
            if entry is None or not _holds(entry, path, bases[name], asked.out):
                entry = locate(path, name, bases[name], locator, asked, part)
                journal.add(entry)
            entries.append(entry)
    return entries


def _holds(entry: dict[str, Any], path: Path, base: str, out: Path) -> bool:
    """Whether what an entry says is still so: the same file, and its masks are there."""
    same = entry["file"] == version_of(path) and entry["name"] == base
    return same and all((out / row["mask"]).is_file() for row in entry["rows"])


def _tables(
    entries: Sequence[dict[str, Any]], placed: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Pictures, detections and failures.

    Pictures without a pixel size are as the model's own were, and no row of theirs says so:
    `_warnings` does, once for all of them.
    """
    rows = [
        {"image": entry["image"], "learnt": int(entry["learnt"]), **row}
        | {"note": "; ".join(note for note in row["notes"] if note != UNSCALED)}
        for entry in entries
        for row in entry["rows"]
    ]
    columns = [name for name in PICTURES if name not in ("well", "position")]
    pictures = pd.DataFrame(rows, columns=columns).merge(placed, on="image", how="left")[PICTURES]
    places = [{"image": entry["image"], **row} for entry in entries for row in entry["places"]]
    failed = [(e["image"], row["t"], row["error"]) for e in entries for row in e["failures"]]
    whole = {"t": "Int64", "number": "int64", **dict.fromkeys(DETECTIONS[-4:], "int64")}
    numbers = dict.fromkeys(("y", "x", "score", "p"), "float64")
    return (
        pictures.astype({"t": "Int64", "p": "float64", "found": "int64", "learnt": "int64"}),
        pd.DataFrame(places, columns=DETECTIONS).astype(whole | numbers),
        pd.DataFrame(failed, columns=["image", "t", "error"]).astype({"t": "Int64"}),
    )


def _warnings(entries: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Every note once, and how many images have it."""
    images: dict[str, set[str]] = {}
    for entry in entries:
        for row in entry["rows"]:
            for note in row["notes"]:
                images.setdefault(note, set()).add(entry["image"])
    return tuple(f"{plural(len(found), 'image')}: {note}" for note, found in images.items())


def _tone(warning: str) -> Tone:
    """How grave it is: that nothing could be rescaled to a size nobody knows is none to heed."""
    return "info" if warning.endswith(UNSCALED) else "warn"
