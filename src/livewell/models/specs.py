"""Settings of what a net sees, of augmentation and of fitting: frozen values, checked."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.types import NonNegativeFloat, PositiveFloat

Normalisation = Literal["patch", "background", "local", "local_background", "mean_image"]
LOCAL: tuple[Normalisation, ...] = ("local", "local_background")
"""Normalisations of every pixel by its own neighbourhood, whatever crop it is looked at in."""
Number = TypeVar("Number")


def _split(typed: Any) -> Any:
    return typed.split(",") if isinstance(typed, str) else typed


def _in_order(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("has low > high")
    return pair


Bounds = Annotated[tuple[Number, Number], BeforeValidator(_split), AfterValidator(_in_order)]
"""(low, high); typed as ``0,1.5``."""
Share = Annotated[float, Field(ge=0, le=1)]


def hold(rules: Mapping[str, bool]) -> None:
    """Raise a ValueError that names all rules that do not hold."""
    wrong = [rule for rule, holds in rules.items() if not holds]
    if wrong:
        raise ValueError("; ".join(wrong))


class Spec(BaseModel):
    """A frozen value that refuses unknown fields.

    Lengths are pixels of the training images; a pair is (low, high), drawn uniformly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class InputSpec(Spec):
    """What is cropped from an image for a net, and how grey levels are normalised."""

    patch_px: int = Field(
        ge=0, description="edge of the patch that is cropped from the image; 0: the whole frame"
    )
    input_px: int = Field(
        ge=0, description="edge of the crop of the patch that the net sees; 0: all of it"
    )
    stride_px: int = Field(ge=0, description="default stride of the patch grid; 0: whole frames")
    normalise_px: int = Field(
        0, ge=0, description="edge of the square of local normalisation; 0: patch_px"
    )
    normalise: Normalisation = Field(
        "patch",
        description="patch: every patch to mean 0 and variance 1; background: to contrast against"
        " its median; local, local_background: the same at every pixel, by mean and variance of the"
        " square of normalise_px around it; mean_image: grey levels less the mean training"
        " image (wscnn nets)",
    )
    test_time_augmentation: bool = Field(
        False, description="average the eight flips and rotations of a patch when scoring"
    )

    @property
    def radius_px(self) -> int:
        """How far around a pixel its normalisation looks; 0 for those of whole crops."""
        return (self.normalise_px or self.patch_px) // 2 if self.normalise in LOCAL else 0


class AugmentSpec(Spec):
    """Random changes of crops in training, in this order."""

    warp_sigma_px: float = Field(0, ge=0, description="thin-plate spline, sd of control points")
    warp_grid_px: int = Field(128, gt=0, description="thin-plate spline, distance of points")
    rotate_deg: float = Field(0, ge=0, le=180, description="rotation in -rotate..rotate")
    scale: Bounds[PositiveFloat] = (1.0, 1.0)
    translate_px: float = Field(
        0, ge=0, description="translation along each axis, mirrored at the edges"
    )
    crop_jitter_px: float = Field(
        -1,
        ge=-1,
        description="crop within so many pixels of the middle; -1: anywhere in the patch; nets of"
        " fields take regions anywhere in a crop",
    )
    flips: bool = Field(
        True,
        description="the eight reflections and right-angle rotations; of whole frames the four that"
        " keep height and width",
    )
    blur_px: Bounds[NonNegativeFloat] = Field((0.0, 0.0), description="sigma of a Gaussian blur")
    blur_share: float = Field(1.0, ge=0, le=1, description="share of crops that are blurred")
    sharpen: float = Field(0, ge=0, description="highest strength of an unsharp mask")
    sharpen_share: float = Field(0, ge=0, le=1, description="share of crops that are sharpened")
    shade: float = Field(0, ge=0, description="slope of a linear shading, per half patch")
    gamma: Bounds[PositiveFloat] = Field((1.0, 1.0), description="exponent on crops scaled to 0-1")
    contrast: float = Field(0, ge=0, description="factor exp(-contrast..contrast) on contrast")
    noise_sd: Bounds[NonNegativeFloat] = Field(
        (0.0, 0.0), description="Gaussian noise after normalisation"
    )
    erase: float = Field(0, ge=0, le=1, description="share of crops with one erased square")
    mixup: float = Field(0, ge=0, description="alpha of mixup's beta distribution; 0 for none")


