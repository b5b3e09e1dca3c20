"""Train one net a fold, calibrate it on validation groups, save it with its card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from livewell.classes import ClassNames
from livewell.errors import Fault, SpecError, SplitError, TableError
from livewell.explain.places import Finder, Look
from livewell.inference.windows import BATCH, Scorer
from livewell.metrics.decisions import (
    PatchRule,
    fit_patch_rule,
    fit_picture_rule,
    fit_place_rule,
)
from livewell.metrics.pictures import by_picture
from livewell.models.files import NORMALISATIONS, Card, load_model, save_model
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.progress import SILENT, Progress
from livewell.study.content import first_frames
from livewell.study.pixels import StudyPixels
from livewell.study.runs import Run, label_hash, split_hashes, versions
from livewell.study.study import Study
from livewell.tables.schemas import regions_of
from livewell.training.data import LabelledRegions, plain_loader
from livewell.training.fit import FitResult, fit


class Fitter(Protocol):
    """How one fold is trained: `livewell.training.fit.fit`, or what stands in for it."""

    def __call__(
        self,
        profile: Profile,
        source: StudyPixels,
        train: LabelledRegions,
        validation: LabelledRegions,
        folder: Path,
        *,
        seed: int,
        processes: int | None,
        progress: Progress,
        what: str,
    ) -> FitResult:
        """As `livewell.training.fit.fit`."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What `train` made: the run, and the card of every fold's model."""

    run: Run
    cards: Mapping[int, Card]


def train(
    study: Study,
    out: Path,
    profile: Profile,
    *,
    split: str = "split",
    folds: Sequence[int] | None = None,
    channel: str | None = None,
    seed: int = 0,
    processes: int | None = None,
    fitter: Fitter = fit,
    progress: Progress = SILENT,
) -> TrainingResult:
    """Train the folds of a split; a run that was stopped goes on where it was.

    Parameters
    ----------
    study
        With a split.
    out
        The run's folder; new, or of the same run.
    profile
        The recipe.
    split
        Name of the split.
    folds
        Which folds; all where ``None``.
    channel
        Transmitted-light channel; found by its name where ``None``.
    seed
        Of the run.
    processes
        Processes that cut and augment; by default one a core but one.
    fitter
        What trains a fold; a benchmark may bring another.
    progress
        Where to report.

    Returns
    -------
    TrainingResult

    Raises
    ------
    SpecError
        Patches of another size than the profile's.
    SplitError
        No such fold, or the labels were made anew after the split.
    OutputError
        `out` holds something else, or a run with other settings.
    """
    patches, parts, meta = study.split(split)
    _check_labels(study, split, meta)
    _check_size(meta, profile)
    chosen = _chosen_folds(parts, folds)
    run = Run.claim(
        out,
        {
            "study": str(study.folder.resolve()),
            "split": split,
            "profile": profile.model_dump(mode="json"),
            "seed": seed,
            "channel": channel,
            "classes": meta["classes"],
            "group": meta["by"],
            "folds": chosen,
            "inputs": split_hashes(study, split),
            "versions": versions(),
            **({} if fitter is fit else {"fitter": type(fitter).__name__}),
        },
    )
    pixels = StudyPixels(study, channel)
    pixels.prepare(sorted(patches["image"].unique()), progress=progress)
    cards = {}
    for fold in chosen:
        if not (run.model(fold) / "card.json").is_file():
            part = patches.merge(parts[parts["fold"] == fold], on="group")
            _one_fold(run, fold, part, meta, pixels, profile, seed, processes, fitter, progress)
        cards[fold] = load_model(run.model(fold), frames=True)[1]
    return TrainingResult(run, cards)


def _one_fold(
    run: Run,
    fold: int,
    patches: pd.DataFrame,
    meta: Mapping[str, Any],
    pixels: StudyPixels,
    profile: Profile,
    seed: int,
    processes: int | None,
    fitter: Fitter,
    progress: Progress,
) -> None:
    classes: tuple[str, str] = (meta["classes"][0], meta["classes"][1])
    parts = {name: patches[patches["part"] == name] for name in ("train", "validation")}
    fitted = fitter(
        profile,
        pixels,
        _labelled(parts["train"], classes),
        _labelled(parts["validation"], classes),
        run.fold(fold),
        seed=seed,
        processes=processes,
        progress=progress,
        what=f"training fold {fold}" if len(run.folds) > 1 else "training",
    )
    net = Net(
        fitted.module,
        classes,
        meta["pixel_um"],
        profile.patch_px,
        profile.input_px,
        how=profile.normalise,
        turns=profile.test_turns,
        frame_px=(meta["frame_px"][0], meta["frame_px"][1]) if profile.sees_frames else None,
    )
    card = _card(net, fitted, parts["validation"], pixels, profile, progress)
    card = card.model_copy(
        update={
            "channel": meta["channel"],
            "seed": seed,
            "data": _summary(run, fold, patches) | {"learnt": _learnt(pixels, parts, progress)},
        }
    )
    save_model(run.model(fold), net, card)


