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
    for warning in made.warnings:
        talk.warn(warning)
    for row in made.failures.itertuples():
        talk.warn(f"not mapped: {row.error}")
    talk.say(f"{made.made} mapped, {made.kept} kept from before, {len(made.failures)} failed")
    talk.say(f"report: {made.page}")
    talk.result(
        {
            "made": made.made,
            "kept": made.kept,
            "failed": len(made.failures),
            "warnings": list(made.warnings),
            "report": str(made.page),
            **{
                name: str(out / f"{name}.csv")
                for name in ("curves", "wells", "doses", "positions", "failures")
            },
            "folders": {
                row.image: str(out / str(row.folder)) for row in made.positions.itertuples()
            },
        }
    )
    return 1 if len(made.failures) else 0
