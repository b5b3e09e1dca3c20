"""Which patches hold cells, as a model of marked patches tells."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError, ModelFileError
from livewell.files import AnyPath
from livewell.geometry import Box
from livewell.image import Frame
from livewell.images.opening import Channels
from livewell.inference.frames import MOST_SCALE, same_channels
from livewell.inference.model import Model
from livewell.inference.plates import need_no_plate
from livewell.models.nets.frozen import FrozenNet
from livewell.study.features import FeatureCache
from livewell.study.scale import channel_names, common_pixel_um
from livewell.study.study import Study
from livewell.training.features import FieldReader


class ModelOccupancy:
    """Occupancy by a model of two classes, whose positive one are patches that hold cells.

    Parameters
    ----------
    model
        Its net sees fields, so that patches may have any size.
    channels
        Names of the channels of the frames that it will be shown; its own are looked for by name.
    pixel_um
        Edge of their pixels, micrometres; the model's where ``None``.
    cache
        Where features of frames are kept.

    Raises
    ------
    ModelFileError
        A model of more classes, or of a net of crops.
    ImageContentError
        Other channels than the model's, or a pixel size too far from it.

    Notes
    -----
    Source: Pattarone et al. 2021 mark 226 empty or out-of-focus patches and 226 good ones, and tell
    the others by a support vector machine on features of a net trained on ImageNet.
    """

    def __init__(
        self,
        model: Model,
        channels: Sequence[str],
        pixel_um: float | None,
        cache: FeatureCache | None = None,
    ) -> None:
        self._made_of = model, tuple(channels), pixel_um, cache
        model.need_two_classes("whether patches hold cells is told by")
        if not model.card.profile.net.sees_fields:
            raise ModelFileError(
                "this model does not judge patches of any size",
                where=str(model.folder),
                expected="a model of a fixed backbone, such as EMPTY_SVM",
                got=f"profile {model.card.profile.name}",
                remedy="mark patches, label them with `livewell label points`, train EMPTY_SVM",
            )
        need_no_plate(model)
        self.weights_sha256 = model.card.weights_sha256
        self._rule = model.card.region_rule
        names, own = list(channels), model.channels
        if set(own) <= set(names):
            self._channels = [names.index(name) for name in own]
        else:
            same_channels(names, own, str(model.folder))
            self._channels = list(range(len(names)))
        known = model.net.pixel_um and (pixel_um or model.net.pixel_um)
        _refuse_far(known, model.net.pixel_um, str(model.folder))
        module = copy(cast(FrozenNet, model.net.module))
        if known and model.net.pixel_um:
            module.pool_px = round(module.pool_px * model.net.pixel_um / known)
        self._reader = FieldReader(replace(model.net, module=module, pixel_um=known), cache)

    def __reduce__(self) -> tuple[type["ModelOccupancy"], tuple[object, ...]]:
        """Made again in another process, where the model is loaded."""
        return ModelOccupancy, self._made_of

    @classmethod
    def of_study(
        cls, path: AnyPath, study: Study, images: Iterable[str], channels: Channels
    ) -> "ModelOccupancy":
        """By a model's folder, or a run of one fold, for images of a study."""
        names = list(images)
        seen, pixel_um = channel_names(study, names, channels), common_pixel_um(study, names)
        return cls(Model.load(path), seen, pixel_um, FeatureCache.of(study))

    def holds(self, planes: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.bool_]:
        """As `livewell.measure.occupancy.Occupancy.holds`."""
        module = cast(FrozenNet, self._reader.net.module)
        pixels = planes[self._channels][:, area.y.slice, area.x.slice]
        logits = self._reader.boxes(pixels, area, boxes, module.logits)
        return np.asarray(self._rule.codes(logits.numpy()) == 1)


def _refuse_far(pixel_um: float | None, known_um: float | None, where: str) -> None:
    scale = pixel_um / known_um if pixel_um and known_um else 1.0
    if not 1 / MOST_SCALE <= scale <= MOST_SCALE:
        raise ImageContentError(
            "the pixel size is too far from that of the marked patches",
            where=where,
            expected=f"{known_um:.3g} um a pixel, or up to {MOST_SCALE} times less or more",
            got=f"{pixel_um:.3g} um",
            remedy="mark patches at this magnification",
        )
