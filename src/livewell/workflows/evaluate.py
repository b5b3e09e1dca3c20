"""What a trained run is worth on groups that it never saw: figures, intervals, a page."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.detection.places import FROM_LABELS
from livewell.files import claim, whole_folder, write_json
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics import figures as metrics
from livewell.metrics.baselines import AREAS, baseline_estimates, some_patches
from livewell.metrics.calibration import expected_calibration_error, reliability
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import headline_estimates
from livewell.metrics.outcomes import outcomes
from livewell.metrics.pictures import by_picture, verdict_figures
from livewell.metrics.virtual_batches import paper_interval
from livewell.models.device import AUTO
from livewell.models.files import Card, rewrite_card
from livewell.progress import SILENT, Progress
from livewell.report.evaluation import evaluation_page, named
from livewell.report.page import render
from livewell.report.results import EvaluationResults
from livewell.report.words import PATCH
from livewell.splitting import balance as balancing
from livewell.study.runs import Run, versions
from livewell.study.study import Study
from livewell.tables.metadata import SplitMeta
from livewell.tables.schemas import KEY, score_columns
from livewell.text import several
from livewell.workflows.examples import FILE as SUSPECTS_FILE
from livewell.workflows.examples import Examples
from livewell.workflows.found import models_of
from livewell.workflows.where import Where, where

KIND = "evaluation"
RESULTS, SCORES_FILE, REPORT = "results.json", "scores.parquet", "report.html"
PLACES, DETECTIONS = "places.json", "detections.csv"
FILES = (RESULTS, SCORES_FILE, REPORT, SUSPECTS_FILE, PLACES, DETECTIONS)
"""What may lie in the folder of an evaluation."""
FIGURES = (
    "roc_auc",
    "within_auc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "brier",
    "prevalence_auc",
    "calibration_error",
)
NET = "this net"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` made.

    Parameters
    ----------
    folder, page
        All of it, and the report in it.
    scores
        `schemas.SCORES`.
    figures, baselines, per_group
        On unseen groups: the net's, simple rules', and group by group.
    paper
        Accuracy with the interval of DeadNet's paper; ``None`` where the net sees whole frames.
    suspects
        Images whose label the net contradicts, `livewell.metrics.suspects.suspects`.
    places
        What is known of places, where the net sees whole frames.
    """

    folder: Path
    scores: pd.DataFrame
    figures: dict[str, Estimate]
    baselines: dict[str, dict[str, Estimate]]
    per_group: pd.DataFrame
    paper: Estimate | None
    page: Path
    suspects: pd.DataFrame
    places: Where


