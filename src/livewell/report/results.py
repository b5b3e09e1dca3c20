"""What the pages show: plain tables, figures and pictures, by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from livewell.report.estimate import EstimateLike
from livewell.report.galleries import patch_gallery
from livewell.report.marked import MarkedFrame, marked_frames
from livewell.report.page import Note, Picture, Section, Video
from livewell.report.style import CLASS_COLOURS

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
        True class of each patch as 0 or 1, which colours its edge; empty: no edges.
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
        tones = [CLASS_COLOURS[label] for label in self.labels] or None
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

    Where the net sees whole frames, "patch" below means a frame.

    Parameters
    ----------
    title, subtitle
        Such as "Training run wells-fast", "240 fields of 24 wells, labelled by dose".
    classes
        Names of (negative, positive).
    estimates
        Metrics on unseen groups; the first is the headline.
    scores
        One row a scored patch of unseen groups: `y` (0/1), `p`, `called` (0/1), `group`, `fold`.
    metric
        Short name of the headline metric.
    noun
        What the net sees and scores: patch, frame, or image where every image has one frame.
    guessing
        Value of the headline metric that means guessing.
    group_name
        What a group is: well, experiment, position.
    pooled, within
        AUC over everything, and within groups that hold both classes, to be compared.
    roc_band
        ``(false positive rate, low, high)``.
    per_group
        As in `livewell.report.figures.group_strip`.
    per_group_metric
        Its column to show.
    reliability, ece
        As in `livewell.report.curves.reliability`.
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
    classes: tuple[str, str]
    estimates: Sequence[Named]
    scores: pd.DataFrame
    metric: str = "AUC"
    noun: str = "patch"
    guessing: float = 0.5
    group_name: str = "well"
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
        Names of (negative, positive).
    verdicts
        One row a picture and frame: `image`, `t`, `n_patches`, `sick_fraction`, `p_sick`,
        `verdict`, and where known `well`, `position`.
    failures
        One row an input that could not be read: `image`, `error`.
    card
        Summary of the model's card: name, hash, data, results.
    threshold, band
        On `p_sick` of a picture.
    galleries
        Example patches.
    notes
        What to know: pixel size unknown, rescaled, unlike the training data.
    settings, versions
        Nested mappings.
    """

    title: str
    subtitle: str
    classes: tuple[str, str]
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
        Names of (negative, positive).
    curve
        One row a frame: `t`, `fraction` (share of the judged area over the threshold, 0 to 1, NaN
        where nothing was to judge), and where known `time_s`, `low`, `high`.
    threshold
        From which probability an area counts as positive.
    video
        The overlay video, to be held in the page.
    stills
        Frames under their heat maps, see `livewell.report.maps.still`.
    card, notes, settings, versions
        As in `AssessResults`.
    """

    title: str
    subtitle: str
    classes: tuple[str, str]
    curve: pd.DataFrame
    threshold: float
    video: Video | None = None
    stills: Sequence[Picture] = ()
    card: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
