"""Map a whole experiment over time."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.mapping import mapping
from livewell.cli.talk import PATH, Talk, command


@command("timelapse")
@click.argument("study", type=PATH)
@mapping
@click.option("--out", type=PATH, required=True, help="Folder for maps, curves and report.")
@click.option("--only", multiple=True, help="Name of an image; all of the study if none is named.")
def timelapse_(talk: Talk, study: Path, model: Path, out: Path, **options: Any) -> int:
    """Map a whole study: curves of sick area per position, well and dose."""
    from livewell.study.study import Study
    from livewell.workflows.timelapse import timelapse

    made = timelapse(Study.open(study), model, out, **options)
    names = ("curves", "wells", "doses", "positions", "failures")
    failed = len(made.failures)
    return talk.end(
        made,
        f"{made.made} mapped, {made.kept} kept from before, {failed} failed",
        lost="not mapped: {error}",
        made=made.made,
        kept=made.kept,
        failed=failed,
        **{name: str(out / f"{name}.csv") for name in names},
        folders={row.image: str(out / str(row.folder)) for row in made.positions.itertuples()},
    )
