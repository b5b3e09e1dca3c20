"""What a trained run is worth on groups that it never saw: figures, intervals, a page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.detection.places import FROM_LABELS
from livewell.files import claim, whole_folder, write_json
from livewell.measure import intensity, texture
from livewell.metrics import figures as metrics
from livewell.metrics.baselines import grouped_trees
from livewell.metrics.calibration import expected_calibration_error, reliability
from livewell.metrics.intervals import Estimate, estimates
from livewell.metrics.outcomes import outcomes
from livewell.metrics.pictures import by_picture, verdict_figures
from livewell.metrics.virtual_batches import paper_interval
from livewell.models.files import Card, rewrite_card
from livewell.progress import SILENT, Progress
from livewell.region import Region
from livewell.report.evaluation import evaluation_page, named
from livewell.report.page import render
from livewell.report.results import EvaluationResults
from livewell.report.vocabulary import PATCH, Vocabulary
from livewell.splitting import balance as balancing
from livewell.study.pixels import StudyPixels
from livewell.study.runs import Run, versions
from livewell.study.study import Study
from livewell.tables.schemas import KEY, regions_of
from livewell.workflows.examples import FILE as SUSPECTS_FILE
from livewell.workflows.examples import Examples
from livewell.workflows.found import models_of
from livewell.workflows.scores import Tested
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
BASELINES = {"trees on intensity": intensity.features, "trees on texture": texture.features}
BASELINE_PATCHES = 1500
"""Baselines look at most at so many patches or frames, drawn once, groups alike."""
BASELINE_PX = 200_000_000
"""And at most at so many pixels: four to five minutes."""
AT_ONCE_PX = 4_000_000
"""Pixels that baselines measure together, in 64 patches at most."""
NET = "this net"
AREAS = ("roc_auc", "within_auc")
"""What the net is compared with baselines in, on the patches that they saw."""


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
    run_folder: Path,
    *,
    out: Path | None = None,
    min_each: int = 1,
    baselines: bool = True,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Evaluation:
    """Score every fold's test groups by the model that never saw them, and report.

    Parameters
    ----------
    run_folder
        A finished training run.
    out
        Folder for ``scores.parquet``, ``results.json``, ``report.html``, ``suspects.csv`` and,
        where a net of whole frames could be held against boxes, ``places.json`` and
        ``detections.csv``; by default ``evaluation`` in the run.
    min_each
        Patches of each class that a group needs to count in the AUC within groups.
    baselines
        Whether trees on intensity and on texture are trained too, and compared with the net on the
        same patches, at most `BASELINE_PATCHES` and `BASELINE_PX`.
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
    OutputError
        `out` holds something else, or cannot be written.
    StudyError
        The run is not finished, or its study has gone.
    ModelFileError
        The card of a model of whole frames has no rule for places.
    """
    tested = Tested.open(run_folder)
    run, study, meta, pixels = tested.run, tested.study, tested.meta, tested.pixels
    patches, folds = tested.patches, tested.folds
    folder = out or run.folder / "evaluation"
    claim(folder, KIND, RESULTS)
    noun = _noun(meta, patches)
    frames = noun != PATCH
    models = models_of(tested) if frames else {}
    scores, cards = tested.scores(progress)
    classes = tested.classes
    table = outcomes(scores, ClassNames.of(classes))
    figures = estimates(table, seed=seed, names=FIGURES, min_each=min_each)
    if np.isnan(figures["within_auc"].value):
        # every group holds one class, as wells of a dose do: the group's name is the label
        del figures["prevalence_auc"]
    figures |= _verdicts(table, cards, classes, seed)
    paper = None if frames else paper_interval(table["y"], table["called"], seed=seed)
    rivals: dict[str, dict[str, Estimate]] = {}
    compared = 0
    if baselines:
        first = patches.iloc[0]
        area = int((first["y1"] - first["y0"]) * (first["x1"] - first["x0"]))
        some = drawn_alike(patches, min(BASELINE_PATCHES, BASELINE_PX // area), seed)
        rivals = baseline_figures(some, folds, classes, pixels, min_each, seed, progress)
        same = table.merge(some[KEY], on=KEY)
        compared = len(same)
        rivals = {NET: estimates(same, seed=seed, names=AREAS, min_each=min_each)} | rivals
    head = _headline(figures, scores["group"].nunique())
    places = where(tested, models, noun, seed=seed, progress=progress) if frames else Where()
    examples = Examples(tested, models)
    suspected, section = examples.suspects(table)
    results = replace(
        _results(run, study, meta, table, head, figures, rivals, cards, noun, folds, patches),
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
            "classes": classes,
            "group": meta["by"],
            "groups": int(scores["group"].nunique()),
            "patches": len(scores),
            "compared": compared,
            "min_each": min_each,
            "seed": seed,
            "warnings": meta["warnings"],
            "versions": versions(),
        }
        write_json(temporary / RESULTS, summary)
        (temporary / REPORT).write_text(render(evaluation_page(results)), "utf-8")
    rows = [{"name": name, **asdict(figure)} for name, figure in figures.items()]
    if places.figures:
        found = places.figures["thresholds"][FROM_LABELS]
        rows += [{"name": f"place_{name}", **found[name]} for name in ("precision", "recall", "f1")]
    rows = [row for row in rows if not np.isnan(row["value"])]
    for fold, card in cards.items():
        rewrite_card(run.model(fold), card.model_copy(update={"results": rows}))
    each = metrics.per_group(table)
    return Evaluation(
        folder, scores, figures, rivals, each, paper, folder / REPORT, suspected, places
    )


def baseline_figures(
    patches: pd.DataFrame,
    folds: pd.DataFrame,
    classes: tuple[str, str],
    pixels: StudyPixels,
    min_each: int,
    seed: int,
    progress: Progress,
) -> dict[str, dict[str, Estimate]]:
    """Pooled AUC and AUC within groups of trees on simple features.

    Parameters
    ----------
    patches, folds
        A split; trees learn from and judge these patches.
    classes
        (negative, positive).
    pixels
        Where the patches' pixels come from.
    min_each, seed, progress
        As in `evaluate`.
    """
    y = (patches["label"] == classes[1]).to_numpy(int)
    found = {}
    keys = regions_of(patches)
    edges = keys[0].box.shape
    step = min(max(AT_ONCE_PX // (edges[0] * edges[1]), 1), 64)
    with progress.task("baselines", total=len(BASELINES) * len(keys)) as tick:
        for name, measure in BASELINES.items():
            tables = []
            for first in range(0, len(keys), step):
                stack = _stack(pixels, keys[first : first + step])
                tables.append(measure(stack))
                tick(len(stack))
            features = pd.concat(tables, ignore_index=True)
            p = grouped_trees(features, y, patches["group"], folds, seed, workers=-1)[:, 1]
            known = ~np.isnan(p)
            table = pd.DataFrame(
                {"group": patches["group"].to_numpy(), "y": y, "p": p, "called": p >= 0.5}
            )[known].astype({"called": int})
            found[name] = estimates(table, seed=seed, names=AREAS, min_each=min_each)
    return found


def drawn_alike(patches: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most so many patches, drawn so that every group gives as many as it can."""
    order = patches.sample(frac=1, random_state=seed)
    turn = order.groupby("group").cumcount()
    return order.loc[turn.sort_values(kind="stable").index[:most]]


