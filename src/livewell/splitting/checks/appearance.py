"""The label told from brightness, contrast or sharpness of whole images."""

import numpy as np
import pandas as pd

from livewell.measure.ground import WHOLE
from livewell.splitting.audit import LEVEL, Association, Check
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import design
from livewell.splitting.confounds import BATCHES
from livewell.study.measured import properties

NAME = "appearance"
QUESTION = "Can the label be told from brightness, contrast or sharpness of whole images alone?"
BYTES = "bytes a pixel"
NAMES = WHOLE | {BYTES: "size of the file for its pixels"}
"""What is looked at, and how a page calls it."""


def appearance(data: AuditData) -> Check:
    """Brightness, contrast, sharpness and packed size of whole images, cells and all.

    Cells that die do change these, so that they tell the classes is no fault by itself:
    `attention`, a figure that a net has to beat. It `fails` where a batch that goes with the label
    (`livewell.splitting.checks.design`) changes the same number within a class too, for then images
    of one class differ as classes do, only because they were taken at another time.
    """
    remedy = (
        "Hold every net against this number: it must be clearly better on groups left out. Where"
        " the number also differs between replicates of one class, it comes from how images were"
        " taken; then normalise images by their ground, or take them anew."
    )
    bundles = data.bundles
    if bundles.scarce:
        return Check(
            NAME, QUESTION, remedy=remedy, unchecked=f"too few {data.thing}s: {bundles.scarce}"
        )
    table = _measures(data)
    found = bundles.tell(table)
    if not found.associations:
        return Check(NAME, QUESTION, remedy=remedy, unchecked="all images measure alike")
    batch, by_batch = _of_batch(data, table, [one.what for one in found.associations])
    said = ", ".join(_figure(one) for one in _shown(found.associations))
    fails = f"{_sentence(found.associations[0])} ({said})."
    if batch:
        fails += f" {by_batch}"
    else:
        fails += " It may be the cells themselves: hold the net against it."
    return Check(
        NAME,
        QUESTION,
        p_value=found.p_value,
        found="fails" if batch else "attention",
        associations=found.associations,
        fails=fails,
        passes=f"No such number tells the classes clearly ({said}).",
        remedy=remedy,
        table=_table(data, table, batch),
    )


def _measures(data: AuditData) -> pd.DataFrame:
    table = data.measured.frames[["image", "t", *WHOLE]]
    stated = properties(data.study, table["image"].unique())[["image", BYTES]]
    return data.of_bundles(table.merge(stated, on="image"))


def _sentence(first: Association) -> str:
    name = {"contrast": "Contrast", "brightness": "Mean brightness"}
    what = name.get(first.what, first.what[:1].upper() + first.what[1:])
    return f"{what} alone tells the classes: AUC {first.value:.2f}, {first.text}"


def _shown(associations: tuple[Association, ...]) -> list[Association]:
    """Contrast and mean brightness, which readers look for, then the strongest others."""
    usual = [one for name in ("contrast", "brightness") for one in associations if one.what == name]
    others = [one for one in associations if one not in usual]
    return [*usual, *others[: max(0, 3 - len(usual))]]


def _figure(one: Association) -> str:
    return f"{NAMES[one.what]} {one.value:.2f}"


def _of_batch(data: AuditData, table: pd.DataFrame, names: list[str]) -> tuple[str, str]:
    """A batch that goes with the label, and within a class changes what tells the classes."""
    confounded = {one.what for one in design(data).associations if one.value >= 0.3}
    for batch in BATCHES:
        if batch not in confounded:
            continue
        level = data.about_bundles(batch)
        for name in names[:3]:
            p = _differs(table[name].to_numpy(float), level, data)
            if p <= LEVEL / 3:
                return batch, (
                    f"Within one class {NAMES[name]} also differs between {batch}s (p {p:.2g}), and"
                    f" {batch} goes with the label: at least in part this is how images were taken."
                )
    return "", ""


def _differs(values: np.ndarray, level: "pd.Series[str]", data: AuditData) -> float:
    """P value of ranks within classes being alike in all batches, batches permuted in classes."""
    known = np.isfinite(values) & level.notna().to_numpy()
    label = data.bundles.labels.to_numpy()[known]
    rank = pd.Series(values[known]).groupby(label).rank(pct=True).to_numpy()
    rank = rank - pd.Series(rank).groupby(label).transform("mean").to_numpy()
    codes = pd.factorize(level.to_numpy()[known])[0]
    if len(np.unique(codes)) < 2:
        return 1.0
    rng = np.random.default_rng([data.seed, 2])
    at = np.eye(codes.max() + 1)
    sizes = np.bincount(codes)

    def between(order: np.ndarray) -> np.ndarray:
        return np.asarray(((rank @ at[codes[order]]) ** 2 / sizes).sum(axis=-1))

    own = between(np.arange(len(codes)))
    orders = np.tile(np.arange(len(codes)), (1999, 1))
    for name in np.unique(label):
        inside = np.flatnonzero(label == name)
        orders[:, inside] = rng.permuted(orders[:, inside], axis=1)
    null = between(orders)
    return (1 + int((null >= own - 1e-12).sum())) / (1 + len(null))


def _table(data: AuditData, table: pd.DataFrame, batch: str) -> pd.DataFrame:
    shown = batch or next((b for b in BATCHES if b in data.fields), "")
    found = table.assign(label=data.bundles.labels.to_numpy())
    if shown:
        found["batch"] = data.about_bundles(shown).to_numpy()
        found.attrs["batch"] = shown
    return found.rename_axis("bundle").reset_index()
