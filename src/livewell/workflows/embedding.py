"""Regions that a trained run never saw in its models' features: what lies together there."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import SpecError
from livewell.execution.results import ResultFolder
from livewell.explain.embedding import (
    Embedding,
    EmbeddingSettings,
    drawn_regions,
    embedding,
    require_umap,
)
from livewell.explain.neighbours import Neighbourhood, nearness
from livewell.files import AnyPath, write_json
from livewell.inference.evaluation_set import EvaluationSet
from livewell.report.embedding import EmbeddingResults, embedding_page, headline
from livewell.report.evaluation import words_of
from livewell.report.page import render
from livewell.report.thumbnails import thumbnails
from livewell.study.runs import versions
from livewell.tables.schemas import regions_of

KIND = "embedding"


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """What `embed` made: the verdict in a sentence, and the figures of all models together."""

    folder: Path
    verdict: str
    neighbours: Neighbourhood
    regions: pd.DataFrame
    page: Path
    warnings: tuple[str, ...] = ()


def embed(
    run_folder: AnyPath,
    *,
    out: AnyPath | None = None,
    folds: Sequence[int] | None = None,
    all_folds: bool = False,
    settings: EmbeddingSettings | None = None,
) -> EmbeddingResult:
    """Map the regions of groups that models never saw by the models' features.

    Parameters
    ----------
    run_folder
        A finished training run.
    out
        Takes ``report.html``, ``regions.csv`` and ``results.json``; by default ``embedding`` in the
        run.
    folds
        Whose models, each with a map of its own; where ``None`` the first one with test groups, or
        all of them with `all_folds`.
    settings
        What is shown, and how.

    Raises
    ------
    MissingExtraError
        UMAP is asked for and not installed.
    SpecError
        Too few regions; both `folds` and `all_folds`.
    SplitError, StudyError
        As `livewell.inference.evaluation_set.EvaluationSet.of_run`.
    OutputError
        `out` holds something else, or an embedding with other settings.
    """
    settings = settings or EmbeddingSettings()
    if settings.umap:
        require_umap()
    if folds and all_folds:
        raise SpecError("some folds and all folds", expected="either --fold or --all-folds")
    tested = EvaluationSet.of_run(Path(run_folder), folds)
    there = sorted(int(fold) for fold in tested.part("test")["fold"].unique())
    chosen = there if folds or all_folds else there[:1]
    shared, run = settings.shared(len(chosen)), tested.own_run
    # too few regions are refused before anything is written
    drawn = [drawn_regions(tested, fold, shared) for fold in chosen]
    folder = Path(out) if out is not None else run.folder / KIND
    said = {"run": str(run.folder.resolve()), "folds": chosen} | asdict(settings)
    results_in = ResultFolder.claim(folder, KIND, "embedding.json", said).begin()
    made = [embedding(tested, *rows, shared) for rows in drawn]
    each = [nearness(one.near, seed=settings.seed) for one in made]
    near = pd.concat([one.near for one in made], ignore_index=True)
    together = nearness(near, seed=settings.seed)
    table = pd.concat([one.table() for one in made], ignore_index=True)
    words = words_of(tested)
    results = EmbeddingResults(
        title=f"Features of {run.folder.name}",
        subtitle=f"profile {run.spec.profile['name']}, {len(table):,} {words.regions} of"
        f" {table['group'].nunique()} {words.groups}",
        classes=tested.classes,
        words=words,
        embeddings=made,
        tiles=[thumbnails(tested.pixels, regions_of(one.regions), len(table)) for one in made],
        each=each,
        together=together,
        fields=tested.study.fields(),
        by=tested.meta.by,
        folds=len(run.folds),
        audits=[tested.audit],
        settings=said,
        versions=versions(),
    )
    page = results_in.write(render(embedding_page(results)), {"regions": table})
    verdict, _ = headline(together, words)
    models = [_described(*pair) for pair in zip(made, each, strict=True)]
    summary = {"kind": KIND, "verdict": verdict, "group": tested.meta.by, **asdict(together)}
    write_json(folder / "results.json", summary | {"models": models})
    return EmbeddingResult(folder, verdict, together, table, page)


def _described(made: Embedding, found: Neighbourhood) -> dict[str, Any]:
    projected = made.projected
    return {
        "fold": made.fold,
        "regions": len(made.regions),
        "of": made.total,
        "features": made.features,
        "components": len(projected.explained),
        "explained": float(projected.explained.sum()),
        "perplexity": projected.perplexity,
        **asdict(found),
    }
