"""What trained models are worth on groups that they never saw: figures, intervals, a page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.files import AnyPath, claim, whole_folder, write_json
from livewell.images.opening import Channels
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.run_detections import models_of
from livewell.metrics.baselines import rivals
from livewell.metrics.intervals import Estimate
from livewell.metrics.summary import evaluation_figures, group_figures
from livewell.models.device import AUTO
from livewell.models.files import rewrite_card
from livewell.report.evaluation import evaluation_page, evaluation_results, region_noun
from livewell.report.examples import FILE, Examples
from livewell.report.model import card_notes
from livewell.report.page import render
from livewell.report.run_detections import PLACES_FILES, Where, where
from livewell.report.stain import STAIN_FILE, StainCheck, check_stain, stain_check
from livewell.report.unlike import unlike_check
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.tables.metadata import AuditSummary
from livewell.tables.results import write_csv
from livewell.tables.schemas import write_table
from livewell.text import html_table

RESULTS, SCORES, REPORT = "results.json", "scores.parquet", "report.html"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` made; `paper` is the accuracy of patches with the interval of DeadNet."""

    folder: Path
    scores: pd.DataFrame
    figures: dict[str, Estimate]
    baselines: dict[str, dict[str, Estimate]]
    per_group: pd.DataFrame
    paper: Estimate | None
    page: Path
    suspects: pd.DataFrame
    places: Where
    each: dict[str, dict[str, Estimate]]
    stain: StainCheck
    audit: AuditSummary

    def _repr_html_(self) -> str:
        return html_table(str(self.page), self.figures)


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
    stain: str | None = None,
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
        Folder for scores, results, report, ``suspects.csv`` and, where a net of whole frames could
        be held against boxes, ``places.json`` and ``detections.csv``; by default ``evaluation`` in
        the run, or ``evaluations/LABELS`` in the study.
    min_each
        Patches of each class that a group needs to count in the AUC within groups.
    baselines
        Whether trees on intensity and on texture are trained too, and compared with the net on the
        same patches; not with `on`, where nothing is trained.
    stain
        Channel of a death stain, name or number: the scores are correlated with its mean in each
        region (Pattarone et al. 2021); ``stain.csv`` holds both.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    seed
        Of resampling and of baselines.

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
        tested = EvaluationSet.of_run(Path(model), device=device)
        folder = tested.own_run.folder / "evaluation"
    else:
        on, baselines = Study.of(on), False
        folder = on.folder / "evaluations" / labels
        tested = EvaluationSet.of_study(
            Path(model), on, labels=labels, by=by, channels=channels, device=device
        )
    folder, meta, classes = Path(out or folder), tested.meta, tested.classes
    check_stain(tested, stain)
    claim(folder, "evaluation", RESULTS)
    models = models_of(tested)
    scores, judges = tested.scores()
    cards = {fold: judge.card for fold, judge in judges.items()}
    drawn, rules = {"min_each": min_each, "seed": seed}, {f: c.image_rule for f, c in cards.items()}
    figures = evaluation_figures(scores, classes, rules, patches=bool(meta.patch_px), **drawn)
    parts = (tested.patches, tested.folds, classes, tested.pixels, scores)
    others, compared = rivals(*parts, min_each=min_each, seed=seed) if baselines else ({}, 0)
    places = where(tested, models, region_noun(tested), seed=seed)
    examples = Examples(tested, models)
    suspected, section = examples.suspects(scores)
    stained = stain_check(tested, scores, stain, seed=seed)
    calls, further = examples.calls(scores), [*places.sections, *stained.sections, section]
    unlike = unlike_check(tested, scores, judges, seed=seed)
    notes = [*places.notes, *stained.notes, *unlike.notes, *card_notes(cards)]
    results = evaluation_results(
        tested, scores, figures, others, cards, galleries=calls, further=further, notes=notes
    )
    with whole_folder(folder, (RESULTS, SCORES, REPORT, FILE, STAIN_FILE, *PLACES_FILES)) as new:
        write_table(new / SCORES, scores)
        write_csv(new / FILE, suspected)
        places.write(new)
        stained.write(new)
        summary = {"kind": "evaluation", **figures.as_json(others), "compared": compared, **drawn}
        summary |= {"stain": stained.as_json(), "unlike": unlike.as_json()} | tested.about(scores)
        summary |= {"audit": tested.audit.model_dump()}
        summary |= {"versions": versions()}
        write_json(new / RESULTS, summary)
        (new / REPORT).write_text(render(evaluation_page(results)), "utf-8")
    rows = [*figures.rows, *places.rows]
    for fold, card in cards.items() if on is None else ():
        known = {"results": rows, "audit": tested.audit}
        rewrite_card(tested.folders[fold], card.model_copy(update=known))
    found = (figures.together, others, group_figures(scores, classes), figures.paper)
    page = folder / REPORT
    return Evaluation(
        folder, scores, *found, page, suspected, places, figures.each, stained, tested.audit
    )