def _stack(pixels: StudyPixels, keys: Sequence[Region]) -> Any:
    return np.stack([pixels.crop(key.image, key.t, key.box) for key in keys])


def _results(
    run: Run,
    study: Study,
    meta: dict[str, Any],
    table: pd.DataFrame,
    head: str,
    figures: dict[str, Estimate],
    rivals: dict[str, dict[str, Estimate]],
    cards: dict[int, Card],
    noun: str,
    folds: pd.DataFrame,
    patches: pd.DataFrame,
) -> EvaluationResults:
    classes = ClassNames.of(meta["classes"])
    words = Vocabulary(noun, str(meta["by"]).replace("_", " "))
    ordered = {head: figures[head]} | {k: v for k, v in figures.items() if not np.isnan(v.value)}
    one = next(iter(cards.values())) if len(cards) == 1 else None
    images = patches["image"].nunique()
    seen = "" if noun == "image" else f", {len(patches):,} {words.regions}"
    return EvaluationResults(
        title=f"{classes[1].capitalize()} or {classes[0]}: {study.folder.name}",
        subtitle=f"{images} images{seen} of {patches['group'].nunique()}"
        f" {words.groups}, labelled by {meta['label_meta']['route']}; profile"
        f" {run.spec['profile']['name']}",
        classes=classes,
        estimates=named(ordered, words),
        scores=table,
        metric=next(iter(named({head: figures[head]}, words)))[0],
        words=words,
        pooled=figures["roc_auc"],
        within=figures["within_auc"] if not np.isnan(figures["within_auc"].value) else None,
        per_group=metrics.per_group(table),
        reliability=reliability(table["p"], table["y"], table["group"]),
        ece=expected_calibration_error(table["p"], table["y"]),
        threshold=one.patch_rule.threshold if one else None,
        band=None,
        logs=_logs(run),
        baselines=[(name, found[head]) for name, found in rivals.items()],
        warnings=meta["warnings"],
        counts=balancing.balance(patches, folds),
        settings={
            "profile": run.spec["profile"],
            "labels": meta["label_meta"],
            "split": {k: meta[k] for k in ("by", "scheme", "scheme_settings", "grid", "seed")},
            "seed": run.spec["seed"],
            "inputs": run.spec["inputs"],
        },
        versions=versions(),
    )


def _noun(meta: dict[str, Any], patches: pd.DataFrame) -> str:
    """What the net sees: patch, frame, or image where each image has one frame."""
    if meta["patch_px"]:
        return PATCH
    return "image" if patches["image"].is_unique else "frame"


def _verdicts(
    table: pd.DataFrame, cards: dict[int, Card], classes: tuple[str, str], seed: int
) -> dict[str, Estimate]:
    """Figures of the verdicts on whole pictures; none where pictures hold both classes."""
    pictures = by_picture(table, ClassNames.of(classes))
    if pictures["positive_share"].between(0, 1, inclusive="neither").any():
        return {}
    verdicts = []
    for fold, logit in zip(pictures["fold"], pictures["mean_logit"], strict=True):
        rule = cards[int(fold)].picture_rule
        verdicts.append(rule.verdict(float(rule.probability(logit))))
    return verdict_figures(pictures.assign(verdict=verdicts), ClassNames.of(classes), seed=seed)


def _headline(figures: dict[str, Estimate], groups: int) -> str:
    """The area within groups where most groups hold both classes: no plate can flatter it."""
    within = figures["within_auc"]
    return "within_auc" if not np.isnan(within.value) and 2 * within.groups >= groups else "roc_auc"


def _logs(run: Run) -> dict[str, pd.DataFrame]:
    logs = {}
    for fold in run.folds:
        log = pd.read_csv(run.fold(fold) / "log.csv")
        if run.spec["profile"]["select"] == "best":
            log.attrs["best_epoch"] = int(log["epoch"].iloc[int(log["val_loss"].argmin())])
        logs[f"fold {fold}"] = log
    return logs
