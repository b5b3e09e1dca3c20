"""Scores of all wells of a study by models that never saw them."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.errors import Fault, SpecError, SplitError, TableError
from livewell.images.opening import Channels
from livewell.inference.dosed import Plan, doses_by_unit
from livewell.inference.evaluation_set import same_scale
from livewell.inference.judging import CrossFit, Judging, refuse_copies
from livewell.inference.model import Model
from livewell.inference.unseen import candidates, scorers
from livewell.labels.by_dose import Dose
from livewell.labels.made import label_table
from livewell.labels.times import frame_times
from livewell.metrics.intervals import Estimate
from livewell.models.files import Card
from livewell.models.profile import Profile
from livewell.splitting import confounds
from livewell.splitting.crossfit import scoring_folds
from livewell.splitting.schemes import Stratified
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

LOG = logging.getLogger(__name__)

KIND = "light budget"
VALIDATION = 0.25
"""Share of the training wells that thresholds are chosen on: of one or two they would be noise."""


@dataclass(frozen=True)
class Prepared:
    """A study that is ready for cross-fitting: labelled, split, its judged frames known.

    Parameters
    ----------
    study, plan, name, channels
        As in `prepare`.
    dose, units
        Dose by unit, and unit by image.
    window_s
        Times that are judged.
    frames
        Every judged frame, as labels on frames.
    folds
        Parts of the units that are learnt from.
    warnings
        What a careful user should know.
    """

    study: Study
    plan: Plan
    name: str
    channels: Channels
    dose: "pd.Series[float]"
    units: "pd.Series[str]"
    window_s: tuple[float, float]
    frames: pd.DataFrame
    folds: pd.DataFrame
    warnings: tuple[str, ...]


def prepare(
    study: Study,
    profile: Profile,
    plan: Plan,
    *,
    classes: tuple[str, str] = ("healthy", "sick"),
    name: str = "budget",
    channels: Channels = None,
    seed: int = 0,
) -> Prepared:
    """Label the extremes of a study by dose and deal its units to folds, evenly within each dose.

    Parameters
    ----------
    study
        With doses, and times of frames.
    profile
        The recipe, for the size of patches.
    plan
        What is learnt and what is judged.
    classes
        (negative, positive).
    name
        Of the labels and of the split that are written into the study.
    channels
        Channels to look at, by name or number; by default the study's, else the transmitted light.
    seed
        Of the dealing.

    Raises
    ------
    TableError
        As `doses_by_unit`, times that are not known, or doses without a frame to judge.
    SplitError
        Too few units to train, validate and test on.
    SpecError
        Labels of that name which something else made.
    """
    dose, units = doses_by_unit(study, plan)
    times, notes = _times(study)
    window = plan.window_s or _whole(times)
    judged = plan.at_s or window
    frames = _frames(times, units, dose, judged, "--at-s" if plan.at_s else "--window-s")
    if name in study.label_names() and study.label_meta(name).made_by != KIND:
        raise SpecError(
            "the study has labels of this name, which something else made",
            where=f"--name {name}",
            remedy="give another --name; labels and split of that name are then made",
        )
    made = label(study, Dose(plan.sick_from, window), classes, name=name, seed=seed)
    said = {"made_by": KIND, "plan": str(plan)}
    study.write_labels(name, made.labelled.table, made.meta.model_copy(update=said))
    dealt = split(
        study,
        by=plan.by,
        scheme=Stratified(
            {str(unit): float(level) for unit, level in dose.items()}, plan.folds, VALIDATION
        ),
        grid=_grid(plan, profile.input.patch_px, profile.input.stride_px),
        labels=name,
        name=name,
        channels=channels,
        seed=seed,
    )
    notes += [*made.labelled.notes, *_unlike(study, plan, dose, units, times, judged)]
    for note in dict.fromkeys(notes):
        LOG.warning(note)
    found = tuple(dict.fromkeys([*dealt.warnings, *notes]))
    return Prepared(study, plan, name, channels, dose, units, judged, frames, dealt.folds, found)


def cross_fit(
    prepared: Prepared,
    out: Path,
    profile: Profile,
    *,
    seed: int = 0,
    processes: int | None = None,
) -> CrossFit:
    """Learn sick from unlit units, and judge every unit by a model that never saw it.

    Parameters
    ----------
    prepared
        As `prepare` returns it.
    out
        Takes the run of all folds; a run that was stopped goes on.
    profile
        The recipe.
    seed
        Of everything.
    processes
        As in `livewell.workflows.train.train`.

    Raises
    ------
    LeakError
        A judged image is a copy of one that its model has learnt from.
    """
    study, plan = prepared.study, prepared.plan
    trained = train(
        study,
        out,
        profile,
        split=prepared.name,
        channels=prepared.channels,
        seed=seed,
        processes=processes,
    )
    fold = prepared.units.map(scoring_folds(prepared.dose, prepared.folds, seed))
    models = {number: Model.load(trained.run.model(number)) for number in trained.cards}
    refuse_copies(study, prepared.channels, fold, models)
    judging = Judging(study, plan, prepared.dose, prepared.units, prepared.channels)
    grid = _grid(plan, profile.input.patch_px, profile.input.stride_px)
    found = judging.judged(prepared.frames, grid, fold, models, seed)
    return replace(found, warnings=(*prepared.warnings, *found.warnings))


def judge(
    study: Study,
    model: Path,
    plan: Plan,
    *,
    channels: Channels = None,
    seed: int = 0,
) -> CrossFit:
    """Judge every unit by a model of other images, or by the folds of a run that never saw it.

    Parameters
    ----------
    study
        With doses, and times of frames.
    model
        A model, or a training run; of a run on this study with several folds each unit is judged by
        a model that has not learnt from any image of it.
    plan
        What is judged; nothing is learnt.
    channels
        Channels to look at, by name or number; by default the study's, else the transmitted light.
    seed
        Of the intervals.

    Raises
    ------
    TableError
        As `doses_by_unit`, or times that are not known.
    SplitError
        The model has learnt from units that it would judge, or does not say what it learnt from.
    SpecError
        Another pixel size than the model's.
    """
    dose, units = doses_by_unit(study, plan)
    times, notes = _times(study)
    judged = plan.at_s or plan.window_s or _whole(times)
    frames = _frames(times, units, dose, judged, "--at-s" if plan.at_s else "--window-s")
    found = candidates(model, study)
    found.models[0].need_two_classes("a budget is of")
    scored = scorers(study, found, units)
    seen = sorted(set(scored.loc[scored["seen"], "group"]))
    if seen or found.notes:
        raise SplitError(
            f"the model has learnt from {len(seen)} {plan.by}s that it would judge"
            if seen
            else "the model does not say which images it learnt from",
            where=str(model),
            expected="a model of other images, or the folds of a run that never saw them",
            got=", ".join(seen[:4]) + (", ..." if len(seen) > 4 else ""),
            remedy="leave --model out: models are then trained so that each well is new to one",
        )
    card = found.models[0].card
    same_scale(study, card, study.fields()["image"])
    notes += _unlike(study, plan, dose, units, times, judged)
    for note in notes:
        LOG.warning(note)
    fold = scored.set_index("image")["model"]
    judging = Judging(study, plan, dose, units, channels)
    grid = _grid(plan, card.patch_px, card.stride_px)
    made = judging.judged(frames, grid, fold, dict(enumerate(found.models)), seed)
    return replace(
        made,
        warnings=(*notes, *made.warnings),
        elsewhere=not found.same_study,
        proven=_proven(card),
    )


def _proven(card: Card) -> Estimate | None:
    """The pooled AUC that stands in a model's card."""
    for row in card.results:
        if row.get("name") == "roc_auc":
            return Estimate(**{name: value for name, value in row.items() if name != "name"})
    return None


