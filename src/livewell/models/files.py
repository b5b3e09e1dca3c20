"""Model folders: weights as safetensors, everything else as a JSON card. Nothing is unpickled."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)
from safetensors.torch import load, save
from torch import Tensor

from livewell.classes import ClassNames
from livewell.errors import ModelFileError, StudyError
from livewell.files import read_json, sha256, whole_folder, write_json
from livewell.metrics.rules import FamiliarityRule, ImageRule, Positive, RegionRule
from livewell.models.building import build, net_of
from livewell.models.folders import CARD as CARD
from livewell.models.folders import COPY, LEARNT, WEIGHTS, checked_weights
from livewell.models.folders import find_model as find_model
from livewell.models.learnt import LearntFrames
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.models.specs import hold
from livewell.names import AnyPath
from livewell.tables.metadata import Anchor, AuditSummary
from livewell.text import few

OLD_NAMES = {
    "patch_rule": "region_rule",
    "picture_rule": "image_rule",
    "place_rule": "detection_rule",
}
"""Fields of cards of format 1 that have other names now."""
NORMALISATIONS = {
    "patch": "every patch to mean 0 and variance 1",
    "background": "every patch to (x / its median - 1) / 0.2",
    "local": "every pixel by mean and variance of the square of normalise_px (else patch_px) + 1"
    " around it",
    "local_background": "every pixel to (x / mean of the square of normalise_px (else patch_px) + 1"
    " around it - 1) / 0.2",
    "mean_image": "every frame less the mean training image",
}


class Card(BaseModel):
    """What a model is, what it was trained on and how far it can be trusted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["livewell model"] = "livewell model"
    format: Literal[2] = 2
    classes: tuple[str, ...]
    """In the order of the logits; of two (negative, positive)."""
    positive: str | None = None
    """The class that is sought; ``None`` where there are more than two and none is."""
    channels: tuple[str, ...]
    """Names of the channels it was trained on; empty names if the files name none."""
    stain: str | None = None
    """Name of the channel that it predicts pixel by pixel; ``None`` where it predicts none."""
    pixel_um: Positive | None
    frame_px: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width of the training frames; decides for nets that see whole frames."""
    patch_px: int
    input_px: int
    stride_px: int
    normalisation: str
    """In words; `profile.input.normalise` decides."""
    profile: Profile
    precision: str
    """Number type that training computed in."""
    seed: NonNegativeInt
    data: dict[str, Any]
    """Study, split, fold, groups and patches of every part."""
    region_rule: RegionRule
    image_rule: ImageRule
    detection_rule: RegionRule | None = None
    """From the log odds of a peak of the class map to its probability and call, for nets whose maps
    say where: chosen on the highest peak of every validation frame, by labels of frames alone."""
    familiarity_rule: FamiliarityRule | None = None
    """Beyond which distance a field is unlike what the model learnt; ``None`` where the net has no
    fixed features, too few groups were there, or an older version trained it."""
    anchor: Anchor | None = None
    """What features of a plate are relative to; ``None`` where they are taken as they are."""
    audit: AuditSummary | None = None
    """How the audit of its labels ended; ``None`` in cards of versions that knew none."""
    results: list[dict[str, Any]] = []
    """Figures on test groups with their intervals, once evaluated."""
    versions: dict[str, str]
    weights_sha256: str = ""
    learnt_sha256: str = ""
    """Hash of the likenesses of what it learnt from; empty where none are kept."""

    @model_validator(mode="before")
    @classmethod
    def _migrated(cls, values: Any) -> Any:
        """A card as version 0.1 wrote it (format 1), under today's names."""
        if not isinstance(values, dict) or values.get("format", 1) != 1:
            return values
        values = {OLD_NAMES.get(name, name): value for name, value in values.items()}
        if "channel" in values:
            values["channels"] = [values.pop("channel")]
        return values | {"format": 2}

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        """Its parts are of one model, and what is looked up in `data` is there as it should be."""
        edges, names = self.profile.input, self.classes
        learnt, groups = self.data.get("learnt", []), self.data.get("groups", {})
        of_groups = list(groups.values()) if isinstance(groups, dict) else [0]
        rules = {
            "patch_px, input_px and stride_px must be those of the profile": (
                (self.patch_px, self.input_px, self.stride_px)
                == (edges.patch_px, edges.input_px, edges.stride_px)
            ),
            "classes must be at least two, each once": 2 <= len(names) == len(set(names)),
            "image_rule.classes must be the classes": self.image_rule.classes == names,
            "positive must be one of the classes": self.positive in (None, *names),
            "image_rule.low must not lie above high": self.image_rule.low <= self.image_rule.high,
            "a model sees at least one channel": len(self.channels) > 0,
            "data.learnt must be a list of text": _are_texts(learnt),
            "data.groups must be lists of text": all(map(_are_texts, of_groups)),
            "data.group must be text": isinstance(self.data.get("group", ""), str),
        }
        hold(rules)
        return self

    @property
    def audits(self) -> tuple[AuditSummary, ...]:
        """What pages have to say of its labels."""
        return (self.audit or AuditSummary(),)

    @property
    def named_channels(self) -> tuple[str, ...]:
        """Names of its channels; none where one of them has no name."""
        return self.channels if all(self.channels) else ()

    @property
    def class_names(self) -> ClassNames:
        """The classes that it tells apart."""
        return ClassNames(self.classes, self.positive)

    @property
    def healthy_only(self) -> bool:
        """Whether it learnt from its first class alone, so that p is no probability."""
        return self.profile.net.one_class

    @property
    def about(self) -> dict[str, str]:
        """What a notebook shows of it: classes, channels, and figures on unseen groups."""
        rows = {
            str(row["name"]): f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
            for row in self.results
        }
        channels = ", ".join(filter(None, self.channels)) or "unnamed"
        about = {"classes": str(self.class_names), "channels": channels}
        return about | (rows or {"results": "not evaluated"})

    def net(self, module: Any) -> Net:
        """`module` with what this card says of its patches."""
        net = net_of(module, self.profile, self.class_names, self.pixel_um, self.frame_px)
        return replace(net, anchor=self.anchor)


