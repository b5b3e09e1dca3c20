"""Label a study by one of six routes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Command, Talk, command, pairs
from livewell.errors import SpecError

if TYPE_CHECKING:
    from livewell.workflows.label import Route


@click.group("label")
def label() -> None:
    """Label a study: by column, words, dose, stain, points or boxes."""


def _labelling(function: Command) -> Command:
    for option in (
        click.option("--seed", type=SEED, default=0, show_default=True),
        click.option("--name", default="labels", show_default=True, help="Name of these labels."),
        click.option("--positive", required=True, help="Class to find, such as sick or dead."),
        click.option("--negative", required=True, help="The other class, such as healthy."),
        click.argument("study", type=PATH),
    ):
        function = option(function)
    return function


_CLASSES = click.option(
    "--class",
    "classes",
    multiple=True,
    required=True,
    callback=pairs,
    help="VALUE=CLASS, or a value that is a class.",
)
_OTHERS = click.option(
    "--others",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="What to do with values that have no class.",
)


def _label(
    talk: Talk, study: Path, negative: str, positive: str, name: str, seed: int, route: "Route"
) -> None:
    from livewell.study.study import Study
    from livewell.workflows.label import label

    made = label(
        Study.open(study), route, (negative, positive), name=name, seed=seed, progress=talk.progress
    )
    for step, count in made.meta.counts:
        talk.say(f"{count:>8,}  {step}")
    for note in made.meta.notes:
        talk.warn(note)
    talk.result(made.meta.model_dump(mode="json"))


@command("column", label)
@_labelling
@click.option("--column", required=True, help="Column of the fields table.")
@_CLASSES
@_OTHERS
def label_column(talk: Talk, column: str, classes: Any, others: Any, **common: Any) -> None:
    """Label images by a column."""
    from livewell.workflows.label import Column

    _label(talk, route=Column(column, classes, others), **common)


@command("words", label)
@_labelling
@_CLASSES
@_OTHERS
def label_words(talk: Talk, classes: Any, others: Any, **common: Any) -> None:
    """Label images by words in their file names."""
    from livewell.workflows.label import Words

    _label(talk, route=Words(classes, others), **common)


@command("dose", label)
@_labelling
@click.option("--sick-from", type=float, required=True, help="Lowest dose that counts as sick.")
@click.option("--window-s", type=(float, float), required=True, help="Time window, seconds.")
@click.option(
    "--healthy-any-time",
    is_flag=True,
    help="Healthy frames from any time, as DeadNet did, not matched.",
)
def label_dose(
    talk: Talk, sick_from: float, window_s: Any, healthy_any_time: bool, **common: Any
) -> None:
    """Label frames by dose and time (DeadNet's data set A)."""
    from livewell.workflows.label import Dose

    _label(talk, route=Dose(sick_from, window_s, healthy_any_time), **common)


@command("points", label)
@_labelling
@click.option("--csv", type=PATH, required=True, help="One row a cell: image, y, x, state.")
@click.option("--patch-px", type=COUNT, required=True, help="Edge of a patch, centred on a cell.")
@_CLASSES
@_OTHERS
@click.option("--y", default="y", show_default=True, help="Column with y, pixels.")
@click.option("--x", default="x", show_default=True, help="Column with x, pixels.")
@click.option("--state", default="state", show_default=True, help="Column with the state.")
def label_points(talk: Talk, **options: Any) -> None:
    """Label patches centred on cells whose state is known."""
    from livewell.workflows.label import Points

    names = ("csv", "classes", "patch_px", "y", "x", "state", "others")
    route = Points(**{name: options.pop(name) for name in names})
    _label(talk, route=route, **options)


def _corners(_: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if len(names) != 4 or not all(names):
        raise click.BadParameter(f"{value!r} is not four names with commas", param=parameter)
    return names


@command("boxes", label)
@_labelling
@click.option("--csv", type=PATH, required=True, help="One row a cell: image, state, its box.")
@_CLASSES
@_OTHERS
@click.option("--image", default="image", show_default=True, help="Column with the image.")
@click.option("--state", default="state", show_default=True, help="Column with the state.")
@click.option(
    "--corners",
    default="ymin,xmin,ymax,xmax",
    show_default=True,
    callback=_corners,
    help="Columns with first row, first column, row beyond, column beyond, pixels.",
)
@click.option(
    "--at-least",
    type=COUNT,
    default=1,
    show_default=True,
    help="So many cells of the positive class make an image positive.",
)
@click.option(
    "--unboxed",
    type=click.Choice(["negative", "drop", "refuse"]),
    default="refuse",
    show_default=True,
    help="Images without a box: looked at and without a cell, left out, or an error.",
)
@click.option("--clip", is_flag=True, help="Cut boxes at the image's edge, do not refuse them.")
def label_boxes(talk: Talk, **options: Any) -> None:
    """Label images by whether a boxed cell in them is positive, such as dead."""
    from livewell.workflows.label_boxes import Boxes

    names = ("csv", "classes", "image", "state", "corners", "at_least", "unboxed", "others", "clip")
    route = Boxes(**{name: options.pop(name) for name in names})
    _label(talk, route=route, **options)


@command("stain", label)
@_labelling
@click.option("--channel", required=True, help="The stain's channel.")
@click.option("--patch-px", type=COUNT, default=224, show_default=True)
@click.option("--stride-px", type=COUNT, default=112, show_default=True)
@click.option(
    "--on",
    type=click.Choice(["mean", "ratio"]),
    default="ratio",
    show_default=True,
    help="Mean stain, or its ratio to the background.",
)
@click.option("--offset-counts", type=float, default=0.0, show_default=True, help="Of the camera.")
@click.option("--per", help="Column whose values are fitted one by one, e.g. experiment.")
@click.option(
    "--unfit",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="Groups in which no two components show.",
)
@click.option("--transmitted", help="Transmitted-light channel, if its name does not tell.")
@click.option(
    "--empty",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="Patches without cells, which are dark in any stain.",
)
@click.option("--reference", help="COLUMN=VALUE of the images to fit on, e.g. treatment=none.")
def label_stain(talk: Talk, reference: str | None, **options: Any) -> None:
    """Label patches by a death stain (Pattarone's mixture of two)."""
    from livewell.workflows.label import Stain

    pair = None
    if reference:
        column, equals, value = reference.partition("=")
        if not equals:
            raise SpecError("not COLUMN=VALUE", where="--reference", got=reference)
        pair = (column, value)
    names = ("channel", "patch_px", "stride_px", "on", "offset_counts", "per", "unfit")
    more = ("transmitted", "empty")
    route = Stain(**{name: options.pop(name) for name in names + more}, reference=pair)
    _label(talk, route=route, **options)
