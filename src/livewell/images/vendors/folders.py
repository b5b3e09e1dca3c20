"""What all folders of vendors have in common: how they are listed, opened, and kept in mind."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from livewell.errors import ImageReadError
from livewell.image import Image
from livewell.images.planes import PlanesImage, PlaneTable
from livewell.images.reference import one_field
from livewell.images.vendors import incell, incucyte, metaxpress, opera, yokogawa
from livewell.images.vendors.naming import changes_in, files_in, folders_in
from livewell.text import plural

_INDICES = (".xml", ".mlf", ".mrf", ".mes", ".xdce", ".htd")


@dataclass(frozen=True, slots=True)
class Vendor:
    """A kind of folder: what tells it by the names in it, and what makes tables of its files.

    ``within`` are names of the folders in it that hold planes too; ``by_names``: nothing but the
    names of the files tells it.
    """

    fits: Callable[[Path, Collection[str]], bool]
    read: Callable[[Path, Collection[str]], dict[str, PlaneTable]]
    within: re.Pattern[str] | None = None
    by_names: bool = False

    def fields(self, folder: Path) -> tuple[str, ...]:
        """Names of the images in a folder, by well and position."""
        return tuple(self._tables(folder))

    def open(self, folder: Path, field: str, open_one: Callable[[Path], Image]) -> PlanesImage:
        """One of the images; `open_one` opens a file of one plane."""
        name, table = self._table(folder, field)
        return PlanesImage(folder, name, table, open_one)

    def place(self, folder: Path, field: str) -> tuple[str | None, str | None, str | None]:
        """Plate, well and position of an image."""
        _, table = self._table(folder, field)
        return table.plate, table.well, table.position

    def files(self, folder: Path, field: str) -> list[Path]:
        """The files of an image that are there."""
        _, table = self._table(folder, field)
        return [folder / file for file in table.planes.values()]

    def _table(self, folder: Path, field: str) -> tuple[str, PlaneTable]:
        tables = self._tables(folder)
        if not tables:
            raise ImageReadError(
                "a folder whose index names no image",
                where=str(folder),
                remedy="copy it again from the microscope",
            )
        name = tuple(tables)[one_field(tuple(tables), field, folder)]
        return name, tables[name]

    def _tables(self, folder: Path) -> dict[str, PlaneTable]:
        return _tables(self, folder, changes_in(folder, self.within, _INDICES))


@lru_cache(maxsize=16)
def _tables(vendor: Vendor, folder: Path, changes: object) -> dict[str, PlaneTable]:
    """Tables of a folder, read once for all of its images as long as nothing changes there."""
    tables = vendor.read(folder, frozenset(files_in(folder, vendor.within)))
    others = folders_in(folder, vendor.within)
    if not others:
        return tables
    line = f"{plural(len(others), 'folder')} within it not read: {', '.join(others[:5])}"
    return {name: replace(table, account=(*table.account, line)) for name, table in tables.items()}


VENDORS = {
    "Opera folder": Vendor(opera.fits, opera.read),
    "CellVoyager folder": Vendor(yokogawa.fits, yokogawa.read),
    "IN Cell folder": Vendor(incell.fits, incell.read),
    "MetaXpress folder": Vendor(metaxpress.fits, metaxpress.read, metaxpress.FOLDER),
    "MetaXpress folder without HTD": Vendor(
        metaxpress.fits_by_names, metaxpress.read, metaxpress.FOLDER, by_names=True
    ),
    "Incucyte folder": Vendor(incucyte.fits, incucyte.read, by_names=True),
}
"""Every kind of vendor's folder that livewell reads; the first that fits is taken."""
