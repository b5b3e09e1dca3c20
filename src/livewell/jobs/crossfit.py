"""Scores of all wells of a study by models that never saw them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from livewell.errors import Fault, SpecError, SplitError, TableError
from livewell.evaluation.crossfit import scoring_folds
from livewell.evaluation.intervals import Estimate, cluster_interval
from livewell.inference.windows import Scorer
from livewell.io.models import Card, load_model
from livewell.io.pixels import StudyPixels
from livewell.io.scale import SAME, common_pixel_um
from livewell.io.study import Study
from livewell.jobs.dosed import Plan, doses_by_unit
from livewell.jobs.label import Dose, label
from livewell.jobs.patches import Grid, patches_of_labels
from livewell.jobs.split import KFolds, split
from livewell.jobs.train import train
from livewell.jobs.unseen import models_of, scorers
from livewell.labels.made import label_table
from livewell.labels.times import frame_times
from livewell.profiles.profile import Profile
from livewell.progress import SILENT, Progress
from livewell.tables import patches_of

VALIDATION = 0.25
"""Share of the training wells that thresholds are chosen on: of one or two they would be noise."""


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """What `cross_fit` made.

    Parameters
    ----------
    wells
        One row a well: well, dose, fold, patches, positive, mean_p.
    scores
        One row a patch: key, well, dose, fold, logit, p, called.
    sees
        Area under the ROC curve between unlit wells and wells learnt as sick, unseen ones.
    models
        How many models judged.
    proven
        AUC of a model of other images on unseen groups of its own; ``None`` where models were
        trained here, or the model was never evaluated.
    warnings
        What a careful user should know.
    """

    wells: pd.DataFrame
    scores: pd.DataFrame
    sees: Estimate
    models: int
    warnings: tuple[str, ...]
    proven: Estimate | None = None


def cross_fit(
    study: Study,
    out: Path,
    profile: Profile,
    plan: Plan,
    *,
    classes: tuple[str, str] = ("healthy", "sick"),
    name: str = "budget",
    channel: str | None = None,
    seed: int = 0,
    processes: int | None = None,
    warn: Callable[[str], None] = lambda text: None,
    progress: Progress = SILENT,
) -> CrossFitted:
    """Learn sick from unlit wells, and judge every well by a model that never saw it.

    Parameters
    ----------
    study
        With doses, and times of frames.
    out
        Takes the run of all folds; a run that was stopped goes on.
    profile
        The recipe.
    plan
        What is learnt and what is judged.
    classes
        (negative, positive).
    name
        Of the labels and of the split that are written into the study.
    channel
        Transmitted-light channel; found by its name where ``None``.
    seed
        Of everything.
    processes
        As in `livewell.jobs.train.train`.
    warn
        Told every warning of the split as soon as it is known.
    progress
        Where to report.

    Raises
    ------
    TableError
        As `doses_by_unit`, or times that are not known.
    SplitError
        Too few wells to train, validate and test on.
    """
    dose, units = doses_by_unit(study, plan)
    times = _times(study, progress)
    window = plan.window_s or _whole(times)
    label(study, Dose(plan.sick_from, window), classes, name=name, seed=seed)
    stride = plan.stride_px or profile.stride_px
    grid = Grid(profile.patch_px, stride, every=plan.every)
    made = split(
        study,
        by=plan.by,
        scheme=KFolds(plan.folds, VALIDATION),
        grid=grid,
        labels=name,
        name=name,
        channel=channel,
        seed=seed,
        warn=warn,
        progress=progress,
    )
    trained = train(
        study,
        out,
        profile,
        split=name,
        channel=channel,
        seed=seed,
        processes=processes,
        progress=progress,
    )
    fold = units.map(scoring_folds(dose, made.folds, seed))
    folders = {number: trained.run.model(number) for number in trained.cards}
    table = _patches(study, units, dose, times, plan.at_s or window, grid, channel, progress)
    found = _judged(table, fold, folders, plan, seed, StudyPixels(study, channel), progress)
    lost = _lost(dose, found.wells, plan, warn)
    return replace(found, warnings=(*made.warnings, *lost))


def judge(
    study: Study,
    model: Path,
    plan: Plan,
    *,
    channel: str | None = None,
    seed: int = 0,
    warn: Callable[[str], None] = lambda text: None,
    progress: Progress = SILENT,
) -> CrossFitted:
    """Judge every well by a model of other images, or by the folds of a run that never saw it.

    Parameters
    ----------
    study
        With doses, and times of frames.
    model
        A model, or a training run; of a run on this study with several folds each well is judged by
        a model that never saw it.
    plan
        What is judged; nothing is learnt.
    channel
        Transmitted-light channel; found by its name where ``None``.
    seed
        Of the intervals.
    warn
        Told every warning as soon as it is known.
    progress
        Where to report.

    Raises
    ------
    TableError
        As `doses_by_unit`, or times that are not known.
    SplitError
        The model has learnt from wells that it would judge.
    SpecError
        Another pixel size than the model's.
    """
    dose, units = doses_by_unit(study, plan)
    times = _times(study, progress)
    models, run = models_of(model, study)
    scored, notes = scorers(study, study.fields(), models, run)
    for note in notes:
        warn(note)
    seen = sorted(set(scored.loc[scored["seen"], "image"].map(units)))
    if seen:
        raise SplitError(
            f"the model has learnt from {len(seen)} {plan.by}s that it would judge",
            where=str(model),
            expected="a model of other images, or the folds of a run that never saw them",
            got=", ".join(seen[:4]) + (", ..." if len(seen) > 4 else ""),
            remedy="leave --model out: models are then trained so that each well is new to one",
        )
    card = models[0].card
    _same_scale(study, card)
    window = plan.at_s or plan.window_s or _whole(times)
    grid = Grid(card.patch_px, plan.stride_px or card.stride_px, every=plan.every)
    table = _patches(study, units, dose, times, window, grid, channel, progress)
    fold = scored.set_index("image")["model"]
    folders = {number: each.folder for number, each in enumerate(models)}
    found = _judged(table, fold, folders, plan, seed, StudyPixels(study, channel), progress)
    lost = _lost(dose, found.wells, plan, warn)
    return replace(found, warnings=(*notes, *lost), proven=_proven(card))


def _proven(card: Card) -> Estimate | None:
    """The pooled AUC that stands in a model's card."""
    for row in card.results:
        if row.get("name") == "roc_auc":
            return Estimate(**{name: value for name, value in row.items() if name != "name"})
    return None