def _card(
    net: Net,
    fitted: FitResult,
    validation: pd.DataFrame,
    pixels: StudyPixels,
    profile: Profile,
    progress: Progress,
) -> Card:
    """The card with rules from validation patches; what the run knows is filled in after."""
    with progress.task("calibrating on validation", total=len(validation)) as tick:
        logit = Scorer(net).patches(pixels, regions_of(validation), tick).astype(float)
    y = (validation["label"] == net.classes[1]).to_numpy(int)
    patch_rule = fit_patch_rule(logit, y, validation["group"])
    scores = validation.assign(
        logit=logit, y=y, p=patch_rule.probability(logit), called=patch_rule.called(logit)
    )
    picture_rule = fit_picture_rule(
        by_picture(scores, ClassNames.of(net.classes)), patch_rule.temperature, net.classes
    )
    return Card(
        classes=net.classes,
        channel="",
        pixel_um=net.pixel_um,
        frame_px=net.frame_px,
        patch_px=net.patch_px,
        input_px=net.input_px,
        stride_px=profile.stride_px,
        normalisation=NORMALISATIONS[profile.normalise],
        profile=profile,
        precision=fitted.precision,
        seed=0,
        data={},
        patch_rule=patch_rule,
        picture_rule=picture_rule,
        place_rule=_place_rule(net, validation, y, pixels) if profile.tells_places else None,
        versions=versions(),
    )


def _place_rule(net: Net, validation: pd.DataFrame, y: ArrayLike, pixels: StudyPixels) -> PatchRule:
    """Which places of a frame are called, by the highest place of every validation frame."""
    finder = Finder(net, Look())
    highest = []
    for batch, _ in plain_loader(pixels, regions_of(validation), batch=BATCH):
        odds = finder.odds(batch)
        highest.append(odds.reshape(len(odds), -1).max(axis=1))
    return fit_place_rule(np.concatenate(highest).astype(float), y, validation["group"])


def _labelled(part: pd.DataFrame, classes: tuple[str, str]) -> LabelledRegions:
    return LabelledRegions(
        regions_of(part),
        np.asarray(part["label"] == classes[1], dtype=bool),
        part["group"].tolist(),
    )


def _learnt(
    pixels: StudyPixels, parts: Mapping[str, pd.DataFrame], progress: Progress
) -> list[str]:
    """What tells the images of training and validation again, wherever they may lie."""
    images = sorted({image for part in parts.values() for image in part["image"]})
    found = first_frames(pixels.study, images, pixels.channel, progress)
    return sorted(set(found.values()) - {""})


def _summary(run: Run, fold: int, patches: pd.DataFrame) -> dict[str, Any]:
    counts = patches.groupby(["part", "label"]).agg(
        patches=("group", "size"), groups=("group", "nunique")
    )
    return {
        "study": Path(run.spec["study"]).name,
        "split": run.spec["split"],
        "fold": fold,
        "group": run.spec["group"],
        "counts": [
            {"part": part, "label": label, "patches": int(number), "groups": int(groups)}
            for (part, label), number, groups in zip(
                counts.index, counts["patches"], counts["groups"], strict=True
            )
        ],
        "groups": {
            str(part): sorted(names.unique().tolist())
            for part, names in patches.groupby("part")["group"]
        },
    }


def _check_labels(study: Study, split: str, meta: Mapping[str, Any]) -> None:
    name, made_of = meta["labels"], meta.get("labels_sha256")
    if made_of and name in study.label_names() and made_of != label_hash(study, name):
        raise SplitError(
            "the labels were made anew after the split, which holds the old ones",
            where=f"{study.folder}, split {split}",
            remedy="split again, or give other labels another --name",
        )


def _check_size(meta: Mapping[str, Any], profile: Profile) -> None:
    if profile.sees_frames and meta["patch_px"]:
        raise SpecError(
            "the split holds patches, and the profile's net sees whole frames",
            where=f"profile {profile.name}",
            expected="a split made with --whole",
            got=f"patches of {meta['patch_px']} px",
            remedy="split again with --whole",
        )
    if meta["patch_px"] != profile.patch_px:
        raise SpecError(
            "the split's patches are of another size than the profile's",
            where=f"profile {profile.name}",
            expected=f"patches of {profile.patch_px} px",
            got=f"{meta['patch_px']} px" if meta["patch_px"] else "whole frames",
            remedy=f"split again with --patch-px {profile.patch_px}, or set patch_px and input_px"
            if meta["patch_px"]
            else "train a profile for whole frames, such as WSCNN_FAST, or split again with"
            f" --patch-px {profile.patch_px}",
        )


def _chosen_folds(parts: pd.DataFrame, asked: Sequence[int] | None) -> list[int]:
    there = sorted(int(fold) for fold in parts["fold"].unique())
    wrong = sorted(set(asked or ()) - set(there))
    if wrong:
        raise SplitError(
            "no such fold",
            expected=", ".join(map(str, there)),
            got=", ".join(map(str, wrong)),
        )
    usable = [fold for fold in there if asked is None or fold in asked]
    faults = [
        Fault("one-class", f"fold {fold}, {name}", "no group of this part")
        for fold in usable
        for name in ("train", "validation")
        if not ((parts["fold"] == fold) & (parts["part"] == name)).any()
    ]
    if faults:
        raise TableError("folds that cannot be trained", faults, remedy="split again")
    return usable
