"""Several training runs on the test regions that all of them hold out, in one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import SpecError
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath
from livewell.inference.common_regions import CommonRegions, run_names
from livewell.metrics.paired import Comparison, comparison
from livewell.models.device import AUTO
from livewell.report.compare import cautions, compare_page, compare_results, told
from livewell.report.page import render


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What `compare` made: figures and differences by run; scores of the shared regions by run."""

    page: Path
    found: Comparison
    scores: dict[str, pd.DataFrame]
    runs: pd.DataFrame
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


def compare(
    runs: Sequence[AnyPath],
    out: AnyPath,
    *,
    reference: AnyPath | None = None,
    by: str | None = None,
    min_each: int = 5,
    device: str = AUTO,
    seed: int = 0,
) -> CompareResult:
    """Measure several runs on the regions that all of them hold out, and how far they differ.

    Parameters
    ----------
    runs
        Two finished training runs or more, of the same classes. Each region is scored by the model
        of the fold that tests it. Regions are the same where image, frame and the centre of the box
        are, also where patches are of different sizes.
    out
        Takes ``figures.csv``, ``differences.csv``, ``runs.csv``, ``scores.csv`` (every region by
        every run) and ``report.html``.
    reference
        The run that the others are compared with; the first where ``None``.
    by
        Column that names the groups that intervals resample; by default the one that the runs were
        split by.
    min_each
        Regions of each class that a group needs to count in the AUC within groups.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    seed
        Of resampling.

    Raises
    ------
    SpecError
        Fewer than two runs, one twice, runs of other classes, or a reference that is none of them.
    SplitError
        The runs have no test region in common, or were split by different columns.
    LabelError, StudyError
        A region has another label, or an image another content, in another run; a run is not
        finished.
    OutputError
        `out` cannot be written, holds something else, or was begun with other settings.
    """
    paths, out = run_names([Path(run) for run in runs]), Path(out)
    first = _reference(paths, reference)
    settings = {"runs": paths, "reference": first, "by": by, "min_each": min_each, "seed": seed}
    folder = ResultFolder.claim(out, "comparison", "comparison.json", settings)
    common = CommonRegions.of(list(paths.values()), by=by, device=device)
    folder.begin()
    scores = common.scores()
    drawn = {"seed": seed, "min_each": min_each}
    probable = not common.healthy_only
    found = comparison(scores, common.classes, first, probable=probable, **drawn)
    results = compare_results(common, scores, found, settings)
    every = pd.concat([table.assign(run=name) for name, table in scores.items()])
    tables = {
        "figures": found.table(found.figures),
        "differences": found.table(found.differences),
        "runs": results.runs,
        "scores": every,
    }
    page = folder.write(render(compare_page(results)), tables)
    sentences = tuple(told(results, run, found.headline) for run in found.differences)
    warnings = tuple(note.text for note in cautions(results) if note.tone in ("bad", "warn"))
    return CompareResult(page, found, scores, results.runs, sentences, warnings)


def _reference(paths: dict[str, Path], reference: AnyPath | None) -> str:
    """Name of the run that the others are compared with."""
    wanted = next(iter(paths.values())) if reference is None else Path(reference).resolve()
    for name, path in paths.items():
        if path == wanted:
            return name
    raise SpecError(
        "the reference is none of the runs",
        where="reference",
        expected=", ".join(paths),
        got=str(reference),
    )
