"""How unsure the models of a run are of regions, by models that have not learnt from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from logging import getLogger

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import entropy

from livewell.errors import LivewellError
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.frames import Field
from livewell.inference.model import Model
from livewell.inference.prediction import ClassMap
from livewell.progress import task
from livewell.region import Region
from livewell.splitting.units import unit_names
from livewell.tables.schemas import BOX, regions_of

Floats = NDArray[np.float64]
LOG = getLogger("livewell")


@dataclass(frozen=True)
class UnseenJudges:
    """The models of a run, and which of them have not learnt from an image of its study.

    An image of a group that was held out is judged by the model of that fold; one of a group
    without labels by all of them, whose probabilities are averaged.
    """

    tested: EvaluationSet
    models: Mapping[int, Model]

    @cached_property
    def _fold(self) -> Mapping[str, int]:
        """The fold that tests an image; none where its group has no labels."""
        tests = self.tested.folds[self.tested.folds["part"] == "test"]
        fold_of = dict(zip(tests["group"], tests["fold"].astype(int), strict=True))
        units = unit_names(self.tested.study.fields(), self.tested.meta.by).dropna()
        groups = {str(image): str(unit) for image, unit in units.items()}
        # groups of copies are named otherwise than the unit
        groups |= dict(zip(self.tested.patches["image"], self.tested.patches["group"], strict=True))
        return {image: fold_of[group] for image, group in groups.items() if group in fold_of}

    def of(self, image: str) -> list[Model]:
        """Models that may judge an image."""
        fold = self._fold.get(image)
        return list(self.models.values()) if fold is None else [self.models[fold]]

    def uncertainties(self, regions: pd.DataFrame, most_frames: int) -> pd.DataFrame:
        """Entropy of the calibrated probabilities of regions, bits.

        Parameters
        ----------
        regions
            Rows item, image, t and the box in pixels, empty for whole frames.
        most_frames
            Most frames that are looked at, those with most rows first.

        Returns
        -------
        DataFrame
            item, image, t, uncertainty; NaN where a frame cannot be judged or was not looked at.
        """
        frames = regions.groupby(["image", "t"], sort=False)["item"].size()
        frames = frames.sort_values(ascending=False, kind="stable").head(most_frames)
        found = pd.Series(np.nan, index=regions.index)
        with task("judging the items", total=len(frames)) as tick:
            for (image, t), rows in regions.groupby(["image", "t"], sort=False):
                if (image, t) not in frames.index:
                    continue
                try:
                    found[rows.index] = self._entropies(str(image), int(rows["t"].iloc[0]), rows)
                except LivewellError as error:
                    LOG.warning("%s, frame %s cannot be judged: %s", image, t, error)
                tick()
        return regions[["item", "image", "t"]].assign(uncertainty=found)

    def _entropies(self, image: str, t: int, rows: pd.DataFrame) -> Floats:
        source = self.tested.pixels
        source.prepare([image])
        whole = bool(rows[BOX].isna().any(axis=None))
        regions, each = [] if whole else regions_of(rows), []
        for judge in self.of(image):
            if not whole:
                logits = judge.engine.regions(source, regions)
                each.append(judge.card.region_rule.probabilities(logits))
                continue
            boxes = judge.patches(self.field(image, t), judge.card.profile.middle_px)
            if not boxes:
                return np.full(len(rows), np.nan)
            logits = judge.engine.regions(source, [Region(image, t, box) for box in boxes])
            p = judge.card.image_rule.probabilities(logits.mean(axis=0))
            each.append(np.tile(p, (len(rows), 1)))
        return np.asarray(entropy(np.mean(each, axis=0), base=2, axis=-1))

    def field(self, image: str, t: int) -> Field:
        """A frame of the study as the models see it."""
        pixels = self.tested.pixels
        planes = pixels.planes(image, t)
        return Field(planes, pixels.area(image, t), planes[0], t, f"{image}, frame {t}", ())

    def class_map(self, image: str, t: int, stride_px: int) -> tuple[ClassMap, Floats]:
        """The class map of a frame, and its calibrated probabilities (classes, rows, columns)."""
        judge = self.of(image)[0]
        made = judge.class_map(self.field(image, t), stride_px)
        p = judge.card.region_rule.probabilities(np.moveaxis(made.logits, 0, -1))
        return made, np.moveaxis(p, -1, 0)
