"""The audit's question to a model: does it look at the cells."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from livewell.explain.background import LEAST_AREA, Background, told, warning
from livewell.splitting.audit import Association, Check

NAME = "attribution"
QUESTION = "Does the model look at the cells?"
REMEDY = (
    "See where the evidence lies (livewell explain RUN). Train on patches with cells only, or on"
    " regions around cells, and look at what the other checks say of the ground."
)
TABLE = ["class", "evidence_off_cells", "low", "high", "area_off_cells", "patches"]
"""Columns of the check's table, one row a class."""


def attribution(found: Mapping[str, Background], why: str = "") -> Check:
    """Whether a model's evidence lies off cells, by class.

    It fails where surely more of the evidence than of the area lies off cells: a net that looks
    anywhere at all would do better. It passes only where surely less does. `found` is empty where
    nobody looked, and `why` says why.
    """
    clear = {
        name: each
        for name, each in found.items()
        if np.isfinite(each.evidence.value) and each.area.value >= LEAST_AREA
    }
    if not clear:
        why = why or "cells cannot be told from ground: there is hardly any ground between them"
        return Check(NAME, QUESTION, unchecked=why)
    beside = [name for name, each in clear.items() if each.evidence.low > each.area.value]
    partly = [name for name, each in clear.items() if warning(each, name)]
    shown = [_association(name, each) for name, each in found.items()]
    said = " ".join(told(each, name) for name, each in found.items())
    return Check(
        NAME,
        QUESTION,
        found="fails" if beside else "attention" if partly else "passes",
        associations=tuple(sorted(shown, key=lambda each: -each.value)),
        fails=said,
        passes=said,
        remedy=REMEDY,
        table=pd.DataFrame([_row(name, each) for name, each in found.items()], columns=TABLE),
    )


def _association(name: str, found: Background) -> Association:
    e, what = found.evidence, f"evidence for {name}"
    return Association(what, "share off cells", e.value, e.low, e.high, told(found, name))


def _row(name: str, found: Background) -> tuple[str | float, ...]:
    e = found.evidence
    return name, e.value, e.low, e.high, found.area.value, found.patches
