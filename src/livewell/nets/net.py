"""A net together with what an image must be like for it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Net:
    """A trained module and the patches it was trained on.

    Parameters
    ----------
    module
        (n, 1, input_px, input_px) float32, normalised -> (n, 2) scores before softmax.
    classes
        ``(negative, positive)``, e.g. ``("healthy", "sick")``.
    pixel_um
        Edge of a pixel it was trained on, micrometres; ``None`` if nobody knew.
    patch_px
        Edge of the patch that is cut from the image and normalised.
    input_px
        Edge of the centre of the patch that the module sees.
    turns
        Whether the scores of the eight turns and mirrors of a patch are averaged.
    """

    module: nn.Module
    classes: tuple[str, str]
    pixel_um: float | None
    patch_px: int
    input_px: int
    turns: bool = False

    @torch.inference_mode()
    def logits(self, patches: Tensor) -> Tensor:
        """Log odds of the positive class, uncalibrated.

        Parameters
        ----------
        patches
            (n, patch_px, patch_px) float32, grey levels as in the file.

        Returns
        -------
        torch.Tensor
            (n,) float32.
        """
        inputs = centre(normalise(patches), self.input_px)[:, None]
        views = eight_turns(inputs) if self.turns else [inputs]
        total = torch.zeros(len(patches), device=patches.device)
        for view in views:
            scores = self.module(view).float()
            total += scores[:, 1] - scores[:, 0]
        return total / len(views)


def normalise(patches: Tensor) -> Tensor:
    """Every patch to mean 0 and variance 1; a constant patch becomes zeros.

    Parameters
    ----------
    patches
        (..., h, w) float32.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3 ("variance normalization ... at the level of cropped
    images").
    """
    mean = patches.mean(dim=(-2, -1), keepdim=True)
    sd = patches.std(dim=(-2, -1), keepdim=True, correction=0)
    return (patches - mean) / sd.clamp_min(1e-6 * (1 + mean.abs()))


def centre(patches: Tensor, size_px: int) -> Tensor:
    """The middle `size_px` x `size_px` of (..., h, w)."""
    top, left = ((edge - size_px) // 2 for edge in patches.shape[-2:])
    return patches[..., top : top + size_px, left : left + size_px]


def eight_turns(inputs: Tensor) -> list[Tensor]:
    """The eight right-angle turns and mirrors of square (..., h, w)."""
    turned = [torch.rot90(inputs, k, dims=(-2, -1)) for k in range(4)]
    return turned + [view.flip(-1) for view in turned]
