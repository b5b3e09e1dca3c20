"""Judge new images and movies."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.mapping import mapping
from livewell.cli.talk import COUNT, DEVICE, PATH, POSITIVE, Talk, channels, command


@command("assess")
@click.argument("images", type=PATH)
@click.option("--model", type=PATH, required=True, help="Model folder or training run.")
@click.option("--out", type=PATH, required=True, help="Folder for verdicts and report.")
@click.option("--stride-px", type=COUNT, help="From patch to patch; by default they touch.")
@click.option("--pattern", help="File-name pattern with {well} and {position}.")
@channels("Channel to judge; by default the model's.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame, for all files.")
@DEVICE
def assess_(talk: Talk, images: Path, model: Path, out: Path, **options: Any) -> int:
    """Judge pictures: healthy, sick, unsure, or nothing to judge."""
    from livewell.workflows.assess import assess

    made = assess(images, model, out, **options)
    counts = made.verdicts["verdict"].value_counts()
    for verdict, count in counts.items():
        talk.say(f"{count:>8,}  {verdict}")
    for warning in made.warnings:
        talk.warn(warning)
    for row in made.failures.itertuples():
        talk.warn(f"not judged: {row.error}")
    talk.say(f"report: {made.page}")
    talk.result(
        {
            "verdicts": {str(verdict): int(count) for verdict, count in counts.items()},
            "failures": len(made.failures),
            "warnings": list(made.warnings),
            "report": str(made.page),
        }
    )
    return 1 if len(made.failures) else 0


@command("heatmap")
@click.argument("movie", type=PATH)
@mapping
@click.option("--out", type=PATH, required=True, help="Folder for map, video and report.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame.")
def heatmap_(talk: Talk, movie: Path, model: Path, out: Path, **options: Any) -> None:
    """Show where and when in a movie cells look sick."""
    from livewell.workflows.heatmap import heatmap

    made = heatmap(movie, model, out, **options)
    for warning in made.warnings:
        talk.warn(warning)
    talk.say(made.used.told())
    talk.say(f"video: {made.video}")
    talk.say(f"report: {made.page}")
    talk.result(
        {
            "video": str(made.video),
            "map": str(made.map),
            "report": str(made.page),
            "engine": made.used.noted(),
            "warnings": list(made.warnings),
        }
    )
