"""A store that becomes whole field by field: what marks it ours, its fields' records, its end.

A field is a folder that was written under another name: it is there whole, with its record in what
it says of itself, or not at all. What a plate says of its wells is written last.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewell import __version__
from livewell.disk import TEMPORARY, remove, writing
from livewell.errors import OutputError, StudyError
from livewell.execution.items import FolderRecords, Item, Record
from livewell.files import refuse_other, refuse_unwritable, strict
from livewell.outputs.zarr_fields import FieldPlan, StorePlan
from livewell.outputs.zarr_metadata import (
    GROUP_FILES,
    OURS,
    Ngff,
    Values,
    plate_values,
    put_group,
    read_group,
    well_path,
    well_values,
    write_group,
)
from livewell.plate import Well

KIND = "conversion"
LEDGER = "units"
"""Folder that is there while fields are made."""


@dataclass(frozen=True, slots=True)
class ZarrStore:
    """A store that `livewell convert` makes, and how it was begun."""

    folder: Path
    version: Ngff
    settings: Mapping[str, Any]

    @property
    def ours(self) -> Values:
        """What the store keeps of how it was made."""
        return {"kind": KIND, "livewell": __version__, "settings": strict(self.settings)}

    @classmethod
    def claim(cls, folder: Path, version: Ngff, settings: Mapping[str, Any]) -> "ZarrStore":
        """A new store, or the one that was begun with these settings; any other is refused.

        Raises
        ------
        OutputError
            The folder cannot be written, holds something else, or a store of other settings.
        """
        store = cls(folder, version, {**settings, "ngff": version})
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            names = {entry.name for entry in folder.iterdir()}
        refuse_unwritable(folder)
        if not names.isdisjoint(GROUP_FILES.values()):
            begun = _ours(folder)
            if begun.get("kind") == KIND:
                refuse_other(folder, KIND, begun.get("settings", {}), store.settings)
                return store
        foreign = sorted(n for n in names - {LEDGER} if not n.startswith(TEMPORARY))
        if foreign:
            raise OutputError(
                "not a store that livewell converts into, and not empty",
                where=str(folder),
                got=", ".join(foreign[:3]),
                remedy="name a new folder, such as plate.zarr",
            )
        write_group(folder, version, {}, **store.ours)
        return store

    def at(self, plan: FieldPlan) -> Path:
        """Where a field lies."""
        return self.folder / plan.path if plan.path else self.folder

    def end(
        self, plan: StorePlan, made: Collection[str], failures: Sequence[Mapping[Any, Any]]
    ) -> None:
        """Say what the store holds, of the fields whose names are in `made`."""
        fields = [field for field in plan.fields if field.name in made]
        ours = {**self.ours, "failures": list(failures), "notes": list(plan.notes)}
        with writing(self.folder):
            if plan.kind == "plate" and fields:
                self._end_plate(plan.name, fields, ours)
            elif plan.kind == "collection" and fields:
                (self.folder / "OME").mkdir(exist_ok=True)
                series = [field.path for field in fields]
                write_group(self.folder / "OME", self.version, {"series": series})
                write_group(self.folder, self.version, {"bioformats2raw.layout": 3}, **ours)
            if not failures:
                end_ledger(self.folder)

    def _end_plate(self, name: str, fields: Sequence[FieldPlan], ours: Values) -> None:
        wells: dict[Well, list[str]] = {}
        for field in fields:
            if field.well is not None:
                wells.setdefault(field.well, []).append(field.path.rpartition("/")[2])
        for well, images in wells.items():
            put_group(self.folder / well_path(well), self.version, {"well": well_values(images)})
        for row in {well_path(well).split("/")[0] for well in wells}:
            put_group(self.folder / row, self.version, {})
        counts = {well: len(images) for well, images in wells.items()}
        about = f"written by livewell {__version__}"
        said = plate_values(name, counts, about)
        write_group(self.folder, self.version, {"plate": said}, **ours)


@dataclass(frozen=True, slots=True)
class FieldRecords(FolderRecords):
    """The record of every field, in what the field says of itself."""

    name: str = ""
    files: Sequence[str] = ()

    def get(self, item: Item, asked: Record) -> Record | None:
        """The record of a field that is whole and was asked so."""
        record: Record = _ours(self.folders[item.name]).get("record") or {}
        return record if record.get("asked") == asked else None

    def add(self, item: Item, record: Record) -> None:
        """Tell that a field is whole; its record came with it."""
        self.journal.add(item, {"asked": record["asked"]})


def end_ledger(folder: Path) -> None:
    """Remove the folder that is there while fields are made."""
    remove(folder / LEDGER)


def _ours(folder: Path) -> Values:
    """What livewell keeps in a group; empty where it keeps nothing."""
    try:
        found = read_group(folder)[1].get(OURS)
    except StudyError:
        return {}
    return found if isinstance(found, dict) else {}
