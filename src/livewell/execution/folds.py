"""One fold of a training run: a unit of work whose record is the model's card."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.disk import writing
from livewell.errors import LeakError, ModelFileError, SpecError
from livewell.files import whole_file
from livewell.inference.calibration import calibrated_card
from livewell.inference.familiarity import learn_familiarity
from livewell.inference.fields import engine_of
from livewell.inference.model import Model
from livewell.inference.unseen import learnt_images
from livewell.metrics.choice import choose, group_losses
from livewell.metrics.healthy import meaning
from livewell.models.building import net_of
from livewell.models.device import placed
from livewell.models.files import Card, save_model
from livewell.models.learnt import LearntFrames
from livewell.models.nets.frozen_images import FrozenImagesSpec
from livewell.models.nets.net import Net
from livewell.models.pretrained import model_folder
from livewell.models.profile import Profile
from livewell.models.recipes import AUTO, FAST, FROZEN
from livewell.progress import task
from livewell.study.audited import audit_state
from livewell.study.runs import Run
from livewell.tables.metadata import SplitMeta
from livewell.tables.schemas import regions_of
from livewell.text import few
from livewell.training.fit import FitResult, fit
from livewell.training.frozen import fit_head
from livewell.training.frozen_images import fit_images
from livewell.training.split import Fold

LOG = "log.csv"
Logits = NDArray[np.floating]
Fitter = Callable[..., FitResult]
"""How one fold is trained: `livewell.training.fit.fit`, or what is called as it is."""


@dataclass(frozen=True)
class FoldSettings:
    """How the folds of a run are trained: by the recipe's fitter where none is given.

    `start` is the model to begin with.
    """

    profile: Profile
    seed: int
    processes: int | None
    device: str
    fitter: Fitter | None
    start: Model | None


def candidates(recipe: Profile) -> tuple[Profile, ...]:
    """What is trained for a recipe, the simplest first: of `AUTO` several, else itself.

    Raises
    ------
    SpecError
        Settings of `AUTO` were changed.
    """
    if recipe.name != AUTO.name:
        return (recipe,)
    if recipe != AUTO:
        raise SpecError(
            "AUTO takes no settings, for they would be of several recipes",
            got=recipe.source.removeprefix(AUTO.source).strip(),
            remedy=f"name one of {FROZEN.name}, {FAST.name} with --profile and change its settings",
        )
    return FROZEN, FAST


def train_fold(run: Run, fold: Fold, training: FoldSettings) -> None:
    """Train the net of one fold, calibrate it on validation groups, save it with its card.

    Of several candidates all are trained, and the best on validation groups is saved.
    """
    profile, start = training.profile, training.start
    ancestors = _ancestors(profile, start)
    for each in ancestors:
        _refuse_learnt(each, fold)
    centred = fold.split.meta.label_meta.of_centres
    recipes = [each.for_labels(centred) for each in candidates(profile)]
    if len(recipes) == 1:
        net, card, _ = _trained(run, fold, training, recipes[0], run.fold(fold.number))
        chosen: dict[str, Any] = {}
    else:
        net, card, chosen = _chosen(run, fold, training, recipes)
    data = card.data | fold.summary() | chosen
    if card.healthy_only:
        data["p"] = meaning(card.class_names)
    own = fold.learnt
    learnt = own.digests.union(*(each.learnt for each in ancestors))
    if start is not None:
        data["begun_with"] = {
            "profile": start.card.profile.name,
            "weights_sha256": start.card.weights_sha256,
            "data": {name: value for name, value in start.card.data.items() if name != "learnt"},
        }
    told: dict[str, Any] = {"data": data | {"learnt": sorted(learnt)}, "anchor": net.anchor}
    told["stain"] = fold.split.stain_name
    told["audit"] = audit_state(fold.split.study, fold.split.meta.labels)
    # what is unlike the only class that was learnt has a verdict that says so
    familiar = (
        None if card.healthy_only else learn_familiarity(net, fold.patches, fold.split.pixels)
    )
    card = card.model_copy(update={**told, "familiarity_rule": familiar})
    frames = chain(own.likenesses, *(each.learnt_frames.frames for each in ancestors))
    save_model(run.model(fold.number), net, card, LearntFrames.distinct(frames))


def _chosen(
    run: Run, fold: Fold, training: FoldSettings, recipes: Sequence[Profile]
) -> tuple[Net, Card, dict[str, Any]]:
    """The best candidate on validation groups, and why it is; its log becomes that of the fold."""
    folder, part = run.fold(fold.number), fold.part("validation")
    y = fold.split.meta.class_names.codes(part["label"])
    made, losses = {}, {}
    for recipe in recipes:
        net, card, held = _trained(run, fold, training, recipe, folder / recipe.name)
        logits = held[-len(part) :].astype(np.float64)
        temperature = card.region_rule.temperature
        made[recipe.name] = net, card
        losses[recipe.name] = group_losses(logits, y, part["group"], temperature)
    choice = choose(losses)
    with whole_file(folder / LOG) as temporary:
        shutil.copyfile(folder / choice.chosen / LOG, temporary)
    return *made[choice.chosen], {"chosen": choice.noted()}


def _trained(
    run: Run, fold: Fold, training: FoldSettings, profile: Profile, folder: Path
) -> tuple[Net, Card, Logits]:
    """A net of a recipe for one fold, and its card, but for the data that it learnt from.

    And logits that did not see their groups, those of the validation part last.
    """
    pixels, meta, start = fold.split.pixels, fold.split.meta, training.start
    anchors = fold.split.anchors
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    fitter = training.fitter or _fitter(profile, meta)
    fitted = fitter(
        profile,
        pixels,
        fold.labelled("train"),
        fold.labelled("validation"),
        folder,
        channels=pixels.number_of_channels,
        seed=training.seed,
        processes=training.processes,
        device=training.device,
        begin=None if start is None else start.net.module.cpu().state_dict(),
        stain=fold.targets(profile),
        what=f"training fold {fold.number}" if len(run.folds) > 1 else "training",
        **({} if anchors is None else {"anchors": anchors}),
    )
    net = net_of(fitted.module, profile, meta.class_names, meta.pixel_um, meta.frame_px)
    net = net if anchors is None else replace(net, anchor=anchors.anchor)
    placed(net.module, training.device)
    known = fold.known
    held: Logits | None = fitted.crossfitted
    if held is None:
        known = fold.part("validation")
        with task("calibrating on validation", total=len(known)) as tick:
            held = engine_of(net).regions(pixels, regions_of(known), tick)
    card = calibrated_card(
        net,
        profile,
        known,
        pixels,
        meta.channels,
        precision=fitted.precision,
        seed=training.seed,
        logits=held,
    )
    return net, card, held


def _fitter(profile: Profile, meta: SplitMeta) -> Fitter:
    """How a recipe's nets are trained."""
    if isinstance(profile.net, FrozenImagesSpec):
        return partial(fit_images, pixel_um=meta.pixel_um)
    return partial(fit_head, pixel_um=meta.pixel_um) if profile.net.sees_fields else fit


