"""Tables in a store, as ngio and Fractal read them: a group each, with a file ``table.csv``.

Source: tables of ngio, https://biovisioncenter.github.io/ngio (types feature_table,
condition_table and generic_table, backend csv).
"""

from pathlib import Path
from typing import Literal

import pandas as pd

from livewell.errors import StudyError
from livewell.files import whole_folder
from livewell.outputs.zarr_metadata import GROUP_FILES, Ngff, Values, put_values, write_values
from livewell.outputs.zarr_metadata import read_group as read

TABLES = "tables"
FILE = "table.csv"
Type = Literal["feature_table", "condition_table", "generic_table"]


def write_table(
    group: Path,
    name: str,
    table: pd.DataFrame,
    version: Ngff,
    kind: Type,
    *,
    label: str | None = None,
) -> None:
    """Write a table of a field or a plate, whole or not at all; `list_in` makes it known.

    Parameters
    ----------
    group
        The field or plate.
    table
        What it holds; of features a column ``label``, the number in the labels `label`.
    """
    said: Values = {"type": kind, "table_version": "1", "backend": "csv"}
    if label is not None:
        key = {"index_key": "label", "index_type": "int", "instance_key": "label"}
        said |= {**key, "region": {"path": f"../labels/{label}"}}
    files = {FILE, ".zgroup", *GROUP_FILES.values()}
    with whole_folder(group / TABLES / name, files) as folder:
        table.to_csv(folder / FILE, index=False)
        put_values(folder, version, said)


def list_in(group: Path, kind: Literal["labels", "tables"], version: Ngff) -> list[str]:
    """Write the list of a group's labels or tables: those that are there whole; returns it."""
    folder = group / kind
    if not folder.is_dir():
        return []
    names = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
    names = [name for name in names if (folder / name / GROUP_FILES[version]).is_file()]
    if names and _listed(folder, kind) != names:
        of: Values = {kind: names}
        inside = kind == "labels" and version == "0.5"
        write_values(folder, version, {"ome": {"version": version, **of}} if inside else of)
    return names


def _listed(folder: Path, kind: str) -> list[str] | None:
    try:
        said = read(folder)[1]
    except StudyError:
        return None
    found = said.get("ome", said).get(kind)
    return found if isinstance(found, list) else None
