"""Whether intervals of agreement hold the true agreement of simulated crews."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.crews import Crew
from benchmarks.result import Result
from livewell.metrics.agreement import coefficients
from livewell.metrics.intervals import wilson
from livewell.progress import task

NAMES = {
    "alpha": "Krippendorff's alpha",
    "fleiss": "Fleiss' kappa",
    "cohen": "mean of Cohen's kappa",
    "pair": "Cohen's kappa of one pair",
    "observed": "share of equal answers",
}
FEW, MANY = (8, 12, 20, 40), (30, 60, 120, 300)
"""Groups of several items; groups of one item each."""
Part = Callable[[pd.DataFrame], "pd.Series[bool]"]
PARTS: tuple[tuple[str, Part, str], ...] = (
    ("all", lambda t: t["groups"] > 0, "all"),
    ("wells", lambda t: t["grouped"], "items in wells"),
    ("alone", lambda t: ~t["grouped"], "items on their own"),
    ("fewest", lambda t: t["groups"] == min(FEW), f"{min(FEW)} wells"),
    ("thirty", lambda t: t["groups"] == min(MANY), f"{min(MANY)} items"),
    ("rare", lambda t: t["most"] > 0.8, "one class 85% of items"),
    ("even", lambda t: t["most"] < 0.6, "classes equally frequent"),
    ("two", lambda t: t["persons"] == 2, "two persons"),
    ("many", lambda t: t["persons"] >= 5, "five or six persons"),
    ("unsure", lambda t: t["unsure"], "unsure as a class"),
)


def coverage(*, seed: int, crews: int = 1000) -> Result:
    """How often 95% intervals of agreement hold the truth."""
    with task("crews", crews) as tick:
        rows = []
        for number in range(crews):
            rows.append(crew_row(seed, number))
            tick()
    table = pd.DataFrame(rows)
    lines, values = [], {}
    for name, which, text in PARTS:
        line, values[name] = _line(table[which(table)], text)
        lines.append(line)
    return Result(
        title="How often 95% intervals of agreement between persons hold the true agreement",
        header="crews | number | " + " | ".join(NAMES.values()),
        rows=lines,
        lead=f"{crews:,} simulated crews of two to six persons, each right in 65 to 97% of easy"
        " items of a class, less on hard ones; two or three classes, the most frequent one a half"
        " or a third, 70 or 85%; half of the crews answer all items, half 40 to 100% of them; up to"
        f" 10% of answers unsure. Half of the crews see {_spoken(FEW)} wells of 4 to 21 items, in"
        f" which items are alike, half {_spoken(MANY)} items on their own. The truth is that of the"
        " same persons on endlessly many items, computed from the chances. Cells: share of"
        " intervals that hold it, and their median width.",
        notes=[
            "Of all crews, with the 95% interval of the share itself: "
            + "; ".join(_said(NAMES[name], values["all"][name]) for name in NAMES)
            + ".",
            "An interval that could not be given (one class answered throughout) is not counted:"
            f" {int(table[list(NAMES)].isna().to_numpy().sum())} of {table.size}.",
        ],
        values=values,
    )


def crew_row(seed: int, number: int) -> dict[str, Any]:
    """What one simulated crew shows: whether each interval holds the truth, and its width."""
    rng = np.random.default_rng([seed, number])
    crew, grouped = Crew.draw(rng), number % 2 == 0
    groups = int(rng.choice(FEW if grouped else MANY))
    sizes = 1 + rng.poisson(rng.choice([3, 8, 20]), groups) if grouped else np.ones(groups, int)
    answers = crew.answer(sizes, rng)
    unsure = bool(crew.says[..., -1].any()) and number % 4 < 2
    found = coefficients(answers if unsure else answers.without_unsure)
    truth = crew.truth(unsure=unsure)
    known = {"persons": len(crew.asked), "groups": groups, "grouped": grouped}
    row: dict[str, Any] = known | {"most": float(crew.shares.max()), "unsure": unsure}
    estimates = {name: getattr(found, name) for name in NAMES if name != "pair"}
    estimates["pair"] = found.pairs.get((0, 1))
    for name in NAMES:
        each = estimates[name]
        given = each is not None and np.isfinite(each.low)
        row[name] = float(each.low <= truth[name] <= each.high) if given else np.nan
        row[f"{name} wide"] = each.high - each.low if given else np.nan
    return row


def _line(part: pd.DataFrame, text: str) -> tuple[list[str], dict[str, Any]]:
    cells, values = [text, f"{len(part):,}"], {}
    for name in NAMES:
        held, wide = part[name].dropna(), float(part[f"{name} wide"].median())
        values[name] = {"held": int(held.sum()), "of": len(held), "width": wide}
        cells.append(f"{held.mean():.1%}; {wide:.2f}")
    return cells, values


def _said(name: str, found: Mapping[str, Any]) -> str:
    low, high = wilson(found["held"], found["of"])
    return f"{name} {found['held'] / found['of']:.1%} ({low:.1%}-{high:.1%})"


def _spoken(numbers: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]}"
