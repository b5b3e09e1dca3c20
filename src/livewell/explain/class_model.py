"""Class models: the image that a net takes for its class (equation 4 of DeadNet's paper)."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from livewell.errors import SpecError
from livewell.models.nets.layers import frozen
from livewell.models.nets.net import Net
from livewell.progress import Tick


@dataclass(frozen=True, slots=True)
class Ascent:
    """How the image climbs: I <- I + step (dS_c/dI - shrink I + smooth lap I).

    The paper prints the last sign as minus, which sharpens, though the term is there to make
    neighbours alike; here it smooths, unless `as_printed`.

    Parameters
    ----------
    step
        Epsilon, size of a step.
    shrink
        Lambda_1, pull towards zero.
    smooth
        Lambda_2, pull towards the neighbours.
    steps
        How many.
    as_printed
        Run the sign as printed, for comparison.
    """

    step: float = 10.0
    shrink: float = 0.01
    smooth: float = 0.001
    steps: int = 500
    as_printed: bool = False

    def __post_init__(self) -> None:
        given = self.step, self.shrink, self.smooth
        if not all(map(math.isfinite, given)) or self.step <= 0 or min(given[1:]) < 0:
            raise SpecError(
                "an ascent that cannot be",
                expected="a step above 0, shrink and smooth of 0 or more",
                got=f"step {self.step}, shrink {self.shrink}, smooth {self.smooth}",
            )
        if self.steps < 1:
            raise SpecError("too few steps", expected="at least 1", got=str(self.steps))
        # the Laplacian's waves have eigenvalues from -8 (a chessboard) to 0 (a constant)
        sign = -1 if self.as_printed else 1
        worst = max(abs(1 - self.step * (self.shrink + sign * self.smooth * e)) for e in (0, 8))
        if worst > 1 + 1e-12:
            raise SpecError(
                "an ascent that blows up without any gradient",
                expected="a factor of at most 1 a step on every pattern",
                got=f"{worst:.3g}",
                remedy="take a smaller step, or less smoothing",
            )


EQUATION_4 = Ascent()
"""Richmond et al. 2017, section 2.6, equation 4: step 10, 0.01, 0.001, 500 steps."""


@dataclass(frozen=True, slots=True)
class ClassModel:
    """An image made for a class.

    Parameters
    ----------
    image
        (input_px, input_px) float32, the first channel, normalised as the net takes images in.
    scores
        (2, classes) float32, scores before softmax at the start and at the end, of the plain view.
    """

    image: NDArray[np.float32]
    scores: NDArray[np.float32]


def class_model(
    net: Net,
    number: int,
    start: Tensor,
    *,
    ascent: Ascent = EQUATION_4,
    tick: Tick | None = None,
) -> ClassModel:
    """The image that gradient ascent on a class score leads to.

    Parameters
    ----------
    net
        The trained net; it is left alone.
    number
        Of the class, see `livewell.models.nets.layers.class_number`.
    start
        (channels, input_px, input_px), normalised: zeros, or a crop of another class
        (``Cam.inputs(patch)[0]``).
    tick
        Told how many steps are done.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.6, equation 4. The score is before softmax.
    """
    with torch.inference_mode(False):
        module = frozen(net.module)
        image = start.detach().clone()[None].to(next(module.parameters()))
        with torch.no_grad():
            before = module(image)[0]
        for _ in range(ascent.steps):
            with torch.enable_grad():
                image.requires_grad_(True)
                (gradient,) = torch.autograd.grad(module(image)[0, number], image)
            image = climbed(image.detach(), gradient, ascent)
            if tick:
                tick(1)
        with torch.no_grad():
            scores = torch.stack([before, module(image)[0]])
    return ClassModel(image[0, 0].float().cpu().numpy(), scores.float().cpu().numpy())


def climbed(image: Tensor, gradient: Tensor, ascent: Ascent) -> Tensor:
    """The image (n, channels, h, w) one step on, by equation 4 and the class score's gradient."""
    smooth = -ascent.smooth if ascent.as_printed else ascent.smooth
    pull = smooth * laplacian(image) - ascent.shrink * image
    return image + ascent.step * (gradient + pull)


def laplacian(image: Tensor) -> Tensor:
    """The four neighbours less four times the pixel, (n, channels, h, w); mirrored at the borders.

    What lies beyond the border is the border's own pixel, so nothing flows in or out.
    """
    wide = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    beside = wide[..., 1:-1, 2:] + wide[..., 1:-1, :-2]
    return beside + wide[..., 2:, 1:-1] + wide[..., :-2, 1:-1] - 4 * image
