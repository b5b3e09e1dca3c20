"""Nets of recipes."""

from torch import nn

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.models.nets.deadnet import xavier_fan_in
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import WeaklySupervised
from livewell.models.profile import Profile


def build(
    profile: Profile,
    frame_px: tuple[int, int] | None = None,
    channels: int = 1,
    classes: int = 2,
) -> nn.Module:
    """A new net for `profile`, its weights drawn from torch's generator.

    Nets that see whole frames need the height and width of the training frames. The module makes
    logits (n, classes) of normalised (n, channels, h, w).
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
    if profile.fit.init != "default" and profile.settings().get("weights"):
        raise SpecError(
            f"init {profile.fit.init} would draw over the weights that the net begins with",
            where=profile.net.kind,
            remedy="use --set init=default, or --set weights= for none",
        )
    mean_image = profile.input.normalise == "mean_image"
    net = profile.net.build(
        NetShape(channels, classes, frame_px, mean_image, profile.input.patch_px)
    )
    if profile.fit.init == "xavier_fan_in":
        xavier_fan_in(net)
        if isinstance(net, WeaklySupervised):
            net.begin_seldom()
    return net


def net_of(
    module: nn.Module,
    profile: Profile,
    classes: ClassNames,
    pixel_um: float | None,
    frame_px: tuple[int, int] | None = None,
) -> Net:
    """A module as `build` makes it, with what its recipe says of the crops that it sees."""
    return Net(
        module,
        classes,
        pixel_um,
        profile.input.patch_px,
        profile.seen_px,
        how=profile.input.normalise,
        turns=profile.input.test_time_augmentation,
        frame_px=frame_px if profile.sees_frames else None,
        normalise_px=profile.input.normalise_px,
        middle_px=profile.middle_px,
    )
