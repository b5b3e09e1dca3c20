"""DeadNet's data sets as recipes over a study."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.talk import COUNT, PATH, Talk, command
from livewell.errors import SpecError

if TYPE_CHECKING:
    from livewell.papers.dataset import DataSet
    from livewell.papers.endings import Dead

ONLY_A = {"sick_from", "window_s", "dead", "healthy_any_time", "crops"}
ONLY_B = {"votes", "dose_to", "doubt", "least"}


@command("dataset")
@click.argument("study", type=PATH)
@click.option("--recipe", type=click.Choice(["deadnet-a", "deadnet-b"]), required=True)
@click.option("--sick-from", type=float, help="A: lowest dose of positions that can be sick.")
@click.option("--window-s", type=(float, float), help="A: early frames, from and to, seconds.")
@click.option(
    "--dead",
    help="A: how a position is known dead by the end: last-frames (default), column:NAME or"
    " model:PATH.",
)
@click.option("--healthy-any-time", is_flag=True, help="A: as the paper, not matched in time.")
@click.option(
    "--crops",
    type=click.Choice(["full", "paper"]),
    help="A: every crop of the grid (63 of 1344 x 1024 px; default), or the paper's count (54).",
)
@click.option("--votes", type=PATH, help="B: CSV with sequence, expert, vote.")
@click.option("--dose-to", type=float, help="B: highest dose taken; 80 s by default, -1 for all.")
@click.option(
    "--doubt",
    type=click.Choice(["drop", "ignore"]),
    help="B: sequences that somebody is unsure of; dropped by default.",
)
@click.option("--least-votes", "least", type=COUNT, help="B: fewest votes a sequence needs.")
@click.option(
    "--empty",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="Crops without cells.",
)
@click.option("--negative", default="healthy", show_default=True)
@click.option("--positive", default="sick", show_default=True)
@click.option("--name", help="Name of the labels; by default the recipe's.")
def dataset_(talk: Talk, study: Path, recipe: str, **options: Any) -> None:
    """Make DeadNet's data set A or B, and print the paper's counts beside."""
    from dataclasses import asdict

    from livewell.papers.dataset import DeadNetA, DeadNetB, deadnet_a, deadnet_b
    from livewell.study.study import Study

    classes = (options.pop("negative"), options.pop("positive"))
    name = options.pop("name") or recipe
    for wrong in sorted(ONLY_B if recipe == "deadnet-a" else ONLY_A):
        given_ = options.pop(wrong)
        if given_ is not None and given_ is not False:
            raise click.UsageError(f"--{_flag(wrong)} is not for --recipe {recipe}")
    given = {key: value for key, value in options.items() if value is not None}
    where = Study.open(study)
    if recipe == "deadnet-a":
        missing = [key for key in ("sick_from", "window_s") if key not in given]
        if missing:
            needed = " and ".join(f"--{_flag(key)}" for key in missing)
            raise click.UsageError(f"--recipe deadnet-a needs {needed}")
        given["dead"] = _dead(given.get("dead", "last-frames"))
        made = deadnet_a(where, DeadNetA(**given), classes, name=name)
    else:
        if given.get("dose_to") == -1:
            given["dose_to"] = float("inf")
        made = deadnet_b(where, DeadNetB(**given), classes, name=name)
    for note in made.notes:
        talk.warn(note)
    _say(talk, made)
    talk.result(
        {
            "labels": made.labels,
            "file": str(made.file),
            "steps": [asdict(step) for step in made.steps],
            "notes": list(made.notes),
        }
    )


def _say(talk: Talk, made: "DataSet") -> None:
    wide = max(len(step.step) for step in made.steps)
    middle = max(len(step.here) for step in made.steps)
    talk.say(f"{'':<{wide}}  {'here':<{middle}}  paper")
    for step in made.steps:
        talk.say(f"{step.step:<{wide}}  {step.here:<{middle}}  {step.paper}".rstrip())
    talk.say(f"decided on: {made.file}")


def _flag(name: str) -> str:
    return {"least": "least-votes"}.get(name, name.replace("_", "-"))


def _dead(text: str) -> "Dead":
    from livewell.papers.endings import EndingColumn, EndingModel, LastFrames

    kind, _, rest = text.partition(":")
    if text == "last-frames":
        return LastFrames()
    if kind == "column" and rest:
        return EndingColumn(rest)
    if kind == "model" and rest:
        return EndingModel(Path(rest))
    raise SpecError(
        "not a way to know which positions are dead by the end",
        where="--dead",
        expected="last-frames, column:NAME or model:PATH",
        got=text,
    )
