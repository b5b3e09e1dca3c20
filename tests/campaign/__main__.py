"""``python -m tests.campaign KIND --count N --seed S``: thousands of hurt inputs, by number.

Prints how many came to what, and every fault with the command that makes it again; exit 1 where
there is one.
"""

import json
import sys
import tempfile
import time
import warnings
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from tests.campaign.cases import Kind, counted, run, told

KINDS = {
    "images": ("images", "Images"),
    "tables": ("tables", "Tables"),
    "models": ("models", "Models"),
    "studies": ("studies", "Studies"),
    "kills": ("stops", "Kills"),
    "disk": ("stops", "FullDisk"),
    "twins": ("stops", "Twins"),
    "cluster": ("cluster", "Cluster"),
}
"""Module and class of every kind."""


def kind_of(name: str) -> Kind:
    """The campaign of that name."""
    module, made = KINDS[name]
    found: Kind = getattr(import_module(f"tests.campaign.{module}"), made)()
    return found


@click.command("campaign")
@click.argument("name", type=click.Choice(list(KINDS)))
@click.option("--count", default=1000, show_default=True, help="Cases, from number 0.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Processes at once.")
@click.option("--only", type=int, multiple=True, help="Only the case of this number (repeatable).")
@click.option("--shown", default=20, show_default=True, help="Faults that are printed.")
@click.option("--out", type=click.Path(path_type=Path), help="JSON file of all outcomes.")
def main(
    name: str, count: int, seed: int, jobs: int, only: tuple[int, ...], shown: int, out: Path | None
) -> None:
    """Try NAME on inputs that something happened to."""
    warnings.simplefilter("ignore")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="campaign-") as temporary:
        outcomes = run(kind_of(name), only or range(count), Path(temporary), seed=seed, jobs=jobs)
    seconds = round(time.monotonic() - began, 1)
    click.echo(told(outcomes, name, seed, shown))
    click.echo(f"{len(outcomes):,} cases, seed {seed}, {seconds} s")
    if only:
        for outcome in outcomes:
            click.echo(f"{outcome.number} {outcome.category}: {outcome.what}\n  {outcome.detail}")
    if out is not None:
        record = {"kind": name, "seed": seed, "seconds": seconds, "counts": counted(outcomes)}
        record["cases"] = [asdict(outcome) for outcome in outcomes]
        out.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    sys.exit(any(outcome.failed for outcome in outcomes))


if __name__ == "__main__":
    main()
