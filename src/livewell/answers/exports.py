"""Answers as files: tables (CSV, Parquet), regions for QuPath (GeoJSON) and for Fiji (ROI zip)."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from roifile import ROI_TYPE, ImagejRoi

from livewell.errors import SpecError
from livewell.files import folder_names, whole_file
from livewell.tables.results import write_csv
from livewell.tables.schemas import ALL_ANSWERS, ANSWERS, BOX, write_table
from livewell.text import plural, printable

COLOURS = (
    *((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0)),
    *((86, 180, 233), (240, 228, 66), (153, 153, 153)),
)
"""Of classes in their order, which the colour-blind can tell apart (Okabe and Ito 2008)."""
OURS = "livewell"
"""Property of a region that holds its row of the table."""
ENDINGS = (".csv", ".parquet", ".geojson", ".geojson.zip", ".zip")
_STAMP = (1980, 1, 1, 0, 0, 0)
Colour = tuple[int, int, int]


def write_answers(table: pd.DataFrame, out: Path, classes: Sequence[str]) -> None:
    """Write answers in the form that the file's ending says, whole or not at all.

    ``.csv`` and ``.parquet`` are the table; ``.geojson`` holds the regions of one image for QuPath,
    ``.geojson.zip`` such a file for each image; ``.zip`` the regions of one image for Fiji's ROI
    manager, of several images a zip of such for each. Every region has its row of the table with
    it, so that `livewell.answers.imports.read_export` reads all forms back.

    Parameters
    ----------
    table
        Schema `ANSWERS`; with a column ``withdrawn`` schema `ALL_ANSWERS`.
    classes
        In their order, from which colours follow.

    Raises
    ------
    SpecError
        Another ending, or ``.geojson`` for several images.
    OutputError
        The file cannot be written.
    """
    name = out.name.lower()
    table = (ALL_ANSWERS if "withdrawn" in table else ANSWERS).check(table)
    if name.endswith(".csv"):
        write_csv(out, table)
    elif name.endswith(".parquet"):
        write_table(out, table)
    elif name.endswith((".geojson", ".zip")):
        with whole_file(out) as temporary:
            temporary.write_bytes(_regions(table, name, classes))
    else:
        raise SpecError(
            "no form in which answers are written",
            where=str(out),
            expected=f"a name that ends in {', '.join(ENDINGS)}",
        )


def _regions(table: pd.DataFrame, name: str, classes: Sequence[str]) -> bytes:
    colours = {each: COLOURS[n % len(COLOURS)] for n, each in enumerate(classes)}
    images = {str(image): rows for image, rows in table.groupby("image", sort=True)}
    form, ending = (_geojson, ".geojson") if ".geojson" in name else (_roi_zip, ".zip")
    if name.endswith(".geojson.zip") or (ending == ".zip" and len(images) > 1):
        return _zip_of(images, form, ending, colours)
    if len(images) > 1:
        raise SpecError(
            f"answers to {plural(len(images), 'image')}, and such a file is of one",
            where=name,
            remedy="name one image (--image), or a file that ends in .geojson.zip",
        )
    return form(table, colours)


def _zip_of(
    images: Mapping[str, pd.DataFrame],
    form: Callable[[pd.DataFrame, Mapping[str, Colour]], bytes],
    ending: str,
    colours: Mapping[str, Colour],
) -> bytes:
    names = folder_names(list(images))
    return zipped({f"{names[each]}{ending}": form(rows, colours) for each, rows in images.items()})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of files by name, the same for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), content)
    return buffer.getvalue()


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain values, without those that are empty."""
    columns = table.astype(object)
    return [
        {str(name): value for name, value in row.items() if not pd.isna(value)}
        for row in columns.to_dict("records")
    ]


def _marks(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return json.loads(row["marks"]) if "marks" in row else []


def _corners(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Of the item: its box, else the whole image; y0, x0, y1, x1."""
    if "y0" in row:
        y0, x0, y1, x1 = (float(row[name]) for name in BOX)
        return y0, x0, y1, x1
    return 0.0, 0.0, float(row.get("height", 1)), float(row.get("width", 1))


def _geojson(table: pd.DataFrame, colours: Mapping[str, Colour]) -> bytes:
    """A FeatureCollection as QuPath opens it, in pixels, x before y."""
    features: list[dict[str, Any]] = []
    for row in rows_of(table):
        title = f"{printable(row['person'])}: {printable(row['answer'])}"
        given = {"name": title, OURS: row, "isLocked": True}
        features.append(_feature(row, _ring(*_corners(row)), row["answer"], colours, given))
        for mark in _marks(row):
            shape = {"type": "Point", "coordinates": [mark["x"], mark["y"]]}
            if "y1" in mark:
                shape = _ring(mark["y"], mark["x"], mark["y1"], mark["x1"])
            by = {"name": printable(row["person"])}
            features.append(_feature(row, shape, mark["class"], colours, by))
    whole = {"type": "FeatureCollection", "features": features}
    return json.dumps(whole, allow_nan=False).encode()


def _feature(
    row: Mapping[str, Any],
    shape: dict[str, Any],
    answer: str,
    colours: Mapping[str, Colour],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    properties = {"objectType": "annotation", **given}
    if answer in colours:
        properties["classification"] = {"name": answer, "color": list(colours[answer])}
    plane = {"plane": {"c": -1, "z": 0, "t": int(row.get("t", 0))}}
    name = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps([given, shape], sort_keys=True))
    shown = {"type": "Feature", "id": str(name), "geometry": shape | plane}
    return shown | {"properties": properties}


def _ring(y0: float, x0: float, y1: float, x1: float) -> dict[str, Any]:
    corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    return {"type": "Polygon", "coordinates": [corners]}


def _roi_zip(table: pd.DataFrame, colours: Mapping[str, Colour]) -> bytes:
    """A zip as Fiji's ROI manager opens it."""
    files: dict[str, bytes] = {}
    for number, row in enumerate(rows_of(table)):
        said = json.dumps(row, ensure_ascii=True)
        parts = [(_box_roi(*_corners(row)), row["answer"], f"{OURS}: {said}\n")]
        for mark in _marks(row):
            roi = _point_roi(mark["y"], mark["x"])
            if "y1" in mark:
                roi = _box_roi(mark["y"], mark["x"], mark["y1"], mark["x1"])
            parts.append((roi, mark["class"], ""))
        for part, (roi, answer, props) in enumerate(parts):
            name = f"{number:05}-{part:05}-{_ascii(row['person'])}-{_ascii(answer)}"
            roi.name, roi.props = name, props
            roi.position = int(row.get("t", 0)) + 1
            if answer in colours:
                roi.stroke_color = bytes((255, *colours[answer]))
            files[f"{name}.roi"] = roi.tobytes()
    return zipped(files)


def _box_roi(y0: float, x0: float, y1: float, x1: float) -> ImagejRoi:
    roi = ImagejRoi.frompoints([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    roi.roitype = ROI_TYPE.POLYGON
    return roi


def _point_roi(y: float, x: float) -> ImagejRoi:
    roi = ImagejRoi.frompoints([[x, y]])
    roi.roitype = ROI_TYPE.POINT
    return roi


def _ascii(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text)[:40]
