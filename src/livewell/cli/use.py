"""Judge, search and map new images and movies."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.executing import executing
from livewell.cli.talk import (
    COUNT,
    DEVICE,
    OCCUPIED_BY,
    PATH,
    POSITIVE,
    SEED,
    Command,
    Talk,
    channels,
    command,
    named_values,
)

MAPPING = (
    click.option("--model", type=PATH, required=True, help="Model folder or training run."),
    click.option(
        "--stride-px", type=COUNT, help="From window to window; by default a quarter patch."
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", "dense", "windows"]),
        default="auto",
        show_default=True,
        help="Whole frames at once, or window by window; auto: dense where exact or measured near.",
    ),
    click.option(
        "--backend",
        type=click.Choice(
            ["auto", "torch", "torch-bf16", "onnxruntime", "openvino", "openvino-bf16"]
        ),
        default="auto",
        show_default=True,
        help="What computes maps; auto: LIVEWELL_BACKEND of the environment, else torch for dense"
        " maps, and for a backbone (FROZEN) onnxruntime or openvino where installed.",
    ),
    click.option(
        "--memory-gb", type=POSITIVE, help="What tiles may take: 2, on a GPU half of what is free."
    ),
    click.option(
        "--edges",
        type=click.Choice(["drop", "mirror"]),
        help="Nearer than half a window to the edge: say nothing (drop), or mirror the frame. By"
        " default drop; of FROZEN mirror, for it sees the whole frame: its map reaches the edge,"
        " and nothing is mirrored.",
    ),
    channels("Channel to judge; by default that of the study, if there is one, else the model's."),
    DEVICE,
    click.option(
        "--fps", type=POSITIVE, default=5.0, show_default=True, help="Frames a second of videos."
    ),
    click.option(
        "--video",
        type=click.Choice(["webm", "mp4"]),
        default="webm",
        show_default=True,
        help="mp4 needs ffmpeg.",
    ),
)
"""Options of every command that makes heat maps."""


def mapping(function: Command) -> Command:
    """Give a command the options of heat maps."""
    for option in reversed(MAPPING):
        function = option(function)
    return function


@command("assess")
@click.argument("images", type=PATH)
@click.option("--model", type=PATH, required=True, help="Model folder or training run.")
@click.option("--out", type=PATH, required=True, help="Folder for verdicts and report.")
@click.option("--stride-px", type=COUNT, help="From patch to patch; by default they touch.")
@click.option("--pattern", help="File-name pattern with {well} and {position}.")
@channels("Channel to judge; by default the model's.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame, for all files.")
@OCCUPIED_BY
@DEVICE
@executing
def assess_(talk: Talk, images: Path, model: Path, out: Path, **options: Any) -> int:
    """Judge a file, a folder or a study: healthy, sick, unsure, or nothing to judge."""
    from livewell.workflows.assess import assess

    made = assess(images, model, out, **options)
    verdicts = talk.count(made.verdicts["verdict"])
    failures = len(made.failures)
    return talk.end(made, lost="not judged: {error}", verdicts=verdicts, failures=failures)


@command("plate")
@click.argument("results", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for tables and report.")
@click.option("--study", type=PATH, help="What knows the wells; by default the assessed study.")
@click.option("--metadata", type=PATH, help="Plate map: a table by well, or by image.")
@click.option(
    "--untreated",
    multiple=True,
    callback=named_values,
    help="COLUMN=VALUE of untreated wells, such as treatment=DMSO (repeatable); else no test.",
)
@click.option(
    "--positive",
    multiple=True,
    callback=named_values,
    help="COLUMN=VALUE of positive controls (repeatable), for Z' and SSMD.",
)
@click.option(
    "--by",
    multiple=True,
    help="Column in which replicate wells agree (repeatable); by default treatment, dose,"
    " dose_unit, cell_line.",
)
@click.option(
    "--measure",
    type=click.Choice(["called", "p"]),
    default="called",
    show_default=True,
    help="Share of patches called the class, or their mean probability.",
)
@click.option("--class", "class_name", help="Of three or more classes the one to look at.")
@click.option("--frame", type=SEED, help="Judge by this frame, from 0; by default by all alike.")
@click.option("--plate-wells", type=COUNT, help="Format, such as 384; by default what wells need.")
@click.option(
    "--correct",
    type=click.Choice(["none", "median-polish"]),
    default="none",
    show_default=True,
    help="Take effects of rows and columns out before hits are tested.",
)
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="False discoveries among hits."
)
@click.option(
    "--thumbnails", type=SEED, default=4, show_default=True, help="Fields of a well shown; 0: none."
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of resampling.")
def plate_(talk: Talk, results: Path, out: Path, **options: Any) -> None:
    """Map verdicts on their plates, and find wells unlike untreated ones."""
    from livewell.text import plural
    from livewell.workflows.plate import plate

    made = plate(results, out, **options)
    found = made.hits[made.hits["hit"]]
    for row in found.head(20).to_dict("records"):
        talk.say(f"{row['difference']:+7.1%}  q {row['q']:.2g}  {row['condition']}")
    tested = int(made.hits["p"].notna().sum())
    tables = ("wells", "hits", "effects", "controls")
    talk.end(
        made,
        f"{plural(len(found), 'hit')} of {plural(tested, 'condition')} tested",
        hits=found["condition"].tolist(),
        tested=tested,
        **{f"{name}_table": str(out / f"{name}.csv") for name in tables},
    )


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
@executing
def localise_(talk: Talk, images: Path, model: Path, out: Path, **options: Any) -> int:
    """Find where images hold what a model learnt from labels of images."""
    from livewell.text import plural
    from livewell.workflows.localise import localise

    made = localise(images, model, out, **options)
    verdicts = talk.count(made.pictures["verdict"])
    holding = int((made.pictures["found"] > 0).sum())
    found = f"{plural(len(made.detections), 'detection')} of p {made.least:.2g} or more"
    talk.say(f"{found} in {plural(holding, 'image')}")
    tables = {name: str(out / f"{name}.csv") for name in ("pictures", "detections", "failures")}
    return talk.end(
        made,
        f"detections: {out / 'detections.csv'}",
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


@command("heatmap")
@click.argument("movie", type=PATH)
@mapping
@click.option("--out", type=PATH, required=True, help="Folder for map, video and report.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres.")
@click.option("--frame-s", type=POSITIVE, help="Seconds from frame to frame.")
@click.option(
    "--stain",
    is_flag=True,
    help="Also write the stain that the model predicts, for models trained with --stain.",
)
def heatmap_(talk: Talk, movie: Path, model: Path, out: Path, **options: Any) -> None:
    """Show where and when in a movie cells look sick."""
    from livewell.workflows.heatmap import heatmap

    made = heatmap(movie, model, out, **options)
    files = {"video": str(made.video), "map": str(made.map)}
    files |= {"stain": str(made.stain.path)} if made.stain else {}
    talk.end(made, made.used.told(), f"video: {made.video}", engine=made.used.noted(), **files)


@command("timelapse")
@click.argument("study", type=PATH)
@mapping
@click.option("--out", type=PATH, required=True, help="Folder for maps, curves and report.")
@click.option("--only", multiple=True, help="Name of an image; all of the study if none is named.")
@executing
def timelapse_(talk: Talk, study: Path, model: Path, out: Path, **options: Any) -> int:
    """Map a whole study: curves of sick area per position, well and dose."""
    from livewell.study.study import Study
    from livewell.workflows.timelapse import timelapse

    made = timelapse(Study.open(study), model, out, **options)
    names = ("curves", "wells", "doses", "positions", "failures")
    failed = len(made.failures)
    return talk.end(
        made,
        f"{made.made} mapped, {made.kept} kept from before, {failed} failed",
        lost="not mapped: {error}",
        made=made.made,
        kept=made.kept,
        failed=failed,
        **{name: str(out / f"{name}.csv") for name in names},
        folders={row.image: str(out / str(row.folder)) for row in made.positions.itertuples()},
    )
