"""What the pages show: plain tables, figures and pictures, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.report.estimate import EstimateLike
from livewell.report.galleries import patch_gallery
from livewell.report.marked import MarkedFrame, marked_frames
from livewell.report.page import Note, Picture, Section, Video
from livewell.report.style import class_look
from livewell.report.vocabulary import PATCHES, Vocabulary

Named = tuple[str, EstimateLike]


@dataclass(frozen=True)
class Gallery:
    """Example patches (y, x) or whole frames under one heading, captions of one or two lines.

    `labels` are numbers of true classes, which colour the edges; empty: no edges. `frames` have
    marks, captions and classes of their own, and stand in place of the stack.
    """

    title: str
    stack: Sequence[np.ndarray]
    captions: Sequence[str]
    labels: Sequence[int] = ()
    lead: str = ""
    levels: tuple[float, float] | None = None
    frames: Sequence[MarkedFrame] = ()

    def picture(self, columns: int = 6) -> Picture:
        """The gallery as a figure."""
        if self.frames:
            return marked_frames(self.frames, title=self.title)
        tones = [class_look(label).colour for label in self.labels] or None
        return patch_gallery(
            self.stack,
            self.captions,
            columns=columns,
            tones=tones,
            levels=self.levels,
            title=self.title,
        )


@dataclass(frozen=True)
class EvaluationResults:
    """What `evaluation_page` shows; "patch" below means what the net sees.

    The first of `estimates`, on unseen groups, is the headline, with the short name `metric`.
    `scores` has one row a scored patch of unseen groups (`schemas.SCORES`); of two classes with the
    columns of `livewell.metrics.outcomes.outcomes`. `each` has the metrics of each of three or more
    classes (`livewell.metrics.multiclass.ClassEstimates`). `pooled` and `within` are AUC over
    everything, and within groups that hold several classes, to be compared.

    `roc_band`, `per_group`, `reliability` and `logs` are as the figures of these names take them; a
    log may hold ``attrs["best_epoch"]``. Threshold and band, chosen on validation groups, are only
    shown where all folds share them. `baselines` are the net, then simple rules, on the same
    patches, in the headline metric; `paper` is accuracy with the interval of DeadNet's paper, over
    virtual batches. `warnings` are confounders found, one sentence each; `counts` are patches and
    groups per part and class; `further` are sections that follow the examples.
    """

    title: str
    subtitle: str
    classes: ClassNames
    estimates: Sequence[Named]
    scores: pd.DataFrame
    metric: str = "AUC"
    words: Vocabulary = PATCHES
    guessing: float = 0.5
    each: Mapping[str, Mapping[str, EstimateLike]] = field(default_factory=dict)
    pooled: EstimateLike | None = None
    within: EstimateLike | None = None
    roc_band: tuple[Any, Any, Any] | None = None
    per_group: pd.DataFrame | None = None
    per_group_metric: str = "accuracy"
    reliability: pd.DataFrame | None = None
    ece: float | None = None
    threshold: float | None = None
    band: tuple[float, float] | None = None
    logs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    galleries: Sequence[Gallery] = ()
    further: Sequence[Section] = ()
    baselines: Sequence[Named] = ()
    paper: EstimateLike | None = None
    warnings: Sequence[str] = ()
    counts: pd.DataFrame | None = None
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AssessResults:
    """What `assess_page` shows.

    `verdicts` has one row a picture and frame: `image`, `t`, `n_patches`, `verdict`, and where
    known `well`, `position`; of two classes `sick_fraction`, `p_sick`, of more ``called_<class>``
    (share of patches called it) and ``p_<class>`` (probability of the picture). `failures` has one
    row an input that could not be read: `image`, `error`. Threshold and band are on `p_sick`, of
    two classes only.
    """

    title: str
    subtitle: str
    classes: ClassNames
    verdicts: pd.DataFrame
    failures: pd.DataFrame = field(default_factory=pd.DataFrame)
    card: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    band: tuple[float, float] | None = None
    galleries: Sequence[Gallery] = ()
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HeatmapResults:
    """What `heatmap_page` shows.

    `curve` has one row a frame: `t`, where known `time_s`; of two classes `fraction` (share of the
    judged area over the threshold, 0 to 1, NaN where nothing was to judge), where known `low`,
    `high`; of more ``fraction_<class>`` (share whose most probable class it is). `threshold` is a
    probability, of two classes only; `stills` are made by `livewell.report.maps.still`.
    """

    title: str
    subtitle: str
    classes: ClassNames
    curve: pd.DataFrame
    threshold: float | None = None
    video: Video | None = None
    stills: Sequence[Picture] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
