"""Simulated images, and the demo."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, command


@click.group("simulate")
def simulate() -> None:
    """Make images with a known truth."""


@command("culture", simulate)
@click.option("--out", type=PATH, required=True, help="Folder for the plate.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--frames", type=COUNT, default=12, show_default=True, help="Frames a movie.")
@click.option("--wells-per-dose", type=int, help="Wells at each dose; by default 7, 2 and 7.")
@click.option("--dose", "doses", type=float, multiple=True, help="Dose in s (repeatable).")
@click.option(
    "--start-s",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Seconds from the light to the first frame.",
)
def simulate_culture_(
    talk: Talk, out: Path, wells_per_dose: int | None, doses: tuple[float, ...], **settings: Any
) -> None:
    """A plate of phase-contrast movies under doses of light.

    Beside the images, plate.csv has the dose of each well, truth.parquet the state of each cell in
    each frame, and images.csv that of each movie: column state is healthy, sick or dead where three
    of four cells are so in every frame, else empty. Two frames 5 h 45 min after the light show all
    three: --dose 0 --dose 80 --dose 1000 --start-s 20700 --frames 2. Then index with --metadata
    images.csv, and label column with --column state --others drop.
    """
    from livewell.simulate.culture import CultureSpec
    from livewell.workflows.simulate import simulate_culture

    if wells_per_dose:
        settings["wells_per_dose"] = wells_per_dose
    if doses:
        settings["doses_s"] = doses
        settings.setdefault("wells_per_dose", 4)
    images = simulate_culture(CultureSpec(**settings), out)
    talk.say(f"images: {images}")
    talk.result(
        {
            "images": str(images),
            "plate": str(out / "plate.csv"),
            "states": str(out / "images.csv"),
        }
    )


@command("shapes", simulate)
@click.option("--out", type=PATH, required=True, help="Folder for images and their truth.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option(
    "--images",
    type=click.IntRange(min=2),
    default=4000,
    show_default=True,
    help="Every other one is positive.",
)
@click.option(
    "--ellipses",
    type=click.Choice(["flat", "literal"]),
    default="flat",
    show_default=True,
    help="Short axis 0.5 to 0.75 of the long one, or both 15 to 20 px and 2 px apart.",
)
@click.option(
    "--circle-share",
    type=float,
    default=0.1,
    show_default=True,
    help="Share of circles in positive images: 0.1 is Sim 1, 0.2 is Sim 2.",
)
@click.option("--circles", type=COUNT, help="So many circles instead, in every positive image.")
@click.option("--objects", type=(int, int), default=(30, 48), show_default=True)
@click.option("--outlined", is_flag=True, help="Outlines of 2 px instead of filled objects.")
def simulate_shapes_(talk: Talk, out: Path, outlined: bool, **settings: Any) -> None:
    """Ellipses with a few circles among them: the paper's Sim 1 and Sim 2.

    Of its objects.csv `label boxes` makes labels with --state kind --corners y0,x0,y1,x1.
    """
    from livewell.simulate.shapes import ShapeSpec
    from livewell.workflows.shapes import simulate_shapes

    spec = ShapeSpec(filled=not outlined, **settings)
    images = simulate_shapes(spec, out)
    talk.say(f"images: {images}")
    labels, objects = str(out / "images.csv"), str(out / "objects.csv")
    talk.say(f"labels: {labels}")
    talk.say(f"objects: {objects}")
    talk.result({"images": str(images), "labels": labels, "objects": objects})


@command("demo")
@click.option("--out", type=PATH, default=Path("demo"), show_default=True)
@click.option("--seed", type=SEED, default=0, show_default=True)
def demo_(talk: Talk, out: Path, seed: int) -> None:
    """Run the whole way once on a simulated plate: five minutes."""
    from dataclasses import asdict

    from livewell.workflows.demo import demo

    made = demo(out, seed=seed, say=talk.say)
    auc, wells = made.auc, made.wells
    unseen = " and ".join(f"{count} {name}" for name, count in wells.items())
    talk.say("")
    talk.say(
        f"patch AUC on unseen wells: {auc.value:.3f} (95% interval {auc.low:.3f} to {auc.high:.3f};"
        f" {unseen} wells)"
    )
    for name, page in made.pages.items():
        talk.say(f"{name + ' report:':<20}{page}")
    talk.say(f"{'video:':<20}{made.video}")
    pages = {name: str(page) for name, page in made.pages.items()}
    talk.result({"auc": asdict(auc), "wells": wells, "pages": pages, "video": str(made.video)})
