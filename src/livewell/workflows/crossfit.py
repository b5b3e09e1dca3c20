"""Scores of all wells of a study by models that never saw them."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from livewell.errors import SpecError, SplitError
from livewell.images.opening import Channels
from livewell.inference.dosed_study import DosedStudy
from livewell.inference.evaluation_set import same_scale
from livewell.inference.judging import CrossFit, WellScorer, refuse_copies
from livewell.inference.model import Model
from livewell.inference.plates import need_no_plate
from livewell.inference.unseen import candidates, near_told, scorers
from livewell.labels.by_dose import Dose
from livewell.metrics.intervals import Estimate
from livewell.models.profile import Profile
from livewell.splitting.crossfit import scoring_folds
from livewell.splitting.schemes import Stratified
from livewell.study.audited import audit_state
from livewell.text import few
from livewell.workflows.label import label
from livewell.workflows.split import SplitResult, split
from livewell.workflows.train import train

LOG = logging.getLogger(__name__)

KIND = "light budget"
VALIDATION = 0.25
"""Share of the training wells that thresholds are chosen on: of one or two they would be noise."""


@dataclass(frozen=True, slots=True)
class CrossFitSettings:
    """How the models of a budget are trained; `name` is that of labels and split in the study."""

    profile: Profile
    classes: tuple[str, str]
    name: str
    channels: Channels
    seed: int
    processes: int | None


def prepare(dosed: DosedStudy, settings: CrossFitSettings) -> SplitResult:
    """Label a study's extremes by dose and split its units in folds, evenly within each dose."""
    study, plan, name, seed = dosed.study, dosed.plan, settings.name, settings.seed
    if name in study.label_names() and study.label_meta(name).made_by != KIND:
        raise SpecError(
            "the study has labels of this name, which something else made",
            where=f"--name {name}",
            remedy="give another --name; labels and split of that name are then made",
        )
    route = Dose(plan.sick_from, dosed.learnt_s)
    names = settings.classes
    made = label(study, route, names, name=name, seed=seed, made_by=KIND, plan=str(plan))
    strata = {str(unit): float(level) for unit, level in dosed.dose.items()}
    dealt = split(
        study,
        by=plan.by,
        scheme=Stratified(strata, plan.folds, VALIDATION),
        grid=dosed.grid(settings.profile.input),
        labels=name,
        name=name,
        channels=settings.channels,
        seed=seed,
    )
    notes = dict.fromkeys([*dosed.notes, *made.labelled.notes])
    for note in notes:
        LOG.warning(note)
    return replace(dealt, warnings=tuple(dict.fromkeys([*dealt.warnings, *notes])))


def cross_fit(
    dosed: DosedStudy, dealt: SplitResult, settings: CrossFitSettings, out: Path
) -> CrossFit:
    """Learn sick from unlit units, and judge every unit by a model that never saw it."""
    channels, seed = settings.channels, settings.seed
    trained = train(
        dosed.study,
        out,
        settings.profile,
        split=settings.name,
        channels=channels,
        seed=seed,
        processes=settings.processes,
    )
    fold = dosed.units.map(scoring_folds(dosed.dose, dealt.folds, seed))
    models = {number: Model.load(trained.run.model(number)) for number in trained.cards}
    near = refuse_copies(dosed.study, channels, fold, models)
    judging = WellScorer(dosed.study, dosed.plan, dosed.dose, dosed.units, channels)
    grid = dosed.grid(settings.profile.input)
    found = judging.judged(dosed.frames, grid, fold, models, seed)
    # as of now: models that were trained before their labels were audited do not know it
    audits = (audit_state(dosed.study, settings.name),)
    return replace(found, warnings=(*dealt.warnings, *near, *found.warnings), audits=audits)


def judge(dosed: DosedStudy, model: Path, channels: Channels, seed: int) -> CrossFit:
    """Judge by a model of other images, or by the folds of a run, every unit new to one of them.

    Units that all have learnt from, or from near copies of them, are left out, as `evaluate` does.
    """
    study, plan = dosed.study, dosed.plan
    found = candidates(model, study)
    need_no_plate(found.models[0]).need_two_classes("a budget is of")
    scored = scorers(study, found, dosed.units)
    seen = sorted(set(scored.loc[scored["seen"], "group"]))
    kept = dosed.without(seen)
    gone = sorted(set(dosed.dose) - set(kept.dose))
    if gone or found.notes:
        raise SplitError(
            f"the model has learnt from every {plan.by} of dose"
            f" {', '.join(f'{level:g}' for level in gone)}, or from near copies of them"
            if gone
            else "the model does not say which images it learnt from",
            where=str(model),
            expected=f"of every dose {plan.by}s that are new to the model, or to a fold of its run",
            got=few(seen),
            remedy="leave --model out: models are then trained so that each well is new to one",
        )
    notes = list(dosed.notes)
    if seen:
        notes.append(
            f"{len(seen)} of {len(dosed.dose)} {plan.by}s are left out, for the model was trained"
            f" or calibrated on them or on near copies of them: {few(seen)}"
        )
        notes += near_told(found.only_near & set(dosed.units.index[dosed.units.isin(seen)]))
    card = found.models[0].card
    same_scale(study, card, study.fields()["image"])
    for note in notes:
        LOG.warning(note)
    judging = WellScorer(study, plan, kept.dose, kept.units, channels)
    grid = dosed.grid(card)
    fold = scored.set_index("image")["model"]
    made = judging.judged(kept.frames, grid, fold, dict(enumerate(found.models)), seed)
    areas = [row for row in card.results if row.get("name") == "roc_auc"]
    proven = [Estimate(**{k: v for k, v in row.items() if k != "name"}) for row in areas]
    return replace(
        made,
        warnings=(*notes, *made.warnings),
        elsewhere=not found.same_study,
        proven=next(iter(proven), None),
    )
