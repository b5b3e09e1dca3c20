"""The group of commands that label a study, and what its routes share."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.talk import PATH, SEED, Command, Talk, command
from livewell.errors import SpecError

if TYPE_CHECKING:
    from livewell.classes import ClassNames
    from livewell.labels.made import Route


@click.group("label")
def label() -> None:
    """Label a study: by column, words, dose, stain, points, boxes, votes or merging.

    Columns, words, points, votes and merging take any number of classes, in the order of --class;
    the others take two.
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


def _sought(
    known: tuple[str, ...], negative: str | None, positive: str | None
) -> tuple[str | None, str | None]:
    """The negative and the positive class: as the options say, else two known ones in order."""
    if len(known) == 2 and not (negative or positive):
        return known[0], known[1]
    return negative, positive


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


def route(
    name: str,
    *,
    two: bool,
    of_study: Callable[[Path, dict[str, Any]], tuple[str, ...]] | None = None,
) -> Callable[[Callable[..., "Route"]], click.Command]:
    """A command that labels by the route that the decorated function makes of its options.

    `two` says whether the route is for two classes only; `of_study` puts into the options what the
    study knows, and gives the classes in their order where it knows that too: of two the second
    is then the positive one, unless the options say otherwise.
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
            known = of_study(study, settings) if of_study is not None else ()
            names = _class_names(
                {} if two else settings["classes"], *_sought(known, negative, positive)
            )
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
