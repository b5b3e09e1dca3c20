"""Annotation tasks and their answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Command, Talk, command, value_maps

if TYPE_CHECKING:
    from livewell.answers.store import AnswerStore

_SHARE = click.FloatRange(0, 0.9)


@click.group("answers")
def answers() -> None:
    """Annotation tasks of a study: make and list them, export and import answers."""


def _of_study(function: Command) -> Command:
    for option in (
        click.option("--database", help="Of answers: postgresql://USER@HOST/NAME; else the study."),
        click.argument("study", type=PATH),
    ):
        function = option(function)
    return function


@contextmanager
def _store(study: Path, database: str | None) -> "Iterator[AnswerStore]":
    from livewell.answers.database import Database
    from livewell.answers.store import AnswerStore
    from livewell.study.study import Study
    from livewell.web.addresses import database_url

    folder = Study.open(study).folder
    opened = Database.of_study(folder, database_url(database) if database else None)
    store = AnswerStore(opened)
    try:
        yield store
    finally:
        store.close()
        opened.close()


def _settings(function: Command) -> Command:
    """Options of what comes next."""
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--shared-every",
            type=click.IntRange(0),
            default=5,
            show_default=True,
            help="Every so manieth item is one that another person answered; 0: none.",
        ),
        click.option(
            "--repeats",
            type=_SHARE,
            default=0.05,
            show_default=True,
            help="Share of hidden repeats, which show how steady a person is.",
        ),
        click.option(
            "--controls",
            type=_SHARE,
            default=0.0,
            show_default=True,
            help="Share of items whose class is known by --known or --known-labels.",
        ),
        click.option(
            "--uncertain",
            type=_SHARE,
            default=0.0,
            show_default=True,
            help="Share of items that a model fitted meanwhile is least sure of.",
        ),
        click.option(
            "--stop-at",
            type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
            help="Posterior by Dawid and Skene, such as 0.95, from which an item is settled.",
        ),
        click.option("--tag", "tags", multiple=True, help="Word for remarks (repeatable)."),
        click.option("--seed", type=SEED, default=0, show_default=True),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@command("task", answers)
@_of_study
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["sequence", "frame", "patch", "cells"]),
    required=True,
    help="Boxes through several frames, whole frames, boxes of one frame, or frames in which cells"
    " are marked.",
)
@click.option("--class", "classes", multiple=True, required=True, help="A class (repeatable).")
@click.option("--items", type=COUNT, default=500, show_default=True, help="How many at most.")
@click.option("--frames", type=click.IntRange(2), default=10, show_default=True)
@click.option("--size-px", type=click.IntRange(8), default=256, show_default=True)
@click.option("--whole", is_flag=True, help="Whole frames in place of boxes of --size-px.")
@click.option("--empty", is_flag=True, help="Boxes that show no cell too.")
@click.option(
    "--known",
    multiple=True,
    callback=value_maps,
    help="COLUMN:VALUE=CLASS: images of the study whose class is known, such as"
    " dose:0=healthy (repeatable).",
)
@click.option("--known-labels", help="Name of labels of the study, which say an image's class.")
@_settings
def task_(
    talk: Talk,
    study: Path,
    database: str | None,
    name: str,
    kind: str,
    classes: tuple[str, ...],
    items: int,
    frames: int,
    size_px: int,
    whole: bool,
    empty: bool,
    known: dict[str, dict[str, str]],
    known_labels: str | None,
    **settings: Any,
) -> int:
    """Make a task: items drawn by chance, spread evenly over wells and images."""
    from livewell.answers.items import ItemChoice, known_classes, make_task
    from livewell.answers.settings import task_settings
    from livewell.study.study import Study

    opened = Study.open(study)
    choice = ItemChoice(
        kind=kind,
        count=items,
        frames=frames,
        size_px=None if whole else size_px,
        occupied=not empty,
        seed=settings["seed"],
    )
    truth = None
    if known or known_labels:
        truth = known_classes(opened, classes, labels=known_labels, column=known)
    with _store(study, database) as store:
        asked = task_settings(**settings)
        number, drawn = make_task(opened, store, name, classes, choice, asked, known=truth)
    for fault in drawn.faults:
        talk.warn(f"no item: {fault}")
    talk.say(f"task {name}: {len(drawn.table):,} items")
    talk.result(
        {
            "task": number,
            "name": name,
            "items": len(drawn.table),
            "left_out": [str(fault) for fault in drawn.faults],
        }
    )
    return 1 if drawn.faults else 0


@command("tasks", answers)
@_of_study
def tasks_(talk: Talk, study: Path, database: str | None) -> None:
    """List the tasks of a study, the newest first."""
    rows: list[dict[str, Any]] = []
    with _store(study, database) as store:
        for task in store.tasks():
            done = store.progress(task.id, 0)
            rows.append(
                {
                    "name": task.name,
                    "kind": task.kind,
                    "classes": task.classes,
                    "items": done.items,
                    "answered": done.anybody,
                    "answers": done.answers,
                    "closed": task.closed,
                }
            )
    for row in rows:
        ended = ", closed" if row["closed"] else ""
        talk.say(
            f"{row['name']}: {row['kind']}, {', '.join(row['classes'])}; {row['answers']:,} answers"
            f" to {row['answered']:,} of {row['items']:,} items{ended}"
        )
    if not rows:
        talk.say("no task yet; make one with `livewell answers task`")
    talk.result({"tasks": rows})


@command("export", answers)
@_of_study
@click.option("--task", required=True, help="Name of the task.")
@click.option(
    "--out",
    type=PATH,
    required=True,
    help="File, whose ending says its form: .csv, .parquet, .geojson (QuPath, one image),"
    " .geojson.zip (one an image), .zip (Fiji's ROI manager).",
)
@click.option("--image", help="Answers to this image alone.")
def export_(
    talk: Talk, study: Path, database: str | None, task: str, out: Path, image: str | None
) -> None:
    """Write a task's answers that stand: a table, or regions for QuPath or Fiji."""
    from livewell.answers.exports import write_answers

    with _store(study, database) as store:
        found = store.task_named(task)
        table = store.answers(found.id)
    if image is not None:
        table = table[table["image"] == image].reset_index(drop=True)
    write_answers(table, out, found.classes)
    talk.say(f"{len(table):,} answers: {out}")
    talk.result({"answers": len(table), "out": str(out)})


@command("import", answers)
@_of_study
@click.argument("file", type=PATH)
@click.option("--task", help="Name of the task; by default as the file says.")
def import_(talk: Talk, study: Path, database: str | None, file: Path, task: str | None) -> None:
    """Add answers of a file that `answers export` wrote.

    Those that are there stay as they are. People that the study does not know yet are added without
    being able to sign in.
    """
    from livewell.answers.imports import import_answers, read_export

    table = read_export(file)
    with _store(study, database) as store:
        name, added, there = import_answers(store, table, task)
    talk.say(f"task {name}: {added:,} answers added, {there:,} were there")
    talk.result({"task": name, "added": added, "there": there})
