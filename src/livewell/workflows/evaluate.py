"""What trained models are worth on groups that they never saw: figures, intervals, a page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.files import AnyPath, claim, whole_folder, write_json
from livewell.images.opening import Channels
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.random_split import RandomSplit
from livewell.metrics.baselines import measured, rivals, some_patches
from livewell.metrics.intervals import Estimate
from livewell.metrics.summary import evaluation_figures, group_figures
from livewell.models.device import AUTO
from livewell.models.files import rewrite_card
from livewell.report.beside import Questions
from livewell.report.collapse import CollapseCheck
from livewell.report.evaluation import evaluation_page, evaluation_results
from livewell.report.examples import FILE, Examples
from livewell.report.model import card_notes
from livewell.report.page import render
from livewell.report.run_detections import PLACES_FILES, Where
from livewell.report.stain import STAIN_FILE, StainCheck
from livewell.study.runs import versions
from livewell.study.study import Study
from livewell.tables.metadata import AuditSummary
from livewell.tables.results import write_csv
from livewell.tables.schemas import KEY, write_table
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
    each: dict[str, dict[str, Estimate]]
    places: Where
    stain: StainCheck
    audit: AuditSummary
    collapse: CollapseCheck
    random: RandomSplit

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
    random: bool = True,
    collapse: str | None = None,
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
    random
        Whether the size of the leak of a random split is measured: what the head of a fixed
        backbone, else with `baselines` the trees on texture, shows where groups are torn. It is no
        result, and no card holds it.
    collapse
        A coarser question to answer with the scores, beside their own: classes go together whose
        images have one value in a column, ``COLUMN``, of two values with the positive one,
        ``treatment=CPT``.
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
        random = random and tested.own_run.spec.healthy is None
    else:
        on, baselines, random = Study.of(on), False, False
        folder = on.folder / "evaluations" / labels
        tested = EvaluationSet.of_study(
            Path(model), on, labels=labels, by=by, channels=channels, device=device
        )
    folder, meta, classes = Path(out or folder), tested.meta, tested.classes
    questions = Questions.of(tested, stain, collapse, random)
    claim(folder, "evaluation", RESULTS)
    scores, judges = tested.scores()
    cards = {fold: judge.card for fold, judge in judges.items()}
    # trees learn from all classes, and a model that knows one is not to be held against them
    alone = any(card.healthy_only for card in cards.values())
    baselines = baselines and not alone
    drawn, rules = {"min_each": min_each, "seed": seed}, {f: c.image_rule for f, c in cards.items()}
    patches = bool(meta.patch_px)
    figures = evaluation_figures(
        scores, classes, rules, patches=patches, probable=not alone, **drawn
    )
    some = some_patches(tested.patches, seed)
    seen = measured(some, tested.pixels) if baselines else {}
    others = rivals(some, seen, tested.folds, classes, scores, **drawn) if baselines else {}
    beside = questions.asked(scores, judges, figures.together, some, seen, **drawn)
    examples = Examples(tested, questions.models)
    suspected, section = examples.suspects(scores)
    results = evaluation_results(
        tested,
        scores,
        figures,
        others,
        cards,
        galleries=examples.calls(scores),
        coarser=beside.collapse.sections,
        further=[*beside.sections, section],
        notes=[*beside.notes, *card_notes(cards)],
    )
    with whole_folder(folder, (RESULTS, SCORES, REPORT, FILE, STAIN_FILE, *PLACES_FILES)) as new:
        write_table(new / SCORES, scores)
        write_csv(new / FILE, suspected)
        beside.write(new)
        compared = len(scores.merge(some[KEY], on=KEY)) if others else 0
        summary = {"kind": "evaluation", **figures.as_json(others), "compared": compared, **drawn}
        summary |= beside.as_json() | tested.about(scores)
        summary |= {"audit": tested.audit.model_dump(), "versions": versions()}
        write_json(new / RESULTS, summary)
        (new / REPORT).write_text(render(evaluation_page(results)), "utf-8")
    rows = [*figures.rows, *beside.places.rows]
    for fold, card in cards.items() if on is None else ():
        known = {"results": rows, "audit": tested.audit}
        rewrite_card(tested.folders[fold], card.model_copy(update=known))
    return Evaluation(
        folder,
        scores,
        figures.together,
        others,
        group_figures(scores, classes),
        figures.paper,
        folder / REPORT,
        suspected,
        figures.each,
        beside.places,
        beside.stain,
        tested.audit,
        beside.collapse,
        beside.random,
    )
