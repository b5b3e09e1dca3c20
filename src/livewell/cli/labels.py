"""Label a study by one of its routes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.routes import label as label
from livewell.cli.routes import route
from livewell.cli.talk import COUNT, OCCUPIED_BY, PATH, POSITIVE, pairs
from livewell.errors import SpecError

if TYPE_CHECKING:
    from livewell.labels.made import Route

_CLASSES = click.option(
    "--class",
    "classes",
    multiple=True,
    required=True,
    callback=pairs,
    help="VALUE=CLASS, or a value that is a class.",
)
_FEWER_CLASSES = click.option(
    "--class",
    "classes",
    multiple=True,
    callback=pairs,
    help="VALUE=CLASS, or a value that is a class; without any, every value is a class.",
)
_OTHERS = click.option(
    "--others",
    type=click.Choice(["refuse", "drop"]),
    help="What to do with values that have no class; by default refuse, with --healthy-only drop.",
)


def _every_value(study: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """Every value of the columns as a class, where none is said."""
    from livewell.labels.by_column import every_value
    from livewell.study.study import Study

    if not settings["classes"]:
        settings["classes"] = every_value(Study.open(study).fields(), settings["column"])
    return ()


@route("column", two=False, of_study=_every_value)
@click.option(
    "--column",
    multiple=True,
    required=True,
    help="Column of the fields table (repeatable: line and treatment make classes such as"
    " U2OS CPT).",
)
@_FEWER_CLASSES
@_OTHERS
def label_column(column: tuple[str, ...], **settings: Any) -> "Route":
    """Label images by a column, or by several such as line and treatment."""
    from livewell.labels.by_column import Column

    return Column(column if len(column) > 1 else column[0], **settings)


@route("words", two=False)
@_CLASSES
@_OTHERS
def label_words(**settings: Any) -> "Route":
    """Label images by words in their file names."""
    from livewell.labels.by_words import Words

    return Words(**settings)


@route("merge", two=False)
@click.option("--labels", required=True, help="Labels whose classes are merged.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    required=True,
    callback=pairs,
    help="OLD=NEW for each class of these labels, or a class that keeps its name.",
)
def label_merge(**settings: Any) -> "Route":
    """Label by older labels whose classes are merged, such as sick and dead."""
    from livewell.labels.by_merging import Merge

    return Merge(**settings)


@route("dose", two=True)
@click.option("--sick-from", type=float, required=True, help="Lowest dose that counts as sick.")
@click.option("--window-s", type=(float, float), required=True, help="Time window, seconds.")
@click.option(
    "--healthy-any-time",
    is_flag=True,
    help="Healthy frames from any time, as DeadNet did, not matched.",
)
def label_dose(**settings: Any) -> "Route":
    """Label frames by dose and time (DeadNet's data set A)."""
    from livewell.labels.by_dose import Dose

    return Dose(**settings)


@route("points", two=False)
@click.option(
    "--csv", type=PATH, required=True, help="One row a cell: image, y, x, state; t in movies."
)
@click.option("--patch-px", type=COUNT, required=True, help="Edge of a patch, centred on a cell.")
@_CLASSES
@_OTHERS
@click.option("--y", default="y", show_default=True, help="Column with y.")
@click.option("--x", default="x", show_default=True, help="Column with x.")
@click.option(
    "--unit",
    type=click.Choice(["px", "um"]),
    help="Of y and x, if the columns' names do not say it (px for x and y).",
)
@click.option("--state", default="state", show_default=True, help="Column with the state.")
def label_points(**settings: Any) -> "Route":
    """Label patches centred on cells whose state is known.

    Columns of QuPath, CellProfiler, ilastik, TrackMate and ImageJ are known, micrometres too.
    """
    from livewell.labels.by_points import Points

    return Points(**settings)


def _corners(_: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if len(names) != 4 or not all(names):
        raise click.BadParameter(f"{value!r} is not four names with commas", param=parameter)
    return names


@route("boxes", two=True)
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
def label_boxes(**settings: Any) -> "Route":
    """Label images by whether a boxed cell in them is positive, such as dead."""
    from livewell.labels.by_boxes import Boxes

    return Boxes(**settings)


@route("stain", two=True)
@click.option("--channel", required=True, help="The stain's channel.")
@click.option(
    "--stain-files",
    help="Files of the stain, if it is no channel: a column of their paths, or '{stem}_PI.tif'.",
)
@click.option(
    "--nuclei",
    help="Masks of nuclei, a column or such as '{stem}_nuclei.tif': a patch round each nucleus, by"
    " the median stain inside it, in place of a grid.",
)
@click.option("--patch-px", type=COUNT, default=224, show_default=True, help="Edge of a patch.")
@click.option("--stride-px", type=COUNT, default=112, show_default=True, help="Of the grid.")
@click.option(
    "--on",
    type=click.Choice(["mean", "ratio", "log-ratio"]),
    default="ratio",
    show_default=True,
    help="Mean stain (of nuclei the median), its ratio to the background, or that ratio's log.",
)
@click.option(
    "--eight-bit",
    is_flag=True,
    help="Scale each frame to 0-255 by its own lowest and highest level first; with --on mean.",
)
@click.option(
    "--saturated-from",
    type=POSITIVE,
    help="Level from which pixels are saturated, e.g. 4095; by default the number type's highest.",
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
@OCCUPIED_BY
@click.option("--reference", help="COLUMN=VALUE of the images to fit on, e.g. treatment=none.")
def label_stain(reference: str | None, **settings: Any) -> "Route":
    """Label patches by a death stain (Pattarone's mixture of two)."""
    from livewell.labels.by_stain import Stain

    column, equals, value = (reference or "").partition("=")
    if reference and not equals:
        raise SpecError("not COLUMN=VALUE", where="--reference", got=reference)
    return Stain(**settings, reference=(column, value) if reference else None)


def _answers(study: Path, settings: dict[str, Any]) -> tuple[str, ...]:
    """Answers of a task of the study's site, or the file that holds them; the task's classes."""
    from livewell.study.study import Study

    csv, task, database = (settings.pop(name) for name in ("csv", "task", "database"))
    if (csv is None) == (task is None):
        raise click.UsageError("say either --task NAME or --csv FILE")
    if task is None:
        if not settings["classes"]:
            raise click.UsageError("--csv needs --class, once for each class")
        settings["answers"] = csv
        return ()
    from livewell.answers.reading import task_answers

    found = task_answers(Study.open(study), task, database)
    settings |= {"answers": found.table, "task": task}
    if settings["classes"]:
        return ()
    settings["classes"] = {name: name for name in found.classes}
    return found.classes


@route("votes", two=False, of_study=_answers)
@click.option("--task", help="Annotation task of the study's site.")
@click.option("--database", help="Of answers: postgresql://USER@HOST/NAME; else in the study.")
@click.option("--csv", type=PATH, help="Table of answers in place of a task; also Parquet.")
@click.option(
    "--class",
    "classes",
    multiple=True,
    callback=pairs,
    help="ANSWER=CLASS, or an answer that is a class; without any, the classes of the task.",
)
@click.option(
    "--rule",
    type=click.Choice(["unanimous", "majority", "dawid-skene"]),
    default="unanimous",
    show_default=True,
    help="Items on which all agree; the most frequent answer; what Dawid and Skene's model is sure"
    " of, which learns how far to trust each person.",
)
@click.option(
    "--unsure",
    type=click.Choice(["drop", "ignore", "vote"]),
    default="drop",
    show_default=True,
    help="Items that somebody is unsure of: left out, decided by the others, or one vote more.",
)
@click.option(
    "--least",
    type=COUNT,
    default=1,
    show_default=True,
    help="Fewest answers of an item, unsure ones left aside.",
)
@click.option(
    "--posterior",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Least probability of a class, with --rule dawid-skene.",
)
@click.option(
    "--frames-each",
    type=COUNT,
    help="Of sequences: label so many frames of each, evenly spaced; all by default.",
)
@click.option("--patch-px", type=COUNT, help="Of marked cells: edge of a patch, centred on each.")
@click.option(
    "--near-px",
    type=POSITIVE,
    help="Of marked cells: marks so near are one cell; by default a quarter of the patch.",
)
def label_votes(**settings: Any) -> "Route":
    """Label what several persons answered, on the site (`serve`) or in a table.

    The frames of a sequence get its label; hidden repeats do not count. Who did a frame and did not
    mark a cell there says that there is none.
    """
    from livewell.labels.by_votes import Votes

    return Votes(**settings)