def evaluate(
    model: Path,
    *,
    on: Study | None = None,
    labels: str = "labels",
    by: str | None = None,
    channel: str | None = None,
    out: Path | None = None,
    min_each: int = 1,
    baselines: bool = True,
    device: str = AUTO,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Evaluation:
    """Score labelled regions by models that never saw their group, and report.

    Parameters
    ----------
    model
        A finished training run: every fold's test groups are scored. With `on` also a model.
    on
        A labelled study to try the model on, in place of the run's own test groups. Images that
        the model was trained or calibrated on are left out.
    labels, by, channel
        With `on`: name of the labels; column that names what is never split, by default the one
        that the model was trained with, else each image; channel to look at.
    out
        Folder for ``scores.parquet``, ``results.json``, ``report.html``, ``suspects.csv`` and,
        where a net of whole frames could be held against boxes, ``places.json`` and
        ``detections.csv``; by default ``evaluation`` in the run, or ``evaluations/LABELS`` in the
        study.
    min_each
        Patches of each class that a group needs to count in the AUC within groups.
    baselines
        Whether trees on intensity and on texture are trained too, and compared with the net on the
        same patches; not with `on`, where nothing is trained.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    seed
        Of resampling and of baselines.
    progress
        Where to report.

    Returns
    -------
    Evaluation

    Raises
    ------
    SplitError
        No fold has a test group, or the split is no longer the one that was trained on.
    LabelError, LeakError, SpecError
        With `on`: other classes or another scale than the model's, or nothing new to it.
    OutputError
        `out` holds something else, or cannot be written.
    StudyError
        The run is not finished, or its study has gone.
    ModelFileError
        The card of a model of whole frames has no rule for detections.
    """
    if on is None:
        tested = EvaluationSet.of_run(model, device=device)
        folder = out or tested.own_run.folder / "evaluation"
    else:
        tested = EvaluationSet.of_study(
            model, on, labels=labels, by=by, channel=channel, device=device, progress=progress
        )
        folder = out or on.folder / "evaluations" / labels
        baselines = False
    meta, patches = tested.meta, tested.patches
    claim(folder, KIND, RESULTS)
    noun = _noun(meta, patches)
    frames = noun != PATCH
    # detections are held against boxes with thresholds from validation groups, which a run has
    models = models_of(tested) if frames and on is None else {}
    scores, judges = tested.scores(progress)
    cards = {fold: model.card for fold, model in judges.items()}
    classes = tested.classes
    table = outcomes(scores, ClassNames.of(classes))
    figures = headline_estimates(scores, classes, seed=seed, names=FIGURES, min_each=min_each)
    if np.isnan(figures["within_auc"].value):
        # every group holds one class, as wells of a dose do: the group's name is the label
        del figures["prevalence_auc"]
    figures |= _verdicts(scores, cards, classes, seed)
    paper = None if frames else paper_interval(table["y"], table["called"], seed=seed)
    rivals, compared = _rivals(tested, scores, min_each, seed, progress) if baselines else ({}, 0)
    head = _headline(figures, scores["group"].nunique())
    places = where(tested, models, noun, seed=seed, progress=progress) if models else Where()
    examples = Examples(tested, models)
    suspected, section = examples.suspects(table)
    results = replace(
        _results(tested, table, head, figures, rivals, cards, noun),
        paper=paper,
        galleries=examples.calls(table),
        further=[*places.sections, section],
        notes=places.notes,
    )
    with whole_folder(folder, FILES) as temporary:
        scores.to_parquet(temporary / SCORES_FILE, index=False)
        suspected.to_csv(temporary / SUSPECTS_FILE, index=False)
        if places.detections is not None:
            places.detections.to_csv(temporary / DETECTIONS, index=False)
            write_json(temporary / PLACES, places.figures)
        summary = {
            "kind": KIND,
            "headline": head,
            "figures": {name: asdict(figure) for name, figure in figures.items()},
            "baselines": {
                rival: {name: asdict(figure) for name, figure in found.items()}
                for rival, found in rivals.items()
            },
            "virtual_batches": paper and asdict(paper),
            "classes": list(classes),
            "group": meta.by,
            "groups": int(scores["group"].nunique()),
            "patches": len(scores),
            "compared": compared,
            "min_each": min_each,
            "seed": seed,
            "warnings": meta.warnings,
            "versions": versions(),
        }
        write_json(temporary / RESULTS, summary)
        (temporary / REPORT).write_text(render(evaluation_page(results)), "utf-8")
    rows = [{"name": name, **asdict(figure)} for name, figure in figures.items()]
    if places.figures:
        found = places.figures["thresholds"][FROM_LABELS]
        rows += [{"name": f"place_{name}", **found[name]} for name in ("precision", "recall", "f1")]
    rows = [row for row in rows if not np.isnan(row["value"])]
    for fold, card in cards.items() if on is None else ():
        rewrite_card(tested.folders[fold], card.model_copy(update={"results": rows}))
    each = metrics.per_group(table)
    return Evaluation(
        folder, scores, figures, rivals, each, paper, folder / REPORT, suspected, places
    )


def _rivals(
    tested: EvaluationSet, scores: pd.DataFrame, min_each: int, seed: int, progress: Progress
) -> tuple[dict[str, dict[str, Estimate]], int]:
    """The net and simple rules on the same patches, and how many these are."""
    some = some_patches(tested.patches, seed)
    rivals = baseline_estimates(
        some,
        tested.folds,
        tested.classes,
        tested.pixels,
        min_each=min_each,
        seed=seed,
        progress=progress,
    )
    same = scores.merge(some[KEY], on=KEY)
    net = headline_estimates(same, tested.classes, seed=seed, names=AREAS, min_each=min_each)
    return {NET: net} | rivals, len(same)


def _results(
    tested: EvaluationSet,
    table: pd.DataFrame,
    head: str,
    figures: dict[str, Estimate],
    rivals: dict[str, dict[str, Estimate]],
    cards: dict[int, Card],
    noun: str,
) -> EvaluationResults:
    meta, patches, run = tested.meta, tested.patches, tested.run
    classes = tested.classes.pair
    group = meta.by.replace("_", " ")
    ordered = {head: figures[head]} | {k: v for k, v in figures.items() if not np.isnan(v.value)}
    one = next(iter(cards.values())) if len(cards) == 1 else None
    images = patches["image"].nunique()
    seen = "" if noun == "image" else f", {len(patches):,} {several(noun)}"
    return EvaluationResults(
        title=f"{classes[1].capitalize()} or {classes[0]}: {tested.study.folder.name}",
        subtitle=f"{images} images{seen} of {patches['group'].nunique()}"
        f" {group}s, labelled by {meta.label_meta.route}; profile"
        f" {tested.recipe['name']}",
        classes=classes,
        estimates=named(ordered, group),
        scores=table,
        metric=next(iter(named({head: figures[head]}, group)))[0],
        group_name=group,
        pooled=figures["roc_auc"],
        within=figures["within_auc"] if not np.isnan(figures["within_auc"].value) else None,
        per_group=metrics.per_group(table),
        reliability=reliability(table["p"], table["y"], table["group"]),
        ece=expected_calibration_error(table["p"], table["y"]),
        threshold=one.region_rule.threshold if one else None,
        band=None,
        logs=_logs(run) if run else {},
        noun=noun,
        baselines=[(name, found[head]) for name, found in rivals.items()],
        warnings=meta.warnings,
        counts=balancing.balance(patches, tested.folds),
        settings={
            "profile": tested.recipe,
            "labels": meta.label_meta.values(),
            "split": meta.values("by", "scheme", "scheme_settings", "grid", "seed"),
        }
        | ({"seed": run.spec.seed, "inputs": run.spec.inputs} if run else {}),
        versions=versions(),
    )


def _noun(meta: SplitMeta, patches: pd.DataFrame) -> str:
    """What the net sees: patch, frame, or image where each image has one frame."""
    if meta.patch_px:
        return PATCH
    return "image" if patches["image"].is_unique else "frame"


def _verdicts(
    scores: pd.DataFrame, cards: dict[int, Card], classes: ClassNames, seed: int
) -> dict[str, Estimate]:
    """Figures of the verdicts on whole images; none where images hold several classes."""
    images = by_picture(scores, classes)
    shares = images.filter(regex="^(positive_share$|true_)")
    if ((shares > 0) & (shares < 1)).to_numpy().any():
        return {}
    means = images[[f"mean_{name}" for name in score_columns(classes, "logit")]].to_numpy(float)
    logits = np.column_stack([np.zeros(len(means)), means]) if classes.binary else means
    verdicts = []
    for fold, mean in zip(images["fold"], logits, strict=True):
        rule = cards[int(fold)].image_rule
        verdicts.append(rule.verdict_of(rule.probabilities(mean)))
    return verdict_figures(images.assign(verdict=verdicts), classes, seed=seed)


def _headline(figures: dict[str, Estimate], groups: int) -> str:
    """The area within groups where most groups hold both classes: no plate can flatter it."""
    within = figures["within_auc"]
    return "within_auc" if not np.isnan(within.value) and 2 * within.groups >= groups else "roc_auc"


def _logs(run: Run) -> dict[str, pd.DataFrame]:
    logs = {}
    for fold in run.folds:
        log = pd.read_csv(run.fold(fold) / "log.csv")
        if run.spec.profile["select"] == "best":
            log.attrs["best_epoch"] = int(log["epoch"].iloc[int(log["val_loss"].argmin())])
        logs[f"fold {fold}"] = log
    return logs
