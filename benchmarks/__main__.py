"""The project's own benchmarks."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, command

if TYPE_CHECKING:
    from benchmarks.result import Result

FOLDER = click.option(
    "--out",
    type=PATH,
    default=Path("benchmarks/results"),
    show_default=True,
    help="Folder of results.",
)
SEEDED = click.option("--seed", type=SEED, default=0, show_default=True)
DATA = click.option(
    "--data",
    type=PATH,
    default=Path("../shared/data"),
    show_default=True,
    help="Folder of real images.",
)

RUNS = click.option("--runs", type=PATH, help="Where models are kept, to go on after a stop.")


@click.group("benchmarks")
def bench() -> None:
    """Measure livewell itself; each prints one table and writes JSON."""


def _report(talk: Talk, out: Path, measure: "Callable[[], Result]") -> None:
    result = measure()
    result.write(out)
    talk.say(result.text())
    talk.result(dict(result.__dict__))


@command("mcf7-cells", bench)
@DATA
@SEEDED
@FOLDER
@click.option("--runs", type=PATH, help="Where runs are kept, to go on after a stop.")
def mcf7_cells(talk: Talk, data: Path, seed: int, out: Path, runs: Path | None) -> None:
    """Dead among live MCF7 cells, leave one experiment out."""
    from benchmarks.mcf7 import cells

    _report(talk, out, lambda: cells(data, seed=seed, folder=runs))


@command("mcf7-stain", bench)
@DATA
@SEEDED
@FOLDER
def mcf7_stain(talk: Talk, data: Path, seed: int, out: Path) -> None:
    """Labels from propidium iodide: counts of every step."""
    from benchmarks.mcf7 import stain

    _report(talk, out, lambda: stain(data, seed=seed))


@command("verdict-memory", bench)
@click.option("--model", type=PATH, required=True, help="Model folder or training run.")
@click.option("--frames", type=COUNT, default=500, show_default=True)
@SEEDED
@FOLDER
def verdict_memory(talk: Talk, model: Path, frames: int, seed: int, out: Path) -> None:
    """Memory of verdicts on a long movie."""
    from benchmarks.memory import verdicts

    _report(talk, out, lambda: verdicts(model, frames=frames, seed=seed))


@command("killed-training", bench)
@click.option("--study", type=PATH, required=True, help="A study with a split.")
@SEEDED
@FOLDER
def killed_training(talk: Talk, study: Path, seed: int, out: Path) -> None:
    """Kill a training five times, go on, compare the weights."""
    from benchmarks.killed import training

    _report(talk, out, lambda: training(study, seed=seed))


@command("dense", bench)
@RUNS
@SEEDED
@FOLDER
def dense_(talk: Talk, runs: Path | None, seed: int, out: Path) -> None:
    """Dense maps against windows: time, answer, the machine's own speed."""
    from benchmarks.dense import table

    _report(talk, out, lambda: table(runs=runs, seed=seed))


@command("field-maps", bench)
@SEEDED
@FOLDER
def field_maps(talk: Talk, seed: int, out: Path) -> None:
    """Heat maps of FAST, FAST_DENSE and FAST_FIELDS: dense against windows."""
    from benchmarks.field_maps import table

    _report(talk, out, lambda: table(seed=seed))


@command("dense-real", bench)
@DATA
@RUNS
@click.option("--model", "models", type=PATH, multiple=True, help="A further model (repeatable).")
@SEEDED
@FOLDER
def dense_real(
    talk: Talk, data: Path, runs: Path | None, models: tuple[Path, ...], seed: int, out: Path
) -> None:
    """How far dense maps are from windows on real images."""
    from benchmarks.movies import real_images

    _report(
        talk,
        out,
        lambda: real_images(data, runs=runs, models=models, seed=seed),
    )


@command("movie", bench)
@RUNS
@click.option("--frames", type=COUNT, default=500, show_default=True)
@SEEDED
@FOLDER
def movie_(talk: Talk, runs: Path | None, frames: int, seed: int, out: Path) -> None:
    """A long movie from file to map and video: memory and time."""
    from benchmarks.movies import movie

    _report(talk, out, lambda: movie(runs=runs, frames=frames, seed=seed))


@command("large-image", bench)
@RUNS
@SEEDED
@FOLDER
def large_image_(talk: Talk, runs: Path | None, seed: int, out: Path) -> None:
    """Memory of a map of 20,000 x 20,000 px."""
    from benchmarks.movies import large_image

    _report(talk, out, lambda: large_image(runs=runs, seed=seed))


@command("training-speed", bench)
@SEEDED
@FOLDER
def training_speed(talk: Talk, seed: int, out: Path) -> None:
    """Crops a second with full augmentation, as a share of the net alone."""
    from benchmarks.training import speed

    _report(talk, out, lambda: speed(seed=seed))


