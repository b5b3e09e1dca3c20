"""Train one net a fold, calibrate it on validation groups, save it with its card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from torch import Tensor

from livewell.classes import ClassNames
from livewell.errors import Fault, LeakError, ModelFileError, SpecError, SplitError, TableError
from livewell.files import AnyPath
from livewell.images.opening import Channels, asked_channels
from livewell.inference.calibration import calibrated_card
from livewell.inference.model import Model
from livewell.models.building import net_of
from livewell.models.device import AUTO
from livewell.models.files import Card, read_card, save_model
from livewell.models.profile import Profile
from livewell.study.content import first_frames
from livewell.study.pixels import StudyPixels
from livewell.study.runs import Run, label_hash, split_hashes, versions
from livewell.study.scale import channel_names
from livewell.study.study import Study
from livewell.tables.metadata import RunMeta, SplitMeta
from livewell.tables.schemas import regions_of
from livewell.training.data import LabelledRegions
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
        channels: int,
        seed: int,
        processes: int | None,
        device: str,
        begin: Mapping[str, Tensor] | None,
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
    study: Study | AnyPath,
    out: AnyPath,
    profile: Profile,
    *,
    split: str = "split",
    folds: Sequence[int] | None = None,
    channels: Channels = None,
    begin_with: AnyPath | None = None,
    device: str = AUTO,
    seed: int = 0,
    processes: int | None = None,
    fitter: Fitter = fit,
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
    channels
        Channels that the net sees, in this order, by name or number; by default the study's, else
        those of the split.
    begin_with
        A model whose weights training begins with, of the same net, classes and channels; it must
        not have learnt from a validation or test image.
    device
        Where to train: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    seed
        Of the run.
    processes
        Processes that cut and augment; by default one a core but one.
    fitter
        What trains a fold; a benchmark may bring another.

    Returns
    -------
    TrainingResult

    Raises
    ------
    SpecError
        Patches of another size than the profile's.
    SplitError
        No such fold, or the labels were made anew after the split.
    LeakError
        The model to begin with has learnt from validation or test images.
    ModelFileError
        The model to begin with is of another net, of other classes or channels.
    OutputError
        `out` holds something else, or a run with other settings.
    """
    study = Study.of(study)
    begin_with = None if begin_with is None else Path(begin_with)
    out = Path(out)
    patches, parts, meta = study.split(split)
    _check_labels(study, split, meta)
    _check_size(meta, profile)
    chosen = _chosen_folds(parts, folds)
    start = None if begin_with is None else _start(begin_with, profile, meta)
    asked = asked_channels(channels)
    if not asked and not study.channels and len(meta.channels) > 1:
        asked = meta.channels
    _check_channels(study, patches, asked, meta)
    run = Run.claim(
        out,
        RunMeta(
            study=str(study.folder.resolve()),
            split=split,
            profile=profile.model_dump(mode="json"),
            seed=seed,
            channels=asked,
            classes=meta.classes,
            positive=meta.positive,
            group=meta.by,
            folds=tuple(chosen),
            inputs=split_hashes(study, split),
            versions=versions(),
            begun_with="" if start is None else start.card.weights_sha256,
            fitter="" if fitter is fit else type(fitter).__name__,
        ),
    )
    pixels = StudyPixels(study, asked)
    pixels.prepare(sorted(patches["image"].unique()))
    cards = {}
    for fold in chosen:
        if not (run.model(fold) / "card.json").is_file():
            part = patches.merge(parts[parts["fold"] == fold], on="group")
            _one_fold(
                run,
                fold,
                part,
                meta,
                pixels,
                profile,
                seed,
                processes,
                fitter,
                start,
                device,
            )
        cards[fold] = read_card(run.model(fold))
    return TrainingResult(run, cards)


def _one_fold(
    run: Run,
    fold: int,
    patches: pd.DataFrame,
    meta: SplitMeta,
    pixels: StudyPixels,
    profile: Profile,
    seed: int,
    processes: int | None,
    fitter: Fitter,
    start: Model | None,
    device: str,
) -> None:
    classes = meta.class_names
    parts = {name: patches[patches["part"] == name] for name in ("train", "validation")}
    if start is not None:
        held_out = [patches[patches["part"] == name] for name in ("validation", "test")]
        _refuse_learnt(start, held_out, pixels)
    fitted = fitter(
        profile,
        pixels,
        _labelled(parts["train"], classes),
        _labelled(parts["validation"], classes),
        run.fold(fold),
        channels=pixels.number_of_channels,
        seed=seed,
        processes=processes,
        device=device,
        begin=None if start is None else start.net.module.cpu().state_dict(),
        what=f"training fold {fold}" if len(run.folds) > 1 else "training",
    )
    net = net_of(fitted.module, profile, classes, meta.pixel_um, meta.frame_px)
    card = calibrated_card(
        net,
        profile,
        parts["validation"],
        pixels,
        meta.channels,
        precision=fitted.precision,
        seed=seed,
        device=device,
    )
    data = _summary(run, fold, patches)
    learnt = set(_learnt(pixels, list(parts.values())))
    if start is not None:
        learnt |= start.learnt
        data["begun_with"] = {
            "profile": start.card.profile.name,
            "weights_sha256": start.card.weights_sha256,
            "data": {k: v for k, v in start.card.data.items() if k != "learnt"},
        }
    card = card.model_copy(update={"data": data | {"learnt": sorted(learnt)}})
    save_model(run.model(fold), net, card)


