"""Images and results as OME-Zarr."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.executing import executing
from livewell.cli.talk import PATH, POSITIVE, Talk, command


@command("convert")
@click.argument("images", type=PATH)
@click.option("--to", type=PATH, help="The store to make, such as plate.zarr.")
@click.option("--into", type=PATH, help="A store that takes results, in place of --to.")
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
def convert_(talk: Talk, images: Path, to: Path | None, into: Path | None, **options: Any) -> int:
    """Write images or a study as OME-Zarr: a plate where every image has a well.

    A folder of results (assess, heatmap, timelapse, localise) goes --into such a store.
    """
    if (to is None) == (into is None):
        raise click.UsageError("Give --to for images, or --into for results.")
    if into is not None:
        own = {"ngff", "executor"}
        given = [name for name, value in options.items() if value is not None and name not in own]
        if given:
            named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise click.UsageError(f"{named}: only for images, with --to.")
        return _results(talk, images, into, options["executor"])
    from livewell.text import plural
    from livewell.workflows.convert import convert

    made = convert(images, to or Path(), **options)
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


def _results(talk: Talk, results: Path, into: Path, executor: Any) -> int:
    from livewell.text import listed, plural
    from livewell.workflows.convert_results import convert_results

    made = convert_results(results, into, executor=executor)
    lines = [f"{plural(len(made.fields), 'field')} with results, {made.kept:,} of them from before"]
    lines += [f"table of the plate: {listed(made.tables)}"] if made.tables else []
    return talk.end(
        made,
        *lines,
        lost="not added: {image}: {error}",
        store=str(made.store),
        fields=len(made.fields),
        tables=list(made.tables),
        made=made.made,
        kept=made.kept,
        failures=len(made.failures),
    )
