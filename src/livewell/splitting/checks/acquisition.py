"""The label told from how images were taken, by what cells cannot change."""

import numpy as np
import pandas as pd

from livewell.measure.ground import GROUND
from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.data import AuditData
from livewell.splitting.confounds import confounders
from livewell.study.measured import properties

NAME = "acquisition"
QUESTION = "Can the label be told from how images were taken, where no cells are?"
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


def acquisition(data: AuditData) -> Check:
    """Light, noise and traces of compression on ground without cells, and what files state.

    Dying cells change whole images, never the light beside them, the camera's noise or the
    program that wrote the file. So where these know the label, the label goes with how images were
    taken: `fails`. The light's level and its course over the frame, noise and its grain, traces of
    JPEG's blocks are measured on ground (`livewell.measure.ground`); properties are those of
    `STATED` that differ between images. p is that of the greatest area over all measures, or of the
    strongest property, corrected for these two ways and for the number of properties.
    """
    remedy = (
        "Look at exposure, lamp, camera settings and export of both classes; take images of all"
        " classes in one session with one setting, and bring grey levels to those of the ground"
        " before training. Until then a net may learn the setting."
    )
    bundles = data.bundles
    base = Check(NAME, QUESTION, remedy=remedy)
    told = _stated(data)
    if bundles.scarce:
        return _with(
            base, told, unchecked="" if told else f"too few {data.thing}s: {bundles.scarce}"
        )
    table = data.of_bundles(data.measured.frames)[list(GROUND)]
    found = bundles.tell(table)
    clear = int(table["ground level"].notna().sum())
    p = [each for each in (found.p_value, _least(told)) if np.isfinite(each)]
    if not p:
        return _with(
            base,
            [],
            unchecked="no image has enough ground without cells, and all files are written alike",
        )
    associations = sorted(
        [*found.associations, *(one for one, _ in told)], key=lambda a: -_effect(a)
    )
    if not associations or not np.isfinite(found.p_value):
        where = "no ground without cells: only properties of files were looked at"
    else:
        where = f"ground was found in {clear} of {len(table)} {data.thing}s"
    return Check(
        NAME,
        QUESTION,
        p_value=min(1.0, min(p) * len(p)),
        found="fails",
        associations=tuple(associations),
        fails=_said(associations) + f" ({where}).",
        passes=f"Neither the light, the noise nor the files know the label ({where}).",
        remedy=remedy,
        table=_table(data, table),
    )


def _stated(data: AuditData) -> list[tuple[Association, float]]:
    """Properties that differ: how far each goes with the label, and its p value."""
    stated = properties(data.study, data.frames["image"].unique())
    rows = data.frames[["image", "label", "unit"]].drop_duplicates().merge(stated, on="image")
    columns = [name for name in STATED if name in rows]
    rows[columns] = rows[columns].astype("object").where(rows[columns].notna(), "not said")
    found = confounders(rows, "label", columns, unit="unit", noun=f"{data.thing}s", seed=data.seed)
    return [
        (Association(row.column, "Cramer's V", row.cramers_v, text=row.text), row.p_value)
        for row in found.itertuples()
    ]


def _least(told: list[tuple[Association, float]]) -> float:
    return min((p for _, p in told), default=np.nan) * len(told)


def _effect(found: Association) -> float:
    return found.value if found.metric == "Cramer's V" else 2 * found.value - 1


def _said(associations: list[Association]) -> str:
    first = associations[0]
    if first.metric == "AUC":
        return (
            f"{GROUND[first.what][:1].upper()}{GROUND[first.what][1:]} alone tells the classes: AUC"
            f" {first.value:.2f}, {first.text}"
        )
    return f"What files say of themselves tells the classes: {first.text}"


def _table(data: AuditData, measures: pd.DataFrame) -> pd.DataFrame:
    labels = data.bundles.labels
    return measures.assign(label=labels.to_numpy()).rename_axis("bundle").reset_index()


def _with(base: Check, told: list[tuple[Association, float]], unchecked: str) -> Check:
    if unchecked:
        return Check(base.name, base.question, remedy=base.remedy, unchecked=unchecked)
    return Check(
        base.name,
        base.question,
        p_value=min(1.0, _least(told)),
        found="fails",
        associations=tuple(one for one, _ in told),
        fails=_said([one for one, _ in told]) + ".",
        passes="What files say of themselves does not go with the label.",
        remedy=base.remedy,
    )
