"""A net together with what an image must be like for it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from livewell.errors import ImageContentError
from livewell.profiles import Normalisation

CONTRAST = 0.2
"""Contrast against the background that becomes 1: that of typical structures in a cell."""


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
    how
        How patches are normalised, see `normalise`.
    turns
        Whether the scores of the eight turns and mirrors of a patch are averaged.
    """

    module: nn.Module
    classes: tuple[str, str]
    pixel_um: float | None
    patch_px: int
    input_px: int
    how: Normalisation = "patch"
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
        inputs = centre(normalise(patches, self.how), self.input_px)[:, None]
        views = eight_turns(inputs) if self.turns else [inputs]
        total = torch.zeros(len(patches), device=patches.device)
        for view in views:
            scores = self.module(view).float()
            total += scores[:, 1] - scores[:, 0]
        return total / len(views)


def normalise(patches: Tensor, how: Normalisation = "patch") -> Tensor:
    """Grey levels of patches as a net takes them in.

    Parameters
    ----------
    patches
        (..., h, w) float32, grey levels as in the file.
    how
        ``patch``: every patch to mean 0 and variance 1; a constant patch becomes zeros.
        ``background``: contrast against the patch's median grey level, which is taken for the
        background: ``(x / median - 1) / 0.2``, so that how much light a cell takes away or gathers
        is kept, and exposure does not matter.

    Raises
    ------
    ImageContentError
        A median of zero or below, where there is no contrast against a background.

    Notes
    -----
    Source of ``patch``: Richmond et al. 2017, section 2.3 ("variance normalization ... at the
    level of cropped images"). ``background`` is livewell's own.
    """
    if how == "background":
        level = patches.flatten(-2).median(dim=-1).values[..., None, None]
        if bool((level <= 0).any()):
            raise ImageContentError(
                "patches whose median grey level is not above zero",
                expected="grey levels of a camera, for normalisation against the background",
                remedy="train with --set normalise=patch",
            )
        return (patches / level - 1) / CONTRAST
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
