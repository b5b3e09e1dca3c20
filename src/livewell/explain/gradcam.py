"""Grad-CAM: where in a crop the evidence for a class lies (equations 1 to 3 of DeadNet's paper)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.image import PixelSource
from livewell.inference.windows import BATCH
from livewell.models.nets.layers import frozen, layer
from livewell.models.nets.net import Net, centre, normalise
from livewell.progress import Tick
from livewell.region import Region
from livewell.training.data import plain_loader


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of n inputs at a layer of k maps of h x w cells.

    Parameters
    ----------
    weights
        (n, k), how much each map counts for the class: alpha_ck, equation 1 or 3.
    signed
        (n, h, w), sum over k of alpha_ck A_k: evidence for the class above zero, against it below.
    scores
        (n,), the class score before softmax, of the input as it lies.
    """

    weights: Tensor
    signed: Tensor
    scores: Tensor

    @property
    def maps(self) -> Tensor:
        """(n, h, w), the evidence for the class: equation 2, nothing below zero."""
        return self.signed.clamp_min(0)


class Cam:
    """A net with the layer that is looked at.

    Maps are on an absolute scale, in units of the class score per cell of the layer, and are never
    stretched image by image: two maps can be compared, and a map without evidence is dark. For a
    net that averages its last maps (compact, ResNet-18) the sum of `Look.signed` over the cells of
    that layer is the class score but for the bias; for DeadNet, whose fully connected layers know
    where in the crop a cell lies, it is Grad-CAM's approximation. A net that averages the eight
    turns of a patch (``Net.turns``) is looked at in the plain view alone.

    Parameters
    ----------
    net
        The trained net; it is copied, and itself left alone.
    name
        Of the layer, see `layers.names`; ``None`` for the last convolutional one.

    Raises
    ------
    SpecError
        There is no such layer.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.6; Selvaraju et al. 2017 ("Grad-CAM").
    """

    def __init__(self, net: Net, name: str | None = None) -> None:
        self.net = net
        self.module = frozen(net.module)
        self.layer = layer(self.module, name)

    def inputs(self, patches: Tensor) -> Tensor:
        """Patches as the module takes them in, as `Net.logits` does.

        Parameters
        ----------
        patches
            (n, channels, edge, edge), grey levels as in the file; edge is ``patch_px`` and twice
            ``context_px`` of the net.

        Returns
        -------
        torch.Tensor
            (n, channels, input_px, input_px), normalised.

        Raises
        ------
        ImageContentError
            A background of zero or below, for a net on contrast against it.
        """
        net = self.net
        return centre(normalise(patches, net.how, net.radius_px), net.input_px)

    def sees(self, box: Box) -> Box:
        """The middle of a patch's box that the module sees, where the patch's map lies."""
        top, left = ((edge - self.net.input_px) // 2 for edge in box.shape)
        y, x = box.y.start + top, box.x.start + left
        return Box.of(y, x, y + self.net.input_px, x + self.net.input_px)

    def look(self, inputs: Tensor, number: int, weights: Tensor | None = None) -> Look:
        """Weights, maps and class scores of a batch.

        Parameters
        ----------
        inputs
            (n, channels, h, w), normalised, see `inputs`.
        number
            Of the class, see `livewell.models.nets.layers.class_number`.
        weights
            (k,), those of the class (`mean_weights`, equation 3); ``None`` for each input's own
            (equation 1), which take the gradient from the score down to the layer.

        Raises
        ------
        SpecError
            Weights of another layer.
        """
        # gradients are wanted whatever the caller's mode, but none below the layer
        with torch.inference_mode(False), torch.set_grad_enabled(weights is None):
            maps, scores = self._run(inputs, number)
            if weights is None:
                (gradient,) = torch.autograd.grad(scores.sum(), maps)
                alpha = gradient.mean(dim=(-2, -1))
            else:
                alpha = self._given(weights, maps)
        maps = maps.detach()
        return Look(alpha, torch.einsum("nk,nkhw->nhw", alpha, maps), scores.detach())

    def enlarged(self, maps: Tensor) -> Tensor:
        """Maps of the layer at the input's pixels: (n, h, w) -> (n, input_px, input_px)."""
        return self.layer.enlarged(maps, self.net.input_px)

    def _run(self, inputs: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Maps of the layer, from which gradients begin, and the class scores that they make."""
        kept: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, maps: Tensor) -> Tensor:
            leaf = maps.detach().requires_grad_(torch.is_grad_enabled())
            kept.append(leaf)
            return leaf

        # what was made under inference_mode cannot take part in a graph
        own = inputs.clone() if inputs.is_inference() else inputs
        hook = self.layer.module.register_forward_hook(keep)
        try:
            like = next(self.module.parameters())
            scores = self.module(own.to(like))
        finally:
            hook.remove()
        return kept[0], scores[:, number]

    def _given(self, weights: Tensor, maps: Tensor) -> Tensor:
        if weights.shape != maps.shape[1:2]:
            raise SpecError(
                "weights of another layer",
                where=self.layer.name,
                expected=f"shape ({maps.shape[1]},), one for each of its maps",
                got=f"shape {tuple(weights.shape)}",
            )
        return weights.to(maps).expand(len(maps), -1)


def mean_weights(cam: Cam, batches: Iterable[Tensor], number: int) -> Tensor:
    """Weights of a class: those of all its crops averaged (equation 3).

    Parameters
    ----------
    cam
        Net and layer.
    batches
        (n, 1, h, w) each, normalised, inputs of that class only; however they are dealt out.
    number
        Of the class.

    Returns
    -------
    torch.Tensor
        (k,) float64 on the processor.

    Raises
    ------
    SpecError
        There is no input.
    """
    total, seen = torch.zeros(1, dtype=torch.float64), 0
    for inputs in batches:
        total = total + cam.look(inputs, number).weights.double().sum(dim=0).cpu()
        seen += len(inputs)
    if not seen:
        raise SpecError(
            "no patch of this class to average weights over",
            where=cam.net.classes[number],
            remedy="give patches of the class, or look with each patch's own weights",
        )
    return total / seen


def class_weights(
    cam: Cam,
    source: PixelSource,
    patches: Sequence[Region],
    number: int,
    *,
    most: int | None = None,
    seed: int = 0,
    tick: Tick | None = None,
) -> Tensor:
    """Weights of a class over patches of a study (equation 3), so that crops agree.

    Weights of single crops make the maps of overlapping crops disagree; the paper averages them
    over all training images of the class. Right before a mean over the map (last stage of the
    compact net and of ResNet-18) every crop has the same weights, and averaging changes nothing.

    Parameters
    ----------
    cam
        Net and layer.
    source
        Where the pixels come from.
    patches
        Training patches of that class.
    number
        Of the class.
    most
        Take no more than so many, drawn at random; ``None`` for all.
    seed
        Of the drawing.
    tick
        Told how many patches are done.

    Returns
    -------
    torch.Tensor
        (k,) float64 on the processor.

    Raises
    ------
    SpecError
        There is no patch.
    """
    if most is not None and most < len(patches):
        drawn = np.random.default_rng(seed).choice(len(patches), most, replace=False)
        patches = [patches[row] for row in sorted(drawn.tolist())]

    def batches() -> Iterator[Tensor]:
        for grey, _ in plain_loader(source, patches, batch=BATCH, context=cam.net.context_px):
            yield cam.inputs(grey)
            if tick:
                tick(len(grey))

    return mean_weights(cam, batches(), number)


@dataclass(frozen=True, slots=True)
class PatchMap:
    """One patch with the evidence for a class in it.

    Parameters
    ----------
    patch
        The key.
    box
        The middle of the patch that the net sees, pixels of the frame; may reach beyond it.
    grey
        (input_px, input_px) float32, grey levels of the first channel as in the file.
    map
        (input_px, input_px) float32, the map at the same pixels, in units of the class score per
        cell of the layer.
    score
        Class score before softmax.
    """

    patch: Region
    box: Box
    grey: NDArray[np.float32]
    map: NDArray[np.float32]
    score: float


def patch_maps(
    cam: Cam,
    source: PixelSource,
    patches: Sequence[Region],
    number: int,
    *,
    weights: Tensor | None = None,
    signed: bool = False,
    tick: Tick | None = None,
) -> Iterator[PatchMap]:
    """Maps of the patches of a study, one by one and in order.

    Parameters
    ----------
    cam
        Net and layer.
    source
        Where the pixels come from.
    patches
        Which ones.
    number
        Of the class.
    weights
        (k,) of the class, or ``None`` for each patch's own, see `Cam.look`.
    signed
        Keep what speaks against the class, below zero.
    tick
        Told how many patches are done.
    """
    size = cam.net.input_px
    for crops, rows in plain_loader(source, patches, batch=BATCH, context=cam.net.context_px):
        look = cam.look(cam.inputs(crops), number, weights)
        maps = cam.enlarged(look.signed if signed else look.maps).float().cpu().numpy()
        middles = centre(crops[:, 0], size).numpy()
        for row, middle, found, score in zip(
            rows.tolist(), middles, maps, look.scores.tolist(), strict=True
        ):
            patch = patches[row]
            yield PatchMap(patch, cam.sees(patch.box), middle, found, score)
        if tick:
            tick(len(crops))
