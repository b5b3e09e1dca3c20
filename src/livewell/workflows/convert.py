"""Images become an OME-Zarr: a plate, a collection, or one image."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import LivewellError, why
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.frames import counted, image_files
from livewell.execution.items import map_items
from livewell.files import AnyPath
from livewell.image import check_scale
from livewell.images.listing import STAMP
from livewell.images.ome_zarr.plate import plate_name
from livewell.images.opening import read_header
from livewell.outputs.zarr_fields import Kind, StorePlan, plan_store
from livewell.outputs.zarr_metadata import Ngff
from livewell.outputs.zarr_store import FieldRecords, ZarrStore
from livewell.outputs.zarr_tables import list_in, write_table
from livewell.outputs.zarr_work import FieldWork
from livewell.study.known import known_fields
from livewell.study.layout import NamePattern
from livewell.study.study import Study

PLACE = ("path", "picture", "plate", "well", "position", "t0", "time_s")
"""Columns that say where and when a field is, not what was done to it."""
SHAPES = "fields of {} shapes: viewers that show a plate as one picture need one"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `convert` made: the store and its kind, a row a field, and what could not be read.

    ``fields`` has image, path in the store, well, position, frames, channels, height, width; `made`
    counts those written now, `kept` those that were there from an earlier call.
    """

    store: Path
    kind: Kind
    fields: pd.DataFrame
    failures: pd.DataFrame
    warnings: tuple[str, ...]
    left_out: Mapping[str, int]
    made: int
    kept: int


@dataclass(frozen=True, slots=True)
class _Source:
    """What is to be converted, as a table of fields and where they lie."""

    table: pd.DataFrame
    files: Mapping[str, Path]
    notes: tuple[str, ...]
    left_out: Mapping[str, int]
    pixel_um: float | None
    frame_s: float | None
    broken: pd.DataFrame


def convert(
    images: AnyPath,
    to: AnyPath,
    *,
    pattern: str | None = None,
    plate: str | None = None,
    ngff: Ngff = "0.5",
    pixel_um: float | None = None,
    frame_s: float | None = None,
    executor: Executor = SERIAL,
) -> Conversion:
    """Write images as OME-Zarr, pixels bit by bit as they are.

    Where every image has a well, the store is a plate; else a collection of images, or one image
    where there is one. Images of one position that say their times are one field. A field that is
    whole from an earlier call is kept.

    Parameters
    ----------
    images
        A file, a folder that is searched with its folders, or a study.
    to
        The store to make, such as ``plate.zarr``.
    pattern
        File-name pattern with parts such as ``{well}``, ``{position}`` and ``{t}``; of a study its
        own wells are taken, of other images those that they state.
    plate
        Which plate, where there are several.
    ngff
        Version of OME-Zarr: ``0.5`` (Zarr 3, in shards), or ``0.4`` (Zarr 2) for older programs.
    pixel_um, frame_s
        Override what the files say: micrometres, seconds.
    executor
        Where fields are made; each is one unit of work.

    Raises
    ------
    ImageReadError
        No image at all. Images that cannot be read are rows of ``failures``, and not in the store.
    LayoutError
        Images do not fit the pattern.
    TableError
        Several images of one well, position and time.
    SpecError
        Several plates and none is named.
    OutputError
        `to` cannot be written, holds something else, or was begun with other settings.
    """
    images, to = Path(images), Path(to)
    check_scale(pixel_um, frame_s)
    source = _source(images, to, pattern, pixel_um, frame_s)
    plan = plan_store(source.table, source.files, plate_name(to), plate, str(images))
    scale = {"pixel_um": source.pixel_um, "frame_s": source.frame_s}
    settings = {"images": str(images.resolve()), "pattern": pattern, "plate": plate, **scale}
    store = ZarrStore.claim(to, ngff, settings)
    plans = {field.name: field for field in plan.fields}
    work = FieldWork(store, plans, **scale)
    records = FieldRecords(to, work.folders())
    batch = map_items(work.items(), work, records, what="converting images", executor=executor)
    failures = pd.concat([source.broken, batch.failures], ignore_index=True)
    store.end(plan, batch.records, failures[["image", "error"]].to_dict("records"))
    if plan.kind == "plate":
        _write_conditions(store, plan, source.table, batch.records)
    fields = _table(plan, {name: record["shape"] for name, record in batch.records.items()})
    notes = counted(
        (name, note) for name, record in batch.records.items() for note in record["notes"]
    )
    shapes = Counter(tuple(record["shape"]) for record in batch.records.values())
    uneven = (SHAPES.format(len(shapes)),) if plan.kind == "plate" and len(shapes) > 1 else ()
    warnings = (*source.notes, *plan.notes, *notes, *uneven)
    counts = (batch.made, len(batch.records) - batch.made)
    return Conversion(to, plan.kind, fields, failures, warnings, source.left_out, *counts)


def _source(
    images: Path, to: Path, pattern: str | None, pixel_um: float | None, frame_s: float | None
) -> _Source:
    if (images / STAMP).is_file() and pattern is None:
        study = Study.open(images)
        table = study.fields()
        files = {image: study.path(image) for image in table["image"].tolist()}
        scale = pixel_um or study.pixel_um, frame_s or study.frame_s
        return _Source(table, files, (), {}, *scale, _failed({}))
    listing = image_files(images, to)
    read = None if pattern is None else NamePattern.parse(pattern)
    table, notes, _ = known_fields(listing.files, read, None, drop=False)
    broken: dict[str, str] = {}
    if "well" in table and table["well"].notna().any():
        for image in table.loc[table["well"].isna(), "image"]:
            try:
                read_header(listing.files[image])
            except LivewellError as error:
                broken[image] = why(error)
    table = table[~table["image"].isin(list(broken))]
    told = listing.files, tuple(notes), listing.left_out, pixel_um, frame_s
    return _Source(table, *told, _failed(broken))


def _failed(errors: Mapping[str, str]) -> pd.DataFrame:
    rows = [(image, None, error) for image, error in errors.items()]
    return pd.DataFrame(rows, columns=["image", "t", "error"]).astype({"t": "Int64"})


def _table(plan: StorePlan, shapes: Mapping[str, list[int]]) -> pd.DataFrame:
    """A row of every field that is there."""
    rows = [
        (
            field.name,
            field.path,
            field.well and str(field.well),
            field.position,
            *shapes[field.name],
        )
        for field in plan.fields
        if field.name in shapes
    ]
    names = ["image", "path", "well", "position", "frames", "channels", "height", "width"]
    return pd.DataFrame(rows, columns=names)


def _write_conditions(
    store: ZarrStore, plan: StorePlan, table: pd.DataFrame, made: Collection[str]
) -> None:
    """Write what a study says of every field, such as doses, as a table of the plate."""
    known = table.drop(columns=[name for name in PLACE if name in table]).dropna(axis=1, how="all")
    if len(known.columns) < 2:
        return
    rows = [
        (*field.path.split("/"), field.name, field.position)
        for field in plan.fields
        if field.name in made
    ]
    if rows:
        columns = ["row", "column", "path_in_well", "image", "position"]
        told = pd.DataFrame(rows, columns=columns).merge(known, on="image")
        write_table(store.folder, "conditions", told, store.version, "condition_table")
        list_in(store.folder, "tables", store.version)
