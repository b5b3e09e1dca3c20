"""Nets of recipes."""

from torch import nn

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.models.nets.deadnet import xavier_fan_in
from livewell.models.nets.net import Net
from livewell.models.profile import Profile


def build(
    profile: Profile,
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


def net_of(
    module: nn.Module,
    profile: Profile,
    classes: ClassNames,
    pixel_um: float | None,
    frame_px: tuple[int, int] | None = None,
) -> Net:
    """A module with what its recipe says of the crops that it sees.

    Parameters
    ----------
    module
        As `build` makes it.
    profile
        The recipe.
    classes
        In the order of the logits.
    pixel_um
        Edge of a pixel, micrometres; ``None`` if nobody knew.
    frame_px
        Height and width of the training frames, for nets that see whole frames.
    """
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
    )