def save_model(folder: Path, net: Net, card: Card, learnt: LearntFrames | None = None) -> Card:
    """Write a model folder, whole or not at all; returns the card with the hashes of its files."""
    state = {name: value.contiguous() for name, value in net.module.state_dict().items()}
    with whole_folder(folder, (CARD, WEIGHTS, LEARNT)) as temporary:
        (temporary / WEIGHTS).write_bytes(save(state, metadata={"format": "pt"}))
        hashes = {"weights_sha256": sha256(temporary / WEIGHTS)}
        hashes["learnt_sha256"] = learnt.write(temporary) if learnt else ""
        card = card.model_copy(update=hashes)
        write_json(temporary / CARD, card.model_dump(mode="json"))
    return card


def rewrite_card(folder: Path, card: Card) -> None:
    """Write the card of a model folder anew, e.g. with results."""
    write_json(folder / CARD, card.model_dump(mode="json"))


def load_model(path: AnyPath) -> tuple[Net, Card]:
    """Read a model from its folder, or from one of the files in it.

    Parameters
    ----------
    path
        Where it is.

    Returns
    -------
    (Net, Card)
        The net in evaluation mode on the processor, and its card.

    Raises
    ------
    ModelFileError
        Missing, a pickle, a card that is not whole, weights of another hash or shape.
    """
    folder = find_model(path)
    card = read_card(folder)
    weights = checked_weights(folder, card.weights_sha256)
    # initial weights are overwritten: a file of ImageNet weights need not be there any more
    profile = card.profile.model_copy(update={"net": card.profile.net.from_scratch})
    try:
        with torch.device("meta"):  # takes no memory, whatever the card asks for
            wanted = build(profile, card.frame_px, len(card.channels), len(card.classes))
        # of bytes, for safetensors opens no path that is not UTF-8
        state = load(weights.read_bytes())
        _refuse_misfits(state, wanted.state_dict())
        module = build(profile, card.frame_px, len(card.channels), len(card.classes))
        module.load_state_dict(state)
        return card.net(module.eval()), card
    # whatever settings that no net was ever built of lead to
    except Exception as error:
        raise ModelFileError(
            "the weights do not fit the net that the card names",
            where=str(weights),
            expected=f"net {card.profile.net.kind}",
            got=(str(error).splitlines() or [type(error).__name__])[0],
            remedy=COPY,
        ) from error


def _refuse_misfits(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """A ValueError unless all tensors are there, of their shapes and types, and finite.

    Those that a new net has empty may be missing, or of any size.
    """
    free = {name for name, asked in wanted.items() if not asked.numel()}
    wrong = sorted((set(state) ^ set(wanted)) - free)
    for name in set(state) & set(wanted):
        there, asked = state[name], wanted[name]
        shape = there.shape if name in free and there.ndim == asked.ndim else asked.shape
        if (there.shape, there.dtype) != (shape, asked.dtype):
            wrong.append(f"{name} {tuple(there.shape)} {there.dtype}")
        elif there.is_floating_point() and not bool(torch.isfinite(there).all()):
            wrong.append(f"{name} with numbers that are not finite")
    if wrong:
        raise ValueError(f"missing, further or misshapen: {few(sorted(wrong))}")


def read_card(path: Path) -> Card:
    """The card of a model folder."""
    path = path / CARD
    try:
        said = read_json(path, kind="model card")
        card = Card.model_validate(said)
        if type(said.get("format", 1)) is not int or said.get("format", 1) != 1:
            # the names of older ones are others
            _refuse_other_kinds(said, card.model_dump(mode="json"))
        return card
    except StudyError as error:
        raise ModelFileError(
            "the model card cannot be read",
            where=str(path),
            got=error.got or error.what,
            remedy=COPY,
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:5]
        )
        raise ModelFileError(
            "not a model card of this version", where=str(path), got=faults, remedy=COPY
        ) from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ModelFileError(
            "not a model card of this version",
            where=str(path),
            got=str(error) or type(error).__name__,
            remedy=COPY,
        ) from error


def _refuse_other_kinds(said: Any, read: Any, where: str = "card") -> None:
    """A ValueError where a card was understood, but not as it stands: ``true`` as 1, text as 2."""
    if isinstance(said, dict) and isinstance(read, dict):
        for name in said.keys() & read.keys():
            _refuse_other_kinds(said[name], read[name], f"{where}.{name}")
    elif isinstance(said, list) and isinstance(read, list) and len(said) == len(read):
        for number, (one, other) in enumerate(zip(said, read, strict=True)):
            _refuse_other_kinds(one, other, f"{where}.{number}")
    elif said != read or isinstance(said, bool) != isinstance(read, bool):
        raise ValueError(f"{where} is {said!r}, which can only be meant as {read!r}")


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)
