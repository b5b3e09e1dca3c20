"""Which nets there are; a new one is a file in this folder, an import and a member here."""

from typing import Annotated, get_args

from pydantic import Field

from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.field import FieldNetSpec
from livewell.models.nets.frozen import FrozenSpec
from livewell.models.nets.frozen_images import FrozenImagesSpec
from livewell.models.nets.healthy import HealthySpec
from livewell.models.nets.spec import NetSpec
from livewell.models.nets.unet import UNetSpec
from livewell.models.nets.wscnn import WscnnResNet18Spec, WscnnSixSpec, WscnnSmallSpec, WscnnSpec

AnyNetSpec = Annotated[
    DeadNetSpec
    | CompactSpec
    | FieldNetSpec
    | FrozenSpec
    | UNetSpec
    | BackboneSpec
    | WscnnSpec
    | WscnnSixSpec
    | WscnnSmallSpec
    | WscnnResNet18Spec
    | FrozenImagesSpec
    | HealthySpec,
    Field(discriminator="kind"),
]
"""One line a file of nets, or a net."""
NETS: dict[str, type[NetSpec]] = {
    kind: spec
    for spec in AnyNetSpec.__origin__.__args__  # type: ignore[attr-defined]
    for kind in get_args(spec.model_fields["kind"].annotation)
}
"""Specs of nets by kind."""
