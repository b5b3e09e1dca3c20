"""Which nets there are; a new one is a file in this folder and a line here."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from torch import nn

from livewell.errors import SpecError
from livewell.models.nets.backbones import ResNet18Spec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec, xavier_fan_in
from livewell.models.nets.spec import NetSpec
from livewell.models.nets.wscnn import WscnnResNet18Spec, WscnnSixSpec, WscnnSmallSpec, WscnnSpec

if TYPE_CHECKING:
    from livewell.models.profile import Profile

AnyNetSpec = Annotated[
    DeadNetSpec
    | CompactSpec
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


def build(
    profile: "Profile",
    frame_px: tuple[int, int] | None = None,
    channels: int = 1,
    classes: int = 2,
) -> nn.Module:
    """A new net for `profile`, its weights drawn from torch's generator.

    Parameters
    ----------
    profile
        Which net, and its settings.
    frame_px
        Height and width of the training frames, for nets that see whole frames.
    channels
        Of the images that it sees.
    classes
        Number of its outputs, two at least.

    Returns
    -------
    torch.nn.Module
        (n, channels, h, w) float, normalised -> (n, classes) logits.

    Raises
    ------
    SpecError
        No frame size, or too small a one, for a net that sees whole frames; no channel, or fewer
        than two classes.
    """
    if channels < 1 or classes < 2:
        raise SpecError(
            "no net sees so few channels or tells so few classes apart",
            where=profile.net.kind,
            expected="one channel and two classes at least",
            got=f"{channels} channels and {classes} classes",
        )
    if profile.sees_frames and frame_px is None:
        raise SpecError("no frame size for a net that sees whole frames", where=profile.net.kind)
    net = profile.net.build(channels, classes, frame_px, profile.input.normalise)
    if profile.fit.init == "xavier_fan_in":
        xavier_fan_in(net)
        profile.net.begin(net)
    return net
