"""Mosaics of a study's images."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, command

if TYPE_CHECKING:
    from livewell.papers.mosaic import Mosaics

FULL = "full"


def _pair(_: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int] | None:
    """Two whole numbers above zero, such as ``356x462``; ``None`` for ``full``."""
    sized = parameter.name == "size_px"
    if sized and value == FULL:
        return None
    numbers = value.lower().split("x")
    if len(numbers) != 2 or not all(each.isdecimal() and int(each) > 0 for each in numbers):
        also = f" or {FULL}" if sized else ""
        raise click.BadParameter(f"{value!r} is not {parameter.metavar}{also}", param=parameter)
    return int(numbers[0]), int(numbers[1])


@command("mosaic")
@click.argument("study", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder to make; the same one to go on.")
@click.option("--split", default="split", show_default=True, help="Says which image is where.")
@click.option("--fold", type=SEED, help="Fold of the split; the first one by default.")
@click.option(
    "--grid",
    metavar="ROWSxCOLUMNS",
    callback=_pair,
    default="2x2",
    show_default=True,
    help="Images in a mosaic.",
)
@click.option(
    "--repeats",
    type=COUNT,
    default=8,
    show_default=True,
    help="Training mosaics that begin with each training image.",
)
@click.option(
    "--size",
    "size_px",
    metavar="HEIGHTxWIDTH",
    callback=_pair,
    default="356x462",
    show_default=True,
    help="Pixels of a mosaic after reduction; full to keep all.",
)
@click.option("--channel", help="Transmitted-light channel, if its name does not tell.")
@click.option("--seed", type=SEED, default=0, show_default=True)
def mosaic_(talk: Talk, study: Path, out: Path, **options: Any) -> None:
    """Make mosaics of images of one class and part, as WSCNN's paper did.

    It ends with the commands that train a net on them, parts and groups as they were dealt.
    """
    from livewell.papers.mosaic import mosaics
    from livewell.study.study import Study

    made = mosaics(Study.open(study), out, **options)
    for note in made.notes:
        talk.warn(note)
    talk.say(made.balance.to_string(index=False), lines=True)
    talk.say(f"images: {made.images}")
    talk.say(f"metadata for `livewell index`: {made.table}")
    talk.say("to train on them:")
    for words in _next(made, out):
        talk.say(f"  {shlex.join(words)}")
    talk.result(
        {
            "images": str(made.images),
            "metadata": str(made.table),
            "balance": made.balance.to_dict("records"),
            "notes": list(made.notes),
        }
    )


def _next(made: "Mosaics", out: Path) -> list[list[str]]:
    """Commands from the folder of mosaics to a model, as words."""
    study, run = f"{out}-study", f"{out}-run"
    classes = [word for name in made.classes for word in ("--class", name)]
    if len(made.classes) == 2:
        classes += ["--negative", made.classes[0], "--positive", made.classes[1]]
    by = ["--by", "mosaic_group", "--scheme", "parts", "--parts", "part"]
    steps = [
        ["index", str(made.images), "--out", study, "--metadata", str(made.table)],
        ["label", "column", study, "--column", "label", *classes],
        ["split", study, *by, "--whole"],
        ["train", study, "--out", run, "--profile", "WSCNN_FAST"],
    ]
    return [["livewell", *words] for words in steps]
