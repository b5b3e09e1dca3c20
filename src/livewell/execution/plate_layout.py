"""Which image is of which well, and what was done to it: from a study, or from a plate map."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import Fault, GeometryError, LayoutError, TableError
from livewell.execution.judged_images import JudgedImages
from livewell.metrics.plates import POSITIVE, TREATED, UNTREATED, WELL
from livewell.names import path_of
from livewell.plate import Well
from livewell.study.metadata import FILE_COLUMNS, read_metadata
from livewell.study.platemap import join_metadata
from livewell.study.study import Study
from livewell.tables.faults import column_faults, near
from livewell.tables.schemas import as_text
from livewell.text import few, plural

USUAL = ("treatment", "dose", "dose_unit", "cell_line")
"""Columns that together name what was done to a well, where there are any of them."""
NOT_SAID = "no condition named"


@dataclass(frozen=True, slots=True)
class Roles:
    """How a plate map says which wells are controls, and which are replicates.

    `untreated` and `positive` hold values by column, any of which will do; wells that agree in all
    columns `by` are replicates of one condition; empty: those of `USUAL` that there are.
    """

    untreated: Mapping[str, str]
    positive: Mapping[str, str]
    by: Sequence[str] = ()


@dataclass(frozen=True)
class PlateLayout:
    """Images by well, and wells with their condition and role.

    `fields` is as `livewell.metrics.plates.well_values` takes it, with ``image`` (the first of a
    position) and ``t``; `wells` has `WELL`, ``role`` and ``condition`` of every well that is known,
    judged or not; `files` says where the images lie.
    """

    fields: pd.DataFrame
    wells: pd.DataFrame
    files: Mapping[str, Path]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, judged: JudgedImages, study: Study | None, metadata: Path | None, roles: Roles
    ) -> "PlateLayout":
        """Join judged images with what is known of them.

        Raises
        ------
        LayoutError
            No image has a well.
        TableError
            Everything wrong with wells, conditions and roles at once: names that are no wells,
            images of one well, position and frame, columns or values that there are not, wells of
            several conditions or of both roles.
        """
        known, files = judged.table, judged.files()
        if study is not None:
            known = _of_study(known, study)
            every = study.fields()
            paths = dict(zip(every["image"], every["path"], strict=True))
            files = {image: path_of(study.root, paths[image]) for image in known["image"]}
        known, notes = _wells_named(known), list(judged.notes)
        extra = pd.DataFrame()
        if metadata is not None:
            known, extra = _mapped(known, metadata, notes)
        without = known["well"].isna()
        if without.all():
            raise LayoutError(
                "no image has a well",
                where=str(metadata or (study.folder if study is not None else "verdicts.csv")),
                expected="a well such as B07 of every image",
                remedy="assess with --pattern, or name images and wells in the table of --metadata,"
                " or index the images with --pattern and name the --study",
            )
        if without.any():
            of = few(known.loc[without, "image"], 3)
            notes.append(f"{plural(int(without.sum()), 'image')} of no known well left out: {of}")
        known = known[~without].reset_index(drop=True)
        known = _placed(known)
        every = pd.concat([known, _placed(extra)], ignore_index=True) if len(extra) else known
        wells = _conditions(every, roles, notes)
        faults = _named_twice(known[~known["failed"]])
        if faults:
            raise TableError(
                "the images are not one set of wells",
                faults,
                remedy="name the plates of images from several plates (column plate), index images"
                " of several times with --pattern and name the --study, and leave copies out",
            )
        fields = _one_a_position(known[known["judged"]])
        return cls(fields, wells, files, tuple(notes))


def _of_study(known: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Judged images, and those of the study that were not judged, with what the study says."""
    fields = study.fields()
    strange = known[~known["image"].isin(fields["image"])]
    if len(strange):
        raise TableError(
            "verdicts on images that the study does not hold",
            [
                Fault("unknown-image", str(image), near(image, fields["image"]))
                for image in strange["image"]
            ],
            where=str(study.folder),
            remedy="name the study of these images, or leave --study out",
        )
    said = ["plate", "well", "position"]
    own = known.drop(columns=said, errors="ignore").assign(judged=True)
    made = fields.drop(columns=["path", "picture"], errors="ignore").merge(
        own, on="image", how="left"
    )
    new = {"failed": made["failed"].eq(True), "judged": made["judged"].eq(True)}
    return made.assign(**new, patches=made["patches"].fillna(0).astype("int64"))


