"""The card of a net that was just trained: its rules are chosen on validation groups."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.image import PixelSource
from livewell.inference.detections import Look
from livewell.inference.map_detections import finder_of
from livewell.inference.windows import BATCH
from livewell.metrics.decisions import fit_detection_rule, fit_image_rule, fit_region_rule
from livewell.metrics.healthy import REGION_RULE, fit_healthy_rule
from livewell.metrics.images import by_image
from livewell.metrics.rules import RegionRule, scored
from livewell.models.files import NORMALISATIONS, Card
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.study.runs import versions
from livewell.tables.schemas import regions_of
from livewell.training.data import plain_loader


def calibrated_card(
    net: Net,
    profile: Profile,
    validation: pd.DataFrame,
    source: PixelSource,
    channels: tuple[str, ...],
    *,
    precision: str,
    seed: int,
    logits: NDArray[np.floating],
) -> Card:
    """The card of a trained net; what it learnt from is added by who trained it.

    `validation` are regions of the validation groups: `schemas.KEY`, label, group; `logits` are
    theirs, of fits that have not seen their groups; `precision` is the number type that training
    computed in.
    """
    classes = net.classes
    y = classes.codes(validation["label"])
    alone = profile.net.one_class
    rule = REGION_RULE if alone else fit_region_rule(logits, y, validation["group"])
    images = by_image(scored(validation, logits, rule, classes), classes)
    right = rule.codes(logits) == y
    return Card(
        classes=classes.names,
        positive=classes.positive,
        channels=channels,
        pixel_um=net.pixel_um,
        frame_px=net.frame_px,
        patch_px=net.patch_px,
        input_px=profile.input.input_px,
        stride_px=profile.input.stride_px,
        normalisation=NORMALISATIONS[profile.input.normalise],
        profile=profile,
        precision=precision,
        seed=seed,
        data={"validation": {"accuracy": float(right.mean()), "regions": len(y)}},
        region_rule=rule,
        image_rule=fit_healthy_rule(images, classes)
        if alone
        else fit_image_rule(images, rule.temperature, classes),
        detection_rule=_detection_rule(net, validation, y, source)
        if profile.net.says_where and classes.binary
        else None,
        versions=versions(),
    )


def _detection_rule(
    net: Net, validation: pd.DataFrame, y: NDArray[np.int64], source: PixelSource
) -> RegionRule:
    """Which peaks of a class map are called, by the highest of every validation frame."""
    finder = finder_of(net, Look(), source)
    loader = plain_loader(source, regions_of(validation), batch=BATCH)
    highest = np.concatenate([finder.odds(batch).max(axis=(1, 2)) for batch, _ in loader])
    return fit_detection_rule(highest.astype(float), y, validation["group"])
