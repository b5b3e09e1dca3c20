"""Compare training runs on the regions that all of them hold out."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import COUNT, DEVICE, PATH, SEED, Talk, command


@command("compare")
@click.argument("runs", metavar="RUN RUN...", type=PATH, nargs=-1, required=True)
@click.option("--out", type=PATH, required=True, help="Folder for tables and report.")
@click.option(
    "--reference",
    type=PATH,
    help="The run to compare the others with; by default the first.",
)
@click.option(
    "--by", help="Column whose values intervals resample; by default that of the runs' splits."
)
@click.option(
    "--min-each",
    type=COUNT,
    default=5,
    show_default=True,
    help="Regions of each class a group needs in the AUC within groups.",
)
@DEVICE
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of resampling.")
def compare_(talk: Talk, runs: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Measure several runs on the same unseen groups, and how far they differ."""
    from dataclasses import asdict

    from livewell.workflows.compare import compare

    made = compare(runs, out, **options)
    found, common = made.found, int(made.runs["compared"].iloc[0])
    talk.say(f"{common:,} regions are held out in all {len(made.runs)} runs")
    for run, of in found.figures.items():
        talk.say(f"{run}: {', '.join(f'{name} {e}' for name, e in of.items())}")
    tables = {
        name: str(out / f"{name}.csv") for name in ("figures", "differences", "runs", "scores")
    }
    figures, differences = (
        {run: {name: asdict(e) for name, e in of.items()} for run, of in each.items()}
        for each in (found.figures, found.differences)
    )
    talk.end(
        made,
        *made.sentences,
        common=common,
        reference=found.reference,
        headline=found.headline,
        runs=made.runs.to_dict("records"),
        figures=figures,
        differences=differences,
        sentences=list(made.sentences),
        tables=tables,
    )
