"""What an audit of a study asks, and how its checks are decided together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import gammaln

from livewell.metrics.outcomes import Floats
from livewell.splitting.confounds import corrected
from livewell.tables.metadata import CheckMeta, Verdict

WORST: tuple[Verdict, ...] = ("fails", "attention", "passes", "unchecked")
"""Verdicts, of which an audit has the first that one of its checks has."""
LEVEL = 0.025
"""Chance that a study without any shortcut fails a check by its p value, all checks together.

What fails outright is beside it: declared batches that go with the label, at 0.05
(`livewell.splitting.confounds.LEVEL`) for all of them, where they also do so strongly."""
CHECKS = 5
"""Checks among which p values are corrected; of so few units that no p value can be low enough
for this nothing is said."""
WEAK, WEAK_AUC = {"Cramer's V": 0.2, "alike beyond chance": 0.2}, 0.6
"""Effects below these, of other names the second, are too weak to lead a net far, however certain
they are in a large study: no shortcut, only something to look at."""


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

    @property
    def weak(self) -> bool:
        """Whether it is too weak to lead a net far."""
        return self.value < WEAK.get(self.metric, WEAK_AUC)

    def plain(self) -> dict[str, str | float | None]:
        """Its fields, fit for JSON."""
        ends = {"value": self.value, "low": self.low, "high": self.high}
        numbers = {name: float(x) if np.isfinite(x) else None for name, x in ends.items()}
        return {"what": self.what, "metric": self.metric, **numbers, "text": self.text}


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
        statistic, Westfall and Young 1993, or Bonferroni), so that checks are corrected for their
        number once.
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

    def answer(self, verdict: Verdict) -> str:
        """What the check says under a verdict."""
        if verdict == "unchecked":
            return f"Not checked: {self.unchecked}."
        return self.passes if verdict == "passes" else self.fails


def tellable(counts: Floats, level: float = LEVEL / CHECKS, *, two_sided: bool = False) -> bool:
    """Whether labels that are permuted within strata could give a p value of at most `level`.

    Parameters
    ----------
    counts
        Shape (strata, classes): how often each class is there.
    two_sided
        Whether a class that lies below all others counts as much as one that lies above. Else it
        does so only where two classes are as many in every stratum, for then swapped labels are
        among the permuted ones.
    """
    size = counts.sum(axis=1, keepdims=True)
    ways = (gammaln(size + 1) - gammaln(counts + 1) - gammaln(size - counts + 1)).sum(axis=0)
    swapped = counts.shape[1] == 2 and bool((counts[:, 0] == counts[:, 1]).all())
    return float(np.exp(-ways.max())) * (1 + (two_sided or swapped)) <= level


def decided(checks: Sequence[Check], level: float = LEVEL) -> tuple[Verdict, ...]:
    """The verdict of every check, p values corrected for their number after Holm (1979)."""
    tested = [n for n, check in enumerate(checks) if np.isfinite(check.p_value)]
    raised = corrected([checks[n].p_value for n in tested])
    low = {n for n, p in zip(tested, raised, strict=True) if p <= level}
    return tuple(
        "unchecked"
        if check.unchecked
        else check.found
        if n in low or not np.isfinite(check.p_value)
        else "passes"
        for n, check in enumerate(checks)
    )


@dataclass(frozen=True)
class Audit:
    """All checks of a study, decided together."""

    checks: tuple[Check, ...]

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One a check, see `decided`."""
        return decided(self.checks)

    @property
    def state(self) -> Verdict:
        """That of the worst check."""
        return min(self.verdicts, key=WORST.index, default="unchecked")

    @property
    def headline(self) -> str:
        """What was found, in a sentence or two that a biologist understands."""
        first = [answer.partition(". ")[0].removesuffix(".") for answer in self.answers]
        said = {
            verdict: [f"{a}." for v, a in zip(self.verdicts, first, strict=True) if v == verdict]
            for verdict in WORST
        }
        found = [*said["fails"], *said["attention"]]
        if said["fails"]:
            return " ".join(["This study FAILS the audit.", *found])
        if said["attention"]:
            return " ".join(["No check fails, but look at this:", *found])
        if not said["passes"]:
            return "Nothing could be checked: " + " ".join(said["unchecked"])
        left = len(said["unchecked"])
        more = f"; {left} more could not be checked" if left else ""
        return f"None of {len(said['passes'])} checks found a shortcut{more}."

    @property
    def answers(self) -> list[str]:
        """The answer of every check in words."""
        return [check.answer(v) for check, v in zip(self.checks, self.verdicts, strict=True)]

    def metas(self) -> tuple[CheckMeta, ...]:
        """Every check as it is kept."""
        return tuple(
            CheckMeta(
                name=check.name,
                question=check.question,
                verdict=verdict,
                answer=check.answer(verdict),
                p_value=check.p_value if np.isfinite(check.p_value) else None,
                associations=tuple(one.plain() for one in check.associations),
            )
            for check, verdict in zip(self.checks, self.verdicts, strict=True)
        )
