"""The head of a frozen backbone that sees whole images: fitted on features, by labels of images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from livewell.classes import ClassNames
from livewell.image import PixelSource
from livewell.models.building import build, net_of
from livewell.models.device import AUTO, placed
from livewell.models.nets.frozen_images import FrozenImages
from livewell.models.nets.wscnn import WeaklySupervised
from livewell.models.profile import Profile
from livewell.progress import Tick, task
from livewell.region import Region
from livewell.training.data import Draw, Draws, LabelledRegions
from livewell.training.features import GridReader, cache_of
from livewell.training.fit import FitResult, trained
from livewell.training.module import Classifier

LEAST_SD = 1e-6
"""Features and components that vary less are as good as constant."""


class Basis(NamedTuple):
    """From features of cells to components: ``(x - mean) @ axes``."""

    mean: Tensor
    axes: Tensor
    """(features, components)."""


class HeadClassifier(Classifier):
    """Trains class maps that are linear in components of features, and their pooling."""

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Scores of one batch; its target rides along."""
        components, target = batch
        self._watched.append((self.kept(components).cpu(), target.cpu()))


class _Components(Dataset[tuple[Tensor, int]]):
    """Components of the cells of every image, (components, rows, columns), and its class."""

    def __init__(self, components: Tensor, codes: Sequence[int]) -> None:
        self._components, self._codes = components, codes

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, drawn: Draw | int) -> tuple[Tensor, int]:
        row = drawn.row if isinstance(drawn, Draw) else drawn
        return self._components[row].float(), self._codes[row]


def fit_images(
    profile: Profile,
    source: PixelSource,
    train: LabelledRegions,
    validation: LabelledRegions,
    folder: Path,
    *,
    seed: int,
    what: str = "training",
    device: str = AUTO,
    channels: int = 1,
    pixel_um: float | None = None,
    **_: Any,
) -> FitResult:
    """Fit the head of a `FrozenImages` net, as `livewell.training.fit.fit`.

    Features of all cells of the training images are standardised and reduced to their principal
    components, of variance 1 each; class maps are linear in these, and trained through the pooling
    as a net of whole frames is.
    """
    profile = profile.over(len(train.patches))
    torch.manual_seed(seed)
    frame_px, classes = train.patches[0].box.shape, int(train.codes.max()) + 1
    module = cast(FrozenImages, build(profile, frame_px, channels, classes))
    placed(module, device)
    names = ClassNames(tuple(map(str, range(classes))))
    reader = GridReader(net_of(module, profile, names, pixel_um, frame_px), cache_of(source))
    with task(
        f"features for {what}", total=2 * len(train.patches) + len(validation.patches)
    ) as tick:
        basis = basis_of(_grids(reader, source, train.patches, tick), module.spec.components)
        x, held = (
            torch.stack(
                [_reduced(grid, basis) for grid in _grids(reader, source, part.patches, tick)]
            )
            for part in (train, validation)
        )
    small = WeaklySupervised(_class_maps(basis.axes.shape[1], classes), module.head, None)
    result = trained(
        HeadClassifier(small, profile, seed),
        DataLoader(
            _Components(x, train.codes.tolist()),
            batch_size=profile.fit.batch,
            sampler=Draws(train.codes, train.groups, profile, seed),
        ),
        DataLoader(_Components(held, validation.codes.tolist()), batch_size=profile.fit.batch),
        folder,
        what=what,
        device=device,
    )
    state = cast(WeaklySupervised, result.module).body[0].state_dict()
    weight = state["weight"][:, :, 0, 0] @ basis.axes.T
    bias = state["bias"] - weight @ basis.mean
    module.weight[-len(weight) :].copy_(weight)
    module.bias[-len(bias) :].copy_(bias)
    return replace(result, module=module.cpu().eval())


def _class_maps(components: int, classes: int) -> nn.Sequential:
    """Class maps as linear in components; of two classes the negative one's is 0 everywhere."""
    if classes > 2:
        return nn.Sequential(nn.Conv2d(components, classes, 1))
    # a batch of one map each reads as one volume, which gets a plane in front: the negative map
    before = nn.ZeroPad3d((0, 0, 0, 0, 1, 0))
    return nn.Sequential(nn.Conv2d(components, 1, 1), before)


def basis_of(grids: Iterable[Tensor], components: int) -> Basis:
    """Principal components of standardised features (features, rows, columns) of many images."""
    count, total, square = 0, torch.zeros(()), torch.zeros(())
    for grid in grids:
        cells = grid.flatten(1).double()
        count, total = count + cells.shape[1], total + cells.sum(dim=1)
        square = square + cells @ cells.T
    mean = total / count
    covariance = square / count - torch.outer(mean, mean)
    sd = covariance.diagonal().clamp_min(LEAST_SD**2).sqrt()
    spread, axes = torch.linalg.eigh(covariance / torch.outer(sd, sd))
    kept = slice(-min(components, int((spread > LEAST_SD).sum())), None)
    scaled = axes[:, kept] / sd[:, None] / spread[kept].sqrt()
    return Basis(mean.float(), scaled.float())


def _grids(
    reader: GridReader, source: PixelSource, regions: Sequence[Region], tick: Tick
) -> Iterator[Tensor]:
    """Features of every cell of images, (features, rows, columns)."""
    for region in regions:
        crop = source.crop(region.image, region.t, region.box)
        yield reader.grid(crop, reader.module.embedded)
        tick()


def _reduced(grid: Tensor, basis: Basis) -> Tensor:
    """(features, rows, columns) -> (components, rows, columns), float16."""
    centred = grid - basis.mean[:, None, None]
    return torch.einsum("fc,frs->crs", basis.axes, centred).half()
