"""Where nets compute: the processor or a GPU."""

import torch
from torch import nn

from livewell.errors import SpecError

AUTO = "auto"
"""The first GPU where there is one, else the processor."""


def chosen_device(asked: str | torch.device = AUTO) -> torch.device:
    """The device of that name: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""
    if isinstance(asked, torch.device):
        return asked
    there = ["cpu"]
    if torch.cuda.is_available():
        there += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        there.append("mps")
    if asked == AUTO:
        return torch.device("cuda" if "cuda" in there else "cpu")
    if asked not in there:
        raise SpecError(
            "no such device here",
            where="--device",
            expected=" or ".join((AUTO, *there)),
            got=str(asked),
            remedy="leave it out to take the first GPU where there is one",
        )
    return torch.device(asked)


def device_of(module: nn.Module) -> torch.device:
    """Where a module's weights lie."""
    return next(module.parameters()).device


def placed(module: nn.Module, device: str | torch.device | None = None) -> nn.Module:
    """`module` in evaluation mode, in the layout that convolutions are fast in.

    It is moved in place to `device`; ``None`` leaves it where it is.
    """
    if torch.cuda.is_available():
        # float32 is float32: not the ten bits of TF32 that cuDNN takes unasked
        torch.backends.cudnn.allow_tf32 = False
    if device is not None:
        module = module.to(chosen_device(device))
    return module.eval().to(memory_format=torch.channels_last)
