"""Plates of wells, and pages of thumbnails."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from livewell.errors import GeometryError
from livewell.plate import Well
from livewell.tables.schemas import as_text
from livewell.text import printable
from livewell.web.catalogue import Catalogue, Listing
from livewell.web.conditions import Colouring, Mark, shown

PAGE = 200
"""Thumbnails a page."""
NOT_SHOWN = ("path", "picture")
"""Columns of the fields table that say where a file lies."""
FEW_VALUES = 60
"""Columns with at most so many values can be chosen from."""


@dataclass(frozen=True)
class Tile:
    """An image as it stands in a gallery."""

    number: int
    name: str
    words: str
    mark: Mark | None


@dataclass(frozen=True)
class WellTile:
    """A well on a plate: its name, the image that stands for it, what was done, how many images."""

    name: str
    number: int
    images: int
    condition: str
    mark: Mark | None


@dataclass(frozen=True)
class PlateMap:
    """Rows and columns of a plate that are used; ``None`` where a well has no image."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[WellTile | None, ...]], ...]
    unplaced: int


class Plates:
    """Wells of all plates of a study."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Plates":
        """Those of a study as it is now."""
        listing = catalogue.listing()
        files = (listing.study.folder / "fields.parquet",)
        found = catalogue.kept("plates", files, lambda: cls(listing))
        return found if found.listing is listing else cls(listing)

    @cached_property
    def _wells(self) -> dict[str, dict[Well, list[int]]]:
        """Rows of the fields table by plate and well."""
        fields = self.listing.fields
        if "well" not in fields:
            return {}
        names = fields["plate"].fillna("").astype(str) if "plate" in fields else [""] * len(fields)
        found: dict[str, dict[Well, list[int]]] = {}
        wells = fields["well"].tolist()
        for row, (plate, name) in enumerate(zip(names, wells, strict=True)):
            if isinstance(name, str):
                try:
                    well = Well.parse(name)
                except GeometryError:
                    continue
                found.setdefault(plate, {}).setdefault(well, []).append(row)
        return dict(sorted(found.items()))

    @property
    def names(self) -> list[str]:
        """Names of plates with wells; one without a name is ``plate``."""
        return [name or "plate" for name in self._wells]

    def wells(self, plate: int) -> dict[Well, list[int]]:
        """Rows of the fields table by well; none of a plate that is not there."""
        return list(self._wells.values())[plate] if 0 <= plate < len(self._wells) else {}

    def images(self, plate: int, well: str) -> list[int]:
        """Rows of a well by position and time."""
        try:
            rows = self.wells(plate).get(Well.parse(well), [])
        except GeometryError:
            return []
        columns = [c for c in ("position", "time_s", "t0") if c in self.listing.fields]
        if not columns or not rows:
            return rows
        return [int(row) for row in self.listing.fields.loc[rows].sort_values(columns).index]

    def beside(self, plate: int, well: str) -> tuple[str, str]:
        """The wells before and after one, row by row; empty at the ends."""
        names = [str(each) for each in sorted(self.wells(plate))]
        at = names.index(str(Well.parse(well)))
        return (names[at - 1] if at else "", names[at + 1] if at + 1 < len(names) else "")

    def at(self, row: int) -> tuple[int, str] | None:
        """Plate and well of a row of the fields table."""
        return self._places.get(row)

    @cached_property
    def _places(self) -> dict[int, tuple[int, str]]:
        return {
            row: (number, str(well))
            for number, wells in enumerate(self._wells.values())
            for well, rows in wells.items()
            for row in rows
        }

    def plate(self, number: int, colouring: Colouring | None) -> PlateMap:
        """A plate with its wells coloured."""
        wells = self.wells(number)
        rows = sorted({well.row for well in wells})
        columns = range(min(w.column for w in wells), max(w.column for w in wells) + 1)
        lines = []
        for row in range(rows[0], rows[-1] + 1):
            at = [Well(row, column) for column in columns]
            tiles = tuple(self._tile(w, wells[w], colouring) if w in wells else None for w in at)
            lines.append((str(at[0])[: len(str(at[0])) - 2], tiles))
        return PlateMap(
            self.names[number],
            tuple(str(column + 1) for column in columns),
            tuple(lines),
            len(self.listing.names) - len(self._places),
        )

    def _tile(self, well: Well, rows: list[int], colouring: Colouring | None) -> WellTile:
        names = [self.listing.names[row] for row in rows]
        mark = None if colouring is None else colouring.of(names)
        return WellTile(str(well), rows[0], len(rows), condition(self.listing, rows), mark)


@dataclass(frozen=True)
class Gallery:
    """One page of thumbnails, and how to come to others."""

    tiles: tuple[Tile, ...]
    found: int
    page: int
    pages: int
    columns: tuple[str, ...]
    values: dict[str, list[str]]


def gallery(
    listing: Listing,
    colouring: Colouring | None,
    sort: str,
    down: bool,
    column: str,
    value: str,
    page: int,
) -> Gallery:
    """A page of thumbnails, of images whose `column` holds `value` (in names: somewhere)."""
    fields = listing.fields
    known = [str(name) for name in fields.columns if fields[name].notna().any()]
    columns = tuple(name for name in known if name not in NOT_SHOWN)
    rows = fields
    if column in columns and value:
        texts = as_text(fields[column]).fillna("")
        if column == "image":
            rows = fields[texts.str.contains(value, case=False, regex=False)]
        else:
            rows = fields[texts == value]
    if sort in columns:
        rows = rows.sort_values(sort, ascending=not down, kind="stable")
    elif down:
        rows = rows.iloc[::-1]
    pages = max(-(-len(rows) // PAGE), 1)
    page = min(page, pages)
    numbers = rows.index[(page - 1) * PAGE : page * PAGE]
    tiles = tuple(tile_of(listing, int(number), colouring) for number in numbers)
    return Gallery(tiles, len(rows), page, pages, columns, _values(fields, columns))


def _values(fields: pd.DataFrame, columns: Sequence[str]) -> dict[str, list[str]]:
    """Values of columns that have few."""
    found = {}
    for name in columns:
        if name != "image" and fields[name].nunique() <= FEW_VALUES:
            values = fields[name].dropna().unique().tolist()
            found[name] = sorted({str(v) for v in as_text(pd.Series(values)).dropna()})
    return found


def tile_of(listing: Listing, number: int, colouring: Colouring | None) -> Tile:
    """An image in a gallery, with what tells it from others of its well."""
    name = listing.names[number]
    mark = None if colouring is None else colouring.marks.get(name)
    return Tile(number, name, described(listing, number), mark)


def row_of(listing: Listing, number: int) -> dict[str, Any]:
    """What the fields table says of an image, by column."""
    return {str(name): value for name, value in listing.fields.iloc[number].items()}


def described(listing: Listing, number: int) -> str:
    """Well, position and time of an image, as far as they are known."""
    row = row_of(listing, number)
    parts = [shown(row.get("well"))]
    position, time_s = shown(row.get("position")), row.get("time_s")
    parts.append(f"position {position}" if position else "")
    if isinstance(time_s, int | float) and time_s == time_s:
        parts.append(f"{time_s / 3600:.1f} h")
    return printable(", ".join(part for part in parts if part))


def condition(listing: Listing, rows: Sequence[int]) -> str:
    """Dose and treatment of images, where all of them have the same."""
    fields, parts = listing.fields, []
    for name in ("treatment", "dose"):
        if name in fields:
            values = fields[name].iloc[list(rows)].dropna().unique().tolist()
            unit = ""
            if name == "dose" and "dose_unit" in fields:
                units = fields["dose_unit"].iloc[list(rows)].dropna().unique().tolist()
                unit = f" {units[0]}" if len(units) == 1 else ""
            if len(values) == 1:
                parts.append(f"{shown(values[0])}{unit}")
            elif values:
                parts.append(f"{len(values)} {name}s")
    return printable(", ".join(parts))