def _labelled(part: pd.DataFrame, classes: ClassNames) -> LabelledRegions:
    return LabelledRegions(regions_of(part), classes.codes(part["label"]), part["group"].tolist())


def _start(path: Path, profile: Profile, meta: SplitMeta) -> Model:
    """The model to begin with, of the same net, classes and channels."""
    model = Model.load(path, device="cpu")
    card = model.card
    same = {
        "net": (str(card.profile.net.kind), str(profile.net.kind)),
        "input_px": (str(card.profile.input.input_px), str(profile.input.input_px)),
        "classes": (", ".join(card.classes), ", ".join(meta.classes)),
        "channels": (str(len(card.channels)), str(len(meta.channels))),
    }
    wrong = {name: pair for name, pair in same.items() if pair[0] != pair[1]}
    if wrong:
        raise ModelFileError(
            "training cannot begin with this model, which is of another make",
            where=str(path),
            expected="; ".join(f"{name} {wanted}" for name, (_, wanted) in wrong.items()),
            got="; ".join(f"{name} {there}" for name, (there, _) in wrong.items()),
            remedy="name a model of the same profile, classes and channels",
        )
    return model


def _refuse_learnt(start: Model, held_out: Sequence[pd.DataFrame], pixels: StudyPixels) -> None:
    """Refuse a start that has learnt from what it would be calibrated or tested on."""
    images = sorted({image for part in held_out for image in part["image"]})
    found = first_frames(pixels.study, images, pixels.channels)
    known = [image for image in images if found[image] in start.learnt]
    if known or "learnt" not in start.card.data:
        raise LeakError(
            f"the model to begin with has learnt from {len(known)} validation or test images"
            if known
            else "the model to begin with does not say which images it learnt from",
            where=str(start.folder),
            expected="a model that has learnt from none of the validation and test images",
            got=", ".join(known[:4]) + (", ..." if len(known) > 4 else ""),
            remedy="begin with a model of other images, or split so that these are trained on",
        )


def _learnt(pixels: StudyPixels, parts: Sequence[pd.DataFrame]) -> list[str]:
    """What tells the images of training and validation again, wherever they may lie."""
    images = sorted({image for part in parts for image in part["image"]})
    found = first_frames(pixels.study, images, pixels.channels)
    return sorted(set(found.values()) - {""})


def _summary(run: Run, fold: int, patches: pd.DataFrame) -> dict[str, Any]:
    counts = patches.groupby(["part", "label"]).agg(
        patches=("group", "size"), groups=("group", "nunique")
    )
    return {
        "study": Path(run.spec.study).name,
        "split": run.spec.split,
        "fold": fold,
        "group": run.spec.group,
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


def _check_channels(
    study: Study, patches: pd.DataFrame, asked: Sequence[str | int], meta: SplitMeta
) -> None:
    names = channel_names(study, patches["image"], asked)
    if len(names) != len(meta.channels):
        raise SplitError(
            "other channels than the split was made for",
            where=str(study.folder),
            expected=f"{len(meta.channels)}: {', '.join(meta.channels)}",
            got=f"{len(names)}: {', '.join(names)}",
            remedy="name the split's channels, each with --channel, or split again",
        )


def _check_labels(study: Study, split: str, meta: SplitMeta) -> None:
    name, made_of = meta.labels, meta.labels_sha256
    if made_of and name in study.label_names() and made_of != label_hash(study, name):
        raise SplitError(
            "the labels were made anew after the split, which holds the old ones",
            where=f"{study.folder}, split {split}",
            remedy="split again, or give other labels another --name",
        )


def _check_size(meta: SplitMeta, profile: Profile) -> None:
    if profile.sees_frames and meta.patch_px:
        raise SpecError(
            "the split holds patches, and the profile's net sees whole frames",
            where=f"profile {profile.name}",
            expected="a split made with --whole",
            got=f"patches of {meta.patch_px} px",
            remedy="split again with --whole",
        )
    if meta.patch_px != profile.input.patch_px:
        raise SpecError(
            "the split's patches are of another size than the profile's",
            where=f"profile {profile.name}",
            expected=f"patches of {profile.input.patch_px} px",
            got=f"{meta.patch_px} px" if meta.patch_px else "whole frames",
            remedy=f"split again with --patch-px {profile.input.patch_px}, or set patch_px and"
            " input_px"
            if meta.patch_px
            else "train a profile for whole frames, such as WSCNN_FAST, or split again with"
            f" --patch-px {profile.input.patch_px}",
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