def _same_scale(study: Study, card: Card) -> None:
    """Refuse images of another pixel size than the model's: patches are not rescaled."""
    found = common_pixel_um(study, study.fields()["image"])
    if found and card.pixel_um and abs(found / card.pixel_um - 1) > SAME:
        raise SpecError(
            "images of another pixel size than the model's",
            where=str(study.folder),
            expected=f"{card.pixel_um:.4g} um",
            got=f"{found:.4g} um",
            remedy="take a model of this magnification, or leave --model out to train some",
        )


def _patches(
    study: Study,
    units: "pd.Series[str]",
    dose: "pd.Series[float]",
    times: pd.DataFrame,
    window_s: tuple[float, float],
    grid: Grid,
    channel: str | None,
    progress: Progress,
) -> pd.DataFrame:
    """Every patch that is judged, with its well and dose."""
    pixels = StudyPixels(study, channel)
    pixels.prepare(units.index, progress=progress)
    frames = _frames(times, units, dose, window_s)
    table, _ = patches_of_labels(study, frames, grid, pixels, progress)
    table["well"] = table["image"].map(units)
    table["dose"] = table["well"].map(dose)
    return table.drop(columns=["label", "score", "route"])


def _judged(
    table: pd.DataFrame,
    fold: "pd.Series[int]",
    folders: Mapping[int, Path],
    plan: Plan,
    seed: int,
    pixels: StudyPixels,
    progress: Progress,
) -> CrossFitted:
    """Scores of all patches, each by its image's model, summed up by well."""
    table = table.assign(fold=table["image"].map(fold))
    parts = []
    with progress.task("judging all wells by models new to them", total=len(table)) as tick:
        for number, part in table.groupby("fold", sort=True):
            net, card = load_model(folders[int(str(number))])
            logit = Scorer(net).patches(pixels, patches_of(part), tick).astype(float)
            rule = card.patch_rule
            parts.append(
                part.assign(logit=logit, p=rule.probability(logit), called=rule.called(logit))
            )
    scores = pd.concat(parts, ignore_index=True)
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
    return CrossFitted(wells, scores, _sees(scores, plan, seed), len(folders), ())


def _lost(
    dose: "pd.Series[float]", wells: pd.DataFrame, plan: Plan, warn: Callable[[str], None]
) -> tuple[str, ...]:
    """A warning about wells without anything to judge."""
    lost = sorted(set(dose.index) - set(wells["well"]))
    if not lost:
        return ()
    text = f"no cell in any judged frame of {len(lost)} {plan.by}s, such as {lost[0]}: left out"
    warn(text)
    return (text,)


def _whole(times: pd.DataFrame) -> tuple[float, float]:
    """From the first frame to the last."""
    return float(times["time_s"].min()), float(times["time_s"].max()) + 1


def _times(study: Study, progress: Progress) -> pd.DataFrame:
    """Every frame's time; columns image, t, time_s."""
    times, _, faults = frame_times(study.fields(), study.headers(progress=progress))
    if faults:
        raise TableError("no times of frames", faults, where=str(study.folder))
    return times


def _frames(
    times: pd.DataFrame,
    units: "pd.Series[str]",
    dose: "pd.Series[float]",
    window_s: tuple[float, float],
) -> pd.DataFrame:
    """Every frame that is judged, as labels on frames."""
    start, stop = window_s
    frames = times[times["time_s"].ge(start) & times["time_s"].lt(stop)]
    held = frames["image"].map(units).map(dose)
    missing = sorted(set(dose) - set(held))
    if missing:
        levels = ", ".join(f"{level:g}" for level in missing)
        fault = Fault("window-empty", f"{start:g} s to {stop:g} s", f"no frame of dose {levels}")
        raise TableError("nothing to judge", [fault], remedy="choose other times with --at-s")
    return label_table(frames, [f"dose {level:g}" for level in held], "dose", held)


def _sees(scores: pd.DataFrame, plan: Plan, seed: int) -> Estimate:
    """How well the models tell unseen unlit wells from unseen sick ones."""
    ends = scores[(scores["dose"] == 0) | (scores["dose"] >= plan.sick_from)]
    table = ends.assign(group=ends["well"], y=(ends["dose"] > 0).astype(int))
    return cluster_interval(table, "roc_auc", seed=seed)
