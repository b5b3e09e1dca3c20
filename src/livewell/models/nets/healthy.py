"""A fixed backbone and one class: how far what it reads of a place lies from healthy."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from livewell.models.nets.field_maps import FieldMap
from livewell.models.nets.frozen import FrozenNet, FrozenSpec
from livewell.models.specs import AugmentSpec, InputSpec

LEAST_FAR = 1e-6
"""Smallest distance that has a logarithm."""


class HealthySpec(FrozenSpec):
    """Settings of `HealthyNet`."""

    one_class: ClassVar[bool] = True

    kind: Literal["healthy"] = "healthy"  # type: ignore[assignment]
    axes: int = Field(
        16,
        gt=0,
        description="principal components along which healthy patches may differ; a distance is of"
        " what is left beside them",
    )

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """As `NetSpec.rules`: there is no second class to fit a head with."""
        return super().rules(edges, augment) | {
            f"net '{self.kind}' has no head to fit: fitted_by must be logistic, hidden 0": (
                not self.hidden and self.fitted_by == "logistic"
            ),
        }

    def _net(self, channels: int, classes: int) -> "HealthyNet":
        return HealthyNet(self, channels, classes)


class HealthyNet(FrozenNet):
    """Logits that rise with the distance of a place from healthy ones, in features.

    They are linear in the logarithm of `Reference.distances`: `weight` is (classes, 1).
    """

    spec: HealthySpec

    def __init__(self, spec: HealthySpec, channels: int, classes: int) -> None:
        super().__init__(spec, channels, classes)
        self.register_buffer("weight", torch.zeros(classes, 1))

    def logits(self, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        """Logits (n, classes) of places."""
        far = self.reference.distances(self.embedded(maps, places)).clamp_min(LEAST_FAR)
        return far.log()[:, None] @ self.weight.T + self.bias
