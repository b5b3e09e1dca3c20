"""What fields are like that a net learnt from, in features, and how far others lie from them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Reference(nn.Module):
    """Mean features of the training fields, their spreads, and the axes along which they differ.

    What differs along axes that training fields differ along is familiar; a distance is of what is
    left beside them. Empty until it is fitted, and in weights of older models.

    Notes
    -----
    Source: Jackson and Mudholkar 1979, Technometrics 21:341, the residual of principal components
    as a control of what new observations are like; here of features in units of their spreads.
    """

    mean: Tensor
    spread: Tensor
    axes: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, shape in {"mean": (0,), "spread": (0,), "axes": (0, 0)}.items():
            self.register_buffer(name, torch.empty(shape))

    @property
    def fitted(self) -> bool:
        """Whether there is anything to compare with."""
        return len(self.mean) > 0

    def distances(self, features: Tensor) -> Tensor:
        """Root mean squares (n,) of features (n, features) beside the axes, in their spreads."""
        scaled = (features - self.mean) / self.spread
        beside = scaled - (scaled @ self.axes.T) @ self.axes
        return beside.square().mean(dim=1).sqrt()

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Buffers of any number of axes; none is missing. A `ValueError` unless they agree."""
        for name in dict(self.named_buffers()):
            if prefix + name in state_dict:
                setattr(self, name, state_dict[prefix + name].clone())
        if {self.mean.shape, self.spread.shape} != {self.axes.shape[1:]}:
            raise ValueError("what its training fields were like is of several sizes")
