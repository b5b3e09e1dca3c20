"""Headers of many files, read once and kept."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import Fault, LivewellError
from livewell.images.listing import fingerprint
from livewell.images.opening import read_header
from livewell.progress import task
from livewell.tables.schemas import HEADERS, write_table

READING = 2
"""Raised where a reader says another thing of the same file: kept headers are read again."""


def read_headers(paths: Mapping[str, Path], cache: Path) -> tuple[pd.DataFrame, list[Fault]]:
    """Headers of the files that can be read, and a fault for each of the others.

    By `schemas.HEADERS`, and a column ``notes``; in the order of `paths`. A file is read again only
    when its size or its time of change is not that in `cache`, a Parquet file of headers.
    """
    known = _known(cache)
    found: dict[str, dict[str, Any]] = {}
    faults: dict[str, Fault] = {}
    versions: dict[str, tuple[int, int]] = {}
    for image, path in paths.items():
        try:
            versions[image] = fingerprint(path)
        except LivewellError as error:
            faults[image] = Fault.of(error, image)
        else:
            row = known.get(image)
            if row and (row["bytes"], row["mtime_ns"]) == versions[image]:
                found[image] = row
    todo = [image for image in versions if image not in found]
    if todo:
        with task("reading headers", len(todo)) as tick:
            for image in todo:
                try:
                    found[image] = _row(image, paths[image], *versions[image])
                except LivewellError as error:
                    faults[image] = Fault.of(error, image)
                tick()
    rows = [found[image] for image in paths if image in found]
    columns = [*HEADERS.names, "notes"]
    table = HEADERS.check(pd.DataFrame(rows, columns=columns).astype({"notes": "str"}))
    if todo or len(known) != len(rows):
        write_table(cache, table)
    return table, [faults[image] for image in paths if image in faults]


def _known(cache: Path) -> dict[str, dict[str, Any]]:
    """Rows of the kept headers as files are read now; none where the file is absent or spoilt."""
    try:
        table = HEADERS.read(cache)
    except LivewellError:
        return {}
    table = table.reindex(columns=[*HEADERS.names, "notes"])
    rows = table[table["reading"] == READING].to_dict("records")
    return {str(row["image"]): {str(key): value for key, value in row.items()} for row in rows}


def _row(image: str, path: Path, size: int, mtime: int) -> dict[str, Any]:
    header = read_header(path)
    return asdict(header) | {
        "image": image,
        "channels": "|".join(name.replace("|", "/") for name in header.channels),
        "colourless": int(header.colourless),
        "reading": READING,
        "bytes": size,
        "mtime_ns": mtime,
        "notes": "; ".join(header.notes),
    }
