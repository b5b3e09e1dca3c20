"""Where inference computes."""

import torch
from torch import nn


def device() -> torch.device:
    """The first GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def placed(module: nn.Module) -> nn.Module:
    """`module` in evaluation mode on `device`, in the layout that convolutions are fast in."""
    placed = module.eval().to(device())
    return placed.to(memory_format=torch.channels_last)