def _grid(plan: Plan, patch_px: int, stride_px: int) -> Grid:
    return Grid(patch_px, plan.stride_px or stride_px, every=plan.every)


def _whole(times: pd.DataFrame) -> tuple[float, float]:
    """From the first frame to the last."""
    return float(times["time_s"].min()), float(times["time_s"].max()) + 1


def _times(study: Study) -> tuple[pd.DataFrame, list[str]]:
    """Every frame's time (image, t, time_s), and a note where no file says when it begins."""
    times, note, faults = frame_times(study.fields(), study.headers())
    if faults:
        raise TableError("no times of frames", faults, where=str(study.folder))
    return times, [note] if note else []


def _frames(
    times: pd.DataFrame,
    units: "pd.Series[str]",
    dose: "pd.Series[float]",
    window_s: tuple[float, float],
    option: str,
) -> pd.DataFrame:
    """Every frame that is judged, as labels on frames."""
    start, stop = window_s
    frames = times[times["time_s"].ge(start) & times["time_s"].lt(stop)]
    held = frames["image"].map(units).map(dose)
    missing = sorted(set(dose) - set(held))
    if missing:
        levels = ", ".join(f"{level:g}" for level in missing)
        fault = Fault("window-empty", f"{start:g} s to {stop:g} s", f"no frame of dose {levels}")
        raise TableError("nothing to judge", [fault], remedy=f"choose other times with {option}")
    return label_table(frames, [f"dose {level:g}" for level in held], "dose", held)


def _unlike(
    study: Study,
    plan: Plan,
    dose: "pd.Series[float]",
    units: "pd.Series[str]",
    times: pd.DataFrame,
    window_s: tuple[float, float],
) -> list[str]:
    """Warnings where doses differ in more than the dose: in plate, experiment, or times judged."""
    fields = study.fields().assign(unit=units.to_numpy())
    fields["dose"] = fields["unit"].map(dose).map("{:g}".format)
    found = confounds.confounders(fields, "dose", None, unit="unit", noun=f"{plan.by}s")
    texts = list(confounds.warnings(found))
    inside = times[times["time_s"].ge(window_s[0]) & times["time_s"].lt(window_s[1])]
    held = inside["image"].map(units).map(dose)
    ends = inside.groupby(held)["time_s"].agg(["min", "max"])
    unlit = ends.loc[0.0]
    away = ends[(ends - unlit).abs().max(axis=1) > 0.1 * max(np.ptp(ends.to_numpy()), 1)]
    if len(away):
        level, row = away.index[0], away.iloc[0]
        texts.append(
            f"dose {level:g} is judged from {row['min']:g} s to {row['max']:g} s, no light from"
            f" {unlit['min']:g} s to {unlit['max']:g} s: a difference may be one of time; judge the"
            " same times with --at-s"
        )
    return texts
