"""Images and results as OME-Zarr."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.executing import executing
from livewell.cli.talk import PATH, POSITIVE, Talk, command


@command("convert")
@click.argument("images", type=PATH)
@click.option("--to", type=PATH, required=True, help="The store to make, such as plate.zarr.")
@click.option("--pattern", help="File-name pattern with {well}, {position} and, of movies, {t}.")
@click.option("--plate", help="Which plate, where the images are of several.")
@click.option(
    "--ngff",
    type=click.Choice(["0.4", "0.5"]),
    default="0.5",
    show_default=True,
    help="Version of OME-Zarr: 0.5 (Zarr 3, few files), 0.4 (Zarr 2) for older programs.",
)
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame, for all files.")
@executing
def convert_(talk: Talk, images: Path, to: Path, **options: Any) -> int:
    """Write images or a study as OME-Zarr: a plate where every image has a well."""
    from livewell.text import plural
    from livewell.workflows.convert import convert

    made = convert(images, to, **options)
    fields, wells = len(made.fields), made.fields["well"].nunique()
    of = f" of {plural(wells, 'well')}" if made.kind == "plate" else ""
    return talk.end(
        made,
        f"{plural(fields, 'field')}{of} in {made.store}, {made.kept:,} of them kept from before",
        lost="not converted: {image}: {error}",
        store=str(made.store),
        kind=made.kind,
        fields=fields,
        made=made.made,
        kept=made.kept,
        failures=len(made.failures),
    )