def _wells_named(known: pd.DataFrame) -> pd.DataFrame:
    """Wells written canonically, with ``plate`` and ``judged``; what is no well is a fault."""
    names, faults = {}, []
    for name in known["well"].dropna().unique():
        try:
            names[name] = str(Well.parse(str(name)))
        except GeometryError:
            of = known.loc[known["well"] == name, "image"]
            faults.append(Fault("not-a-well", repr(name), f"no well such as B07, of {few(of, 2)}"))
    if faults:
        raise TableError("not a table of wells", faults, where="well")
    wells = known["well"].map(names).astype("str").where(known["well"].notna())
    table = known.assign(well=wells)
    for name, value in (("plate", None), ("judged", True)):
        if name not in table:
            table[name] = pd.Series(value, index=table.index, dtype=object)
    return table.astype({"judged": bool})


def _mapped(known: pd.DataFrame, path: Path, notes: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images joined with a plate map, and the wells of the map that no image is of."""
    metadata = read_metadata(path)
    by_file = any(name in metadata.table for name in FILE_COLUMNS)
    if known["well"].isna().all() and not by_file:
        raise LayoutError(
            "nobody knows the wells of the images, by which the table names them",
            where=str(path),
            remedy="assess with --pattern, such as {well}_{position}.tif, or name the images in a"
            " column 'image' of the table",
        )
    bare = known["plate"].isna().all()
    fields = known.drop(columns=["plate"] if bare else [])
    told: list[str] = []
    joined = join_metadata(fields, metadata, str(path), drop=True, notes=told)
    # wells that were not imaged are named on the page
    notes += [note for note in told if by_file or "without a file left out" not in note]
    left = known[~known["image"].isin(joined["image"])]
    if len(left):
        where = few(left["well"].dropna().unique() if left["well"].notna().any() else left["image"])
        many = plural(len(left), "image")
        notes.append(f"{many} that the table does not name left out: {where}")
    made = _wells_named(joined)
    named = metadata.table
    if by_file or "well" not in named:
        return made, pd.DataFrame()
    wells = named.assign(well=[str(Well.parse(str(well))) for well in named["well"]])
    keys = ["plate", "well"] if "plate" in named and not bare else ["well"]
    seen = set(map(tuple, made[keys].astype(str).to_numpy().tolist()))
    alone = [tuple(row) not in seen for row in wells[keys].astype(str).to_numpy().tolist()]
    extra = wells[alone].assign(judged=False, failed=False)
    if "plate" not in extra:
        extra = extra.assign(plate="")
    for name in made.columns.intersection(extra.columns):
        if pd.api.types.is_numeric_dtype(made[name]) and name not in ("judged", "failed"):
            extra[name] = pd.to_numeric(extra[name], errors="coerce")
    return made, extra.reindex(columns=made.columns)


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    """Images or wells with ``row`` and ``column`` of their well, and a plate that may be empty."""
    places = [Well.parse(str(well)) for well in table["well"]]
    plates = table["plate"].astype(object).where(table["plate"].notna(), "")
    rows, columns = [well.row for well in places], [well.column for well in places]
    return table.assign(plate=plates, row=rows, column=columns)


def _conditions(every: pd.DataFrame, roles: Roles, notes: list[str]) -> pd.DataFrame:
    """A row a well: role and condition."""
    by = list(roles.by) or [name for name in USUAL if name in every and every[name].notna().any()]
    faults = column_faults(every, [*by, *roles.untreated, *roles.positive])
    if faults:
        raise TableError(
            "no such columns of the wells", faults, where="--by, --untreated, --positive"
        )
    is_role = {role: pd.Series(False, index=every.index) for role in (UNTREATED, POSITIVE)}
    for role, values in ((UNTREATED, roles.untreated), (POSITIVE, roles.positive)):
        for column, value in values.items():
            texts = as_text(every[column])
            chosen = (texts == value).fillna(False).astype(bool)
            if not chosen.any():
                known = near(value, sorted(texts.dropna().unique()))
                faults.append(
                    Fault("unknown-value", f"{column}, {value!r}", f"no well has it; {known}")
                )
            is_role[role] |= chosen
    both = is_role[UNTREATED] & is_role[POSITIVE]
    if both.any():
        where = few(every.loc[both, "well"].unique())
        faults.append(Fault("two-roles", where, "untreated and positive control at once"))
    treated = pd.Series(TREATED, index=every.index, dtype=object)
    table = every.assign(
        role=treated.mask(is_role[UNTREATED], UNTREATED).mask(is_role[POSITIVE], POSITIVE),
        condition=condition_names(every, by),
    )
    names = ["role", "condition"]
    groups = table.groupby(WELL, sort=True, dropna=False)
    for well, count in groups["condition"].nunique(dropna=False).items():
        if count > 1:
            at = " ".join(filter(None, map(str, tuple(well)[:2])))  # type: ignore[arg-type]
            faults.append(Fault("two-conditions", at, f"its images are of {count} conditions"))
    if faults:
        raise TableError("not one plan of wells", faults, remedy="correct the plate map")
    _doubtful_doses(every, by, notes)
    return groups[names].first().reset_index()


def condition_names(wells: pd.DataFrame, by: Sequence[str]) -> "pd.Series[str]":
    """What was done to each well in words, of the columns `by`; else the well's own name.

    A dose stands with its unit where there is one: ``staurosporine, 5 uM``.
    """
    parts = {name: as_text(wells[name]) for name in by}
    if "dose" in parts:
        unit = parts.pop("dose_unit", pd.Series(None, index=wells.index, dtype="str"))
        dosed = parts["dose"].where(unit.isna(), parts["dose"] + " " + unit.fillna(""))
        parts["dose"] = dosed.where(unit.notna() | dosed.isna(), "dose " + dosed)
    own = (wells["plate"].fillna("").astype(str) + " " + wells["well"].astype(str)).str.strip()
    rows = zip(*(part.tolist() for part in parts.values()), strict=True)
    said = [", ".join(str(each) for each in row if not pd.isna(each)) for row in rows]
    named = pd.Series(said or "", index=wells.index, dtype="str")
    return named.where(named != "", own)


def _doubtful_doses(every: pd.DataFrame, by: Iterable[str], notes: list[str]) -> None:
    """Note doses without a unit."""
    if "dose" in by and every["dose"].notna().any():
        units = every["dose_unit"] if "dose_unit" in every else pd.Series(None, index=every.index)
        bare = every["dose"].notna() & units.isna()
        if bare.any():
            number = every.loc[bare, ["plate", "well"]].drop_duplicates()
            notes.append(f"nobody knows the unit of the dose of {plural(len(number), 'well')}")


def _one_a_position(known: pd.DataFrame) -> pd.DataFrame:
    """A row a field: images of one position at several times are one, weighed by their patches."""
    own = known["position"].astype(object).where(known["position"].notna(), known["image"])
    patches = known["patches"].fillna(0)
    table = known.assign(field=own, patches=patches, sum=known["value"].fillna(0) * patches)
    groups = table.groupby([*WELL, "field"], sort=True)
    made = groups.agg(
        image=("image", "first"),
        t=("t", "first"),
        sum=("sum", "sum"),
        patches=("patches", "sum"),
        failed=("failed", "all"),
    ).reset_index()
    return made.assign(value=made.pop("sum") / made["patches"].where(made["patches"] > 0))


def _named_twice(known: pd.DataFrame) -> list[Fault]:
    """A fault for every well and position of which several images show the same frame."""
    columns: dict[str, Any] = {name: known[name] for name in ("plate", "well", "position")}
    table = pd.DataFrame(columns | {"image": known["image"]})
    for name in ("t", "t0", "time_s"):
        table[name] = known.get(name)
    table = table[table["position"].notna() & known["judged"]]
    keys = ["plate", "well", "position", "t", "t0", "time_s"]
    twice = table[table.duplicated(keys, keep=False)]
    return [
        Fault(
            "well-named-twice",
            f"{plate} {well} position {position}".strip(),
            f"{plural(len(rows), 'image')} of it: {few(rows['image'], 3)}",
        )
        for (plate, well, position), rows in twice.groupby(["plate", "well", "position"])
    ]
