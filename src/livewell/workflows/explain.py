"""Looking inside a trained run: where its evidence lies, and what it takes a class to be."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from livewell.errors import SpecError
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.results import ResultFolder
from livewell.explain.background import Background, background, warning
from livewell.explain.crops import CropCam
from livewell.explain.places import PlaceCam
from livewell.files import AnyPath, write_json
from livewell.inference.evaluation_set import EvaluationSet
from livewell.models.nets.layers import class_number
from livewell.report.activations import activation_figures, class_rows
from livewell.report.explain import ExplainResults, explain_page
from livewell.report.inside import Inside, Look, cams_of
from livewell.report.page import render
from livewell.study.runs import versions

KIND = "explanation"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `explain` made: by class, how much of the evidence lies off cells.

    ``disagreement`` has one row a field: name, class, of crops with their own weights, with those
    of the class; none of nets on a fixed backbone.
    """

    folder: Path
    background: dict[str, Background]
    disagreement: list[tuple[str, str, float, float]]
    page: Path
    warnings: tuple[str, ...]


def explain(
    run_folder: AnyPath,
    *,
    out: AnyPath | None = None,
    look: Look | None = None,
    folds: Sequence[int] | None = None,
    seed: int = 0,
    executor: Executor = SERIAL,
) -> Explanation:
    """Look inside a run, on groups that its models never saw.

    Parameters
    ----------
    run_folder
        A finished training run.
    out
        By default ``explanation`` in the run.
    look
        What is looked at.
    folds
        Only these; all where ``None``.
    seed
        Of what is drawn and of the intervals.
    executor
        Where maps of whole fields are made, see `livewell.Executor`.

    Raises
    ------
    SpecError
        A class or a layer that the model lacks; a run of nets that see whole frames; folds of
        nets of both kinds, on a fixed backbone and of crops.
    SplitError, StudyError
        As `livewell.inference.evaluation_set.EvaluationSet.of_run`.
    OutputError
        `out` holds something else, or an explanation with other settings.
    """
    out = None if out is None else Path(out)
    run_folder = Path(run_folder)
    look = look or Look()
    tested = EvaluationSet.of_run(run_folder, folds)
    if not tested.meta.patch_px:
        raise SpecError(
            "this run's nets see whole frames, and here patches are explained",
            where=str(run_folder),
            remedy="use `livewell localise`, or `livewell evaluate` where cells have boxes",
        )
    names = look.classes or tested.classes.names
    numbers = [class_number(tested.classes.names, name) for name in names]
    chosen = sorted(int(number) for number in tested.folds["fold"].unique())
    # a layer that is not there is refused before anything is scored
    cams = cams_of(tested, chosen, look)
    folder = out or tested.own_run.folder / KIND
    said = {"run": str(tested.own_run.folder.resolve()), "folds": chosen, "seed": seed}
    said |= {"look": asdict(look)}
    results_in = ResultFolder.claim(folder, KIND, "explain.json", said).begin()
    scores, _ = tested.scores()
    table = scores.assign(y=tested.classes.codes(scores["label"]))
    inside = Inside(tested, cams, look, seed)
    inside.learn_weights(numbers)
    measured, rows, top = inside.off_cells(table, numbers)
    found = {
        tested.classes[number]: background(each, groups, seed=seed)
        for number, (each, groups) in measured.items()
    }
    warnings = tuple(text for name, each in found.items() if (text := warning(each, name)))
    pairs, rows_of_classes = inside.pairs(table, numbers), class_rows(inside, table, numbers)
    fields, disagreement = inside.fields(table, numbers, top, folder, executor)
    models = inside.models(table, numbers) if look.models else None
    cam = next(iter(cams.values()))
    results = ExplainResults(
        title=f"Inside {tested.own_run.folder.name}",
        subtitle=f"profile {tested.own_run.spec.profile['name']}, {len(chosen)} model"
        f"{'s' if len(chosen) > 1 else ''}, {len(table):,} test patches of"
        f" {table['group'].nunique()} {tested.meta.by}s",
        classes=tested.classes.names,
        words=inside.words,
        top=top,
        pairs=pairs,
        fields=fields,
        models=models,
        background=found,
        disagreement=disagreement,
        audits=[tested.audit],
        activations=activation_figures(rows_of_classes, inside.words.unit),
        settings=said,
        versions=versions(),
    )
    page = results_in.write(render(explain_page(results)), {"patches": rows})
    write_json(folder / "results.json", _json(found, disagreement, top, cam))
    return Explanation(folder, found, disagreement, page, warnings)


def _json(
    found: dict[str, Background],
    disagreement: Sequence[tuple[str, str, float, float]],
    top: float,
    cam: CropCam | PlaceCam,
) -> dict[str, Any]:
    names = ("field", "evidence_for", "own_weights", "class_weights")
    return {
        "kind": KIND,
        "layer": cam.layer.name,
        "full_colour": top,
        "background": {name: asdict(each) for name, each in found.items()},
        "disagreement": [dict(zip(names, row, strict=True)) for row in disagreement],
    }
