"""What every net declares: its own settings, how its cells lie over the pixels, how it is built."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field
from torch import nn

from livewell.errors import SpecError
from livewell.models.specs import AugmentSpec, InputSpec, Spec

Padding = Literal["same", "valid"]
Parts = tuple[nn.Module, bool, list[nn.Module]]
"""Trunk, whether its cells are averaged, and the layers after that."""


@dataclass(frozen=True, slots=True)
class Trunk:
    """How the last maps of a net of crops lie over the pixels, and how it comes apart."""

    stride_px: int
    """From cell to cell."""
    field_px: int
    """Edge of the square of pixels that one cell sees: the smallest crop without padding."""
    before_px: int
    """How far padding lets the first cell see beyond the crop."""
    parts: Callable[[nn.Module], Parts]
    """Takes a copy of the net apart."""


class NetShape(NamedTuple):
    """What decides a net's layers beside its settings."""

    channels: int = 1
    classes: int = 2
    frame_px: tuple[int, int] | None = None
    """Height and width of the training frames, for nets that see whole frames."""
    mean_image: bool = False
    """Whether the net takes the mean training image off."""
    patch_px: int = 0
    """Edge of the patches that it judges; 0: whole frames."""


PLAIN = NetShape()


def declare(module: nn.Module, trunk: Trunk) -> nn.Module:
    """`module`, which says from now on how its cells lie."""
    module.__dict__["declared"] = trunk
    return module


def declared(module: nn.Module) -> Trunk:
    """What a net of crops says of itself; a SpecError where it says nothing."""
    found = module.__dict__.get("declared")
    if not isinstance(found, Trunk):
        raise SpecError(
            "this net has no dense form",
            expected="a net of crops that declares its trunk, as those of the catalog do",
            got=type(module).__name__,
        )
    return found


def flat_parts(module: nn.Module) -> Parts:
    """Parts of layers in a row: what lies before the flattening, and after it."""
    layers = list(module.children())
    flat = next(i for i, layer in enumerate(layers) if isinstance(layer, nn.Flatten))
    pooled = isinstance(layers[flat - 1], nn.AdaptiveAvgPool2d)
    return nn.Sequential(*layers[: flat - pooled]), pooled, layers[flat + 1 :]


class NetSpec(Spec):
    """Settings of one net; each net's file holds its own."""

    kind: str
    sees_frames: ClassVar[bool] = False
    """Whether it takes whole frames and learns from labels of images."""
    sees_fields: ClassVar[bool] = False
    """Whether it looks at the whole field to tell what is at a place of it."""
    has_blocks: ClassVar[bool] = False
    """Whether it is a known backbone, whose blocks may learn at rates of their own."""
    one_class: ClassVar[bool] = False
    """Whether it learns from one class alone, and says how unlike that others are."""
    margin_px: ClassVar[int] = 0
    """Pixels around a region that the net sees: 0 for nets that see the region's crop alone."""

    @abstractmethod
    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """A new net, its weights drawn from torch's generator."""

    @property
    def trunk(self) -> Trunk | None:
        """Of a net of crops or fields: how its last maps lie over the pixels."""
        return None

    @property
    def from_scratch(self) -> "NetSpec":
        """These settings without initial weights."""
        return self

    @property
    def begins_with(self) -> str:
        """Weights it begins with, as `livewell.models.pretrained` finds them; empty: new ones."""
        return ""

    @property
    def learns_from_fields(self) -> bool:
        """Whether it is trained on crops of fields with several regions in them."""
        return self.margin_px > 0

    @property
    def predicts_stain(self) -> bool:
        """Whether it learns a stain pixel by pixel, and predicts it."""
        return False

    @property
    def reads_centre(self) -> bool:
        """Whether a patch is judged by what is at its centre, not by all that is in it."""
        return False

    def for_labels(self, centred: bool) -> "NetSpec":
        """These settings for labels of what lies at the centres of patches, or of whole patches."""
        return self

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """What the other settings must be for this net: each rule's text, and whether it holds."""
        return {}

    @property
    def says_where(self) -> bool:
        """Whether its class maps say where: every position is judged alike.

        A fully connected head gives positions any sign.
        """
        return self.pooled_by not in ("", "connected")

    @property
    def pooled_by(self) -> str:
        """How class maps become one score a class; empty for nets of crops."""
        return ""

    def narrowed(self, done: float) -> float | None:
        """How far pooling has narrowed when a share of the steps is done; ``None``: it does not."""
        return None

    @property
    def pads(self) -> bool:
        """Whether its convolutions pad with zeros, so that it feels where a crop ends."""
        return True

    @property
    def stride_px(self) -> int:
        """From cell to cell of its last maps, pixels; 1 where nothing is declared."""
        return 1 if self.trunk is None else self.trunk.stride_px


class CropNetSpec(NetSpec):
    """Settings of a net of crops, whose convolutions may do without padding."""

    fixed_px: ClassVar[int] = 0
    """Edge of the crops that it takes; 0: any."""
    padding: Padding = Field(
        "same",
        description="zeros around the maps of every convolution, or none (valid); without them and"
        " with local normalisation a whole frame can be scored at once, exactly",
    )

    @property
    def pads(self) -> bool:
        """Whether its convolutions pad with zeros."""
        return self.padding == "same"

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """As `NetSpec.rules`: crops must be of the size that the net takes."""
        least = 1 if self.pads or self.trunk is None else self.trunk.field_px
        return {
            f"net '{self.kind}' needs input_px {self.fixed_px}": (
                self.fixed_px in (0, edges.input_px)
            ),
            f"net '{self.kind}' without padding needs input_px of at least {least}": (
                edges.input_px >= least
            ),
        }
