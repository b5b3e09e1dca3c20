"""What trained models are worth on groups that they never saw: figures, intervals, a page."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.detection.places import FROM_LABELS
from livewell.files import AnyPath, claim, whole_folder, write_json
from livewell.images.opening import Channels
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.run_detections import models_of
from livewell.metrics.baselines import AREAS, baseline_estimates, some_patches
from livewell.metrics.figures import per_group
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import class_groups, headline_estimates
from livewell.metrics.outcomes import outcomes
from livewell.metrics.summary import evaluation_figures
from livewell.models.device import AUTO
from livewell.models.files import rewrite_card
from livewell.report.evaluation import evaluation_page, evaluation_results, region_noun
from livewell.report.examples import FILE as SUSPECTS_FILE
from livewell.report.examples import Examples
from livewell.report.page import render
from livewell.report.run_detections import Where, where
from livewell.report.vocabulary import PATCH
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.tables.schemas import KEY

KIND = "evaluation"
RESULTS, SCORES_FILE, REPORT = "results.json", "scores.parquet", "report.html"
PLACES, DETECTIONS = "places.json", "detections.csv"
FILES = (RESULTS, SCORES_FILE, REPORT, SUSPECTS_FILE, PLACES, DETECTIONS)
"""What may lie in the folder of an evaluation."""
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
    each
        Of three or more classes the figures of each against the rest.
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
    each: dict[str, dict[str, Estimate]] = field(default_factory=dict)


def evaluate(
    model: AnyPath,
    *,
    on: Study | AnyPath | None = None,
    labels: str = "labels",
    by: str | None = None,
    channels: Channels = None,
    out: AnyPath | None = None,
    min_each: int = 1,
    baselines: bool = True,
    device: str = AUTO,
    seed: int = 0,
) -> Evaluation:
    """Score labelled regions by models that never saw their group, and report.

    Parameters
    ----------
    model
        A finished training run: every fold's test groups are scored. With `on` also a model.
    on
        A labelled study to try the model on, in place of the run's own test groups. Images that
        the model was trained or calibrated on are left out.
    labels, by, channels
        With `on`: name of the labels; column that names what is never split, by default the one
        that the model was trained with, else each image; channels to look at.
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
    on = None if on is None else Study.of(on)
    out = None if out is None else Path(out)
    model = Path(model)
    if on is None:
        tested = EvaluationSet.of_run(model, device=device)
        folder = out or tested.own_run.folder / "evaluation"
    else:
        tested = EvaluationSet.of_study(
            model, on, labels=labels, by=by, channels=channels, device=device
        )
        folder = out or on.folder / "evaluations" / labels
        baselines = False
    meta = tested.meta
    claim(folder, KIND, RESULTS)
    noun = region_noun(tested)
    # detections are held against boxes with thresholds from validation groups, which a run has
    frames = noun != PATCH and on is None
    models = models_of(tested) if frames else {}
    scores, judges = tested.scores()
    cards = {fold: judge.card for fold, judge in judges.items()}
    figures = evaluation_figures(
        scores,
        tested.classes,
        {fold: card.image_rule for fold, card in cards.items()},
        patches=noun == PATCH,
        min_each=min_each,
        seed=seed,
    )
    rivals, compared = _rivals(tested, scores, min_each, seed) if baselines else ({}, 0)
    places = where(tested, models, noun, seed=seed) if frames else Where()
    examples = Examples(tested, models)
    suspected, section = examples.suspects(scores)
    results = evaluation_results(
        tested,
        scores,
        figures,
        rivals,
        cards,
        galleries=examples.calls(scores),
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
            "headline": figures.headline,
            "figures": {name: asdict(figure) for name, figure in figures.together.items()},
            "each": {
                name: {figure: asdict(estimate) for figure, estimate in found.items()}
                for name, found in figures.each.items()
            },
            "baselines": {
                rival: {name: asdict(figure) for name, figure in found.items()}
                for rival, found in rivals.items()
            },
            "virtual_batches": figures.paper and asdict(figures.paper),
            "classes": list(tested.classes),
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
    rows = [{"name": name, **asdict(figure)} for name, figure in figures.together.items()]
    if places.figures:
        found = places.figures["thresholds"][FROM_LABELS]
        rows += [{"name": f"place_{name}", **found[name]} for name in ("precision", "recall", "f1")]
    rows = [row for row in rows if not np.isnan(row["value"])]
    for fold, card in cards.items() if on is None else ():
        rewrite_card(tested.folders[fold], card.model_copy(update={"results": rows}))
    binary = tested.classes.binary
    groups = (
        per_group(outcomes(scores, tested.classes))
        if binary
        else class_groups(scores, tested.classes)
    )
    return Evaluation(
        folder,
        scores,
        figures.together,
        rivals,
        groups,
        figures.paper,
        folder / REPORT,
        suspected,
        places,
        figures.each,
    )


def _rivals(
    tested: EvaluationSet, scores: pd.DataFrame, min_each: int, seed: int
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
    )
    same = scores.merge(some[KEY], on=KEY)
    net = headline_estimates(same, tested.classes, seed=seed, names=AREAS, min_each=min_each)
    return {NET: net} | rivals, len(same)
