"""Labelled regions that models score, none of which they have learnt from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, LeakError, SpecError, SplitError, StudyError
from livewell.images.opening import Channels, asked_channels
from livewell.inference.frames import same_channels
from livewell.inference.model import Model
from livewell.inference.unseen import (
    NEAR_COPY,
    candidates,
    copies_among,
    near_told,
    scored_by,
    scorers,
)
from livewell.measure.occupancy import Texture
from livewell.models.device import AUTO
from livewell.models.files import CARD, Card, read_card
from livewell.splitting.copies import refuse_copies
from livewell.splitting.groups import group_of_images
from livewell.splitting.healthy import one_against_others, refuse_unmeasurable, relabelled
from livewell.splitting.units import refuse_torn, unit_names
from livewell.study.audited import audit_state
from livewell.study.content import content
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid, Whole, frame_of, patches_of_labels, unusable_frames
from livewell.study.runs import Run, label_hash, split_hashes
from livewell.study.scale import SAME, channel_names, common_pixel_um
from livewell.study.study import Study
from livewell.study.unchanged import refuse_changed
from livewell.tables.metadata import AuditSummary, SplitMeta
from livewell.tables.schemas import PATCHES, check_scores
from livewell.training.anchors import Anchors, beside_anchor


@dataclass(frozen=True)
class EvaluationSet:
    """Labelled regions of a study, and which model scores which: a run's test groups, or a study.

    Patches, folds and meta are as of a split; of a study that no model learnt from all groups are
    test groups, and `run` is ``None``. `folders` are those of the models, by fold.
    """

    study: Study
    pixels: StudyPixels
    patches: pd.DataFrame
    folds: pd.DataFrame
    meta: SplitMeta
    folders: Mapping[int, Path]
    run: Run | None = None
    device: str = AUTO

    @cached_property
    def audit(self) -> AuditSummary:
        """How the audit of its labels ended."""
        return audit_state(self.study, self.meta.labels)

    @classmethod
    def of_run(
        cls, run_folder: Path, folds: Sequence[int] | None = None, device: str = AUTO
    ) -> "EvaluationSet":
        """The test groups of a run, of all `folds` or some; a split made anew since is an error."""
        run = Run.open(run_folder)
        wrong = sorted(set(folds or ()) - set(run.folds))
        if wrong:
            raise SplitError(
                "no such fold in this run",
                where=str(run_folder),
                expected=", ".join(map(str, run.folds)),
                got=", ".join(map(str, wrong)),
            )
        study = Study.open(Path(run.spec.study))
        patches, parts, meta = study.split(run.spec.split)
        if run.spec.inputs != split_hashes(study, run.spec.split):
            raise SplitError(
                "the split was made anew since this run was trained: what was trained on would be"
                " tested on",
                where=f"{study.folder}, split {run.spec.split}",
                remedy="train again, and give another split another --name",
            )
        refuse_torn(study.fields(), group_of_images(patches), meta.by)
        if run.spec.healthy is not None:
            patches, meta = one_against_others(patches, meta, run.spec.healthy)
            refuse_unmeasurable(patches, meta.class_names, f"{study.folder}, split {meta.labels}")
        folders = {fold: run.model(fold) for fold in run.folds}
        _refuse_other_classes(study, meta, folders)
        parts = parts[parts["fold"].isin(run.folds if folds is None else folds)]
        if run.spec.anchor is not None:
            patches = Anchors.of(study, run.spec.anchor).beside(patches, parts)
        pixels = StudyPixels(study, run.spec.channels)
        refuse_changed(study, run.spec.split, patches["image"], pixels)
        refuse_copies(study, run.spec.split, pixels)
        made = cls(study, pixels, patches, parts, meta, folders, run, device)
        if made.part("test").empty:
            raise SplitError(
                "no group is held out for testing",
                where=str(run_folder),
                remedy="split with a test",
            )
        return made

    @classmethod
    def of_study(
        cls,
        model: Path,
        study: Study,
        *,
        labels: str = "labels",
        by: str | None = None,
        channels: Channels = None,
        device: str = AUTO,
    ) -> "EvaluationSet":
        """All labelled regions of a study that a model has not learnt from.

        Of a run on this study with several folds each group is scored by a model that has not
        learnt from it. Groups are named in the column `by`; by default in the one that the model
        was trained with where the study has it, else each image is one. Channels, in the model's
        order, are the study's by default, else the model's.
        """
        found = candidates(model, study, whole_frames=True, device=device)
        card = found.models[0].card
        table, meta = study.labels(labels), study.label_meta(labels)
        table, left_out = beside_anchor(study, card.anchor, table)
        warnings = [*found.notes, *left_out]
        if card.healthy_only:
            table = relabelled(table, card.class_names)
            refuse_unmeasurable(table, card.class_names, f"{study.folder}, labels {labels}")
        card.class_names.codes(table["label"])
        same_scale(study, card, table["image"])
        fields = study.fields()
        by = by or (found.group if found.group in fields else "image")
        groups = unit_names(fields, by)
        scored = scorers(study, found, groups.fillna("") if groups.isna().any() else groups)
        seen = set(scored.loc[scored["seen"], "image"])
        left = table[~table["image"].isin(seen)]
        _refuse_none(left, table, model)
        asked = asked_channels(channels) or study.channels or card.named_channels
        names = channel_names(study, left["image"], asked)
        same_channels(names, card.channels, str(study.folder))
        pixels = StudyPixels(study, asked)
        warnings += unusable_frames(left, pixels.prepare(sorted(left["image"].unique())))
        rim_px = (card.patch_px - card.profile.middle_px) // 2
        occupancy = Texture(card.pixel_um, rim_px)
        patches, counts = patches_of_labels(study, left, _grid(left, card), pixels, occupancy)
        _same_size(patches, card)
        shapes = frozenset[tuple[int, int]]().union(*(m.learnt_frames.shapes for m in found.models))
        shown = content(study, pixels, patches[["image", "t"]].drop_duplicates(), shapes)
        copies = copies_among(found, scored, shown)
        seen |= set(scored.loc[scored["group"].isin(copies["group"]), "image"])
        patches = patches[~patches["image"].isin(seen)]
        _refuse_none(patches, table, model)
        patches["group"] = patches["image"].map(groups).fillna(patches["image"])
        patches = PATCHES.check(patches, where=f"labels {labels}")
        fold = scored.set_index("image")["model"]
        parts = pd.DataFrame(
            {"fold": patches["image"].map(fold), "group": patches["group"], "part": "test"}
        ).drop_duplicates(ignore_index=True)
        if number := len(seen & set(table["image"])):
            warnings.append(
                f"{number} of {table['image'].nunique()} labelled images are left out, for the"
                " model was trained or calibrated on them or on others of their group"
            )
        near = copies.loc[copies["how"] == NEAR_COPY, "image"]
        alike = (set(near) | found.only_near) & seen & set(table["image"])
        warnings += near_told(alike, "labelled image")
        described = SplitMeta(
            classes=card.classes,
            positive=card.positive,
            labels=labels,
            label_meta=meta,
            labels_sha256=label_hash(study, labels),
            by=by,
            scheme="another study",
            patch_px=card.patch_px,
            frame_px=None if card.patch_px else frame_of(patches),
            channels=names,
            pixel_um=common_pixel_um(study, patches["image"]),
            counts=counts,
            warnings=tuple(warnings),
        )
        folders = {number: each.folder for number, each in enumerate(found.models)}
        made = cls(study, pixels, patches, parts, described, folders, None, device)
        made._models.update(enumerate(found.models))
        return made

    @property
    def own_run(self) -> Run:
        """The run whose test groups these are; a study that models are tried on is an error."""
        if self.run is None:
            raise SpecError("this needs a training run", expected="a run", got="another study")
        return self.run

    @property
    def classes(self) -> ClassNames:
        """The classes that are told apart."""
        return self.meta.class_names

    @cached_property
    def recipe(self) -> Mapping[str, object]:
        """Settings of the profile that the models were trained with."""
        if self.run is not None:
            return self.run.spec.profile
        return self.model(next(iter(self.folders))).card.profile.model_dump(mode="json")

    def about(self, scores: pd.DataFrame) -> dict[str, Any]:
        """What the figures of these scores are of, as plain values."""
        counts = {"groups": int(scores["group"].nunique()), "patches": len(scores)}
        known = {"classes": list(self.classes), "group": self.meta.by, **counts}
        return known | {"warnings": self.meta.warnings}

    def part(self, name: str, fold: int | None = None) -> pd.DataFrame:
        """Patches of one part of all folds, or of one, with the column fold."""
        chosen = self.folds[self.folds["part"] == name]
        if fold is not None:
            chosen = chosen[chosen["fold"] == fold]
        return self.patches.merge(chosen, on="group")

    @cached_property
    def _models(self) -> dict[int, Model]:
        """Those that were loaded."""
        return {}

    def model(self, fold: int) -> Model:
        """The model of one fold, loaded once; one that is not trained to its end is an error."""
        if fold in self._models:
            return self._models[fold]
        if not (self.folders[fold] / CARD).is_file():
            raise StudyError(
                f"fold {fold} is not trained to its end",
                where=str(self.folders[fold].parents[1]),
                remedy="run the same training command again, it goes on where it was",
            )
        self._models[fold] = Model.load(self.folders[fold], device=self.device)
        return self._models[fold]

    def scores(self) -> tuple[pd.DataFrame, dict[int, Model]]:
        """Scores of all test groups (`schemas.SCORES`), and the model of every fold."""
        tested = self.part("test")
        models = {int(fold): self.model(int(fold)) for fold in sorted(tested["fold"].unique())}
        table = scored_by(models, tested, self.pixels, "scoring unseen groups")
        return check_scores(table, self.classes, where=str(self.study.folder)), models


def _refuse_none(left: pd.DataFrame, table: pd.DataFrame, model: Path) -> None:
    if left.empty:
        raise LeakError(
            "the model has learnt from every labelled image of this study",
            where=str(model),
            expected="images that it has not learnt from",
            got=f"{table['image'].nunique()} images, all of its training or validation groups, or"
            " near copies of them",
            remedy="label other images, or give the run itself: `livewell evaluate RUN`",
        )


def same_scale(study: Study, card: Card, images: "pd.Series[str]") -> None:
    """Refuse images of another pixel size than the model's: regions are not rescaled."""
    found = common_pixel_um(study, images)
    if found and card.pixel_um and abs(found / card.pixel_um - 1) > SAME:
        raise SpecError(
            "images of another pixel size than the model's",
            where=str(study.folder),
            expected=f"{card.pixel_um:.4g} um",
            got=f"{found:.4g} um",
            remedy="take a model of this magnification, or train one on these images",
        )


