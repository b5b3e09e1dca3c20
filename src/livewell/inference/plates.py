"""A model whose features are relative to an anchor, as it judges images of one plate."""

from copy import copy
from dataclasses import replace

from livewell.images.opening import Channels, asked_channels
from livewell.inference.evaluation_set import same_scale
from livewell.inference.fields import no_plate
from livewell.inference.model import Model
from livewell.inference.windows import Windows
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study


def need_no_plate(model: Model) -> Model:
    """The model itself, where it knows its plate or has no anchor; else an error."""
    if model.net.anchor is not None:
        raise no_plate(model.net.anchor)
    return model


def on_plate(model: Model, study: Study, image: str, channels: Channels = None) -> Model:
    """A model as it judges images of this one's plate; itself where it has no anchor.

    Channels are in the model's order, by default the study's, else the model's own.

    Raises
    ------
    TableError
        The study does not say which images are the anchor of the plate.
    SpecError
        There are no cells in these, or the study is of another pixel size than the model.
    """
    if model.net.anchor is None or isinstance(model.engine, Windows):
        return model
    same_scale(study, model.card, study.fields()["image"])
    asked = asked_channels(channels) or study.channels or model.card.named_channels
    other = copy(model)
    other.engine = engine = model.engine.on_plate(StudyPixels(study, asked), image)
    other.net = engine.net
    other.familiarity = replace(model.familiarity, net=engine.net, engine=engine)
    return other
