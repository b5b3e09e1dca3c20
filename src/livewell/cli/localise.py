"""Find where in new images the positive class is."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import DEVICE, PATH, POSITIVE, SEED, Talk, channels, command


@command("localise")
@click.argument("images", type=PATH)
@click.option("--model", type=PATH, required=True, help="Model of whole frames, or its run.")
@click.option("--out", type=PATH, required=True, help="Folder for tables, masks and report.")
@click.option(
    "--least",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Least probability of a detection; by default the model's own.",
)
@click.option(
    "--sigma-px",
    type=click.FloatRange(0, 1000),
    help="Gaussian that smooths the saliency, pixels of the model (7); more joins what is close.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    help="A detection's outline, as a share of its highest saliency (0.2); less draws it wider.",
)
@click.option(
    "--figures", type=SEED, default=24, show_default=True, help="Overlays at most; 0: no figure."
)
@click.option("--pattern", help="File-name pattern with {well} and {position}.")
@channels("Channel to judge; by default the model's.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@DEVICE
def localise_(talk: Talk, images: Path, model: Path, out: Path, **options: Any) -> int:
    """Find where images hold what a model learnt from labels of images."""
    from livewell.text import plural
    from livewell.workflows.localise import localise

    made = localise(images, model, out, **options)
    verdicts = talk.count(made.pictures["verdict"])
    holding = int((made.pictures["found"] > 0).sum())
    places = f"{plural(len(made.detections), 'place')} of p {made.least:.2g} or more"
    talk.say(f"{places} in {plural(holding, 'picture')}")
    tables = {name: str(out / f"{name}.csv") for name in ("pictures", "detections", "failures")}
    return talk.end(
        made,
        f"places: {out / 'detections.csv'}",
        lost="not judged: {image}: {error}",
        verdicts=verdicts,
        pictures=len(made.pictures),
        detections=len(made.detections),
        pictures_with_places=holding,
        least=made.least,
        failures=len(made.failures),
        tables=tables,
        masks=str(out / "masks"),
        overlays=str(out / "overlays"),
        figure3=made.figure3 and str(made.figure3),
    )
