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
    """Example patches, or whole frames, under one heading.

    Parameters
    ----------
    title, lead
        What they are examples of.
    stack
        Patches, shape (y, x) each.
    captions
        One a patch, one or two lines.
    labels
        Number of the true class of each patch, which colours its edge; empty: no edges.
    levels
        As in `livewell.report.galleries.patch_gallery`.
    frames
        Whole frames with their marks, captions and classes, in place of the stack.
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
    """What `evaluation_page` shows; everything but the first five may be left out.

    "Patch" below means what the net sees.

    Parameters
    ----------
    title, subtitle
        Such as "Training run wells-fast", "240 fields of 24 wells, labelled by dose".
    classes
        Classes of the model.
    estimates
        Metrics on unseen groups; the first is the headline.
    scores
        One row a scored patch of unseen groups (`schemas.SCORES`); of two classes with the columns
        of `livewell.metrics.outcomes.outcomes`: `y` (0/1), `p`, `called` (0/1), `group`, `fold`.
    metric
        Short name of the headline metric.
    words
        What the net sees and scores, and what a group is.
    guessing
        Value of the headline metric that means guessing.
    each
        Of three or more classes the metrics of each by its name, see
        `livewell.metrics.multiclass.ClassEstimates`.
    pooled, within
        AUC over everything, and within groups that hold several classes, to be compared.
    roc_band
        ``(false positive rate, low, high)``.
    per_group
        As in `livewell.report.figures.group_strip`.
    per_group_metric
        Its column to show.
    reliability, ece
        As in `livewell.report.curves.reliability`; of three or more classes those of the most
        probable class.
    threshold, band
        Chosen on validation groups: from which p a patch is called positive, and where the
        verdict is "unsure". Only shown where all folds share them.
    logs
        Training log of each fold by its name, as in `livewell.report.curves.learning_curves`;
        an entry may hold the best epoch in ``log.attrs["best_epoch"]``.
    galleries
        Right and wrong examples.
    further
        Sections that follow the examples: labels that the net contradicts, places.
    baselines
        The net, then simple rules, on the same patches, in the headline metric.
    paper
        Accuracy with the interval of DeadNet's paper, over virtual batches.
    warnings
        Confounds found (tied columns and the like), one sentence each.
    counts
        Patches and groups per part and class.
    notes
        Further notes on trust.
    settings, versions
        Nested mappings.
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

    Parameters
    ----------
    title, subtitle
        What was judged, by which model.
    classes
        Classes of the model.
    verdicts
        One row a picture and frame: `image`, `t`, `n_patches`, `verdict`, and where known `well`,
        `position`; of two classes `sick_fraction`, `p_sick`, of more ``called_<class>`` (share of
        patches called it) and ``p_<class>`` (probability of the picture).
    failures
        One row an input that could not be read: `image`, `error`.
    card
        Summary of the model's card: name, hash, data, results.
    threshold, band
        On `p_sick` of a picture; of two classes only.
    galleries
        Example patches.
    notes
        What to know: pixel size unknown, rescaled, unlike the training data.
    settings, versions
        Nested mappings.
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

    Parameters
    ----------
    title, subtitle
        The movie, and the model that judged it.
    classes
        Classes of the model.
    curve
        One row a frame: `t`, where known `time_s`; of two classes `fraction` (share of the judged
        area over the threshold, 0 to 1, NaN where nothing was to judge), where known `low`, `high`;
        of more ``fraction_<class>`` (share whose most probable class it is).
    threshold
        From which probability an area counts as positive; of two classes only.
    video
        The overlay video, to be held in the page.
    stills
        Frames under their heat maps, see `livewell.report.maps.still`.
    card, notes, settings, versions
        As in `AssessResults`.
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
