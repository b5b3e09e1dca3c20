"""Train one net a fold, calibrate it on validation groups, save it with its card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from livewell.execution.folds import Fitter, FoldSettings, candidates, start_of, train_fold
from livewell.files import AnyPath
from livewell.images.opening import Channels
from livewell.models.device import AUTO
from livewell.models.files import CARD, Card, read_card
from livewell.models.profile import Profile
from livewell.study.runs import Run, split_hashes, versions
from livewell.study.study import Study
from livewell.tables.metadata import Anchor, RunMeta
from livewell.training.anchors import refuse_anchor
from livewell.training.split import TrainingSplit


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
    stain: str | None = None,
    begin_with: AnyPath | None = None,
    anchor: Anchor | None = None,
    healthy: str | None = None,
    device: str = AUTO,
    seed: int = 0,
    processes: int | None = None,
    fitter: Fitter | None = None,
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
    stain
        Channel of the same images that a net such as STAIN_UNET's learns to predict, pixel by
        pixel, by name or number.
    begin_with
        A model whose weights training begins with, of the same net, classes and channels; it must
        not have learnt from a validation or test image.
    anchor
        Untreated wells, or others, that features of their plate are relative to, for a recipe of a
        fixed backbone such as FROZEN. Every plate that is learnt from or judged needs some, and
        they are neither learnt from nor judged themselves.
    healthy
        The class that a recipe of one class, such as HEALTHY_ONLY, learns from: all others are
        only tested on. By default the negative one of two.
    device
        Where to train: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    seed
        Of the run.
    processes
        Processes that crop and augment; by default one a core but one, and at least two.
    fitter
        What trains a fold, in place of the recipe's own; for benchmarks.

    Raises
    ------
    SpecError
        Patches of another size than the profile's, a stain for a net that predicts none, or none
        for one that does.
    TableError
        Images without the stain, or whose stain cannot be used; plates without an anchor.
    SplitError
        No such fold, or the labels were made anew or images changed after the split.
    LeakError
        The model to begin with has learnt from validation or test images; the anchor takes all
        regions of a class, so that it would say the label.
    ModelFileError
        The model to begin with is of another net, of other classes or channels.
    OutputError
        `out` holds something else, or a run with other settings.
    """
    for each in candidates(profile):
        refuse_anchor(each, anchor)
    data = TrainingSplit.of(
        Study.of(study), split, profile, folds, channels, stain, anchor, healthy
    )
    start = None if begin_with is None else start_of(Path(begin_with), profile, data.meta)
    run = Run.claim(
        Path(out),
        RunMeta(
            study=str(data.study.folder.resolve()),
            split=split,
            profile=profile.model_dump(mode="json"),
            seed=seed,
            channels=data.channels,
            stain=data.stain_name,
            classes=data.meta.classes,
            positive=data.meta.positive,
            group=data.meta.by,
            folds=data.folds,
            inputs=split_hashes(data.study, split),
            versions=versions(),
            begun_with="" if start is None else start.card.weights_sha256,
            fitter="" if fitter is None else type(fitter).__name__,
            anchor=anchor,
            healthy=data.healthy,
        ),
    )
    data.prepare()
    training = FoldSettings(profile, seed, processes, device, fitter, start)
    cards = {}
    for fold in data.folds:
        if not (run.model(fold) / CARD).is_file():
            train_fold(run, data.fold(fold), training)
        cards[fold] = read_card(run.model(fold))
    return TrainingResult(run, cards)
