"""Which images become which fields of a store: of a plate by their wells, else one after the other.

Pure: tables in, values out.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from livewell.doses.positions import places, untimed_faults
from livewell.errors import Fault, GeometryError, SpecError, TableError
from livewell.files import folder_names
from livewell.names import natural_key
from livewell.outputs.zarr_metadata import well_path
from livewell.plate import Well
from livewell.text import few, plural

Kind = Literal["plate", "collection", "image"]
_FIT = re.compile(r"[A-Za-z0-9]{1,64}")
_REMEDY = (
    "tell them apart: name the position, or the time ({t}), as a part of --pattern or as a column"
    " of the study; or convert them one by one"
)


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field of view that is to be: where it lies in the store, and what it is made of.

    Parameters
    ----------
    path
        In the store, such as ``B/03/0``; empty where the store is this image.
    images, files
        Names of the images that follow one another in time, and where they lie.
    first, begin_s
        Number of each one's first frame, and when it begins (s); ``None`` where not known.
    well, position
        ``None`` where there is none.
    """

    path: str
    images: tuple[str, ...]
    files: tuple[Path, ...]
    first: tuple[int, ...] | None = None
    begin_s: tuple[float, ...] | None = None
    well: Well | None = None
    position: str | None = None

    @property
    def name(self) -> str:
        """The name of its first image, which it goes by."""
        return self.images[0]


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What a store is to hold, and what a careful user should know of that."""

    kind: Kind
    name: str
    fields: tuple[FieldPlan, ...]
    notes: tuple[str, ...] = ()


def plan_store(
    table: pd.DataFrame, files: Mapping[str, Path], name: str, plate: str | None, where: str
) -> StorePlan:
    """A plate where every image has a well, else a collection, or one image.

    Parameters
    ----------
    table
        As `schemas.FIELDS`: image, and plate, well, position, t0 and time_s where they are known.
    files
        Where every image lies.
    name
        Of the store.
    plate
        Which of several plates; ``None`` where there is one.
    where
        What is converted, for errors.

    Raises
    ------
    TableError
        Images of one position that no time tells apart.
    SpecError
        Several plates and none is named, or one that is not there.
    """
    table, name = _one_plate(table, name, plate, where)
    keys = _keys(table)
    _refuse_twins(table.assign(key=keys), where)
    groups = [_group(rows, files) for _, rows in table.groupby(keys, sort=False)]
    without = [group.name for group in groups if group.well is None]
    if not without:
        return StorePlan("plate", name, _placed(groups))
    notes: tuple[str, ...] = ()
    if len(without) < len(groups):
        notes = (
            f"{plural(len(without), 'image')} of {len(groups)} have no well, such as {without[0]},"
            " so they are written as single images, not as a plate: name the wells with --pattern,"
            " or index them as a study",
        )
    if len(groups) == 1:
        return StorePlan("image", name, tuple(groups))
    names = folder_names([group.name for group in groups])
    fields = tuple(replace(group, path=names[group.name]) for group in groups)
    return StorePlan("collection", name, fields, notes)


def _one_plate(
    table: pd.DataFrame, name: str, plate: str | None, where: str
) -> tuple[pd.DataFrame, str]:
    plates = [] if "plate" not in table else sorted(table["plate"].dropna().unique())
    if plate is None and len(plates) > 1:
        raise SpecError(
            f"{len(plates)} plates, and a store holds one",
            where=where,
            expected=f"one of {few(plates, 8)}",
            remedy="convert one after the other (--plate NAME --to NAME.zarr)",
        )
    if plate is not None:
        if plate not in plates:
            raise SpecError(
                f"no plate {plate!r}",
                where="--plate",
                expected=f"one of {few(plates, 8)}" if plates else "images that say their plate",
            )
        return table[table["plate"] == plate], plate
    return table, plates[0] if plates else name


def _keys(table: pd.DataFrame) -> "pd.Series[str]":
    """What is the same for images of one field: its place, of a tile of a picture its own name."""
    images = table["image"].astype("str")
    of = table.get("picture", images).fillna(images)
    return places(table).where(of == images, images)


def _refuse_twins(table: pd.DataFrame, where: str) -> None:
    """Refuse images of one place that no time tells apart, all at once."""
    faults = untimed_faults(table)
    for column in ("t0", "time_s"):
        if column in table:
            rows = table[table[column].notna()]
            twins = rows[rows.duplicated(["key", column], keep=False)]
            faults += [
                Fault("same-time", few(same["image"].tolist(), 3), f"all have {column} {value:g}")
                for (_, value), same in twins.groupby(["key", column], sort=False)
            ]
    if faults:
        what = "several images of one well, position and time"
        raise TableError(what, faults, where=where, remedy=_REMEDY)


def _group(rows: pd.DataFrame, files: Mapping[str, Path]) -> FieldPlan:
    by = [name for name in ("t0", "time_s") if name in rows and rows[name].notna().all()]
    rows = rows.sort_values(by[0], kind="stable") if by else rows
    images = tuple(rows["image"].astype("str"))
    well, position = (_known(rows.iloc[0], name) for name in ("well", "position"))
    several = len(images) > 1
    at = None
    with suppress(GeometryError):  # a name of another kind is no place on a plate
        at = None if well is None else Well.parse(well)
    return FieldPlan(
        "",
        images,
        tuple(files[image] for image in images),
        tuple(int(t) for t in rows["t0"]) if several and "t0" in by else None,
        tuple(float(t) for t in rows["time_s"]) if several and "time_s" in by else None,
        at,
        position,
    )


def _known(row: "pd.Series[Any]", name: str) -> str | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else str(value)


def _placed(groups: Sequence[FieldPlan]) -> tuple[FieldPlan, ...]:
    """Fields in their wells: called as their positions are where all names are fit for that.

    Else they are numbered, the same position alike in every well.
    """
    order = sorted(groups, key=lambda each: (each.well, natural_key(each.position or each.name)))
    unnamed: Counter[Well | None] = Counter()
    called: list[str] = []
    for each in order:
        called.append(each.position or str(unnamed[each.well]))
        unnamed[each.well] += each.position is None
    placed = [(each.well, name) for each, name in zip(order, called, strict=True)]
    if len(set(placed)) < len(placed):
        wells = pd.Series([str(each.well) for each in order])
        called = wells.groupby(wells).cumcount().astype(str).tolist()
    elif not all(map(_FIT.fullmatch, called)):
        ranks = {name: str(n) for n, name in enumerate(sorted(set(called), key=natural_key))}
        called = [ranks[name] for name in called]
    return tuple(
        replace(each, path=f"{well_path(each.well)}/{name}")
        for each, name in zip(order, called, strict=True)
        if each.well is not None
    )
