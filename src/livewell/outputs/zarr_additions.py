"""What results add to one field of a store, as a unit of work."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.execution.items import Item, Record
from livewell.files import whole_folder
from livewell.image import Header
from livewell.images.listing import fingerprint
from livewell.images.opening import open_image, read_header
from livewell.metrics.rules import RegionRule
from livewell.outputs.heatmaps import MapTransform, read_map, read_notes
from livewell.outputs.masks import read_mask
from livewell.outputs.zarr_labels import (
    Maps,
    class_labels,
    nearest_cells,
    space_of,
    write_labels,
    write_maps,
)
from livewell.outputs.zarr_metadata import Ngff, Space, Values
from livewell.outputs.zarr_results import MAP, STAIN
from livewell.outputs.zarr_tables import write_table
from livewell.outputs.zarr_work import HOLDS
from livewell.progress import Tick

HEATMAP, PREDICTED, CALLED, DETECTIONS = "heatmap", "stain", "called", "detections"
NO_RULE = "its heat map does not say from which probability on cells are called: no label called"


@dataclass(frozen=True, slots=True)
class Additions:
    """What results say of one field; frames are counted in the field.

    Folders of heat maps by their first frame, masks by their frame, rows of detections.
    """

    path: str
    maps: Mapping[int, Path] = field(default_factory=dict)
    masks: Mapping[int, Path] = field(default_factory=dict)
    detections: tuple[Mapping[str, Any], ...] = ()

    @property
    def files(self) -> list[Path]:
        """All files that are read for it."""
        return [*(folder / MAP for folder in self.maps.values()), *self.masks.values()]

    @property
    def last(self) -> str:
        """The group that is written last, which keeps the record."""
        return HEATMAP if self.maps else f"labels/{DETECTIONS}"


@dataclass(frozen=True, slots=True)
class AdditionWork:
    """Writes what results add to fields of a store; `additions` are by the name of their item."""

    store: Path
    version: Ngff
    additions: Mapping[str, Additions]
    colours: tuple[str, ...]

    def items(self) -> list[Item]:
        """An item a field."""
        found = []
        for name, each in self.additions.items():
            versions = [[str(file), *fingerprint(file)] for file in each.files]
            settings = {"results": versions, "detections": len(each.detections)}
            found.append(Item(name, each.files[0], settings))
        return found

    def folders(self) -> dict[str, Path]:
        """Where the record of every field lies."""
        return {name: self.at(each, each.last) for name, each in self.additions.items()}

    def at(self, addition: Additions, group: str = "") -> Path:
        """A group of a field."""
        return self.store / addition.path / group

    def __call__(self, item: Item, tick: Tick) -> Record:
        """Write maps and labels of a field, each whole or not at all.

        Raises
        ------
        ImageReadError
            A map or mask cannot be read.
        ImageContentError
            It is of other frames or another size than the field.
        """
        addition = self.additions[item.name]
        header = read_header(self.at(addition))
        record: Record = {"path": addition.path, "notes": []}
        kept = {"record": {"asked": item.asked, **record}}
        if addition.masks:
            self._masks(addition, header, {} if addition.maps else kept)
        if addition.maps:
            self._stain(addition, header)
            record["notes"] += self._heatmap(addition, header, kept)
        return record

    def _heatmap(self, addition: Additions, header: Header, kept: Mapping[str, Any]) -> list[str]:
        files = {t: folder / MAP for t, folder in addition.maps.items()}
        maps, transform = _joined(files, header)
        said = read_notes(next(iter(files.values())))
        classes = json.loads(said.get("classes", "[]"))
        shown = classes if maps.shape[1] > 1 else classes[1:] or ["positive class"]
        names = [f"p {name}" for name in shown]
        ours = {"notes": said, **kept}
        notes = []
        if classes and "threshold" in said:
            self._called(addition, header, maps, transform, classes, json.loads(said["threshold"]))
        else:
            notes.append(NO_RULE)
        own = header, maps, names, space_of(header, transform), self.version, HEATMAP, ours
        with whole_folder(self.at(addition, HEATMAP), HOLDS) as folder:
            write_maps(folder, *own, limits=(0.0, 1.0))
        return notes

    def _called(
        self,
        addition: Additions,
        header: Header,
        maps: Maps,
        transform: MapTransform,
        classes: list[str],
        threshold: float,
    ) -> None:
        """Labels of the class that every pixel's nearest window is called."""
        rule = RegionRule(1.0, threshold)

        def called(t: int) -> NDArray[Any]:
            p = maps[t] if maps.shape[1] > 1 else np.stack([1 - maps[t, 0], maps[t, 0]])
            known = np.isfinite(p).all(axis=0)
            codes = np.where(known, rule.called_of(np.moveaxis(np.nan_to_num(p), 0, -1)), -1)
            return nearest_cells(transform, codes + 1, (header.height, header.width), 0)

        said = class_labels(classes, self.colours[: len(classes)])
        ours = {"about": "class that the nearest window is called; 0 where none is or nothing is"}
        own = header, called, np.dtype("u1"), self.version, CALLED, said, ours
        with whole_folder(self.at(addition, f"labels/{CALLED}"), HOLDS) as folder:
            write_labels(folder, *own)

    def _stain(self, addition: Additions, header: Header) -> None:
        files = {t: folder / STAIN for t, folder in addition.maps.items()}
        files = {t: file for t, file in files.items() if file.is_file()}
        if not files:
            return
        maps: Maps | None = None
        for first, file in sorted(files.items()):
            with open_image(file) as image:
                names, of = image.header.channels, image.header
                maps = _room(maps, header, (1, of.height, of.width), file)
                _refuse_longer(first, of.frames, header, file)
                for t in range(of.frames):
                    maps[first + t, 0] = image.frame(t)
        if maps is None:
            return
        step = header.height / maps.shape[2]
        known = header.pixel_um, header.frame_s, header.stage_um
        space = Space(*known, step, ((step - 1) / 2, (step - 1) / 2))
        ours = {"notes": read_notes(next(iter(files.values())))}
        with whole_folder(self.at(addition, PREDICTED), HOLDS) as folder:
            write_maps(folder, header, maps, names, space, self.version, PREDICTED, ours)

    def _masks(self, addition: Additions, header: Header, kept: Mapping[str, Any]) -> None:
        """Labels of detections, numbered on from frame to frame, and a table of their features."""
        rows = pd.DataFrame(addition.detections)
        counts = {t: int(read_mask(mask).max(initial=0)) for t, mask in addition.masks.items()}
        before: dict[int, int] = {}
        for t in sorted(counts):
            before[t] = sum(counts[earlier] for earlier in before)

        def labels(t: int) -> NDArray[Any]:
            if t not in addition.masks:
                return np.zeros((header.height, header.width), np.uint32)
            found = read_mask(addition.masks[t]).astype(np.uint32)
            if found.shape != (header.height, header.width):
                raise _other(addition.masks[t], (header.height, header.width), found.shape)
            return np.where(found > 0, found + before[t], 0)

        if len(rows):
            rows.insert(0, "label", rows["number"] + rows["t"].map(before))
            rows = rows.drop(columns=["number"])
            write_table(
                self.at(addition), DETECTIONS, rows, self.version, "feature_table", label=DETECTIONS
            )
        unnamed: Values = {}
        own = header, labels, np.dtype("u4"), self.version, DETECTIONS, unnamed, kept
        with whole_folder(self.at(addition, f"labels/{DETECTIONS}"), HOLDS) as folder:
            write_labels(folder, *own)


