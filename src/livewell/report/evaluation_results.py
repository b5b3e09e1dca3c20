"""What the page of an evaluation shows, from the regions that were scored and their figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics.calibration import expected_calibration_error, reliability
from livewell.metrics.figures import per_group
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import ClassOutcomes, class_groups
from livewell.metrics.outcomes import outcomes
from livewell.metrics.summary import EvaluationFigures
from livewell.models.files import Card
from livewell.report.evaluation import named
from livewell.report.page import Note, Section
from livewell.report.results import EvaluationResults, Gallery
from livewell.report.vocabulary import PATCH, Vocabulary
from livewell.splitting.balance import balance
from livewell.study.runs import Run, versions
from livewell.text import listed


def region_noun(tested: EvaluationSet) -> str:
    """What the net sees: patch, frame, or image where each image has one frame."""
    if tested.meta.patch_px:
        return PATCH
    return "image" if tested.patches["image"].is_unique else "frame"


def evaluation_results(
    tested: EvaluationSet,
    scores: pd.DataFrame,
    figures: EvaluationFigures,
    rivals: Mapping[str, Mapping[str, Estimate]],
    cards: Mapping[int, Card],
    *,
    galleries: Sequence[Gallery] = (),
    further: Sequence[Section] = (),
    notes: Sequence[Note] = (),
) -> EvaluationResults:
    """What `livewell.report.evaluation.evaluation_page` shows.

    `rivals` are figures of the net and of simple rules on the same regions, `cards` the models' by
    fold.
    """
    meta, patches, run, classes = tested.meta, tested.patches, tested.run, tested.classes
    noun = region_noun(tested)
    words = Vocabulary(noun, meta.by.replace("_", " "))
    head, found = figures.headline, figures.together
    macro = not classes.binary
    ordered = {head: found[head]} | {k: v for k, v in found.items() if not np.isnan(v.value)}
    one = next(iter(cards.values())) if len(cards) == 1 else None
    seen = "" if noun == "image" else f", {len(patches):,} {words.regions}"
    table = outcomes(scores, classes) if classes.binary else scores
    p, y, group = _calibration_of(scores, classes)
    return EvaluationResults(
        title=f"{_kinds(classes)}: {tested.study.folder.name}",
        subtitle=f"{patches['image'].nunique()} images{seen} of {patches['group'].nunique()}"
        f" {words.groups}, labelled by {meta.label_meta.route}; profile"
        f" {tested.recipe['name']}",
        classes=classes,
        estimates=named(ordered, words, macro=macro),
        scores=table,
        metric=next(iter(named({head: found[head]}, words, macro=macro)))[0],
        words=words,
        each=figures.each,
        pooled=found["roc_auc"],
        within=found["within_auc"] if not np.isnan(found["within_auc"].value) else None,
        per_group=per_group(table) if classes.binary else class_groups(scores, classes),
        reliability=reliability(p, y, group),
        ece=expected_calibration_error(p, y),
        threshold=one.region_rule.threshold if one and classes.binary else None,
        logs=_logs(run) if run else {},
        baselines=[(name, each[head]) for name, each in rivals.items()],
        warnings=meta.warnings,
        counts=balance(patches, tested.folds),
        galleries=galleries,
        further=further,
        paper=figures.paper,
        notes=notes,
        settings={
            "profile": tested.recipe,
            "labels": meta.label_meta.values(),
            "split": meta.values("by", "scheme", "scheme_settings", "grid", "seed"),
        }
        | ({"seed": run.spec.seed, "inputs": run.spec.inputs} if run else {}),
        versions=versions(),
    )


def _kinds(classes: ClassNames) -> str:
    if classes.binary:
        return f"{classes[1].capitalize()} or {classes[0]}"
    return listed(list(classes)).capitalize()


def _calibration_of(
    scores: pd.DataFrame, classes: ClassNames
) -> tuple["pd.Series[float]", "pd.Series[int]", "pd.Series[str]"]:
    """Probability, truth and group: of the positive class of two, of the most probable of more."""
    if classes.binary:
        table = outcomes(scores, classes)
        return table["p"], table["y"], table["group"]
    best = ClassOutcomes.of(scores, classes).most_probable()
    table = best.frame()
    return table["p"], table["y"], table["group"]


def _logs(run: Run) -> dict[str, pd.DataFrame]:
    logs = {}
    for fold in run.folds:
        log = pd.read_csv(run.fold(fold) / "log.csv")
        if _select(run.spec.profile) == "best":
            log.attrs["best_epoch"] = int(log["epoch"].iloc[int(log["val_loss"].argmin())])
        logs[f"fold {fold}"] = log
    return logs


def _select(profile: Mapping[str, object]) -> object:
    """Which weights were kept, also in runs of version 0.1, whose settings lie side by side."""
    fit = profile.get("fit")
    return fit["select"] if isinstance(fit, Mapping) else profile.get("select")
