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
    """Judge images: healthy, sick, unsure, or nothing to judge."""
    from livewell.workflows.assess import assess

    made = assess(images, model, out, **options)
    verdicts = talk.count(made.verdicts["verdict"])
    failures = len(made.failures)
    return talk.end(made, lost="not judged: {error}", verdicts=verdicts, failures=failures)


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
    files = {"video": str(made.video), "map": str(made.map)}
    talk.end(made, made.used.told(), f"video: {made.video}", engine=made.used.noted(), **files)
