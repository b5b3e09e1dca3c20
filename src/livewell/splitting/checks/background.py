"""The label told from patches without cells."""

from dataclasses import replace

import numpy as np
import pandas as pd

from livewell.metrics.outcomes import Floats
from livewell.metrics.ridge import left_out, p_value
from livewell.splitting.audit import Association, Check
from livewell.splitting.checks.acquisition import EMPTY_PLACE
from livewell.splitting.checks.bundles import Bundles
from livewell.splitting.checks.data import AuditData
from livewell.splitting.checks.design import compared

NAME = "background"
QUESTION = "Can the label be told from patches without cells?"
REMEDY = (
    "Look at the patches: dirt, focus, medium or light differ between the classes. Take images anew"
    " in one session; or let a net see cells alone, by labels of patches around them (livewell"
    " label points)."
)


def background(data: AuditData) -> Check:
    """A ridge on intensity and texture of empty patches, tried on what it did not learn from.

    Empty patches lie on ground beyond the haloes of cells (`livewell.measure.ground`). Their
    features are means over what a label was given to, which is left out in turn
    (`livewell.metrics.ridge`); labels are permuted among such units.
    """
    base = Check(NAME, QUESTION, remedy=REMEDY)
    patches = data.measured.patches
    names = [name for name in patches if str(name).startswith(("intensity ", "texture "))]
    if not len(patches) or not names:
        return _unchecked(
            base, f"no image has a patch free of cells and their haloes. {EMPTY_PLACE}"
        )
    table = data.of_bundles(patches[["image", "t", *names]])
    known = table.notna().all(axis=1).to_numpy()
    bundles = compared(data).only(known)
    if why := bundles.scarce():
        return _unchecked(base, f"of {data.thing}s with empty patches {why}")
    told, p, scores = told_by(bundles, table[known].to_numpy(float))
    number = int(patches["image"].isin(data.frames["image"]).sum())
    said = f"{number:,} empty patches of {len(bundles.names)} {data.thing}s"
    area = f"AUC {told[0].value:.2f} on {data.thing}s left out; {said}"
    how = "tell weakly" if told[0].weak else "tell"
    return replace(
        base,
        p_value=p,
        found="attention" if told[0].weak else "fails",
        associations=tuple(told),
        fails=f"Patches without a single cell {how} the classes ({area}).",
        passes=f"Patches without cells do not tell the classes ({area}).",
        table=_table(data, bundles, scores),
    )


def told_by(bundles: Bundles, features: Floats) -> tuple[list[Association], float, Floats]:
    """Areas of a ridge's left-out predictions, the p value of the greatest, and predictions."""
    matrix = left_out(features, bundles.names, seed=bundles.seed)

    def areas(counts: Floats) -> Floats:
        shares = counts / counts.sum(axis=2, keepdims=True)
        scores = np.einsum("uv,pvc->puc", matrix, shares)
        return np.stack(
            [
                bundles.areas(scores[:, :, column], counts)[:, n]
                for n, column in enumerate(bundles.sought)
            ],
            axis=1,
        )

    own = areas(bundles.counts[None])[0]
    null = np.concatenate([areas(counts) for counts in bundles.permuted()])
    spread, middle = np.maximum(null.std(axis=0), 1e-9), null.mean(axis=0)
    size, chance = (own - middle) / spread, ((null - middle) / spread).max(axis=1)
    p = p_value(float(size.max()), chance)
    shares = bundles.counts / bundles.counts.sum(axis=1, keepdims=True)
    scores = matrix @ shares
    told = []
    for n in np.argsort(-size):
        column = bundles.sought[n]
        low, high = bundles.interval(scores[:, column], int(n))
        name = bundles.classes.names[column]
        told.append(Association(f"empty patches, {name}", "AUC", float(own[n]), low, high))
    return told, p, scores[:, bundles.sought[int(size.argmax())]]


def _table(data: AuditData, bundles: Bundles, scores: Floats) -> pd.DataFrame:
    """Score of every bundle, beside its first empty patches."""
    found = pd.DataFrame(
        {"bundle": bundles.names, "label": bundles.labels.to_numpy(), "score": scores}
    )
    boxes = data.measured.patches[["image", "t", "y0", "x0", "y1", "x1"]]
    of = data.frames[["image", "t", "bundle"]].drop_duplicates()
    return found.merge(boxes.merge(of, on=["image", "t"]), on="bundle", how="left")


def _unchecked(base: Check, why: str) -> Check:
    return replace(base, unchecked=why)
