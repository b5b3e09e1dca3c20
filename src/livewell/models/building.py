"""A new net for a recipe."""

from torch import nn

from livewell.errors import SpecError
from livewell.models.nets.deadnet import xavier_fan_in
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
