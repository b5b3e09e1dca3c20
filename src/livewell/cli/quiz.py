"""People against a model."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import COUNT, DEVICE, PATH, SEED, Talk, command


@command("quiz")
@click.argument("study", type=PATH)
@click.option("--model", type=PATH, help="A finished run, or a model of other images.")
@click.option("--name", default="quiz", show_default=True, help="Of the quiz.")
@click.option(
    "--sizes",
    nargs=3,
    type=(COUNT, click.IntRange(min=0), COUNT),
    default=(50, 500, 50),
    show_default=True,
    help="Images before, to study, and after; by default the design of La Greca et al. 2021.",
)
@click.option(
    "--labels",
    default="labels",
    show_default=True,
    help="The truth, where the model is of another study.",
)
@click.option("--database", help="Of answers: postgresql://USER@HOST/NAME; else in the study.")
@DEVICE
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of what chance decides.")
@click.option("--results", is_flag=True, help="Score the answers of this quiz, into --out.")
@click.option("--out", type=PATH, help="With --results: folder for scores and report.")
@click.option("--serve", "served", is_flag=True, help="Open the quiz in the browser at once.")
def quiz_(
    talk: Talk,
    study: Path,
    model: Path | None,
    results: bool,
    out: Path | None,
    served: bool,
    **options: Any,
) -> int | None:
    """Make a quiz of people against a model, or score its answers (--results).

    People call images before and after they study others, on the pages of `livewell serve`; the
    model is asked about the same images, which it has not learnt from.
    """
    name, database = options["name"], options["database"]
    if results:
        if out is None or model is not None:
            raise click.UsageError("--results needs --out FOLDER, and no --model.")
        from livewell.workflows.quiz import quiz_results

        made = quiz_results(study, name, out, database=database)
        people = [asdict(one) for one in made.scores]
        for one in people:
            for part in one["parts"].values():
                for table in ("confusion", "model_confusion"):
                    part[table] = part[table].to_dict("index")
        return talk.end(made, *made.sentences, people=people, sentences=list(made.sentences))
    if model is None or out is not None:
        raise click.UsageError("Name the --model; or give --results with --out FOLDER.")
    from livewell.splitting.quiz_parts import QuizSizes
    from livewell.workflows.quiz import quiz

    sizes = QuizSizes(*options.pop("sizes"))
    task = quiz(study, model, sizes=sizes, **options)
    for note in task.notes:
        talk.warn(note)
    counts = task.items.groupby("part", sort=False).size().to_dict()
    talk.say(f"quiz {name}: {', '.join(f'{n} {part}' for part, n in counts.items())}")
    if not served:
        talk.say(f"open it with `livewell serve {study}`, then Annotate, {name}")
    talk.result({"task": task.task, "name": name, "items": counts, "warnings": list(task.notes)})
    if served:
        from livewell.study.study import Study
        from livewell.web.serving import ServeSettings, serve

        serve(
            Study.open(study),
            ServeSettings(database=database),
            ready=lambda site: talk.say(f"open {site.link}, then Annotate, {name}; Ctrl-C ends it"),
        )
    return None
