"""The study folder: which images there are, what is known of them, labels, splits, caches."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from livewell.disk import restore
from livewell.errors import Fault, SpecError, StudyError, TableError
from livewell.files import AnyPath, claim, json_text, whole_files, whole_folder, write_text
from livewell.image import check_scale
from livewell.images.headers import read_headers
from livewell.images.listing import STAMP
from livewell.images.opening import Channels, asked_channels
from livewell.names import path_of
from livewell.study.boxes import BOXED_CELLS
from livewell.tables.metadata import LabelMeta, SplitMeta, StudyMeta
from livewell.tables.results import write_csv
from livewell.tables.schemas import (
    BOX,
    FIELDS,
    FOLDS,
    LABELS,
    PATCHES,
    SEEN,
    put_table,
    write_table,
)
from livewell.text import html_table, several

KIND = "study"
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")
AGAIN = "put back a copy of it; without one make it again"
_PACKAGES = ("numpy", "pandas", "tifffile", "imagecodecs")


@dataclass(frozen=True)
class Study:
    """A study folder; make one with `create`, open one with `open`.

    Parameters
    ----------
    folder
        Holds ``study.json``, the tables, and what later steps add.
    root
        Absolute folder of the images, which stay where they are.
    pixel_um, frame_s
        Edge of a pixel (micrometres) and time from frame to frame (seconds) for all files, in
        place of what they say; ``None`` to believe the files.
    channels
        Channels to look at, by name or number; none to let `choose_channels` decide.
    sources
        Where the fields came from: patterns, tables, notes on how they were read.

    Raises
    ------
    StudyError
        By methods: the folder is not there, no study or not whole; there is no image, labels, boxes
        or split of this name, or its description cannot be read.
    TableError
        By methods: a table is not of its schema, or files cannot be read; holding every fault.
    """

    folder: Path
    root: Path
    pixel_um: float | None = None
    frame_s: float | None = None
    channels: tuple[str | int, ...] = ()
    sources: tuple[str, ...] = ()

    @classmethod
    def create(
        cls,
        folder: AnyPath,
        root: AnyPath,
        fields: pd.DataFrame,
        *,
        pixel_um: float | None = None,
        frame_s: float | None = None,
        channels: Channels = None,
        sources: Iterable[str] = (),
    ) -> "Study":
        """Write a study; over an older study its fields and options are replaced, the rest kept.

        Parameters
        ----------
        folder
            New, empty, or a study.
        root
            Folder of the images.
        fields
            Table by `schemas.FIELDS`; column ``path`` is relative to `root`.
        pixel_um, frame_s, channels, sources
            As in `Study`.

        Raises
        ------
        TableError
            `fields` is not a fields table or has no row.
        SpecError
            `pixel_um` or `frame_s` not above zero.
        OutputError
            The folder holds something else or cannot be written.
        """
        folder, root = Path(folder), Path(root).resolve()
        check_scale(pixel_um, frame_s)
        table = FIELDS.check(fields, where=str(folder))
        if table.empty:
            fault = Fault("no-rows", "image", "no file at all")
            raise TableError("a study without images", [fault], where=str(folder))
        claim(folder, KIND, STAMP, beside="fields.parquet")
        asked = asked_channels(channels)
        study = cls(folder, root, pixel_um, frame_s, asked, tuple(sources))
        meta = StudyMeta(
            root=root,
            pixel_um=pixel_um,
            frame_s=frame_s,
            channels=asked,
            sources=study.sources,
            versions={name: version(name) for name in _PACKAGES},
        )
        # a folder with a stamp and no fields is ours and can be written again
        with whole_files(folder / STAMP, folder / "fields.parquet") as (description, parquet):
            description.write_text(json_text(meta.model_dump(mode="json")), "utf-8")
            put_table(parquet, table)
        return study

    def _repr_html_(self) -> str:
        fields = self.fields()
        rows: dict[str, object] = {"images": f"{len(fields):,} in {self.root}"}
        for name in ("plate", "well", "dose"):
            if name in fields and fields[name].notna().any():
                rows[several(name)] = f"{fields[name].nunique():,}"
        rows |= {"labels": ", ".join(self.label_names()), "splits": ", ".join(self.split_names())}
        return html_table(f"study {self.folder}", rows)

    @classmethod
    def of(cls, study: "Study | AnyPath") -> "Study":
        """A study, or the one in a folder; errors as in `open`."""
        return study if isinstance(study, Study) else cls.open(study)

    @classmethod
    def open(cls, folder: AnyPath) -> "Study":
        """Open a study folder."""
        folder = path_of("", folder)
        meta = StudyMeta.read(folder / STAMP)
        if not (folder / "fields.parquet").is_file():
            raise StudyError(
                "a study without its fields table (its making was cut short)",
                where=str(folder),
                remedy="run `livewell index` again",
            )
        root = path_of("", meta.root)
        return cls(folder, root, meta.pixel_um, meta.frame_s, meta.channels, meta.sources)

    def fields(self) -> pd.DataFrame:
        """The fields table, one row a file (`schemas.FIELDS`); a file of no picture is its own."""
        table = _some(FIELDS.read(path := self.folder / "fields.parquet"), path)
        return table if "picture" in table else table.assign(picture=table["image"])

    def path(self, image: str) -> Path:
        """Where an image's file lies."""
        try:
            return path_of(self.root, self._paths[image])
        except KeyError:
            near = difflib.get_close_matches(image, self._paths, n=2)
            raise StudyError(
                f"no image {image!r}",
                where=str(self.folder),
                expected=f"one like {', '.join(near)}" if near else "an image of the fields table",
            ) from None

    def headers(self) -> pd.DataFrame:
        """What every file says of itself (`schemas.HEADERS`), read once and kept."""
        table, faults = self.read_headers()
        if faults:
            raise TableError(
                "some images of the study cannot be read",
                faults,
                where=str(self.root),
                remedy="mend these files, or move them out of the folder and index again",
            )
        return table

    def read_headers(self) -> tuple[pd.DataFrame, list[Fault]]:
        """Headers of the files that can be read, and a fault for each of the others.

        ``pixel_um`` and ``frame_s`` given for the study stand in place of the files' own.
        """
        paths = {image: path_of(self.root, path) for image, path in self._paths.items()}
        table, faults = read_headers(paths, self.folder / "headers.parquet")
        for name, given in (("pixel_um", self.pixel_um), ("frame_s", self.frame_s)):
            if given is not None:
                table[name] = float(given)
        return table, faults

    def labels(self, name: str) -> pd.DataFrame:
        """A labels table (`schemas.LABELS`)."""
        table = _some(LABELS.read(path := self._labels(name, "parquet")), path)
        table = LABELS.check(table.assign(**dict.fromkeys(set(LABELS.names) - set(table), None)))
        if (table[BOX].notna().sum(axis=1) % len(BOX)).any():
            fault = Fault("empty-value", ", ".join(BOX), "some corners of a box, not all")
            raise TableError("not a table of labels", [fault], where=str(path), remedy=AGAIN)
        return table

    def label_meta(self, name: str) -> LabelMeta:
        """How a labels table was made."""
        return LabelMeta.read(self._labels(name, "json"))

    def write_labels(self, name: str, table: pd.DataFrame, meta: LabelMeta) -> None:
        """Write a labels table and how it was made, in place of an older one of this name.

        Boxes and report that were kept with the older one go: they are not of these labels.
        """
        table = LABELS.check(table, where=f"set of labels {checked_name(name)!r}")
        files = (self._file(name, "parquet"), self._file(name, "json"))
        with whole_files(*files) as (parquet, description):
            put_table(parquet, table)
            description.write_text(json_text(meta.model_dump(mode="json")), "utf-8")
            for old in (self._boxes(name), *(self._file(name, x) for x in ("html", "counts.csv"))):
                old.unlink(missing_ok=True)

    def label_names(self) -> list[str]:
        """Names of the labels tables that are whole."""
        files = self.folder.glob("labels/*.parquet")
        return sorted(file.stem for file in files if file.with_suffix(".json").is_file())

    def boxes(self, name: str) -> pd.DataFrame:
        """The cells in boxes that labels were made from (`livewell.study.boxes.BOXED_CELLS`)."""
        route = self.label_meta(name).route
        if not self._boxes(name).is_file():
            raise StudyError(
                f"no boxes were kept with the labels {name!r}",
                where=str(self.folder),
                expected="labels made from boxes",
                got=f"labels by {route}",
                remedy="make them with `livewell label boxes`",
            )
        return BOXED_CELLS.read(self._boxes(name))

    def write_boxes(self, name: str, table: pd.DataFrame) -> None:
        """Keep the cells in boxes that the labels of this name were made from; labels first."""
        self._must_know("label", name, self.label_names())
        write_table(self._boxes(name), BOXED_CELLS.check(table, where=f"boxes of {name!r}"))

    def write_label_report(self, name: str, page: str, counts: pd.DataFrame) -> Path:
        """Keep a page on the labels of this name and their counts beside them; labels first."""
        self._must_know("label", name, self.label_names())
        write_csv(self._file(name, "counts.csv"), counts)
        write_text(self._file(name, "html"), page)
        return self._file(name, "html")

    def _labels(self, name: str, ending: str) -> Path:
        self._must_know("label", name, self.label_names())
        return self._file(name, ending)

    def _file(self, name: str, ending: str) -> Path:
        return self.folder / "labels" / f"{name}.{ending}"

    def _boxes(self, name: str) -> Path:
        return self.folder / "boxes" / f"{name}.parquet"

    def split(self, name: str) -> tuple[pd.DataFrame, pd.DataFrame, SplitMeta]:
        """Patches, folds and how they were made."""
        self._must_know("split", name, self.split_names())
        folder = self.folder / "splits" / name
        return (
            PATCHES.read(folder / "patches.parquet"),
            FOLDS.read(folder / "folds.parquet"),
            SplitMeta.read(folder / "split.json"),
        )

    def split_images(self, name: str) -> pd.DataFrame | None:
        """What a split was made of (`schemas.SEEN`); ``None`` where it does not say."""
        path = self.folder / "splits" / name / "images.parquet"
        return SEEN.read(path) if path.is_file() else None

    def write_split(
        self,
        name: str,
        patches: pd.DataFrame,
        folds: pd.DataFrame,
        meta: SplitMeta,
        images: pd.DataFrame | None = None,
    ) -> None:
        """Write a split whole, in place of an older one of this name.

        Parameters
        ----------
        name
            Letters, digits, dots, dashes, underscores.
        patches
            One row a patch, columns as in `schemas.PATCHES`.
        folds
            One row a group and fold: the side it stands on; columns as in `schemas.FOLDS`.
        meta
            How it was made, for ``split.json``.
        images
            What it was made of; columns as in `schemas.SEEN`.
        """
        patches = PATCHES.check(patches, where=f"split {checked_name(name)}")
        folds = FOLDS.check(folds, where=f"split {name}")
        files = ("patches.parquet", "folds.parquet", "images.parquet", "split.json")
        with whole_folder(self.folder / "splits" / name, files) as folder:
            put_table(folder / "patches.parquet", patches)
            put_table(folder / "folds.parquet", folds)
            if images is not None:
                put_table(folder / "images.parquet", images)
            meta.write(folder / "split.json")

    def split_names(self) -> list[str]:
        """Names of the splits."""
        restore(self.folder / "splits")
        return sorted(file.parent.name for file in self.folder.glob("splits/[!.]*/split.json"))

    @cached_property
    def _paths(self) -> dict[str, str]:
        fields = self.fields()
        return dict(zip(fields["image"].tolist(), fields["path"].tolist(), strict=True))

    def _must_know(self, noun: str, name: str, known: list[str]) -> None:
        if name not in known:
            raise StudyError(
                f"no {noun}s named {name!r}" if noun == "label" else f"no {noun} named {name!r}",
                where=str(self.folder),
                expected=f"one of {', '.join(known)}" if known else "none has been made yet",
                remedy=f"make it with `livewell {noun}`",
            )


def _some(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table, which must have a row."""
    if table.empty:
        fault = Fault("no-rows", "the whole table", "it has no row")
        raise TableError("an empty table", [fault], where=str(path), remedy=AGAIN)
    return table


def checked_name(name: str) -> str:
    """A name of labels or of a split, fit to be a file's."""
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"not a usable name: {name!r}", expected="letters, digits, dots, dashes, underscores"
        )
    return name
