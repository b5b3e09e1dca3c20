"""Label a study by one of its routes."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.talk import (
    COUNT,
    OCCUPIED_BY,
    PATH,
    POSITIVE,
    SEED,
    Command,
    Talk,
    command,
    pairs,
)
from livewell.errors import SpecError

if TYPE_CHECKING:
    from livewell.classes import ClassNames
    from livewell.labels.made import Route


@click.group("label")
def label() -> None:
    """Label a study: by column, words, dose, stain, points, boxes or merging.

    Columns, words, points and merging take any number of classes, in the order of --class; the
    others take two.
    """


def _labelling(*, two: bool) -> Callable[[Command], Command]:
    """Options that all routes have; whether there must be two classes."""
    find, other = "Class to find, such as sick or dead.", "The other class, such as healthy."
    if not two:
        find = "Class to find, such as dead; of more than two classes there need be none."
        other = "The other class, such as healthy, where there are two."

    def decorate(function: Command) -> Command:
        for option in (
            click.option("--seed", type=SEED, default=0, show_default=True),
            click.option(
                "--name", default="labels", show_default=True, help="Name of these labels."
            ),
            click.option(
                "--healthy-only",
                is_flag=True,
                help="Only --negative is labelled, all else is left out, for `train"
                " --healthy-only`; by a column, words, points or dose.",
            ),
            click.option("--positive", help=find),
            click.option("--negative", required=two, help=other),
            click.argument("study", type=PATH),
        ):
            function = option(function)
        return function

    return decorate


def _class_names(
    classes: Mapping[str, str], negative: str | None, positive: str | None
) -> "ClassNames":
    """The classes that ``--class``, ``--negative`` and ``--positive`` say together."""
    from livewell.classes import ClassNames

    names = tuple(dict.fromkeys(classes.values()))
    if len(names) <= 2 and negative and positive:
        # whether these are the classes of the labels is said with the labels
        return ClassNames((negative, positive))
    said = {"--negative": negative, "--positive": positive}
    faults = [
        f"no --class gives {opt} {name}" for opt, name in said.items() if name not in (None, *names)
    ]
    if len(names) > 2 and negative:
        faults.append(f"--negative {negative} is for two classes, and there are {len(names)}")
    if len(names) <= 2 and not (negative or positive):
        faults.append("neither --negative nor --positive says which of two classes to find")
    if faults:
        raise SpecError(
            "options on classes that contradict each other",
            where="--class, --negative, --positive",
            expected="two classes, one of them --positive; or more, one of them --positive or none",
            got=f"classes {', '.join(names)}; {'; '.join(faults)}",
            remedy="correct --class, --negative and --positive",
        )
    if len(names) == 2:
        sought = positive or next(name for name in names if name != negative)
        names = (next(name for name in names if name != sought), sought)
    return ClassNames(names, positive)


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


def _alone(settings: dict[str, Any], negative: str | None, positive: str | None) -> str:
    """Settings of a route that labels the negative class alone; what all else is called."""
    from livewell.classes import ClassNames

    if not negative:
        raise click.UsageError("--healthy-only needs --negative, the healthy class")
    if "classes" in settings:
        settings["classes"] = settings["classes"] or {negative: negative}
    if "others" in settings:
        settings["others"] = settings["others"] or "drop"
    return positive or ClassNames.unlike(negative)[1]


def _route(name: str, *, two: bool) -> Callable[[Callable[..., "Route"]], click.Command]:
    """A command that labels by the route that the decorated function makes of its options.

    `two` says whether the route is for two classes only.
    """

    def decorate(function: Callable[..., "Route"]) -> click.Command:
        @functools.wraps(function)
        def run(
            talk: Talk,
            study: Path,
            negative: str | None,
            positive: str | None,
            name: str,
            seed: int,
            healthy_only: bool,
            **settings: Any,
        ) -> None:
            from livewell.workflows.label import label as label_study

            if two and not healthy_only and not positive:
                raise click.UsageError("Missing option '--positive'.")
            if healthy_only:
                positive = _alone(settings, negative, positive)
            if "others" in settings:
                settings["others"] = settings["others"] or "refuse"
            if not two and not settings["classes"]:
                settings["classes"] = _every_value(study, settings["column"])
            names = _class_names({} if two else settings["classes"], negative, positive)
            more = {"occupied_by": settings.pop("occupied_by", None), "name": name, "seed": seed}
            more["healthy_only"] = healthy_only
            made = label_study(study, function(**settings), names, **more)
            for step, count in made.meta.counts:
                talk.say(f"{count:>8,}  {step}")
            for note in made.meta.notes:
                talk.warn(note)
            said = made.meta.model_dump(mode="json")
            if made.page:
                talk.say(f"report: {made.page}")
                said["report"] = str(made.page)
            talk.result(said)

        return command(name, label)(_labelling(two=two)(run))

    return decorate


@_route("column", two=False)
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


def _every_value(study: Path, columns: tuple[str, ...]) -> dict[str, str]:
    """Every value of columns as a class."""
    from livewell.labels.by_column import every_value
    from livewell.study.study import Study

    return every_value(Study.open(study).fields(), columns)


@_route("words", two=False)
@_CLASSES
@_OTHERS
def label_words(**settings: Any) -> "Route":
    """Label images by words in their file names."""
    from livewell.labels.by_words import Words

    return Words(**settings)


@_route("merge", two=False)
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


@_route("dose", two=True)
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


@_route("points", two=False)
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


@_route("boxes", two=True)
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


@_route("stain", two=True)
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
