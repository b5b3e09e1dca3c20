"""Which nets there are, and how one is built."""

from torch import nn

from livewell.errors import SpecError
from livewell.models.nets.backbones import resnet18
from livewell.models.nets.compact import compact
from livewell.models.nets.deadnet import deadnet, xavier_fan_in
from livewell.models.nets.wscnn import WeaklySupervised, begin_seldom, weakly_supervised
from livewell.models.profile import Profile


def build(profile: Profile, frame_px: tuple[int, int] | None = None) -> nn.Module:
    """A new net of two classes for `profile`, its weights drawn from torch's generator.

    Parameters
    ----------
    profile
        Which net, and its settings.
    frame_px
        Height and width of the training frames, for nets that see whole frames.

    Raises
    ------
    SpecError
        No frame size, or too small a one, for a net that sees whole frames.
    """
    match profile.net:
        case "deadnet":
            net: nn.Module = deadnet(
                fc_batch_norm=profile.fc_batch_norm,
                pooling=profile.pooling,
                padding=profile.padding,
                dropout=profile.dropout,
            )
        case "compact":
            net = compact(padding=profile.padding, dropout=profile.dropout)
        case "resnet18":
            net = resnet18(padding=profile.padding, weights=profile.weights)
        case "wscnn4" | "wscnn6" | "wscnn_small" | "wscnn_resnet18":
            if frame_px is None:
                raise SpecError("no frame size for a net that sees whole frames", where=profile.net)
            net = weakly_supervised(
                profile.net,
                frame_px,
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
