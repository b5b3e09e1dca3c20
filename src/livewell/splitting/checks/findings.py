"""How far columns of levels, and orders, go with the label."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from livewell.metrics.outcomes import Floats
from livewell.metrics.ridge import p_value
from livewell.splitting.audit import CHECKS, LEVEL, Association
from livewell.splitting.checks.bundles import RESAMPLES, Bundles
from livewell.splitting.checks.data import AuditData
from livewell.splitting.confounds import confounders
from livewell.text import chance


@dataclass(frozen=True)
class Finding:
    """How far one thing goes with the label, and its p value.

    `outright` is what fails whatever the p value of the whole check; empty where nothing does.
    """

    association: Association
    p_value: float
    outright: str = ""

    @property
    def what(self) -> str:
        """The thing."""
        return self.association.what


def by_levels(data: AuditData, rows: pd.DataFrame, columns: Sequence[str]) -> list[Finding]:
    """How far each column of levels goes with the label, strongest first.

    `rows` have `image`, `label`, `unit`, and `regions`: how many labelled regions a row stands for.
    """
    noun, count = ("labelled regions", "regions") if data.mixed else (f"{data.thing}s", None)
    table = confounders(
        rows,
        "label",
        columns,
        unit="unit",
        count=count,
        noun=noun,
        seed=data.seed,
        resamples=RESAMPLES,
    )
    return [_finding(data, row) for row in table.to_dict("records")]


def _finding(data: AuditData, row: Mapping[Hashable, Any]) -> Finding:
    value, low, high, p = (float(str(row[n])) for n in ("cramers_v", "low", "high", "p_value"))
    column = str(row["column"])
    numbers = f"Cramer's V {value:.2f}, p {chance(p)}"
    text = f"{row['counts']}; {numbers}"
    return Finding(Association(column, "Cramer's V", value, low, high, text), p)


def leading(found: Sequence[Finding]) -> Finding:
    """The finding by which a check is decided, their p values corrected within the check.

    That of the least p value, for what a certain but weak one hides see `Association.weak`: one
    that is not weak comes first where it is certain among all checks too.
    """
    ordered = sorted(found, key=lambda each: (each.p_value, -each.association.value))
    sure = [each for each in ordered if each.p_value <= LEVEL / CHECKS]
    return next((each for each in sure if not each.association.weak), ordered[0])


def order_by(column: str) -> str:
    """What pages call the order of a column's numbers, such as ``the order of images``."""
    return "the order of images" if column == "order" else f"the order by {column}"


def by_order(
    data: AuditData, numbers: "pd.Series[float]", name: str, *, neighbours: bool = True
) -> list[Finding]:
    """How far an order, one number a bundle, tells the classes: earlier or later, lower or higher.

    And, where asked, how far `neighbours` in that order have one label more often than by chance.
    """
    bundles = data.bundles
    known = np.isfinite(numbers.to_numpy(float))
    if bundles.scarce() or not known.all() or numbers.nunique() < 3:
        return []
    told = bundles.tell(numbers.to_frame(name))
    found = []
    for one in told.associations:
        text = f"AUC {one.value:.2f}, {one.text}; p {chance(told.p_value)}"
        association = Association(order_by(name), "AUC", one.value, one.low, one.high, text)
        found.append(Finding(association, told.p_value))
    if neighbours:
        found.append(_neighbours(data, bundles, np.asarray(numbers, dtype=np.float64), name))
    return found


def _neighbours(data: AuditData, bundles: Bundles, numbers: Floats, name: str) -> Finding:
    # names of bundles may hold the class, so that their order settles no tie
    order = np.lexsort((np.random.default_rng([data.seed, 3]).random(len(numbers)), numbers))

    def alike(counts: Floats) -> Floats:
        shares = counts[:, order] / counts[:, order].sum(axis=2, keepdims=True)
        return np.asarray((shares[:, 1:] * shares[:, :-1]).sum(axis=2).mean(axis=1))

    own = float(alike(bundles.counts[None])[0])
    null = np.concatenate([alike(counts) for counts in bundles.permuted()])
    p = p_value(own, null)
    text = f"{own:.0%} of neighbours have one label, by chance {null.mean():.0%}; p {chance(p)}"
    beyond = (own - null.mean()) / max(1 - float(null.mean()), 1e-9)
    return Finding(
        Association(
            f"neighbours in {order_by(name)}", "alike beyond chance", float(beyond), text=text
        ),
        p,
    )
