"""How far a field lies, in a frozen net's features, from those that the net learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.geometry import Box, tiles
from livewell.image import Frame, PixelSource
from livewell.inference.fields import Fields
from livewell.inference.frames import Field
from livewell.inference.windows import View, Windows
from livewell.metrics.rules import FamiliarityRule
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.net import Net
from livewell.progress import task
from livewell.training.familiarity import LEAST_FIELDS, fit_familiarity
from livewell.training.features import patches_with_cells

MOST_FIELDS = 400
"""Fields that a reference is made of, shared out evenly over groups."""


@dataclass(frozen=True)
class Familiarity:
    """Tells fields that are unlike what a model learnt, where it has a rule for that."""

    net: Net
    engine: Windows | Fields
    rule: FamiliarityRule | None

    def judged(
        self, field: Field, regions: Sequence[Box], whole: bool
    ) -> tuple[NDArray[np.float64], float | None]:
        """Logits of regions, and the distance of their field.

        Of regions that are all of a `whole` field one pass gives both.
        """
        if not whole or not regions or self.rule is None or isinstance(self.engine, Windows):
            logits = self.engine.boxes(field.pixels, field.area, regions)
            return logits, self.distance(field.pixels, field.area)
        logits, features = self.engine.described(field.pixels, field.area, regions)
        return logits, self._distance(features)

    def distance(self, pixels: Frame, area: Box) -> float | None:
        """How far a field (channels, y, x) is from those that the model learnt from.

        ``None`` where the model cannot tell, or the field has no patch with cells.
        """
        if self.rule is None or isinstance(self.engine, Windows):
            return None
        patches = patches_with_cells(self.net, pixels, area, self.net.middle_px)
        if not patches:
            return None
        return self._distance(self.engine.means(pixels, area, patches))

    def notes(self, views: Sequence[View]) -> tuple[str, ...]:
        """The note on frames of a movie of which some are unlike what the model learnt."""
        if self.rule is None:
            return ()
        return self.rule.notes([self.distance(each.frame, each.area) for each in views], "frames")

    def _distance(self, features: Tensor) -> float:
        return float(cast(FrozenNet, self.net.module).reference.distances(features[None])[0])


def learn_familiarity(
    net: Net, regions: pd.DataFrame, source: PixelSource
) -> FamiliarityRule | None:
    """Fit the reference of a frozen net; returns the limit, ``None`` where nobody could tell.

    Parameters
    ----------
    net
        Its module gets the reference.
    regions
        Columns image, t, group and part: whose frames are the training and validation fields.
    source
        Their pixels.
    """
    if not isinstance(net.module, FrozenNet) or not net.patch_px:
        return None
    fields = _chosen(regions[regions["part"].isin(("train", "validation"))])
    features = field_features(net, fields, source)
    known = np.asarray(np.isfinite(features).all(axis=1))
    parts = [
        (features[chosen], fields.loc[chosen, "group"].tolist())
        for chosen in (known & (fields["part"] == part) for part in ("train", "validation"))
    ]
    if len(parts[0][0]) < LEAST_FIELDS:
        return None
    reference, rule = fit_familiarity(parts[0], parts[1])
    net.module.reference = reference.to(net.module.weight.device)
    return rule


def field_features(
    net: Net, fields: pd.DataFrame, source: PixelSource, *, bare: bool = False
) -> NDArray[np.float64]:
    """Mean features (fields, features) of frames (image, t) over their patches with cells.

    NaN where there is none; `bare`: over all patches there, or the whole frame if it is smaller.
    """
    engine = Fields(net, source)
    found = np.full((len(fields), cast(FrozenNet, net.module).features), np.nan)
    with task("looking at whole fields", total=len(fields)) as tick:
        for row, (image, t) in enumerate(zip(fields["image"], fields["t"], strict=True)):
            pixels = source.crop(image, t, source.area(image, t))
            area = Box.of(0, 0, *pixels.shape[-2:])
            patches = partial(_patches, net, pixels, area, bare=bare)
            what = f"patches of {net.patch_px} px, cells in {net.middle_px} px" + ", or all" * bare
            own = engine.on_plate(source, image)
            found[row] = own.mean_features(pixels, area, what, patches)
            tick()
    return found


def _patches(net: Net, pixels: Frame, area: Box, *, bare: bool) -> Sequence[Box]:
    found = patches_with_cells(net, pixels, area, net.middle_px)
    if found or not bare:
        return found
    return list(tiles(area, net.patch_px, net.middle_px, "shift")) or [area]


def _chosen(regions: pd.DataFrame) -> pd.DataFrame:
    """Frames of the regions, of each group alike many at most, spread over its frames."""
    frames = regions[["image", "t", "group", "part"]].drop_duplicates(ignore_index=True)
    frames = frames.sort_values(["image", "t"], ignore_index=True)
    most = max(MOST_FIELDS // frames["group"].nunique(), 1)
    spread: Sequence[pd.DataFrame] = [
        part.iloc[
            np.unique(np.linspace(0, len(part) - 1, min(most, len(part))).round().astype(int))
        ]
        for _, part in frames.groupby("group")
    ]
    chosen = pd.concat(spread, ignore_index=True)
    rows = np.linspace(0, len(chosen) - 1, min(MOST_FIELDS, len(chosen))).round().astype(int)
    return chosen.sort_values("part", kind="stable").iloc[rows].reset_index(drop=True)


def field_distances(
    net: Net, rule: FamiliarityRule, regions: pd.DataFrame, source: PixelSource
) -> pd.DataFrame:
    """Distances of the frames of regions (image, t): image, t, distance, unlike.

    Frames where nothing is to judge have no row.
    """
    fields = regions[["image", "t"]].drop_duplicates().sort_values(["image", "t"])
    features = torch.from_numpy(field_features(net, fields, source).astype(np.float32))
    reference = cast(FrozenNet, net.module).reference
    far = reference.distances(features.to(reference.mean.device)).cpu().numpy().astype(float)
    found = fields.assign(distance=far).dropna(ignore_index=True)
    return found.assign(unlike=[rule.unlike(each) for each in found["distance"]])
