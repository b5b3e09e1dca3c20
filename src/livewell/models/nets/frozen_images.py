"""A fixed backbone under a light head that labels of whole images teach.

The class map is what the head says at every cell of a grid over the image; pooled, it is what it
says of the image.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from livewell.models.nets.frozen import FrozenNet, FrozenSpec
from livewell.models.nets.global_pooling import GlobalPooling
from livewell.models.nets.wscnn import PooledSpec
from livewell.models.specs import AugmentSpec, InputSpec


class FrozenImagesSpec(FrozenSpec, PooledSpec):
    """Settings of `FrozenImages`."""

    sees_fields: ClassVar[bool] = False

    kind: Literal["frozen_images"] = "frozen_images"  # type: ignore[assignment]
    components: int = Field(
        400, gt=0, description="principal components of the features that the head is fitted on"
    )
    cell_px: int = Field(
        8, gt=0, description="from cell to cell of the class map, pixels of the image"
    )

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """As `NetSpec.rules`; fully connected layers would need images of one size."""
        return super().rules(edges, augment) | {
            f"net '{self.kind}' needs global_pool max, average or log_sum_exp": (
                self.global_pool in ("max", "average", "log_sum_exp")
            ),
            f"net '{self.kind}' has no patches: reads must be auto": self.reads == "auto",
            f"the head of net '{self.kind}' is linear: hidden must be 0": not self.hidden,
        }

    def for_labels(self, centred: bool) -> "FrozenImagesSpec":
        """As `NetSpec.for_labels`: there are no patches."""
        return self

    def _net(self, channels: int, classes: int) -> "FrozenImages":
        return FrozenImages(self, channels, classes)


class FrozenImages(FrozenNet):
    """Class maps on a grid over an image, from a fixed backbone's maps of it, and their pooling."""

    spec: FrozenImagesSpec

    def __init__(self, spec: FrozenImagesSpec, channels: int, classes: int) -> None:
        super().__init__(spec, channels, classes)
        self.head = GlobalPooling(spec.global_pool, widest=spec.widest, classes=classes)

    @property
    def cells(self) -> tuple[int, int, float]:
        """How the cells of the class maps lie: stride, field, first, of `layers.geometry`."""
        return self.spec.cell_px, 2 * self.reach_px + 1, (self.spec.cell_px - 1) / 2

    def grid(self, shape: Sequence[int]) -> tuple[Tensor, tuple[int, int]]:
        """Places (cells, 2) of the class maps of an image of (h, w) pixels; rows and columns."""
        rows, columns = (max(round(size / self.spec.cell_px), 1) for size in shape)
        cells = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
        return (cells + 0.5) * self.spec.cell_px, (rows, columns)