def _joined(files: Mapping[int, Path], header: Header) -> tuple[Maps, MapTransform]:
    """Maps of all frames of a field, NaN where none is."""
    maps: Maps | None = None
    transform: MapTransform | None = None
    for first, file in sorted(files.items()):
        found, lies = read_map(file)
        found = found if found.ndim == 4 else found[:, None]
        if transform not in (None, lies):
            raise _other(file, (transform,), (lies,))
        transform = lies
        maps = _room(maps, header, found.shape[1:], file)
        _refuse_longer(first, len(found), header, file)
        maps[first : first + len(found)] = found
    if maps is None or transform is None:
        raise ImageContentError("no heat map", where=str(files))
    return maps, transform


def _room(maps: Maps | None, header: Header, shape: tuple[int, ...], file: Path) -> Maps:
    if maps is None:
        return np.full((header.frames, *shape), np.nan, dtype=np.float32)
    if maps.shape[1:] != shape:
        raise _other(file, maps.shape[1:], shape)
    return maps


def _refuse_longer(first: int, frames: int, header: Header, file: Path) -> None:
    if first + frames > header.frames:
        raise _other(file, (f"{header.frames - first} frames",), (f"{frames} frames",))


def _other(file: Path, expected: tuple[Any, ...], got: tuple[Any, ...]) -> ImageContentError:
    return ImageContentError(
        "not of the field that has its name",
        where=str(file),
        expected=" x ".join(map(str, expected)),
        got=" x ".join(map(str, got)),
        remedy="give results of the images that are in the store",
    )
