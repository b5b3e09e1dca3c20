"""What runs say of places in an image: class maps and detections, from folders of results."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import ImageContentError, LivewellError
from livewell.files import folder_names
from livewell.images.opening import read_header
from livewell.names import path_of
from livewell.outputs.heatmaps import MapTransform, read_map
from livewell.tables.schemas import BOX
from livewell.web.catalogue import Catalogue
from livewell.web.results import RUN, Result, ResultFolders

MAP_FILE, DETECTIONS_FILE = "map.ome.tif", "detections.csv"
MOST_DETECTIONS = 50_000
"""Detections of one image that a page takes."""


@dataclass(frozen=True)
class Overlay:
    """What one folder of results says of one image: `kind` is ``map`` or ``detections``."""

    id: str
    kind: str
    result: Result
    file: Path


@dataclass(frozen=True)
class MapWords:
    """Names of classes, and the threshold of the second of two; ``None`` where it is unknown."""

    classes: tuple[str, ...]
    threshold: float | None


class Overlays:
    """Maps and detections of a study's images."""

    def __init__(self, catalogue: Catalogue, results: ResultFolders) -> None:
        self._catalogue, self._results = catalogue, results

    def of(self, image: str) -> list[Overlay]:
        """All overlays of an image, the newest first."""
        listing = self._catalogue.listing()
        path = listing.study.path(image).resolve()
        found: list[Overlay] = []
        for result in self._results.of_kind("heat map"):
            movie = result.about.get("movie")
            if isinstance(movie, str) and _same(path_of("", movie), path):
                found += _there(result, "map", result.folder / MAP_FILE)
        for result in self._results.of_kind("time-lapse"):
            names = self._catalogue.kept(
                "folders", (listing.study.folder / "fields.parquet",), self._folders
            )
            found += _there(result, "map", result.folder / "positions" / names[image] / MAP_FILE)
        for result in self._results.of_kind("localisation"):
            if not self._detected(result, image).empty:
                found += _there(result, "detections", result.folder / DETECTIONS_FILE)
        return sorted(found, key=lambda each: -each.result.made)

    def named(self, image: str, number: str) -> Overlay | None:
        """The overlay of an image with this `Overlay.id`."""
        return next((each for each in self.of(image) if each.id == number), None)

    def told(self, overlay: Overlay) -> MapWords:
        """Classes and threshold of a map; of two classes its numbers are of the second."""
        about = overlay.result.about
        weights = about.get("models", about.get("model"))
        known = set(weights.values()) if isinstance(weights, dict) else {weights}
        for run in self._results.of_kind(RUN):
            for card in self._results.cards(run):
                if card["weights_sha256"] in known:
                    rule = card.get("region_rule") or {}
                    return MapWords(tuple(map(str, card["classes"])), rule.get("threshold"))
        with suppress(LivewellError):
            names = read_header(overlay.file).channels
            if len(names) > 2:
                return MapWords(tuple(names), None)
        return MapWords(("not positive", "positive"), None)

    def detections(self, overlay: Overlay, image: str) -> list[dict[str, Any]]:
        """Detections of an image: t, y, x, p and the box y0, x0, y1, x1, in pixels of the image."""
        rows = self._detected(overlay.result, image).head(MOST_DETECTIONS)
        columns = ["t", "y", "x", "p", *BOX]
        return [
            {str(name): (None if pd.isna(value) else float(value)) for name, value in row.items()}
            for row in rows.reindex(columns=columns).to_dict("records")
        ]

    def _folders(self) -> dict[str, str]:
        return folder_names(list(self._catalogue.listing().names))

    def _detected(self, result: Result, image: str) -> pd.DataFrame:
        """Rows of a table of detections that are of this image."""
        file = result.folder / DETECTIONS_FILE
        if not file.is_file():
            return pd.DataFrame()
        table: pd.DataFrame = self._catalogue.kept(
            ("detections", str(file)), (file,), lambda: _read_detections(file)
        )
        if table.empty:
            return table
        study, images = self._catalogue.study(), result.about.get("images")
        path, wanted = study.path(image).resolve(), image
        if isinstance(images, str) and not _same(path_of("", images), study.folder):
            # named by where the files lie below the folder that was searched
            base = path_of("", images).resolve()
            if base == path:
                wanted = path.name
            elif base in path.parents:
                wanted = path.relative_to(base).as_posix()
        return table[table["image"] == wanted]


def _there(result: Result, kind: str, file: Path) -> Iterator[Overlay]:
    if file.is_file():
        yield Overlay(f"{result.id}-{kind}", kind, result, file)


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.resolve() == other.resolve()
    return False


def _read_detections(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(file, dtype={"image": "str"})
    except (OSError, ValueError):
        return pd.DataFrame()
    return table if {"image", "t", "y", "x"} <= set(table) else pd.DataFrame()


def map_frame(overlay: Overlay, t: int) -> tuple[NDArray[np.float32], MapTransform, int]:
    """Probabilities of one frame, (classes, my, mx), where they lie, and the frames of the map.

    Of two classes one plane, that of the positive class; NaN where nothing is to judge. An
    `ImageContentError` where the map has no such frame, else errors of `read_map`.
    """
    maps, transform = read_map(overlay.file)
    if not 0 <= t < len(maps):
        raise ImageContentError(
            f"the map has no frame {t}", where=overlay.file.name, expected=f"0 to {len(maps) - 1}"
        )
    values = np.array(maps[t], dtype=np.float32)
    return values if values.ndim == 3 else values[None], transform, len(maps)