def start_of(path: Path, profile: Profile, meta: SplitMeta) -> Model:
    """The model that training begins with; refused unless of the same net, classes and channels."""
    if len(candidates(profile)) > 1:
        raise SpecError(
            f"{profile.name} trains several nets, which cannot all begin with one model",
            got=f"--begin-with {path}",
            remedy="name one recipe with --profile",
        )
    if profile.net.sees_fields:
        raise SpecError(
            f"the head of {profile.name} is fitted in one step, which begins with nothing",
            got=f"--begin-with {path}",
            remedy="take the backbone of a model with --set weights=RUN",
        )
    model = Model.load(path, device="cpu")
    card = model.card
    same = {
        "net": (card.profile.net.kind, profile.net.kind),
        "input_px": (card.profile.input.input_px, profile.input.input_px),
        "classes": (", ".join(card.classes), ", ".join(meta.classes)),
        "channels": (len(card.channels), len(meta.channels)),
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


def _ancestors(profile: Profile, start: Model | None) -> list[Model]:
    """Models of livewell whose weights training begins with, as a start or as a net's setting."""
    folder = model_folder(profile.net.begins_with)
    weights = None if folder is None else Model.load(folder, device="cpu")
    return [each for each in (start, weights) if each is not None]


def _refuse_learnt(start: Model, fold: Fold) -> None:
    """Refuse a start that has learnt from what it would be calibrated or tested on."""
    parts = "validation", "test"
    first = fold.first_frames(*parts)
    known = {image for image, digests in first.items() if digests & start.learnt}
    if start.learnt:
        shown = fold.shown(*parts, also=start.learnt_frames.shapes)
        known |= learnt_images(start, shown).keys()
    if known or "learnt" not in start.card.data:
        raise LeakError(
            f"the model to begin with has learnt from {len(known)} validation or test images, or"
            " from near copies of them"
            if known
            else "the model to begin with does not say which images it learnt from",
            where=str(start.folder),
            expected="a model that has learnt from none of the validation and test images",
            got=few(sorted(known)),
            remedy="begin with a model of other images, or split so that these are trained on",
        )
