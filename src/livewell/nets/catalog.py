"""Which nets there are, and how one is built."""

from torch import nn

from livewell.nets.backbones import resnet18
from livewell.nets.compact import compact
from livewell.nets.deadnet import deadnet, xavier_fan_in
from livewell.profiles.profile import Profile


def build(profile: Profile) -> nn.Module:
    """A new net of two classes for `profile`, its weights drawn from torch's generator."""
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
    if profile.init == "xavier_fan_in":
        xavier_fan_in(net)
    return net
