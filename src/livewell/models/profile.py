"""What a recipe is: every setting of a training run, frozen and checked.

`override` makes another one with single settings changed.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from livewell.errors import Fault, SpecError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Bounds = tuple[float, float]
Normalisation = Literal["patch", "background", "local", "local_background", "mean_image"]
GlobalPool = Literal["max", "average", "connected", "log_sum_exp", "noisy_or"]
Padding = Literal["same", "valid"]
FRAME_NETS = ("wscnn4", "wscnn6", "wscnn_small", "wscnn_resnet18")
"""Nets that see whole frames and learn from labels of images."""
LEAST_VALID_PX = {"deadnet": 82, "compact": 89, "resnet18": 435}
"""Field of one cell of a net's last map: the smallest crop without padding."""
PAIRS = ("scale", "blur_px", "gamma", "noise_sd", "narrowing")
"""Settings that are (low, high)."""


class Profile(BaseModel):
    """Everything that decides a training run, apart from data and seed.

    Lengths are pixels of the training images; a pair is (low, high), drawn uniformly.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str

    # what the net is and sees
    net: Literal[
        "deadnet", "compact", "resnet18", "wscnn4", "wscnn6", "wscnn_small", "wscnn_resnet18"
    ]
    weights: str = Field("", description="local safetensors file of ImageNet weights (resnet18)")
    patch_px: int = Field(
        ge=0, description="edge of the patch that is cut from the image; 0: the whole frame"
    )
    input_px: int = Field(
        ge=0, description="edge of the crop of the patch that the net sees; 0: all of it"
    )
    stride_px: int = Field(ge=0, description="default stride of the patch grid; 0: whole frames")
    dropout: float = Field(0.5, ge=0, lt=1)
    normalise: Normalisation = Field(
        "patch",
        description="patch: every patch to mean 0 and variance 1; background: to contrast against"
        " its median; local, local_background: the same at every pixel, by mean and variance of a"
        " square of the patch's size around it; mean_image: grey levels less the mean training"
        " image (wscnn nets)",
    )
    padding: Padding = Field(
        "same",
        description="zeros around the maps of every convolution, or none (valid); without them and"
        " with local normalisation a whole frame can be scored at once, exactly",
    )

    fc_batch_norm: bool = Field(
        True, description="batch norm after fc1 and fc2 (deadnet): the text has it, the files not"
    )
    pooling: Literal["floor", "ceil"] = Field(
        "floor",
        description="maps of odd size are pooled down (floor), or up as Caffe did (deadnet)",
    )

    global_pool: GlobalPool = Field(
        "max",
        description="how the class maps become one score a class: the highest place, the mean of"
        " all, one fully connected layer, a smooth maximum, or the chance that one place at least"
        " is positive (wscnn nets)",
    )
    second_kernel: int = Field(
        3, description="edge of the second convolution: 3 for shapes, 7 for cells (wscnn4, wscnn6)"
    )
    narrowing: Bounds = Field(
        (0.0, 0.0),
        description="shares of the steps between which max pooling narrows from the mean of many"
        " places (widest) to the highest one; 0,0: the highest one from the start",
    )
    widest: float = Field(
        1.0, gt=0, le=1, description="share of the places that narrowing begins with"
    )

    # augmentation, in this order
    warp_sigma_px: float = Field(0, ge=0, description="thin-plate spline, sd of control points")
    warp_grid_px: int = Field(128, gt=0, description="thin-plate spline, distance of points")
    rotate_deg: float = Field(0, ge=0, le=180, description="rotation in -rotate..rotate")
    scale: Bounds = (1.0, 1.0)
    move_px: float = Field(
        0, ge=0, description="shift of all that is seen, along each axis, mirrored at the edges"
    )
    shift_px: float = Field(
        -1, ge=-1, description="crop within so many pixels of the middle; -1: anywhere in the patch"
    )
    turns: bool = Field(
        True,
        description="the eight reflections and right-angle rotations; of whole frames the four that"
        " keep height and width",
    )
    blur_px: Bounds = Field((0.0, 0.0), description="sigma of a Gaussian blur")
    blur_share: float = Field(1.0, ge=0, le=1, description="share of crops that are blurred")
    sharpen: float = Field(0, ge=0, description="highest strength of an unsharp mask")
    sharpen_share: float = Field(0, ge=0, le=1, description="share of crops that are sharpened")
    shade: float = Field(0, ge=0, description="slope of a linear shading, per half patch")
    gamma: Bounds = Field((1.0, 1.0), description="exponent on crops scaled to 0-1")
    contrast: float = Field(0, ge=0, description="factor exp(-contrast..contrast) on contrast")
    noise_sd: Bounds = Field((0.0, 0.0), description="Gaussian noise after normalisation")
    erase: float = Field(0, ge=0, le=1, description="share of crops with one erased square")
    mixup: float = Field(0, ge=0, description="alpha of mixup's beta distribution; 0 for none")

    # sampling
    balance: Literal["none", "class", "class_and_group", "paired"] = Field(
        "class_and_group",
        description="draw patches evenly; classes evenly; groups evenly within classes; or pairs"
        " of both classes from groups evenly, where most patches lie in groups that hold both"
        " (else as class_and_group)",
    )
    batch: int = Field(gt=0)

    # optimisation
    init: Literal["default", "xavier_fan_in"] = "default"
    optimiser: Literal["sgd", "nesterov", "adamw"]
    lr: float = Field(gt=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    rates: Literal["plain", "caffe"] = Field(
        "plain",
        description="one rate and decay for all, or convolution biases at twice the rate and not"
        " decayed (caffe; nesterov only)",
    )
    schedule: Literal["inverse", "one_cycle", "plateau"]
    plateau_epochs: int = Field(
        10, gt=0, description="epochs without a better validation before the rate is divided by 10"
    )
    label_smoothing: float = Field(0, ge=0, lt=0.5)
    ema: float = Field(0, ge=0, lt=1, description="decay of the weights' moving average; 0: none")
    precision: Literal["auto", "float32", "bfloat16"] = "float32"

    # length
    steps: int = Field(ge=3, description="optimiser steps in all")
    steps_per_epoch: int = Field(gt=0, description="steps between validations and checkpoints")
    patience: int = Field(0, ge=0, description="epochs without a better validation; 0: never stop")
    select: Literal["best", "last"] = Field(
        "best", description="weights kept: of the best validation loss, or of the last epoch"
    )

    # inference
    test_turns: bool = Field(False, description="average the eight turns of a patch when scoring")

    @property
    def sees_frames(self) -> bool:
        """Whether its net sees whole frames, not patches."""
        return self.net in FRAME_NETS

    @property
    def tells_places(self) -> bool:
        """Whether its net says where: a fully connected head may weigh places with any sign."""
        return self.sees_frames and self.global_pool != "connected"

    @property
    def whole_frames(self) -> bool:
        """Whether dense maps of its net equal windows one by one, but for rounding."""
        return self.padding == "valid" and self.normalise in ("local", "local_background")

    @model_validator(mode="after")
    def _fits(self) -> "Profile":
        wrong = [
            f"{name} has low > high"
            for name in PAIRS
            if getattr(self, name)[0] > getattr(self, name)[1]
        ]
        wrong += [
            f"{name} must be above 0" for name in ("scale", "gamma") if getattr(self, name)[0] <= 0
        ]
        wrong += [
            f"{name} must not be below 0"
            for name in ("blur_px", "noise_sd", "narrowing")
            if getattr(self, name)[0] < 0
        ]
        if self.input_px > self.patch_px:
            wrong.append("input_px is larger than patch_px")
        wrong += self._wrong_for_frames()
        if self.net == "deadnet" and self.input_px != 220:
            wrong.append("net 'deadnet' needs input_px 220")
        least = LEAST_VALID_PX.get(self.net, 0)
        if self.padding == "valid" and self.input_px < least:
            wrong.append(f"net '{self.net}' without padding needs input_px of at least {least}")
        if self.net != "deadnet" and (not self.fc_batch_norm or self.pooling != "floor"):
            wrong.append("fc_batch_norm and pooling are for net 'deadnet' only")
        if self.rates != "plain" and self.optimiser != "nesterov":
            wrong.append("rates 'caffe' are for optimiser 'nesterov' only")
        if self.weights and self.net != "resnet18":
            wrong.append("weights are for net 'resnet18' only")
        if self.steps_per_epoch > self.steps:
            wrong.append("steps_per_epoch is larger than steps")
        elif self.steps % self.steps_per_epoch:
            wrong.append("steps is no whole number of epochs: a multiple of steps_per_epoch")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _wrong_for_frames(self) -> list[str]:
        """What contradicts itself between nets of frames and nets of patches."""
        edges = (self.patch_px, self.input_px, self.stride_px)
        rules = {"second_kernel must be 3 or 7": self.second_kernel in (3, 7)}
        if self.sees_frames:
            rules |= {
                f"net '{self.net}' sees frames: patch_px, input_px, stride_px must be 0": not any(
                    edges
                ),
                "whole frames are not normalised by the square of a patch": self.normalise
                not in ("local", "local_background"),
                "narrowing must end at 1 at the latest": self.narrowing[1] <= 1,
                "narrowing is for global_pool 'max': also give narrowing=0,0": self.global_pool
                == "max"
                or not self.narrowing[1],
                "test_turns is for nets of patches": not self.test_turns,
                "padding 'valid' is for nets of patches": self.padding == "same",
            }
        else:
            rules |= {
                f"net '{self.net}' needs patch_px, input_px and stride_px above 0": all(edges),
                "global_pool, narrowing, widest and second_kernel are for wscnn nets only": (
                    self.global_pool,
                    self.narrowing[1],
                    self.widest,
                    self.second_kernel,
                )
                == ("max", 0, 1, 3),
                "normalise 'mean_image' is for wscnn nets only": self.normalise != "mean_image",
            }
        return [rule for rule, holds in rules.items() if not holds]


def override(base: Profile, settings: Mapping[str, object]) -> Profile:
    """`base` with single settings changed; all faults are told at once.

    Parameters
    ----------
    base
        The recipe to start from.
    settings
        Values, or their text as typed (``{"lr": "0.001", "blur_px": "0,1.5"}``).

    Raises
    ------
    SpecError
        A setting that does not exist, or a value out of range.
    """
    if not settings:
        return base
    known = [name for name in Profile.model_fields if name not in ("name", "source")]
    faults = [
        Fault("unknown-setting", name, f"no such setting{_hint(name, known)}")
        for name in settings
        if name not in known
    ]
    values = {
        name: value.split(",") if isinstance(value, str) and name in PAIRS else value
        for name, value in settings.items()
        if name in known
    }
    changed = ", ".join(f"{name}={settings[name]}" for name in sorted(settings))
    values["source"] = f"{base.source} Changed: {changed}."
    try:
        result = Profile.model_validate(base.model_dump() | values)
    except ValidationError as error:
        faults += [_bad_value(each, settings) for each in error.errors()]
    if faults:
        unknown = any(fault.code == "unknown-setting" for fault in faults)
        raise SpecError(
            f"settings of profile {base.name}",
            got="; ".join(map(str, faults)),
            expected=f"settings among {', '.join(known)}" if unknown else "",
            remedy=f"see `livewell train --settings-of {base.name}` for every setting",
        )
    return result


def described(base: Profile) -> str:
    """A recipe's name and source, then every setting with value and meaning, one a line."""
    lines = [f"{base.name}: {base.source}"]
    for name, field in Profile.model_fields.items():
        if name in ("name", "source"):
            continue
        value = getattr(base, name)
        text = ",".join(map(str, value)) if name in PAIRS else str(value)
        lines.append(f"{name}={text}" + (f"  ({field.description})" if field.description else ""))
    return "\n".join(lines)


def _bad_value(error: "ErrorDetails", settings: Mapping[str, object]) -> Fault:
    """A fault of pydantic's in plain words, with what was given."""
    name = str(error["loc"][0]) if error["loc"] else ""
    given = [name] if name in settings else sorted(settings)
    where = ", ".join(f"{each}={settings[each]}" for each in given)
    if error["type"] in ("missing", "too_long", "tuple_type"):
        return Fault("bad-value", where, "must be two numbers, LOW,HIGH")
    text = error["msg"].removeprefix("Value error, ").split(", unable to parse")[0]
    return Fault("bad-value", where, text.replace("Input should be", "must be"))


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
