"""Where in new images a net that learnt from labels of images sees the positive class."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from livewell import __version__
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.frames import OpenSettings, counted, image_files
from livewell.execution.items import Item, Journal, map_items
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, remove_others
from livewell.images.opening import Channels, noted_channels
from livewell.images.walking import left_out_lines
from livewell.inference.detections import Look
from livewell.inference.frames import UNSCALED
from livewell.inference.model import Model
from livewell.models.device import AUTO
from livewell.models.files import find_model
from livewell.names import name_of
from livewell.outputs.located import Locator, locate, located_tables
from livewell.report.localisation_figures import show
from livewell.report.localise import LocaliseResults, localise_page
from livewell.report.model import model_summary
from livewell.report.page import Note, noted, render
from livewell.study.naming import file_names, wells
from livewell.study.runs import versions
from livewell.tables.metadata import AuditSummary

FIGURES = 24
"""Overlays that are drawn unless another number is asked for."""


@dataclass(frozen=True, slots=True)
class Localisation:
    """What `localise` made: tables, least p that was listed, ``figure3`` if one was drawn, page."""

    folder: Path
    pictures: pd.DataFrame
    detections: pd.DataFrame
    failures: pd.DataFrame
    least: float
    figure3: Path | None
    page: Path
    warnings: tuple[str, ...]
    left_out: Mapping[str, int]
    audit: AuditSummary


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
    executor: Executor = SERIAL,
) -> Localisation:
    """Say of every image whether it holds the positive class, and where.

    Parameters
    ----------
    images
        A file, or a folder that is searched with its folders; every file is an image or a movie.
    model
        Model folder, a file in it, or a training run of one fold; of a net that sees whole frames.
    out
        Takes ``pictures.csv``, ``detections.csv``, ``failures.csv``, ``masks``, ``overlays``,
        ``figure3.png`` and ``report.html``. If a localisation of the same images by the same model
        was stopped here, it goes on.
    least
        Least probability of a detection, by the card's rule for these; by default the card's
        threshold, chosen on validation frames by labels of frames alone.
    sigma_px, share
        As in `livewell.inference.detections.Look`, and its defaults.
    figures
        Most overlays that are drawn, see `report.localisation_figures.chosen`; 0: no figure at all.
    pattern, channels, pixel_um, device, executor
        As in `livewell.workflows.assess.assess`.

    Raises
    ------
    ModelFileError
        No usable model, one of patches, or one whose card has no rule for detections.
    ImageReadError
        No image at all. A single image that cannot be read is a row of ``failures.csv``.
    OutputError
        `out` cannot be written, holds something else, or a localisation with other settings.
    SpecError
        A number out of range, or a pattern that fits no image.
    """
    images, model, out = Path(images), Path(model), Path(out)
    shape: dict[str, Any] = {"sigma_px": sigma_px, "share": share}
    look = Look(**{name: value for name, value in shape.items() if value is not None})
    locator = Locator(Model.load(model, device=device), look, least)
    card, opening = locator.card, OpenSettings(channels, pixel_um)
    listing = image_files(images, out)
    files = listing.files
    settings = {
        "images": str(images.resolve()),
        "weights": card.weights_sha256,
        **asdict(locator.look),
        # in place of log odds the probability that was asked for
        "least": locator.least,
        "channel": noted_channels(channels),
        "pixel_um": pixel_um,
    }
    positions, unplaced = wells(list(files), pattern)
    folder = ResultFolder.claim(out, "localisation", "localisation.json", settings).begin()
    items = [
        Item(name, files[name], settings | {"name": base, "livewell": __version__})
        for name, base in file_names(list(files)).items()
    ]
    batch = map_items(
        items,
        partial(locate, locator=locator, opening=opening, out=out),
        Journal(out),
        what="locating",
        executor=executor,
        files=lambda record: [out / row["mask"] for row in record["rows"]],
    )
    pictures, detections = located_tables(batch.rows, positions)
    shown = show(files, pictures, detections, locator, opening, out, most=figures)
    warnings = (*unplaced, *counted((r["image"], n) for r in batch.rows for n in r["notes"]))
    results = LocaliseResults(
        title=f"Detections in {name_of(images)}",
        subtitle=f"by the model {find_model(model)}",
        classes=card.class_names.pair,
        pictures=pictures,
        detections=detections,
        failures=batch.failures,
        threshold=card.image_rule.threshold,
        band=(card.image_rule.low, card.image_rule.high),
        least=locator.least,
        pooling=card.profile.net.pooled_by,
        chosen=least is None,
        overlays=shown.overlays,
        maps=shown.maps,
        learnt=int(pictures.loc[pictures["learnt"] == 1, "image"].nunique()),
        measured=[(r["name"], r["value"], r["low"], r["high"]) for r in card.results],
        card=model_summary(card),
        audits=card.audits,
        notes=[
            *(Note("info" if text.endswith(UNSCALED) else "warn", text) for text in warnings),
            *noted((), left_out_lines(listing.left_out)),
        ],
        settings=settings | {"figures": figures},
        versions=versions(),
    )
    tables = {"pictures": pictures, "detections": detections, "failures": batch.failures}
    page = folder.write(render(localise_page(results)), tables)
    remove_others(out / "masks", "*.tif", [Path(mask).name for mask in pictures["mask"]])
    found = (out, pictures, detections, batch.failures, locator.least, shown.figure3)
    return Localisation(*found, page, warnings, listing.left_out, card.audits[0])
