"""How fast which parameters learn: rates and decay by layer, and how rates change by step."""

import math
from typing import Any

from torch import nn

from livewell.models.nets.backbones import PartlyFixed
from livewell.models.specs import FitSpec


def inverse_decay(iteration: int) -> float:
    """Factor on the learning rate: (1 + 1e-5 i)^-0.75.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.4 ("inverse schedule") and its published solver files.
    """
    return float((1 + 1e-5 * iteration) ** -0.75)


def no_decay(_: int) -> float:
    """Factor on a learning rate that stays as it is."""
    return 1.0


def one_cycle(step: int, steps: int) -> float:
    """Factor on a learning rate in one cycle, along cosines.

    From a tenth to 1 in a quarter of the steps (at least one step), then down to a thousandth.
    """
    top = max(0.25 * (steps + 1), 2) - 1
    begin, end, done = (0.1, 1.0, step / top)
    if step > top:
        begin, end, done = 1.0, 0.001, (step - top) / (steps - top)
    return end + (begin - end) / 2 * (1 + math.cos(math.pi * done))


def cycles(step: int, fit: FitSpec) -> float:
    """Factor on learning rates: a cycle of the last layer alone where there is one, then one."""
    if step < fit.head_steps:
        return fit.head_lr / fit.lr * one_cycle(step, fit.head_steps)
    return one_cycle(step - fit.head_steps, fit.steps)


def parameter_groups(net: nn.Module, fit: FitSpec) -> list[dict[str, Any]]:
    """Parameters as torch's optimisers take them, in groups of one rate and decay.

    The first has the rate `fit.lr_first` where there is one, else `fit.lr`. AdamW decays no norms
    and biases: they only scale and shift. What is fixed is left out.

    Notes
    -----
    Source of the rates ``caffe``: the network files that Richmond et al. 2017 published:
    convolution biases learn at twice the rate and do not decay; everything else, batch norm's
    scales and shifts too, learns at the rate and decays.
    """
    return [
        group
        for parts, rate in _by_rate(net, fit)
        for group in _by_decay(net, fit, [part for part in parts if part.requires_grad], rate)
    ]


def _by_rate(net: nn.Module, fit: FitSpec) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters and their rate: of first blocks, later blocks and the last layer, or of all."""
    if not fit.lr_first or not isinstance(net, PartlyFixed):
        return [(list(net.parameters()), fit.lr)]
    found, known = [], set[int]()
    for number, modules in enumerate((net.first(net.first_blocks), net.first(), (net,))):
        every = [part for module in modules for part in module.parameters()]
        rate = fit.lr_first * (fit.lr / fit.lr_first) ** (number / 2)
        found.append(([part for part in every if id(part) not in known], rate))
        known |= {id(part) for part in every}
    return found


def _by_decay(
    net: nn.Module, fit: FitSpec, every: list[nn.Parameter], rate: float
) -> list[dict[str, Any]]:
    """Parameters that decay, and those that do not, which may learn at another rate."""
    apart: list[nn.Parameter] = []
    undecayed = {"lr": rate, "weight_decay": 0.0}
    if fit.optimiser == "adamw":
        apart = [part for part in every if part.ndim <= 1]
    elif fit.rates == "caffe":
        convolutions = [part for part in net.modules() if isinstance(part, nn.Conv2d)]
        biases = {id(part.bias) for part in convolutions}
        apart = [part for part in every if id(part) in biases]
        undecayed["lr"] = 2 * rate
    numbers = {id(part) for part in apart}
    rest = [part for part in every if id(part) not in numbers]
    groups = [{"params": rest, "lr": rate}, {"params": apart, **undecayed}]
    return [group for group in groups if group["params"]]
