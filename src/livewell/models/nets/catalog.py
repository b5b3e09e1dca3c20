"""Which nets there are; a new one is a file in this folder, an import and a member here."""

from typing import Annotated

from pydantic import Field

from livewell.models.nets.backbones import ResNet18Spec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.field import FieldNetSpec
from livewell.models.nets.spec import NetSpec
from livewell.models.nets.unet import UNetSpec
from livewell.models.nets.wscnn import WscnnResNet18Spec, WscnnSixSpec, WscnnSmallSpec, WscnnSpec

AnyNetSpec = Annotated[
    DeadNetSpec
    | CompactSpec
    | FieldNetSpec
    | UNetSpec
    | ResNet18Spec
    | WscnnSpec
    | WscnnSixSpec
    | WscnnSmallSpec
    | WscnnResNet18Spec,
    Field(discriminator="kind"),
]
"""One line a net."""
NETS: dict[str, type[NetSpec]] = {
    str(spec.model_fields["kind"].default): spec
    for spec in AnyNetSpec.__origin__.__args__  # type: ignore[attr-defined]
}
"""Specs of nets by kind."""
