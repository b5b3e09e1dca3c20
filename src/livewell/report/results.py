"""What the pages show: plain tables, figures and images, by name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.metrics.intervals import Estimate
from livewell.metrics.rules import FamiliarityRule
from livewell.report.galleries import MarkedFrame, marked_frames, patch_gallery
from livewell.report.page import Note, Page, Picture, Section, Tone, Video
from livewell.report.style import class_look
from livewell.report.trust import audited, sorted_notes
from livewell.report.vocabulary import PATCHES, Named, Vocabulary
from livewell.tables.metadata import AuditSummary

if TYPE_CHECKING:  # which loads torch, and most pages show no model
    from livewell.outputs.stains import PredictedStain


@dataclass(frozen=True)
class PageResults:
    """What the results of every page hold; the summary of a model's card goes with the settings.

    `audits` are those of the labels behind it: where one fails, nothing on the page is good.
    """

    title: str
    subtitle: str
    card: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    notes: Sequence[Note] = field(default=(), kw_only=True)
    audits: Sequence[AuditSummary] = field(default=(), kw_only=True)
    settings: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    versions: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def page(
        self,
        verdict: str,
        tone: Tone,
        sections: Iterable[Section | None],
        trust: Iterable[Note | None],
        *,
        lead: str = "",
    ) -> Page:
        """The page of these results, without sections and notes that are ``None``."""
        # what stands on top is not said again
        top = {verdict, lead} - {""}
        told = [audit for audit in dict.fromkeys(self.audits) if audit.headline not in top]
        notes = sorted_notes([*map(audited, told), *trust])
        if any(audit.state == "fails" for audit in self.audits):
            notes, tone = [note for note in notes if note.tone != "good"], "bad"
        return Page(
            self.title,
            self.subtitle,
            verdict,
            tone,
            lead,
            notes,
            [section for section in sections if section is not None],
            {"model": dict(self.card), **self.settings} if self.card else self.settings,
            self.versions,
        )


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
    frames: Sequence[MarkedFrame] = ()

    def section(self, key: str = "") -> Section:
        """The gallery under its heading; `key` says what the edges mean, where there are any."""
        return Section(self.title, key if self.labels else "", [self.picture()])

    def picture(self) -> Picture:
        """The gallery as a figure."""
        if self.frames:
            return marked_frames(self.frames, title=self.title)
        tones = [class_look(label).colour for label in self.labels] or None
        return patch_gallery(self.stack, self.captions, tones=tones, title=self.title)


@dataclass(frozen=True)
class EvaluationResults(PageResults):
    """What `evaluation_page` shows; "patch" below means what the net sees.

    The first of `estimates`, on unseen groups, is the headline, with the short name `metric`.
    `scores` has one row a scored patch of unseen groups (`schemas.SCORES`); of two classes with the
    columns of `livewell.metrics.outcomes.outcomes`. `each` has the metrics of each of three or more
    classes (`livewell.metrics.multiclass.ClassEstimates`). `pooled` and `within` are AUC over
    everything, and within groups that hold several classes, to be compared.

    `per_group`, `reliability` and `logs` are as the figures of these names take them; a log may
    hold ``attrs["best_epoch"]``. The threshold, chosen on validation groups, is only shown where
    all folds share it. `baselines` are the net, then simple rules, on the same patches, in the
    headline metric; `paper` is accuracy with the interval of DeadNet's paper, over virtual batches.
    `healthy_only` says whether one class alone was learnt.
    `warnings` are confounders found, one sentence each; `counts` are patches and groups per part
    and class; `coarser` are sections on coarser questions, `further` those that follow the
    examples.
    """

    classes: ClassNames
    estimates: Sequence[Named]
    scores: pd.DataFrame
    metric: str = "AUC"
    words: Vocabulary = PATCHES
    each: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    pooled: Estimate | None = None
    within: Estimate | None = None
    per_group: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    ece: float | None = None
    healthy_only: bool = False
    threshold: float | None = None
    logs: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    galleries: Sequence[Gallery] = ()
    coarser: Sequence[Section] = ()
    further: Sequence[Section] = ()
    baselines: Sequence[Named] = ()
    paper: Estimate | None = None
    warnings: Sequence[str] = ()
    counts: pd.DataFrame | None = None


@dataclass(frozen=True)
class AssessResults(PageResults):
    """What `assess_page` shows.

    `verdicts` has one row an image and frame: `image`, `t`, `n_patches`, `verdict`, and where
    known `well`, `position`; of two classes `sick_fraction`, `p_sick`, of more ``called_<class>``
    (share of patches called it) and ``p_<class>`` (probability of the image). `failures` has one
    row an input that could not be read: `image`, `error`. Threshold and band are on `p_sick`, of
    two classes only. Where the model has a rule of `familiarity`, there may be `distance` and
    `unlike`.
    """

    classes: ClassNames
    verdicts: pd.DataFrame
    failures: pd.DataFrame = field(default_factory=pd.DataFrame)
    threshold: float | None = None
    band: tuple[float, float] | None = None
    familiarity: FamiliarityRule | None = None
    galleries: Sequence[Gallery] = ()
    further: Sequence[Section] = ()


@dataclass(frozen=True)
class HeatmapResults(PageResults):
    """What `heatmap_page` shows.

    `curve` has one row a frame: `t`, where known `time_s`; of two classes `fraction` (share of the
    judged area over the threshold, 0 to 1, NaN where nothing was to judge), of more
    ``fraction_<class>`` (share whose most probable class it is). `threshold` is a probability, of
    two classes only; `stills` are made by `livewell.report.maps.still`; `stain` is what the model
    predicts of a stain, if that was asked for.
    """

    classes: ClassNames
    curve: pd.DataFrame
    threshold: float | None = None
    video: Video | None = None
    stills: Sequence[Picture] = ()
    stain: "PredictedStain | None" = None
    of_centres: bool = False
    """Whether the model judges what is at the centre of a window, not all of it."""
