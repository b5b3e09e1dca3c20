"""Pooling of a class map to one score a class: labels of whole frames teach the map."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from livewell.errors import SpecError

GlobalPool = Literal["max", "average", "connected", "log_sum_exp", "noisy_or"]

SHARPNESS = 5.0
"""r of log-sum-exp pooling."""


class GlobalPooling(nn.Module):
    """One score a class of its map.

    ``max``: the highest cell. While training narrows (`narrow`), the mean of the k highest cells, k
    going from a share of them (`widest`) to one, so that many positions learn before one speaks for
    all. ``average``: the mean. ``log_sum_exp``: ``log(mean(exp(r a))) / r``, r = 5, between the two
    (Pinheiro and Collobert 2015, equation 6). ``noisy_or``, of two classes only: log odds that one
    position at least is positive, ``1 - prod(1 - sigmoid(a_1 - a_0))`` (Viola, Platt and Zhang
    2005), against 0. ``connected``: one fully connected layer of all `cells` of all maps.

    Notes
    -----
    Source of ``max``, ``average`` and ``connected``: Sailem et al., sections 2.1 and 4.1. Narrowing
    is livewell's own.
    """

    def __init__(
        self, kind: GlobalPool, cells: int = 0, widest: float = 1.0, classes: int = 2
    ) -> None:
        super().__init__()
        self.kind, self.cells, self.widest = kind, cells, widest
        self.open = 0.0
        if kind == "noisy_or":
            _two_only(classes, "noisy-or pooling is defined for two classes")
        self.connected = nn.Linear(classes * cells, classes) if kind == "connected" else None

    def narrow(self, done: float) -> None:
        """How far narrowing has come, 0 (the mean of many cells) to 1 (the highest one)."""
        self.open = 1 - min(max(done, 0.0), 1.0)

    def odds(self, maps: Tensor) -> Tensor:
        """Log odds of every cell: (n, 2, rows, columns) -> (n, rows, columns).

        Under ``max`` what the frame's log odds would be if the cell were the highest: the positive
        map less the pooled score of the negative one, which passes no gradient. So a frame's log
        odds are those of its highest cell, and a frame is called where a cell is. Otherwise the
        positive map less the negative one.
        """
        _two_only(maps.shape[1], "log odds of positions are those of two classes")
        if self.kind == "max":
            return maps[:, 1] - maps[:, 0].amax(dim=(-2, -1), keepdim=True).detach()
        return maps[:, 1] - maps[:, 0]

    def forward(self, maps: Tensor) -> Tensor:
        """(n, classes, rows, columns) -> (n, classes) scores before softmax."""
        cells = maps.flatten(2)
        count = cells.shape[-1]
        if self.kind == "average":
            return cells.mean(dim=-1)
        if self.kind == "log_sum_exp":
            return (torch.logsumexp(SHARPNESS * cells, dim=-1) - math.log(count)) / SHARPNESS
        if self.kind == "noisy_or":
            # with s = sum of softplus(d): p = 1 - exp(-s), log odds = log(exp(s) - 1)
            total = functional.softplus(cells[:, 1] - cells[:, 0]).sum(dim=-1).clamp_min(1e-6)
            odds = total + torch.log(-torch.expm1(-total))
            return torch.stack([torch.zeros_like(odds), odds], dim=-1)
        if self.connected is not None:
            if count != self.cells:
                raise SpecError(
                    "a frame of another size than a fully connected layer was made for",
                    expected=f"{self.cells} cells of the class map",
                    got=str(count),
                    remedy="train with global_pool=max, which takes any size",
                )
            scores: Tensor = self.connected(cells.flatten(1))
            return scores
        kept = max(round((self.widest * count) ** self.open), 1) if self.training else 1
        return cells.topk(kept, dim=-1, sorted=False).values.mean(dim=-1)


def _two_only(classes: int, what: str) -> None:
    if classes != 2:
        raise SpecError(
            what,
            expected="2 class maps",
            got=str(classes),
            remedy="use global_pool=max, or two classes",
        )
