"""Results go into an OME-Zarr beside the images that they are of."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import ImageContentError
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.frames import counted
from livewell.execution.items import map_items
from livewell.files import AnyPath
from livewell.outputs.zarr_additions import Additions, AdditionWork
from livewell.outputs.zarr_results import Results, StoreFields
from livewell.outputs.zarr_store import FieldRecords, end_ledger
from livewell.outputs.zarr_tables import list_in, write_table
from livewell.report.style import class_colours
from livewell.text import plural

MOST_CLASSES = 64


@dataclass(frozen=True, slots=True)
class ConvertedResults:
    """What `convert_results` added: fields with maps or labels, tables, and what failed."""

    store: Path
    fields: tuple[str, ...]
    tables: tuple[str, ...]
    failures: pd.DataFrame
    warnings: tuple[str, ...]
    made: int
    kept: int


def convert_results(
    results: AnyPath, into: AnyPath, *, executor: Executor = SERIAL
) -> ConvertedResults:
    """Add results to a store, so that programs which read OME-Zarr show them.

    Heat maps become images ``heatmap`` in their fields, with a scale and a translation that lay
    them on the field; what their cells are called labels ``called``; a predicted stain an image
    ``stain``; detections labels and a feature table ``detections``; verdicts a table ``verdicts``
    of the plate. What is whole from an earlier call is kept.

    Parameters
    ----------
    results
        A folder of `livewell.assess`, `heatmap`, `timelapse` or `localise`.
    into
        A store, of the images that were judged or of the study's; see `livewell.convert`.
    executor
        Where fields are made; each is one unit of work.

    Raises
    ------
    StudyError
        No results of this kind, or no store.
    ImageContentError
        The results are of no image in the store.
    OutputError
        The store cannot be written.
    """
    found, store = Results.open(Path(results)), StoreFields.of(Path(into))
    work = AdditionWork(
        store.folder, store.version, _additions(found, store), tuple(class_colours(MOST_CLASSES))
    )
    records = FieldRecords(store.folder, work.folders())
    batch = map_items(work.items(), work, records, what="adding results", executor=executor)
    for each in work.additions.values():
        for kind in ("labels", "tables"):
            list_in(work.at(each), kind, store.version)
    tables = _tables(found, store)
    lost = _lost(found, store)
    notes = counted((name, note) for name, of in batch.records.items() for note in of["notes"])
    end_ledger(store.folder)
    if not work.additions and not tables:
        raise ImageContentError(
            "results of no image in the store",
            where=str(found.folder),
            expected=f"images such as {next(iter(store.sources), store.own[0])}",
            got=", ".join(lost[:3]),
            remedy="convert the images that these results are of first (--to)",
        )
    warnings = tuple(
        f"{plural(len(lost), 'image')} of the results are not in the store, such as {name}"
        for name in lost[:1]
    )
    made = batch.made, len(batch.records) - batch.made
    return ConvertedResults(
        store.folder,
        tuple(record["path"] for record in batch.records.values()),
        tables,
        batch.failures,
        (*warnings, *notes),
        *made,
    )


def _additions(found: Results, store: StoreFields) -> dict[str, Additions]:
    """By the field's path, or the store's name where it is one image."""
    maps, masks, rows = (_placed(found, store, name) for name in ("maps", "masks", "detections"))
    additions = {}
    for path in dict.fromkeys([*maps["field"], *masks["field"]]):
        mine, cut = maps[maps["field"] == path], masks[masks["field"] == path]
        told = rows[rows["field"] == path].drop(columns=["image", "field", "first"])
        additions[path or store.folder.name] = Additions(
            path,
            {int(row["first"]): Path(row["folder"]) for row in mine.to_dict("records")},
            {int(row["t"]): Path(row["mask"]) for row in cut.to_dict("records")},
            tuple(told.to_dict("records")),
        )
    return additions


def _placed(found: Results, store: StoreFields, name: str) -> pd.DataFrame:
    """A table of the results with the field of every image, and frames counted in the field."""
    table = found.tables.get(name)
    if table is None:
        return pd.DataFrame({"image": [], "field": [], "first": []})
    table = table.merge(store.find(table["image"], found.root), on="image")
    return table.assign(t=table["t"] + table["first"]) if "t" in table else table


def _lost(found: Results, store: StoreFields) -> list[str]:
    images = pd.concat([table["image"] for table in found.tables.values()]).drop_duplicates()
    there = set(store.find(images, found.root)["image"])
    return [image for image in images if image not in there]


def _tables(found: Results, store: StoreFields) -> tuple[str, ...]:
    """Write the tables of the plate, one row a frame of a field."""
    table = _placed(found, store, "verdicts")
    if "t" not in table or table.empty:
        return ()
    parts = table["field"].str.split("/", expand=True).reindex(columns=range(3))
    table.insert(0, "row", parts[0])
    table.insert(1, "column", parts[1])
    table.insert(2, "path_in_well", parts[2])
    table = table.drop(columns=["field", "first"])
    write_table(store.folder, "verdicts", table, store.version, "condition_table")
    list_in(store.folder, "tables", store.version)
    return ("verdicts",)
