"""Where inference computes."""

import torch
from torch import nn


def device() -> torch.device:
    """The first GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def placed(module: nn.Module) -> nn.Module:
    """`module` in evaluation mode on `device`, in the layout that convolutions are fast in."""
    plain_float32()
    placed = module.eval().to(device())
    return placed.to(memory_format=torch.channels_last)


def plain_float32() -> None:
    """On a GPU, float32 is float32: not the ten bits of TF32 that cuDNN takes unasked."""
    if torch.cuda.is_available():
        torch.backends.cudnn.allow_tf32 = False
