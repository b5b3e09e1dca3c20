"""Judges every well of a study by models that have not learnt from it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from livewell.errors import LeakError
from livewell.images.opening import Channels
from livewell.inference.dosed import Plan
from livewell.inference.model import Model
from livewell.inference.unseen import near_told, scored_by
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.models.files import Card
from livewell.region import RegionGrid
from livewell.study.content import first_looks
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid, labelled_frames, patches_of_labels, unusable_frames
from livewell.study.study import Study
from livewell.tables.metadata import AuditSummary

LOG = logging.getLogger(__name__)

EMPTIER = 0.1
"""More empty patches than without light, by this share, make a warning: what died may have gone."""


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Every well judged by models that have not learnt from it.

    `wells` has one row a well: well, dose, fold, patches, positive, mean_p,
    empty (share of the grid's patches without cells); `scores` one row a
    patch: key, well, dose, fold, logit, p, called. `sees` is the area under the ROC curve between
    unlit wells and wells learnt as sick, unseen ones. Where the models are of images from
    `elsewhere`, `proven` is their AUC on unseen groups of their own, if they were evaluated. `lost`
    is the number of wells without anything to judge, by dose. `card` is that of the first model,
    `audits` are those of the labels that the models learnt from.
    """

    wells: pd.DataFrame
    scores: pd.DataFrame
    sees: Estimate
    models: int
    warnings: tuple[str, ...]
    card: Card
    audits: tuple[AuditSummary, ...]
    elsewhere: bool = False
    proven: Estimate | None = None
    lost: Mapping[float, int] = field(default_factory=dict)


@dataclass(frozen=True)
class WellScorer:
    """What is needed to judge the wells of a study; `dose` is by unit, `units` by image."""

    study: Study
    plan: Plan
    dose: "pd.Series[float]"
    units: "pd.Series[str]"
    channels: Channels

    def judged(
        self,
        frames: pd.DataFrame,
        grid: Grid,
        fold: "pd.Series[int]",
        models: Mapping[int, Model],
        seed: int,
    ) -> CrossFit:
        """Scores of all patches with cells of some frames, summed up by well.

        `frames` are as labels on frames, `fold` is the number of the model by image, `seed` is of
        the interval of what the models see.
        """
        pixels = StudyPixels(self.study, self.channels)
        unusable = unusable_frames(frames, pixels.prepare(self.units.index))
        table, _ = patches_of_labels(self.study, frames, grid, pixels)
        table = table.drop(columns=["label", "score", "route"])
        table["well"] = table["image"].map(self.units)
        table["dose"] = table["well"].map(self.dose)
        table["fold"] = table["image"].map(fold)
        scores = scored_by(models, table, pixels, "judging all wells by models new to them")
        wells = (
            scores.groupby("well")
            .agg(
                dose=("dose", "first"),
                fold=("fold", "first"),
                patches=("called", "size"),
                positive=("called", "sum"),
                mean_p=("p", "mean"),
            )
            .reset_index()
        )
        positions = self._positions(frames, grid, pixels)
        wells["empty"] = 1 - wells["patches"] / wells["well"].map(positions)
        lost = self.dose[~self.dose.index.isin(wells["well"])]
        cards = [model.card for model in models.values()]
        positive = cards[0].class_names.pair[1]
        warnings = (*unusable, *self._lost(lost, positive), *_emptier(wells, positive))
        for text in warnings:
            LOG.warning(text)
        counts = {float(level): int((lost == level).sum()) for level in lost.unique()}
        sees = _sees(scores, self.plan, seed)
        audits = tuple(dict.fromkeys(audit for card in cards for audit in card.audits))
        known = (wells, scores, sees, len(models), warnings, cards[0], audits)
        return CrossFit(*known, lost=counts)

    def _positions(
        self, frames: pd.DataFrame, grid: Grid, pixels: StudyPixels
    ) -> "pd.Series[float]":
        """Patches of the grid by well, with cells or without."""
        layout = RegionGrid(grid.patch_px, grid.stride_px, grid.edge)
        number = [
            (self.units[image], len(list(layout.patches(image, t, pixels.area(image, t)))))
            for image, t, *_ in labelled_frames(frames, pixels)
            if t % grid.every == 0
        ]
        total = pd.DataFrame(number, columns=["unit", "patches"])
        return total.groupby("unit")["patches"].sum().astype(float)

    def _lost(self, lost: "pd.Series[float]", positive: str) -> list[str]:
        """What is to be said of wells without anything to judge."""
        return [
            f"no cell in any judged frame of {len(names)} {self.plan.by}s at dose {level:g}, such"
            f" as {names.index[0]}: "
            + (
                "left out"
                if level == 0
                else f"counted as wholly {positive}, for cells that die let go"
            )
            for level, names in lost.groupby(lost)
        ]


def refuse_copies(
    study: Study, channels: Channels, fold: "pd.Series[int]", models: Mapping[int, Model]
) -> tuple[str, ...]:
    """Refuse images that are copies of one that their model has learnt from; near ones are told."""
    looks = first_looks(study, fold.index, channels)
    copies = [
        str(image)
        for image, number in fold.items()
        if looks[str(image)].digests & models[int(number)].learnt
    ]
    if copies:
        raise LeakError(
            f"{len(copies)} images would be judged by a model that has learnt from the same image"
            " under another name",
            where=str(study.folder),
            expected="every image once",
            got=", ".join(copies[:4]) + (", ..." if len(copies) > 4 else ""),
            remedy="leave copies out when indexing",
        )
    near = frozenset[str]().union(
        *(
            models[int(str(number))].learnt_frames.near_copies(
                (str(image), looks[str(image)].likeness) for image in own
            )
            for number, own in fold.groupby(fold).groups.items()
        )
    )
    told = near_told(near)
    for text in told:
        LOG.warning(text)
    return told


def _emptier(wells: pd.DataFrame, positive: str) -> list[str]:
    """Warnings where lit wells have more patches without cells than unlit ones."""
    empty = wells.groupby("dose")["empty"].mean()
    if 0.0 not in empty:
        return []
    return [
        f"{share:.0%} of the patches in wells of dose {level:g} show no cell, {empty[0.0]:.0%}"
        f" without light: cells that die let go, and the share of {positive} ones is of what is"
        " left"
        for level, share in empty.items()
        if share > empty[0.0] + EMPTIER
    ]


def _sees(scores: pd.DataFrame, plan: Plan, seed: int) -> Estimate:
    """How well the models tell unseen unlit wells from unseen sick ones."""
    ends = scores[(scores["dose"] == 0) | (scores["dose"] >= plan.sick_from)]
    table = ends.assign(group=ends["well"], y=(ends["dose"] > 0).astype(int))
    return cluster_interval(table, "roc_auc", seed=seed)
