"""Look at images, and make a study of them."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.endings import echo
from livewell.cli.talk import (
    PATH,
    POSITIVE,
    SEED,
    Talk,
    channels,
    command,
    named_values,
    once,
    value_maps,
)


@command("inspect")
@click.argument("images", type=PATH, nargs=-1, required=True)
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, if the file has none.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame, if the file has none.")
def inspect_(talk: Talk, images: tuple[Path, ...], **scale: float | None) -> int:
    """Show axes, type, channels, scale of images or a folder, and what looks wrong."""
    from livewell.images.walking import left_out_lines
    from livewell.workflows.inspect import inspect_all, listing, table, unfolded

    paths, notes, left_out = unfolded(images)
    inspections, failures = inspect_all(paths, **scale)
    for note in (*notes, *left_out_lines(left_out)):
        talk.say(note)
    if notes and inspections:
        talk.say(listing(inspections), lines=True)
    else:
        for inspection in inspections:
            talk.say(table(inspection), lines=True)
    for failure in failures:
        echo(f"error [{failure['code']}]: {failure['error']}", err=True, lines=True)
    found = [each.to_dict() for each in inspections]
    talk.result({"images": found, "failures": failures, "notes": notes, "left_out": left_out})
    return 1 if failures else 0


@command("index")
@click.argument("images", type=PATH)
@click.option("--out", type=PATH, required=True, help="Study folder to make.")
@click.option(
    "--pattern",
    multiple=True,
    callback=once,
    help="File-name pattern, e.g. '{well}_p{position:int}.ome.tif'; {time_s:duration}: 00d60h00m.",
)
@click.option(
    "--value",
    "values",
    multiple=True,
    callback=value_maps,
    help="PART:FOUND=MEANT, e.g. treatment:CPT2=CPT.",
)
@click.option(
    "--metadata",
    type=PATH,
    multiple=True,
    callback=once,
    help="CSV keyed by file (image) or by well.",
)
@click.option(
    "--column", "constants", multiple=True, callback=named_values, help="NAME=VALUE for all."
)
@click.option("--files", default="*", show_default=True, help="Only files with such names.")
@click.option(
    "--unmatched",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="Files without a match or a row of metadata, and rows without a file.",
)
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame, for all files.")
@channels("Channel that later steps look at; by default the transmitted light.")
def index_(talk: Talk, images: Path, out: Path, **options: Any) -> None:
    """Make a study of a folder of images and what is known about them."""
    from livewell.images.walking import left_out_lines
    from livewell.workflows.index import index

    made = index(images, out, **options)
    known = [str(name) for name in made.fields if made.fields[name].notna().any()]
    talk.say(f"{len(made.fields)} images in {out}, with {', '.join(known)}")
    for note in (*made.notes, *left_out_lines(made.left_out)):
        talk.say(note)
    found = {"images": len(made.fields), "columns": known, "notes": list(made.notes)}
    talk.result({**found, "left_out": made.left_out})


@command("stain-area")
@click.argument("study", type=PATH)
@click.option("--channel", required=True, help="The stain's channel.")
@click.option(
    "--stain-files", help="Files of the stain beside the images: a column, or with {stem} in it."
)
@click.option("--by", default="treatment", show_default=True, help="Column of the treatment.")
@click.option("--control", required=True, help="Value of that column for controls.")
@click.option("--time", help="Column of the time, such as day.")
@click.option("--group", default="well", show_default=True, help="Column of what is independent.")
@click.option("--sds", type=POSITIVE, help="Lit: so many sd above the background (5).")
@click.option("--above", type=POSITIVE, help="Lit: above so many counts.")
@click.option("--labels", help="Lit: above the dead threshold of these labels by a stain.")
@click.option("--out", type=PATH, required=True, help="Folder for tables and report.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the resampling.")
def stain_area_(talk: Talk, study: Path, out: Path, **options: Any) -> int:
    """Measure the area that a stain lights, treated wells beside controls."""
    from livewell.workflows.stain_area import stain_area

    made = stain_area(study, out, **options)
    names = ("images", "wells", "treatments")
    return talk.end(made, **{name: str(out / f"{name}.csv") for name in names})
