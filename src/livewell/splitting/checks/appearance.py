"""The label told from brightness, contrast or sharpness of whole images."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.measure.ground import WHOLE
from livewell.metrics.outcomes import Floats
from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.bundles import AT_ONCE, PERMUTATIONS
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import batches_in, confounded, rows_of
from livewell.splitting.confounds import LEVEL
from livewell.study.measured import BYTES
from livewell.text import chance, sentence, several

NAME = "appearance"
QUESTION = "Can the label be told from brightness, contrast or sharpness of whole images alone?"
REMEDY = (
    "Hold every net against this number: it has to be clearly better on groups left out. Where the"
    " number also differs between batches of one class, take images of all classes anew in one"
    " session, and read figures within one batch. Recipes divide grey levels by their background,"
    " which removes the level of the light, but neither contrast nor sharpness."
)
NAMES = WHOLE | {BYTES: "size of the file for its pixels"}
"""What is looked at, and how a page calls it."""
COLOURS = {"red", "green", "blue"}
USUAL = ("contrast", "brightness")
"""What readers ask for first: named where it is as strong as any, within `NEAR`."""
NEAR = 0.02
LOOKED_AT = 3
"""So many of the strongest are held against batches."""


def appearance(data: AuditData) -> Check:
    """Brightness, contrast, sharpness and packed size of whole images, cells and all.

    Cells that die change these, so that they tell the classes is no fault by itself: `attention`, a
    figure that a net has to beat (none to speak of where it is weak). It `fails` where a batch that
    goes with the label changes the same number within a class too: images of one class then differ
    as the classes do, only because they were taken at another time.
    """
    why = data.bundles.scarce()
    table = _measures(data)
    told = data.bundles.tell(table)
    if not told.associations:
        return Check(NAME, QUESTION, remedy=REMEDY, unchecked=why or "all images measure alike")
    first = _lead(told.associations)
    others = [one for one in told.associations if one.what in USUAL and one is not first]
    rest = "; ".join(f"{NAMES[one.what]} {one.value:.2f}" for one in others)
    said = f"AUC {first.value:.2f}, {first.text}{_inside(data, table, first)}; {rest}"
    name = sentence(NAMES[first.what])
    batch, why = _of_batch(data, table, [first, *told.associations[:LOOKED_AT]])
    end = f" {why}" if batch else " It may be the cells themselves: hold the net against it."
    return Check(
        NAME,
        QUESTION,
        p_value=np.nan if first.weak else told.p_value,
        found="passes" if first.weak else "fails" if batch else "attention",
        associations=(first, *(one for one in told.associations if one is not first)),
        fails=f"{name} alone tells the classes ({said}).{end}",
        passes=f"No such number tells the classes well. The strongest is {NAMES[first.what]}"
        f" ({said}).",
        remedy=REMEDY,
        table=_table(data, table, batch),
    )


def _measures(data: AuditData) -> pd.DataFrame:
    table = data.measured.frames[["image", "t", *WHOLE]]
    headers, _ = data.study.read_headers()
    names = headers.loc[headers["image"].isin(table["image"]), "channels"].str.split("|")
    if (names.map(lambda each: len(set(each) - COLOURS)) <= data.pixels.number_of_channels).all():
        # else the size of a file is also that of a stain
        table = table.merge(data.stated[["image", BYTES]], on="image", how="left")
    return data.of_bundles(table)


def _lead(associations: Sequence[Association]) -> Association:
    """The strongest; one of `USUAL` where that is as strong."""
    strongest = max(one.value for one in associations)
    known = {one.what: one for one in associations}
    near = [known[name] for name in USUAL if name in known]
    near = [one for one in near if one.value >= strongest - NEAR]
    return near[0] if near else max(associations, key=lambda one: one.value)


def _inside(data: AuditData, table: pd.DataFrame, one: Association) -> str:
    """The area within batches, beside the pooled one; empty where no batch holds two classes."""
    for batch in batches_in(data, rows_of(data)):
        values, level = table[one.what].to_numpy(float), data.about_bundles(batch)
        area = data.bundles.area_within(values, level, one.value)
        if np.isfinite(area):
            return f", and {area:.2f} where only {data.thing}s of one {batch} are compared"
    return ""


def _of_batch(
    data: AuditData, table: pd.DataFrame, associations: Sequence[Association]
) -> tuple[str, str]:
    """A batch that goes with the label and changes, within a class, what tells the classes.

    Of several batches and measures p is corrected for their number (Bonferroni), 0.05 in all.
    """
    names, batches = list(dict.fromkeys(one.what for one in associations)), confounded(data)
    for batch in batches:
        level = data.about_bundles(batch)
        for name in names:
            p = _differs(table[name].to_numpy(float), level, data)
            if p <= LEVEL / (len(names) * len(batches)):
                return batch, (
                    f"Within one class {NAMES[name]} differs between {several(batch)} too"
                    f" (p {chance(p)}), and {batch} goes with the label: in part at least this is"
                    f" the {batch}, by its light, its focus or its cells, and not health."
                )
    return "", ""


def _differs(values: Floats, level: "pd.Series[str]", data: AuditData) -> float:
    """P value of ranks within classes being alike in all batches, batches permuted in classes."""
    known = np.isfinite(values) & level.notna().to_numpy()
    label = data.bundles.labels.to_numpy()[known]
    codes = pd.factorize(level.to_numpy()[known])[0]
    if len(np.unique(codes)) < 2:
        return 1.0
    rank = pd.Series(values[known]).groupby(label).rank(pct=True)
    rank = rank - rank.groupby(label).transform("mean")
    at, sizes = np.eye(codes.max() + 1), np.bincount(codes)

    def between(orders: NDArray[np.int64]) -> Floats:
        return np.asarray(((rank.to_numpy() @ at[codes[orders]]) ** 2 / sizes).sum(axis=-1))

    rng, place = np.random.default_rng([data.seed, 2]), np.arange(len(codes))
    least, as_much = between(place[None])[0] - 1e-12, 1
    step = max(1, AT_ONCE // (len(codes) * len(at)))
    for first in range(0, PERMUTATIONS, step):
        orders = np.tile(place, (min(step, PERMUTATIONS - first), 1))
        for name in np.unique(label):
            inside = np.flatnonzero(label == name)
            orders[:, inside] = rng.permuted(orders[:, inside], axis=1)
        as_much += int((between(orders) >= least).sum())
    return as_much / (PERMUTATIONS + 1)


def _table(data: AuditData, table: pd.DataFrame, batch: str) -> pd.DataFrame:
    """Measures of every bundle, its label, and the batch that a figure is coloured by."""
    found = table.assign(label=data.bundles.labels.to_numpy())
    for name in [batch] if batch else batches_in(data, rows_of(data))[:1]:
        found[name] = data.about_bundles(name).to_numpy()
    return found.rename_axis("bundle").reset_index()
