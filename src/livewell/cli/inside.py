"""Look inside a trained net."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, command


@command("explain")
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, help="Folder of the report; by default RUN/explanation.")
@click.option("--class", "classes", multiple=True, help="Whose evidence; all by default.")
@click.option("--layer", help="Layer to look at, such as conv4_2; by default the last of its kind.")
@click.option(
    "--weights",
    type=click.Choice(["class", "crop"]),
    default="class",
    show_default=True,
    help="Averaged over the class, so that crops agree; or each crop's own.",
)
@click.option("--patches", type=COUNT, default=6, show_default=True, help="Shown of each kind.")
@click.option("--fields", type=SEED, default=1, show_default=True, help="Whole fields a class.")
@click.option("--stride-px", type=COUNT, help="From crop to crop in fields; an eighth of a patch.")
@click.option("--models/--no-models", default=True, show_default=True, help="Class models.")
@click.option("--steps", type=COUNT, default=500, show_default=True, help="Of class models.")
@click.option("--fold", "folds", type=SEED, multiple=True, help="Only this fold (repeatable).")
@click.option("--seed", type=SEED, default=0, show_default=True)
def explain_(
    talk: Talk, run: Path, out: Path | None, steps: int, folds: Any, seed: int, **options: Any
) -> None:
    """Show where a net's evidence lies, on cells or off, and its class models."""
    from dataclasses import asdict

    from livewell.explain.class_model import Ascent
    from livewell.report.inside import Look
    from livewell.workflows.explain import explain

    made = explain(
        run,
        out=out,
        look=Look(**options, ascent=Ascent(steps=steps)),
        folds=folds or None,
        seed=seed,
    )
    for name, found in made.background.items():
        share = found.evidence
        talk.say(
            f"evidence for {name}: {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) off"
            f" cells; of the area {found.area.value:.1%} is off cells"
        )
    background = {name: asdict(found) for name, found in made.background.items()}
    talk.end(made, background=background, disagreement=made.disagreement)
