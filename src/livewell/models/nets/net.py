"""A net together with what an image must be like for it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from livewell.classes import ClassNames
from livewell.errors import ImageContentError
from livewell.models.specs import LOCAL, Normalisation
from livewell.tables.metadata import Anchor

CONTRAST = 0.2
"""Contrast against the background that becomes 1: that of typical structures in a cell."""


@dataclass(frozen=True, slots=True)
class Net:
    """A trained module and the patches it was trained on."""

    module: nn.Module
    """(n, channels, input_px, input_px) float32, normalised -> (n, classes) logits; of whole frames
    (n, channels, h, w)."""
    classes: ClassNames
    """In the order of the logits."""
    pixel_um: float | None
    """Edge of a pixel it was trained on, micrometres; ``None`` if nobody knew."""
    patch_px: int
    """Edge of the patch that is cropped from the image and normalised; 0: it sees whole frames."""
    input_px: int
    """Edge of what the module sees: the centre of the patch, or more than it for a net that sees a
    margin around a region; 0: all of it."""
    how: Normalisation = "patch"
    turns: bool = False
    """Whether the scores of the eight flips and rotations of a patch are averaged."""
    frame_px: tuple[int, int] | None = None
    """Height and width of the training frames, for a net that sees whole frames."""
    normalise_px: int = 0
    """Edge of the square that local normalisations look at; 0: `patch_px`."""
    middle_px: int = 0
    """Edge of the middle of a patch in which a cell must lie for it to be judged, and from patch to
    patch by default; 0: `patch_px`."""
    anchor: Anchor | None = None
    """What features of a plate are relative to, for a fixed backbone's net."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", ClassNames.of(self.classes))
        object.__setattr__(self, "middle_px", self.middle_px or self.patch_px)

    @property
    def context_px(self) -> int:
        """Pixels around a patch, on every side, that net and normalisation look at."""
        beyond = -(-(self.input_px - self.patch_px) // 2) if self.patch_px else 0
        return self.radius_px + max(beyond, 0)

    @property
    def radius_px(self) -> int:
        """How far around a pixel its normalisation looks."""
        return (self.normalise_px or self.patch_px) // 2 if self.how in LOCAL else 0

    @torch.inference_mode()
    def logits(self, crops: Tensor) -> Tensor:
        """Uncalibrated logits (n, classes) of crops (n, channels, edge, edge) in grey levels.

        The edge is patch_px and twice `context_px`; crops of a net of whole frames are (n,
        channels, h, w).
        """
        return self.scores(normalise(crops, self.how, self.radius_px))

    @torch.inference_mode()
    def scores(self, crops: Tensor) -> Tensor:
        """As `logits`, of crops that are normalised: edge at least input_px."""
        inputs = centre(crops, self.input_px)
        views = eight_turns(inputs) if self.turns else [inputs]
        return torch.stack([self.module(view).to(crops.dtype) for view in views]).mean(dim=0)


def normalise(patches: Tensor, how: Normalisation = "patch", context: int = 0) -> Tensor:
    """Grey levels of patches (..., h, w) as a net takes them in, of the same number type.

    Parameters
    ----------
    how
        ``patch``: every patch to mean 0 and variance 1; a constant patch becomes zeros.
        ``background``: contrast against the patch's median grey level, which is taken for the
        background: ``(x / median - 1) / 0.2``, so that how much light a cell takes away or gathers
        is kept, and exposure does not matter.
        ``mean_image``: as they are, for the module takes the mean training image off itself.
        ``local``, ``local_background``: the same at every pixel, by mean and variance (or mean) of
        the square of ``2 * context + 1`` pixels around it; so a pixel's value does not depend on
        which patch it is looked at in.
    context
        Pixels on every side that are looked at and trimmed off, for the local ones.

    Notes
    -----
    Source of ``patch``: Richmond et al. 2017, section 2.3 ("variance normalization ... at the
    level of cropped images"). The others are livewell's own.
    """
    if how in LOCAL:
        return _by_surroundings(patches, how, context)
    if how == "mean_image":
        return patches
    if how == "background":
        level = patches.flatten(-2).median(dim=-1).values[..., None, None]
        return contrast(patches, level)
    mean = patches.mean(dim=(-2, -1), keepdim=True)
    sd = patches.std(dim=(-2, -1), keepdim=True, correction=0)
    return (patches - mean) / sd.clamp_min(1e-6 * (1 + mean.abs()))


def contrast(patches: Tensor, level: Tensor) -> Tensor:
    """Contrast against a background of `level`, in units of `CONTRAST`."""
    if bool((level <= 0).any()):
        raise ImageContentError(
            "a background whose grey level is not above zero",
            expected="grey levels of a camera, for normalisation against the background",
            remedy="train with --set normalise=patch",
        )
    return (patches / level - 1) / CONTRAST


def _by_surroundings(patches: Tensor, how: Normalisation, context: int) -> Tensor:
    """`normalise` by the square around every pixel; sums of whole grey levels are exact."""
    edge = 2 * context + 1
    values = patches.double()
    # whole numbers stay whole, and squares small
    offset = values.mean(dim=(-2, -1), keepdim=True).round()
    values = values - offset
    mean = _box_sum(values, edge) / edge**2
    height, width = mean.shape[-2:]
    inner = values[..., context : context + height, context : context + width]
    if how == "local_background":
        return contrast(inner + offset, mean + offset).to(patches.dtype)
    variance = _box_sum(values * values, edge) / edge**2 - mean * mean
    least = 1e-6 * (1 + (mean + offset).abs())
    return ((inner - mean) / variance.clamp_min(0).sqrt().clamp_min(least)).to(patches.dtype)


def _box_sum(values: Tensor, edge: int) -> Tensor:
    """Sums of all squares of `edge` pixels: (..., h, w) -> (..., h - edge + 1, w - edge + 1)."""
    for dim in (-1, -2):
        summed = values.cumsum(dim)
        first = summed.narrow(dim, edge - 1, 1)
        length = values.shape[dim] - edge
        later = summed.narrow(dim, edge, length) - summed.narrow(dim, 0, length)
        values = torch.cat([first, later], dim)
    return values


def centre(patches: Tensor, size_px: int) -> Tensor:
    """The middle `size_px` x `size_px` of (..., h, w); all of it where `size_px` is 0."""
    if not size_px:
        return patches
    top, left = ((edge - size_px) // 2 for edge in patches.shape[-2:])
    return patches[..., top : top + size_px, left : left + size_px]


def eight_turns(inputs: Tensor) -> list[Tensor]:
    """The eight flips and right-angle rotations of square (..., h, w)."""
    turned = [torch.rot90(inputs, k, dims=(-2, -1)) for k in range(4)]
    return turned + [view.flip(-1) for view in turned]