@command("budget-cultures", bench)
@RUNS
@SEEDED
@FOLDER
def budget_cultures(talk: Talk, runs: Path | None, seed: int, out: Path) -> None:
    """The light budget end to end on three simulated cultures."""
    from benchmarks.cultures import cultures

    _report(talk, out, lambda: cultures(runs=runs, seed=seed))


@command("budget-tables", bench)
@SEEDED
@FOLDER
def budget_tables(talk: Talk, seed: int, out: Path) -> None:
    """The light budget on simulated tables of wells: false safes, ED50, verdicts."""
    from benchmarks.budget import tables

    _report(talk, out, lambda: tables(seed=seed))


@command("interval-coverage", bench)
@SEEDED
@FOLDER
def interval_coverage(talk: Talk, seed: int, out: Path) -> None:
    """How often the paper's interval and ours hold the truth on grouped data."""
    from benchmarks.budget import coverage

    _report(talk, out, lambda: coverage(seed=seed))


@command("explain-planted", bench)
@RUNS
@SEEDED
@FOLDER
def explain_planted(talk: Talk, runs: Path | None, seed: int, out: Path) -> None:
    """Grad-CAM on planted sick cells: do the peaks lie on them, do crops agree."""
    from benchmarks.planted import planted

    _report(talk, out, lambda: planted(runs=runs, seed=seed))


@command("mcf7-explain", bench)
@DATA
@click.option("--runs", type=PATH, required=True, help="Where `bench mcf7-cells` kept its runs.")
@SEEDED
@FOLDER
def mcf7_explain(talk: Talk, data: Path, runs: Path, seed: int, out: Path) -> None:
    """Share of evidence off the cells on real images, right and wrong patches shown."""
    from benchmarks.mcf7 import evidence

    _report(talk, out, lambda: evidence(data, runs=runs, seed=seed))


@command("demo", bench)
@click.option("--demo", type=PATH, default=Path("demo"), show_default=True, help="Of the demo.")
@SEEDED
@FOLDER
def demo_figures(talk: Talk, demo: Path, seed: int, out: Path) -> None:
    """Figures of a demo that was run."""
    from benchmarks.demo import figures

    _report(talk, out, lambda: figures(demo, seed=seed))


@command("render", bench)
@FOLDER
@click.option("--page", type=PATH, default=Path("BENCHMARKS.md"), show_default=True)
def render_(talk: Talk, out: Path, page: Path) -> None:
    """Write BENCHMARKS.md from all results."""
    from benchmarks.result import render
    from livewell.files import write_text

    write_text(page, render(out))
    talk.say(str(page))


PICTURES = click.option("--images", type=COUNT, default=10_000, show_default=True)
KEPT = click.option(
    "--runs", type=PATH, default=Path("runs"), show_default=True, help="Where models are kept."
)


@command("wscnn-table1", bench)
@KEPT
@PICTURES
@SEEDED
@FOLDER
def wscnn_table1(talk: Talk, runs: Path, images: int, seed: int, out: Path) -> None:
    """WSCNN's Table 1: which images hold circles."""
    from benchmarks.table1 import table

    _report(talk, out, lambda: table(runs=runs, images=images, seed=seed))


@command("wscnn-table3", bench)
@KEPT
@PICTURES
@SEEDED
@FOLDER
def wscnn_table3(talk: Talk, runs: Path, images: int, seed: int, out: Path) -> None:
    """WSCNN's Table 3: where the circles are."""
    from benchmarks.table3 import table

    _report(talk, out, lambda: table(runs=runs, images=images, seed=seed))


@command("wscnn-rare", bench)
@KEPT
@click.option("--images", type=COUNT, default=2_000, show_default=True)
@SEEDED
@FOLDER
def wscnn_rare(talk: Talk, runs: Path, images: int, seed: int, out: Path) -> None:
    """Accuracy and localisation against rarity."""
    from benchmarks.rare import curve

    _report(talk, out, lambda: curve(runs=runs, images=images, seed=seed))


@command("wscnn-mislabels", bench)
@KEPT
@click.option("--images", type=COUNT, default=4_000, show_default=True)
@SEEDED
@FOLDER
def wscnn_mislabels(talk: Talk, runs: Path, images: int, seed: int, out: Path) -> None:
    """Find labels that were flipped on purpose."""
    from benchmarks.mislabels import flipped

    _report(talk, out, lambda: flipped(runs=runs, images=images, seed=seed))


@command("haemocytometer", bench)
@DATA
@KEPT
@SEEDED
@FOLDER
def haemocytometer_(talk: Talk, data: Path, runs: Path, seed: int, out: Path) -> None:
    """Dead cells in a counting chamber, from labels of images."""
    from benchmarks.haemocytometer import table

    _report(talk, out, lambda: table(data, runs=runs, seed=seed))


if __name__ == "__main__":
    bench(prog_name="python -m benchmarks")
