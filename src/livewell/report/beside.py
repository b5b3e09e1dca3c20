"""What an evaluation asks of scores beside their figures: each a check with notes and sections."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.inference.random_split import RandomSplit, random_split
from livewell.inference.run_detections import models_of
from livewell.metrics.baselines import TEXTURE
from livewell.metrics.intervals import Estimate
from livewell.report.collapse import Collapse, CollapseCheck
from livewell.report.evaluation import region_noun
from livewell.report.page import Note, Section
from livewell.report.random_split import random_sections
from livewell.report.run_detections import Where, where
from livewell.report.stain import StainCheck, check_stain, stain_check
from livewell.report.unlike import UnlikeCheck, unlike_check


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked beside the figures of labelled regions.

    Of `models`, by fold, that see whole frames where they see what; how far scores go with a stain;
    a coarser question; what a random split would have shown.
    """

    tested: EvaluationSet
    models: Mapping[int, Model]
    stain: str | None
    collapse: Collapse | None
    random: bool

    @classmethod
    def of(
        cls, tested: EvaluationSet, stain: str | None, collapse: str | None, random: bool
    ) -> "Questions":
        """The questions, if they can be asked of these labels; refused before any work."""
        check_stain(tested, stain)
        coarse = None if collapse is None else Collapse.of(tested, collapse)
        return cls(tested, models_of(tested), stain, coarse, random)

    def asked(
        self,
        scores: pd.DataFrame,
        judges: Mapping[int, Model],
        figures: Mapping[str, Estimate],
        some: pd.DataFrame,
        features: Mapping[str, pd.DataFrame],
        *,
        min_each: int,
        seed: int,
    ) -> "Beside":
        """The answers; `figures` are those of all classes, `features` of `some` of the regions."""
        tested, coarse, leak = self.tested, CollapseCheck(), RandomSplit()
        if self.collapse is not None:
            drawn = {"min_each": min_each, "seed": seed}
            coarse = self.collapse.check(tested, scores, figures, **drawn)
        if self.random:
            leak = random_split(tested, some, features.get(TEXTURE), seed=seed)
        return Beside(
            tested,
            where(tested, self.models, region_noun(tested), seed=seed),
            stain_check(tested, scores, self.stain, seed=seed),
            unlike_check(tested, scores, judges, seed=seed),
            coarse,
            leak,
        )


@dataclass(frozen=True, slots=True)
class Beside:
    """What was found beside the figures; all but `places` are no results of a card."""

    tested: EvaluationSet
    places: Where
    stain: StainCheck
    unlike: UnlikeCheck
    collapse: CollapseCheck
    random: RandomSplit

    @property
    def sections(self) -> list[Section]:
        """Sections that follow the examples of the page."""
        leak = random_sections(self.random, self.tested)
        return [*leak, *self.places.sections, *self.stain.sections]

    @property
    def notes(self) -> list[Note]:
        """Notes of the page."""
        return [*self.places.notes, *self.stain.notes, *self.unlike.notes]

    def as_json(self) -> dict[str, Any]:
        """What the results' file holds of it."""
        return {
            "stain": self.stain.as_json(),
            "unlike": self.unlike.as_json(),
            "collapse": self.collapse.as_json(),
            "random_split": self.random.as_json(),
        }

    def write(self, folder: Path) -> None:
        """Write the tables that there are."""
        self.places.write(folder)
        self.stain.write(folder)
