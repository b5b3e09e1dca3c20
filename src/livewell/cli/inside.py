"""Look inside a trained net."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from livewell.cli.executing import executing
from livewell.cli.talk import COUNT, PATH, SEED, Talk, command
from livewell.errors import SpecError

METHODS = {
    "attribution": ("classes", "layer", "weights", "patches", "fields", "stride_px", "models",
                    "steps"),
    "embedding": ("all_folds", "validation", "umap", "regions"),
}  # fmt: skip
"""Options that only one of the methods has."""
EVERY = "From crop to crop in fields, an eighth of a patch; of FROZEN from place to place, 8 px."


@command("explain")
@click.argument("run", type=PATH)
@click.option(
    "--method",
    type=click.Choice(list(METHODS)),
    default="attribution",
    show_default=True,
    help="Where in patches the evidence lies; or which patches lie together in features.",
)
@click.option(
    "--out", type=PATH, help="Report's folder; by default explanation or embedding in RUN."
)
@click.option("--class", "classes", multiple=True, help="Whose evidence; all by default.")
@click.option(
    "--layer",
    help="Layer to look at, such as conv4_2; by default the last of its kind. Of FROZEN a block,"
    " such as block4; by default all that it reads.",
)
@click.option(
    "--weights",
    type=click.Choice(["class", "crop"]),
    default="class",
    show_default=True,
    help="Averaged over the class, so that crops agree; or each crop's own. FROZEN has each place's"
    " own.",
)
@click.option("--patches", type=COUNT, default=6, show_default=True, help="Shown of each kind.")
@click.option("--fields", type=SEED, default=1, show_default=True, help="Whole fields a class.")
@click.option("--stride-px", type=COUNT, help=EVERY)
@click.option(
    "--models/--no-models", default=True, show_default=True, help="Class models; not of FROZEN."
)
@click.option("--steps", type=COUNT, default=500, show_default=True, help="Of class models.")
@click.option(
    "--fold", "folds", type=SEED, multiple=True,
    help="Only this fold (repeatable); by default all, of an embedding the first.",
)  # fmt: skip
@click.option("--all-folds", is_flag=True, help="Embedding: a map of every fold's model.")
@click.option(
    "--validation/--no-validation", default=True, show_default=True,
    help="Embedding: validation groups beside test groups.",
)  # fmt: skip
@click.option("--umap", is_flag=True, help="Embedding: by UMAP too (pip install 'livewell[umap]').")
@click.option(
    "--regions", type=COUNT, default=3000, show_default=True,
    help="Embedding: at most so many are drawn, for all maps together.",
)  # fmt: skip
@click.option("--seed", type=SEED, default=0, show_default=True)
@executing
def explain_(talk: Talk, run: Path, method: str, folds: Any, executor: Any, **options: Any) -> None:
    """Show where a net's evidence lies, or what lies together in its features."""
    _refuse_options_of_others(method)
    mine = {name: options[name] for name in ("out", "seed", *METHODS[method])}
    if method == "attribution":
        _attribution(talk, run, folds or None, executor=executor, **mine)
        return
    if not executor.is_serial or executor.shard or executor.gather:
        raise SpecError(
            "an embedding is made in one process, for it lays all patches out together",
            remedy="leave out --workers, --cluster and --shard",
        )
    _embedding(talk, run, folds or None, **mine)


def _refuse_options_of_others(method: str) -> None:
    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in context.command.params
        for other, names in METHODS.items()
        if other != method and option.name in names
        if context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise SpecError(
            f"no option of --method {method}",
            got=", ".join(given),
            remedy=f"leave it out, or take another method: {' or '.join(METHODS)}",
        )


def _attribution(
    talk: Talk,
    run: Path,
    folds: Any,
    out: Path | None,
    seed: int,
    steps: int,
    executor: Any,
    **look: Any,
) -> None:
    from dataclasses import asdict

    from livewell.explain.class_model import Ascent
    from livewell.report.inside import Look
    from livewell.workflows.explain import explain

    found = Look(**look, ascent=Ascent(steps=steps))
    made = explain(run, out=out, look=found, folds=folds, seed=seed, executor=executor)
    for name, off in made.background.items():
        share = off.evidence
        talk.say(
            f"evidence for {name}: {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) off"
            f" cells; of the area {off.area.value:.1%} is off cells"
        )
    background = {name: asdict(off) for name, off in made.background.items()}
    talk.end(made, background=background, disagreement=made.disagreement)


def _embedding(
    talk: Talk, run: Path, folds: Any, out: Path | None, all_folds: bool, **asked: Any
) -> None:
    from dataclasses import asdict

    from livewell.explain.embedding import EmbeddingSettings
    from livewell.workflows.embedding import embed

    settings = EmbeddingSettings(**asked)
    made = embed(run, out=out, folds=folds, all_folds=all_folds, settings=settings)
    talk.say(made.verdict)
    talk.end(made, verdict=made.verdict, **asdict(made.neighbours))
