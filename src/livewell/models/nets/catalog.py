"""Which nets there are, and how one is built."""

from torch import nn

from livewell.errors import SpecError
from livewell.models.nets.backbones import resnet18
from livewell.models.nets.compact import compact
from livewell.models.nets.deadnet import deadnet, xavier_fan_in
from livewell.models.nets.wscnn import WeaklySupervised, begin_seldom, weakly_supervised
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
        (n, channels, h, w) float, normalised -> (n, classes) scores before softmax.

    Raises
    ------
    SpecError
        No channel, fewer than two classes; no frame size, or too small a one, for a net that sees
        whole frames; a pooling that is not defined for so many classes.
    """
    if channels < 1 or classes < 2:
        raise SpecError(
            "no net can be built",
            where=profile.net,
            expected="one channel and two classes at least",
            got=f"{channels} channels and {classes} classes",
        )
    match profile.net:
        case "deadnet":
            net: nn.Module = deadnet(
                classes,
                channels=channels,
                fc_batch_norm=profile.fc_batch_norm,
                pooling=profile.pooling,
                padding=profile.padding,
                dropout=profile.dropout,
            )
        case "compact":
            net = compact(
                classes, channels=channels, padding=profile.padding, dropout=profile.dropout
            )
        case "resnet18":
            net = resnet18(
                classes, channels=channels, padding=profile.padding, weights=profile.weights
            )
        case "wscnn4" | "wscnn6" | "wscnn_small" | "wscnn_resnet18":
            if frame_px is None:
                raise SpecError("no frame size for a net that sees whole frames", where=profile.net)
            net = weakly_supervised(
                profile.net,
                frame_px,
                channels=channels,
                classes=classes,
                pooling=profile.global_pool,
                widest=profile.widest,
                second_kernel=profile.second_kernel,
                mean_image=profile.normalise == "mean_image",
            )
    if profile.init == "xavier_fan_in":
        xavier_fan_in(net)
        if isinstance(net, WeaklySupervised):
            begin_seldom(net)
    return net
