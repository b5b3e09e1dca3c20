"""Grad-CAM and CAM: where in a crop the evidence for a class lies (DeadNet's equations 1 to 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.image import PixelSource
from livewell.inference.windows import BATCH
from livewell.models.nets.layers import Layer, frozen, layer
from livewell.models.nets.net import Net, centre, normalise
from livewell.models.nets.spec import Trunk
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

    The net is copied, and itself left alone. Layers are named as in `layers.names`; by default the
    last convolutional one is looked at.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.6; Selvaraju et al. 2017 ("Grad-CAM"); Zhou et al. 2016
    ("CAM"), for `activations`.
    """

    def __init__(self, net: Net, name: str | None = None) -> None:
        self.net = net
        self.module = frozen(net.module)
        self.layer = layer(self.module, name)
        self._head = _averaging_head(self.module)

    @property
    def averages(self) -> bool:
        """Whether scores are weighted averages of the last maps; then there are `activations`."""
        return self._head is not None

    def inputs(self, patches: Tensor) -> Tensor:
        """Patches as the module takes them in, (n, channels, input_px, input_px), normalised.

        They come in grey levels as in the file, their edge ``patch_px`` and twice ``context_px`` of
        the net.
        """
        net = self.net
        return centre(normalise(patches, net.how, net.radius_px), net.input_px)

    def sees(self, box: Box) -> Box:
        """The middle of a patch's box that the module sees, where the patch's map lies."""
        return middle(box, self.net.input_px)

    def look(self, inputs: Tensor, number: int, weights: Tensor | None = None) -> Look:
        """Weights, maps and class scores of a batch of `inputs`.

        Parameters
        ----------
        number
            Of the class, see `livewell.models.nets.layers.class_number`.
        weights
            (k,), those of the class (`class_weights`, equation 3); ``None`` for each input's own
            (equation 1), which take the gradient from the score down to the layer.
        """
        # gradients are wanted whatever the caller's mode, but none below the layer
        with torch.inference_mode(False), torch.set_grad_enabled(weights is None):
            maps, scores = self._run(inputs, number)
            if weights is None:
                (gradient,) = torch.autograd.grad(scores.sum(), maps)
                alpha = gradient.mean(dim=(-2, -1))
            else:
                alpha = weights.to(maps).expand(len(maps), -1)
        maps = maps.detach()
        return Look(alpha, torch.einsum("nk,nkhw->nhw", alpha, maps), scores.detach())

    def maps(
        self, inputs: Tensor, number: int, weights: Tensor | None = None
    ) -> NDArray[np.float32]:
        """Evidence for the class at the pixels of `inputs`, (n, input_px, input_px), as `look`."""
        maps = self.layer.enlarged(self.look(inputs, number, weights).maps, self.net.input_px)
        found: NDArray[np.float32] = maps.float().cpu().numpy()
        return found

    def activations(self, inputs: Tensor, number: int) -> NDArray[np.float32] | None:
        """Class activation maps (CAM) at the pixels of `inputs`, (n, input_px, input_px).

        Each of the net's last maps by the net's own weight of it for the class, whatever layer is
        looked at: above zero for the class, below zero against it. The sum over the cells of the
        last layer is the class score but for the bias; at another one the unit is still that of
        `maps`, the score per area of its cells. ``None`` where a net has no such weights, for more
        than one fully connected layer lies between its maps and the scores.
        """
        if self._head is None:
            return None
        last = layer(self.module)
        with torch.inference_mode():
            maps, _ = self._run(inputs, number, last)
            area = (self.layer.stride_px / last.stride_px) ** 2
            weight = self._head.weight[number].to(maps) * (area / maps[0, 0].numel())
            signed = torch.einsum("k,nkhw->nhw", weight, maps)
            found: NDArray[np.float32] = (
                last.enlarged(signed, self.net.input_px).float().cpu().numpy()
            )
        return found

    def _run(self, inputs: Tensor, number: int, at: Layer | None = None) -> tuple[Tensor, Tensor]:
        """Maps of the layer, from which gradients begin, and the class scores that they make."""
        kept: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, maps: Tensor) -> Tensor:
            leaf = maps.detach().requires_grad_(torch.is_grad_enabled())
            kept.append(leaf)
            return leaf

        # what was made under inference_mode cannot take part in a graph
        own = inputs.clone() if inputs.is_inference() else inputs
        with (at or self.layer).module.register_forward_hook(keep):
            scores = self.module(own.to(next(self.module.parameters())))
        return kept[0], scores[:, number]


def _averaging_head(module: nn.Module) -> nn.Linear | None:
    """The one layer between the averages of a net's last maps and its class scores, if it is so."""
    trunk = module.__dict__.get("declared")
    if not isinstance(trunk, Trunk):
        return None
    _, averaged, after = trunk.parts(frozen(module))
    (first, *more) = [each for each in after if not isinstance(each, nn.Dropout)]
    return first if averaged and not more and isinstance(first, nn.Linear) else None


def class_weights(
    cam: Cam,
    source: PixelSource,
    patches: Sequence[Region],
    number: int,
    *,
    tick: Tick | None = None,
) -> Tensor:
    """Weights of a class averaged over its patches (equation 3), so that crops agree; (k,) float64.

    Weights of single crops make the maps of overlapping crops disagree; the paper averages them
    over all training images of the class. Right before a mean over the map (last stage of the
    compact net and of ResNet-18) every crop has the same weights, and averaging changes nothing.
    """
    if not patches:
        raise SpecError(
            "no patch of this class to average weights over",
            where=cam.net.classes[number],
            remedy="give patches of the class, or look with each patch's own weights",
        )
    total = torch.zeros(1, dtype=torch.float64)
    for grey, _ in plain_loader(source, patches, batch=BATCH, context=cam.net.context_px):
        total = total + cam.look(cam.inputs(grey), number).weights.double().sum(dim=0).cpu()
        if tick:
            tick(len(grey))
    return total / len(patches)


def middle(box: Box, edge_px: int) -> Box:
    """The square around a box's middle, half a pixel before it where edges do not agree."""
    y, x = (span.start + (span.size - edge_px) // 2 for span in (box.y, box.x))
    return Box.of(y, x, y + edge_px, x + edge_px)


@dataclass(frozen=True, slots=True)
class PatchMap:
    """One patch with the evidence for a class in it.

    Parameters
    ----------
    box
        What is shown, pixels of the frame: the middle of the patch that a net of crops sees; of a
        net of whole fields the patch, or the largest square that it reads around a place if that is
        larger (`places.PlaceCam`). May reach beyond patch and frame.
    grey
        (h, w) float32, grey levels of the first channel as in the file.
    map
        (h, w) float32, the map at the same pixels, in units of the class score per cell of the
        layer, or per square of 8 px.
    """

    patch: Region
    box: Box
    grey: NDArray[np.float32]
    map: NDArray[np.float32]


def patch_maps(
    cam: Cam,
    source: PixelSource,
    patches: Sequence[Region],
    number: int,
    weights: Tensor | None = None,
) -> Iterator[PatchMap]:
    """Maps of the patches of a study, one by one and in order; `weights` as in `Cam.look`."""
    loader = plain_loader(source, patches, batch=BATCH, context=cam.net.context_px)
    for crops, rows in loader:
        maps = cam.maps(cam.inputs(crops), number, weights)
        middles = centre(crops[:, 0], cam.net.input_px).numpy()
        for row, middle, found in zip(rows.tolist(), middles, maps, strict=True):
            yield PatchMap(patches[row], cam.sees(patches[row].box), middle, found)
