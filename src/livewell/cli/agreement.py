"""How far persons agree."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import PATH, POSITIVE, Talk, command


@command("agreement")
@click.argument("source", metavar="STUDY|TABLE", type=PATH)
@click.option("--task", help="Annotation task of the study's site.")
@click.option("--database", help="Of answers: postgresql://USER@HOST/NAME; else in the study.")
@click.option("--out", type=PATH, required=True, help="Folder for tables and report.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    help="A class (repeatable), the healthy one first; by default those of the task or table.",
)
@click.option(
    "--by",
    default="well",
    show_default=True,
    help="Column of groups that intervals resample as a whole; images where it says nothing.",
)
@click.option(
    "--stopped",
    is_flag=True,
    help="Of a table: a stop rule decided how many answers items got; the first two count.",
)
@click.option(
    "--near-px",
    type=POSITIVE,
    default=20.0,
    show_default=True,
    help="Of marked cells: marks of different persons so near are one cell.",
)
def agreement_(talk: Talk, source: Path, out: Path, **options: Any) -> int:
    """Report how far persons agree, and what it means for labels.

    Of a study (with --task) or of a table of answers (CSV, Parquet: item, person, answer).
    """
    from livewell.workflows.agreement import agreement

    made = agreement(source, out, **options)
    found = made.figures
    return talk.end(made, found["headline"], *found["sentences"], **found)
