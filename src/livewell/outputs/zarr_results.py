"""Folders of results as what they add to the fields of a store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import StudyError
from livewell.files import read_json
from livewell.images.formats import fields_in
from livewell.images.listing import STAMP
from livewell.names import Finder, name_of
from livewell.outputs.zarr_metadata import OURS, Ngff, read_group
from livewell.study.study import Study

MAP, STAIN = "map.ome.tif", "stain.ome.tif"


@dataclass(frozen=True, slots=True)
class StoreFields:
    """Fields of a store: by the names of the images that they hold, with their first frames.

    `own` are the paths of the fields in the store, empty of one image.
    """

    folder: Path
    version: Ngff
    own: tuple[str, ...]
    sources: Mapping[str, tuple[str, int]]
    places: Mapping[str, tuple[str | None, str | None]]

    @classmethod
    def of(cls, folder: Path) -> "StoreFields":
        """Those of a store that livewell or another program wrote.

        Raises
        ------
        StudyError
            No store here.
        ImageReadError
            It is damaged.
        """
        version, _ = read_group(folder)
        own = fields_in(folder) or ("",)
        sources: dict[str, tuple[str, int]] = {}
        places: dict[str, tuple[str | None, str | None]] = {}
        for path in own:
            said = read_group(folder / path)[1].get(OURS, {})
            places[path] = said.get("well"), said.get("position")
            t = 0
            for source in said.get("sources", ()):
                sources[source["image"]] = path, t
                t += source["frames"]
        return cls(folder, version, own, sources, places)

    def find(self, images: pd.Series, root: Path) -> pd.DataFrame:
        """The field (path) and its first frame of every image below `root`; those that it has."""
        inside, below = self.folder.resolve(), root.resolve()
        if below == inside or inside in below.parents:
            before = below.relative_to(inside).as_posix().removeprefix(".")
            known = {path.removeprefix(f"{before}/"): (path, 0) for path in self.own}
            known[name_of(root)] = before, 0
        else:
            known = dict(self.sources)
        finder = Finder(known)
        rows = []
        for image in images.drop_duplicates():
            fits, _ = finder.find(str(image))
            if len(fits) == 1:
                rows.append((image, *known[fits[0]]))
        return pd.DataFrame(rows, columns=["image", "field", "first"])


@dataclass(frozen=True, slots=True)
class Results:
    """What a folder of results holds of images: tables, each with a column ``image``.

    `root` is where the images lie; `maps` have ``folder``, of a heat map, `masks` t and ``mask``,
    `detections` and `verdicts` are as they stand in the folder.
    """

    folder: Path
    kind: str
    root: Path
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> "Results":
        """Those of `assess`, `heatmap`, `timelapse` or `localise`.

        Raises
        ------
        StudyError
            No such folder, or it is not whole.
        """
        for kind, read in _READERS.items():
            if (folder / f"{kind}.json").is_file():
                about = read_json(folder / f"{kind}.json", kind="folder of results")
                try:
                    return read(folder, about)
                except (OSError, KeyError, ValueError) as error:
                    raise StudyError(
                        "results that are not whole",
                        where=str(folder),
                        got=str(error),
                        remedy="give the command that makes them again, which goes on",
                    ) from error
        raise StudyError(
            "no results that go into a store",
            where=str(folder),
            expected="a folder of `livewell assess`, `heatmap`, `timelapse` or `localise`",
            remedy="check the path; images go in with --to",
        )


def _assessment(folder: Path, about: Mapping[str, Any]) -> Results:
    tables = {"verdicts": pd.read_csv(folder / "verdicts.csv", dtype={"image": "str"})}
    return Results(folder, "assessment", _root(Path(about["images"])), tables)


def _heatmap(folder: Path, about: Mapping[str, Any]) -> Results:
    movie = Path(about["movie"])
    maps = pd.DataFrame({"image": [name_of(movie)], "folder": [str(folder)]})
    return Results(folder, "heatmap", movie, {"maps": maps})


def _timelapse(folder: Path, about: Mapping[str, Any]) -> Results:
    positions = pd.read_csv(folder / "positions.csv", dtype={"image": "str"})
    positions["folder"] = [str(folder / name) for name in positions["folder"]]
    maps = positions[["image", "folder"]]
    return Results(folder, "timelapse", Path(about["images"]), {"maps": maps})


def _localisation(folder: Path, about: Mapping[str, Any]) -> Results:
    masks = pd.read_csv(folder / "pictures.csv", dtype={"image": "str"})
    detections = pd.read_csv(folder / "detections.csv", dtype={"image": "str"})
    masks["mask"] = [str(folder / name) for name in masks["mask"]]
    tables = {"masks": masks[["image", "t", "mask"]], "detections": detections}
    return Results(folder, "localisation", _root(Path(about["images"])), tables)


def _root(images: Path) -> Path:
    """Where images lie: of a study in its own folder of images."""
    return Study.open(images).root if (images / STAMP).is_file() else images


_READERS = {
    "assessment": _assessment,
    "heatmap": _heatmap,
    "timelapse": _timelapse,
    "localisation": _localisation,
}