class FitSpec(Spec):
    """How weights begin, which regions are drawn, and how long and how fast a net learns."""

    balance: Literal["none", "class", "class_and_group", "paired", "class_with_replacement"] = (
        Field(
            "class_and_group",
            description="draw regions evenly; classes evenly; groups evenly within classes; one of"
            " each class from groups evenly, where most regions lie in groups that hold all classes"
            " (else as class_and_group); or regions independently with replacement, each by the"
            " inverse count of its class",
        )
    )
    batch: int = Field(gt=0)
    init: Literal["default", "xavier_fan_in"] = "default"
    optimiser: Literal["sgd", "nesterov", "adam", "adamw", "lbfgs"] = Field(
        description="lbfgs: all regions at once until nothing changes, for linear heads"
    )
    lr: float = Field(gt=0)
    lr_first: float = Field(
        0,
        ge=0,
        description="of known backbones: rate of the first blocks, from which it rises by one"
        " factor to later blocks and by the same to the last layer, which has lr; 0: lr for all",
    )
    head_epochs: int = Field(
        0,
        ge=0,
        description="of known backbones that begin with weights: epochs before all others, in which"
        " the last layer alone learns, in one cycle up to head_lr",
    )
    head_lr: float = Field(0.01, gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    betas: Bounds[Annotated[float, Field(ge=0, lt=1)]] = Field(
        (0.9, 0.999), description="adam, adamw: decay of the means of gradients and their squares"
    )
    weight_decay: float = Field(ge=0)
    rates: Literal["plain", "caffe"] = Field(
        "plain",
        description="one rate and decay for all, or convolution biases at twice the rate and not"
        " decayed (caffe; nesterov only)",
    )
    schedule: Literal["inverse", "one_cycle", "plateau", "constant"]
    plateau_epochs: int = Field(
        10, gt=0, description="epochs without a better validation before the rate is divided by 10"
    )
    label_smoothing: float = Field(0, ge=0, lt=0.5)
    ema: float = Field(0, ge=0, lt=1, description="decay of the weights' moving average; 0: none")
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    passes: int = Field(
        0,
        ge=0,
        description="epochs of as many draws as there are regions to train on, rounded up to whole"
        " batches; 0: as steps and steps_per_epoch say",
    )
    steps: int = Field(0, ge=0, description="optimiser steps in all, at least 3; 0 with passes")
    steps_per_epoch: int = Field(
        0, ge=0, description="steps between validations and checkpoints; 0 with passes"
    )
    patience: int = Field(0, ge=0, description="epochs without a better validation; 0: never stop")
    select: Literal["best", "last"] = Field(
        "best", description="weights kept: of the best validation loss, or of the last epoch"
    )

    @model_validator(mode="after")
    def _possible(self) -> "FitSpec":
        rules = {
            "rates 'caffe' are for optimiser 'nesterov' only": self.rates == "plain"
            or self.optimiser == "nesterov",
            "lr_first is above lr": self.lr_first <= self.lr,
            "head_epochs are for schedule 'one_cycle'": (
                not self.head_epochs or self.schedule == "one_cycle"
            ),
        }
        steps, each = self.steps, self.steps_per_epoch
        if self.passes:
            text = "passes says how long: steps and steps_per_epoch must be 0 (or set passes=0)"
            rules[text] = steps == each == 0
        else:
            rules |= {
                "steps must be 3 or more, or passes above 0": steps >= 3,
                "steps_per_epoch must be above 0": each > 0,
                "steps_per_epoch is larger than steps": each <= steps,
                "steps is no whole number of epochs: a multiple of steps_per_epoch": (
                    not 0 < each <= steps or steps % each == 0
                ),
            }
        hold(rules)
        return self

    @property
    def head_steps(self) -> int:
        """Steps before all others, in which the last layer alone learns."""
        return self.head_epochs * self.steps_per_epoch

    def over(self, regions: int) -> "FitSpec":
        """With passes over so many regions counted in steps; as it is where steps are said."""
        if not self.passes:
            return self
        each = -(-regions // self.batch)
        length = {"passes": 0, "steps": self.passes * each, "steps_per_epoch": each}
        return self.model_copy(update=length)