def _grid(labels: pd.DataFrame, card: Card) -> Grid | Whole | None:
    """Where regions lie: the model's own grid on labelled frames, or the labelled patches."""
    if labels["y0"].notna().all():
        return None
    return Grid(card.patch_px, card.stride_px) if card.patch_px else Whole()


def _same_size(patches: pd.DataFrame, card: Card) -> None:
    found = set(zip(patches["y1"] - patches["y0"], patches["x1"] - patches["x0"], strict=True))
    wanted = (card.patch_px, card.patch_px) if card.patch_px else card.frame_px
    if found != {wanted} and wanted is not None:
        raise LabelError(
            "regions of another size than the model's",
            expected=f"{wanted[0]} x {wanted[1]} px",
            got=", ".join(f"{height} x {width} px" for height, width in sorted(found)[:3]),
            remedy=f"label with --patch-px {card.patch_px}"
            if card.patch_px
            else "give whole frames of the size that the model was trained on",
        )


def _refuse_other_classes(study: Study, meta: SplitMeta, folders: Mapping[int, Path]) -> None:
    """Refuse a split whose classes are others, or in another order, than those of its models."""
    for folder in folders.values():
        if not (folder / CARD).is_file():
            continue
        learnt = read_card(folder).class_names
        if learnt != meta.class_names:
            raise SplitError(
                "labels and split were made anew since this run was trained, and their classes are"
                " others, or have another order",
                where=f"{study.folder}, split {meta.labels}",
                expected=f"{learnt}, to find {learnt.positive}",
                got=f"{meta.class_names}, to find {meta.class_names.positive}",
                remedy="train again, or label and split again as before",
            )
