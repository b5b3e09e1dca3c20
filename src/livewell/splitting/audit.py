"""What an audit of a study asks, and how its checks are decided together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

Verdict = Literal["fails", "attention", "passes", "unchecked"]
"""A shortcut was found; something to look at that may be the effect itself; nothing was found;
nobody can tell with these data, which is no pass."""
LEVEL = 0.05
"""Chance that a study without any shortcut fails a check, all checks together."""


@dataclass(frozen=True, slots=True)
class Association:
    """How far one thing tells the label: an effect with its interval over groups."""

    what: str
    """Such as ``brightness without cells``, ``replicate``."""
    metric: str
    """Name of the effect, such as ``AUC`` or ``Cramer's V``."""
    value: float
    low: float = np.nan
    high: float = np.nan
    text: str = ""
    """A sentence with the numbers, for a biologist."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question to a study, before its answer is decided with those of other checks.

    Parameters
    ----------
    name
        Short name, such as ``acquisition``.
    question
        As a biologist would ask it.
    p_value
        Of the whole check, one number whatever it looks at (permutations of the greatest
        statistic, Westfall and Young 1993), so that checks are corrected for their number once.
        NaN where the check decides otherwise.
    found
        ``fails`` or ``attention``: what the check says where its p value is low enough; where
        there is no p value, what it says outright.
    associations
        What it looked at, strongest first.
    fails, passes
        The answer in a sentence, found and not found.
    remedy
        What to do about it.
    unchecked
        Why nobody can tell; empty where it was checked.
    table
        Numbers behind it, for a CSV beside the page.
    """

    name: str
    question: str
    p_value: float = np.nan
    found: Verdict = "passes"
    associations: tuple[Association, ...] = ()
    fails: str = ""
    passes: str = ""
    remedy: str = ""
    unchecked: str = ""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)


def decided(checks: Sequence[Check], level: float = LEVEL) -> tuple[Verdict, ...]:
    """The verdict of every check, p values corrected for their number after Holm (1979)."""
    tested = [n for n, check in enumerate(checks) if np.isfinite(check.p_value)]
    tested.sort(key=lambda n: checks[n].p_value)
    low, held = set[int](), True
    for rank, n in enumerate(tested):
        held = held and checks[n].p_value * (len(tested) - rank) <= level
        low |= {n} if held else set()
    return tuple(
        "unchecked"
        if check.unchecked
        else check.found
        if n in low or not np.isfinite(check.p_value)
        else "passes"
        for n, check in enumerate(checks)
    )
