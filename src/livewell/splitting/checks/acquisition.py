"""The label told from how images were taken, by what cells cannot change."""

from dataclasses import replace

import pandas as pd

from livewell.measure.ground import GROUND
from livewell.splitting.audit import CHECKS, LEVEL, Association, Check
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import compared, rows_of
from livewell.splitting.checks.findings import Finding, by_levels, leading
from livewell.text import listed, sentence

NAME = "acquisition"
QUESTION = "Can the label be told from how images were taken, where no cells are?"
REMEDY = (
    "Compare exposure, lamp, camera settings, size and export of the classes; take images of all"
    " classes in one session with one setting and write them by one program. Until then a net may"
    " learn the setting."
)
STATED = (
    "format",
    "compression",
    "jpeg quality",
    "colour",
    "software",
    "camera",
    "size",
    "number type",
    "pixel size",
)
"""What files state, whatever their cells do."""


EMPTY_PLACE = "Next time take an image of an empty place beside each, with the same settings"
"""What to do where there is no ground; the end of a sentence."""
SOME = 0.5
"""Least share of units with ground for a pass: what was measured in a few says nothing of all."""


def acquisition(data: AuditData) -> Check:
    """Light, noise and traces of compression on ground without cells, and what files state.

    Dying cells change whole images, never the light beside them, the camera's noise or the program
    that wrote the file. So where these know the label, it goes with how images were taken: `fails`.
    The level of the light and its course over the frame, noise and its grain, traces of JPEG's
    blocks are measured on ground (`livewell.measure.ground`); of what files state, `STATED`, that
    which differs is looked at. p is that of the greatest area over all measures, or of the property
    that goes with the label most, corrected for these two and for the number of properties.
    """
    base = Check(NAME, QUESTION, found="fails", remedy=REMEDY)
    stated = _stated(data)
    table = data.of_bundles(data.measured.frames)[list(GROUND)]
    bundles = compared(data)
    told = bundles.tell(table)
    ways = bool(told.associations) + bool(stated)
    found = [Finding(one, told.p_value * ways) for one in told.associations[:1]]
    found += [replace(each, p_value=each.p_value * ways * len(stated)) for each in stated]
    clear, thing = int(table["ground level"].notna().sum()), f"{data.thing}s"
    if not ways:
        why = f"ground without cells is there in {clear} of {len(table)} {thing}"
        return replace(
            base,
            unchecked=f"{why}, which is too few, and what files state is alike in all."
            f" {EMPTY_PLACE}",
            table=_table(data, table),
        )
    if why := bundles.scarce(LEVEL / CHECKS / ways):
        return replace(base, unchecked=why, table=_table(data, table))
    said = f"ground without cells was measured in {clear} of {len(table)} {thing}"
    if not told.associations:
        said = f"only what files state was looked at, for {said}"
    p = min(1.0, *(each.p_value for each in found))
    if p > LEVEL / CHECKS and clear < SOME * len(table):
        files = (
            f"; what files state ({listed(each.what for each in stated)}) does not tell the classes"
        )
        return replace(
            base,
            unchecked=f"{said}, which is too few{files * bool(stated)}. {EMPTY_PLACE}",
            table=_table(data, table),
        )
    files = "and files state the same of all"
    if stated:
        files = f"nor does what files state ({listed(each.what for each in stated)})"
    strongest = leading(found).association
    looked = (*told.associations, *(each.association for each in stated))
    return replace(
        base,
        p_value=p,
        found="attention" if strongest.weak else "fails",
        associations=(strongest, *(each for each in looked if each is not strongest)),
        fails=f"{_said(strongest)}.",
        passes=f"Light, noise and traces of compression do not tell the classes, {files} ({said}).",
        table=_table(data, table),
    )


def _stated(data: AuditData) -> list[Finding]:
    """Properties that differ between images, strongest first."""
    columns = [name for name in STATED if name in data.stated]
    rows = rows_of(data)[["image", "label", "unit", "regions"]]
    rows = rows.merge(data.stated[["image", *columns]], on="image")
    rows[columns] = rows[columns].astype("object").where(rows[columns].notna(), "not stated")
    return by_levels(data, rows, columns)


def _said(one: Association) -> str:
    if one.metric == "AUC":
        weakly = "weakly, but by more than chance, " * one.weak
        what = sentence(GROUND[one.what])
        return f"{what} {weakly}tells the classes: AUC {one.value:.2f}, {one.text}"
    how = "is weakly, but by more than chance," if one.weak else "is"
    return f"{sentence(one.what)}, as files state it, {how} associated with the label: {one.text}"


def _table(data: AuditData, measures: pd.DataFrame) -> pd.DataFrame:
    labels = data.bundles.labels
    return measures.assign(label=labels.to_numpy()).rename_axis("bundle").reset_index()
