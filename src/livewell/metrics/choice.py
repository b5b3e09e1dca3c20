"""Which of several models to keep, by validation groups alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

LEAST_GROUPS = 2
"""With fewer validation groups nothing says how far a difference is chance."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A model on validation groups: its loss, and how far it is below that of the one before it.

    `gain` is the mean over groups of the difference, `error` its standard error; NaN of the first
    model, and where there are fewer than `LEAST_GROUPS`.
    """

    name: str
    loss: float
    gain: float = float("nan")
    error: float = float("nan")


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that is kept, all that were tried, and on how many validation groups."""

    chosen: str
    rivals: tuple[Rival, ...]
    groups: int

    def told(self) -> str:
        """One sentence for pages."""
        losses = ", ".join(f"{rival.name} {rival.loss:.3f}" for rival in self.rivals)
        if self.groups < LEAST_GROUPS:
            why = "the simplest, for one validation group does not say which is better"
        elif self.chosen == self.rivals[0].name:
            why = "the simplest, for no other is better by more than its standard error"
        else:
            why = "better than a simpler one by more than the standard error"
        return f"{self.chosen} was kept: {why} (calibrated log loss on validation: {losses})."

    def noted(self) -> dict[str, Any]:
        """For a model's card; what is undefined is left out."""
        rivals = [
            {name: value for name, value in asdict(rival).items() if value == value}
            for rival in self.rivals
        ]
        return {"profile": self.chosen, "candidates": rivals, "groups": self.groups} | {
            "because": self.told()
        }


def group_losses(
    logits: NDArray[np.float64], y: ArrayLike, group: ArrayLike, temperature: float
) -> "pd.Series[float]":
    """Mean log loss of every group's regions, with calibrated logits (n, classes)."""
    codes = np.asarray(y, dtype=int)
    loss = -log_softmax(logits / temperature, axis=1)[np.arange(len(codes)), codes]
    return pd.Series(loss).groupby(np.asarray(group)).mean()


def choose(losses: Mapping[str, "pd.Series[float]"]) -> Choice:
    """Keep the first model unless a later one is better by more than chance.

    Parameters
    ----------
    losses
        By model, the simplest first, the loss of every validation group (`group_losses`). A later
        model is kept where the mean over groups of the difference in loss to the one kept so far is
        above its standard error.
    """
    (best, first), *others = losses.items()
    rivals = [Rival(best, float(first.mean()))]
    for name, loss in others:
        apart = losses[best] - loss
        gain, error = float(apart.mean()), float(apart.std() / np.sqrt(len(apart)))
        rivals.append(Rival(name, float(loss.mean()), gain, error))
        if len(apart) >= LEAST_GROUPS and gain > error:
            best = name
    return Choice(best, tuple(rivals), len(first))
