"""Model folders: weights as safetensors, everything else as a JSON card. Nothing is unpickled."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from livewell.classes import ClassNames
from livewell.errors import ModelFileError, StudyError
from livewell.files import read_json, sha256, whole_folder, write_json
from livewell.metrics.rules import FamiliarityRule, ImageRule, RegionRule
from livewell.models.building import build, net_of
from livewell.models.folders import CARD as CARD
from livewell.models.folders import COPY, WEIGHTS, checked_weights
from livewell.models.folders import find_model as find_model
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.names import AnyPath
from livewell.tables.metadata import Anchor

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
    pixel_um: float | None
    frame_px: tuple[int, int] | None = None
    """Height and width of the training frames; decides for nets that see whole frames."""
    patch_px: int
    input_px: int
    stride_px: int
    normalisation: str
    """In words; `profile.input.normalise` decides."""
    profile: Profile
    precision: str
    """Number type that training computed in."""
    seed: int
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
    results: list[dict[str, Any]] = []
    """Figures on test groups with their intervals, once evaluated."""
    versions: dict[str, str]
    weights_sha256: str = ""

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

    @property
    def named_channels(self) -> tuple[str, ...]:
        """Names of its channels; none where one of them has no name."""
        return self.channels if all(self.channels) else ()

    @property
    def class_names(self) -> ClassNames:
        """The classes that it tells apart."""
        return ClassNames(self.classes, self.positive)

    def net(self, module: Any) -> Net:
        """`module` with what this card says of its patches."""
        net = net_of(module, self.profile, self.class_names, self.pixel_um, self.frame_px)
        return replace(net, anchor=self.anchor)


def save_model(folder: Path, net: Net, card: Card) -> Card:
    """Write a model folder, whole or not at all; returns the card with the weights' hash."""
    state = {name: value.contiguous() for name, value in net.module.state_dict().items()}
    with whole_folder(folder, (CARD, WEIGHTS)) as temporary:
        save_file(state, temporary / WEIGHTS, metadata={"format": "pt"})
        card = card.model_copy(update={"weights_sha256": sha256(temporary / WEIGHTS)})
        write_json(temporary / CARD, card.model_dump(mode="json"))
    return card


def rewrite_card(folder: Path, card: Card) -> None:
    """Write the card of a model folder anew, e.g. with results."""
    write_json(folder / CARD, card.model_dump(mode="json"))


def load_model(path: AnyPath) -> tuple[Net, Card]:
    """Read a model from its folder, or from one of the two files in it.

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
    module = build(profile, card.frame_px, len(card.channels), len(card.classes))
    try:
        # of bytes, for safetensors opens no path that is not UTF-8
        module.load_state_dict(load(weights.read_bytes()))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ModelFileError(
            "the weights do not fit the net that the card names",
            where=str(weights),
            expected=f"net {card.profile.net.kind}",
            got=str(error).splitlines()[0],
        ) from error
    return card.net(module.eval()), card


def read_card(path: Path) -> Card:
    """The card of a model folder."""
    path = path / CARD
    try:
        return Card.model_validate(read_json(path, kind="model card"))
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
            "not a model card of this version", where=str(path), got=faults
        ) from error
