"""The project's own benchmarks."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, command


def _path(flag: str, text: str, default: str | None = None, **more: Any) -> Callable[[Any], Any]:
    """An option that takes a path."""
    path = None if default is None else Path(default)
    shown = default is not None
    return click.option(flag, type=PATH, default=path, show_default=shown, help=text, **more)


OUT = _path("--out", "Folder of results.", "benchmarks/results")
SEEDED = click.option("--seed", type=SEED, default=0, show_default=True)
DATA = _path("--data", "Folder of real images.", "../shared/data")
RUNS = _path("--runs", "Where models are kept, to go on after a stop.")
KEPT = _path("--runs", "Where models are kept.", "runs")
OF_CELLS = _path("--runs", "Where `bench mcf7-cells` kept its runs.", required=True)
FRAMES = click.option("--frames", type=COUNT, default=500, show_default=True)
MODEL = _path("--model", "Model folder or training run.", required=True)
MODELS = click.option(
    "--model", "models", type=PATH, multiple=True, help="A further model (repeatable)."
)
STUDY = _path("--study", "A study with a split.", required=True)
DEMO = _path("--demo", "Of the demo.", "demo")


def _images(count: int) -> Callable[[Any], Any]:
    return click.option("--images", type=COUNT, default=count, show_default=True)


@dataclass(frozen=True)
class Benchmark:
    """A command, the function whose `Result` it prints, and what makes the result again.

    `work` is MODULE.FUNCTION, which takes the options; where no ``--runs`` are given it gets a
    temporary folder. `again` is the command's end as the page shows it, filled with the options.
    """

    name: str
    work: str
    shows: str
    options: tuple[Callable[[Any], Any], ...] = ()
    again: str = "--seed {seed}"
    before: str = ""

    def measure(self, talk: Talk, out: Path, **options: Any) -> None:
        """Run it, and print and write its result."""
        module, function = self.work.split(".")
        models = "".join(f" --model {path}" for path in options.get("models", ()))
        again = f"{self.before}python -m benchmarks {self.name} {self.again}"
        again = again.format(**options | {"models": models})
        began = time.monotonic()
        with TemporaryDirectory() as temporary:
            given = {"runs": Path(temporary)} if options.get("runs", "") is None else {}
            result = getattr(import_module(f"benchmarks.{module}"), function)(**options | given)
        seconds = time.monotonic() - began
        record = result.write(out, self.name, again, seed=options["seed"], seconds=seconds)
        talk.say(result.text())
        talk.result(record)


REAL = "--data ../shared/data --seed {seed}"
WSCNN = "--runs RUNS --images {images} --seed {seed}"
BENCHMARKS = (
    Benchmark(
        "mcf7-cells",
        "mcf7.cells",
        "Dead among live MCF7 cells, leave one experiment out.",
        (DATA, RUNS),
        REAL,
    ),
    Benchmark(
        "mcf7-stain",
        "mcf7.stain",
        "Labels from propidium iodide: counts of every step.",
        (DATA,),
        REAL,
    ),
    Benchmark(
        "verdict-memory",
        "movies.verdicts",
        "Memory of verdicts on a long movie.",
        (MODEL, FRAMES),
        "--model demo/run --frames {frames} --seed {seed}",
    ),
    Benchmark(
        "killed-training",
        "killed.training",
        "Kill a training five times, go on, compare the weights.",
        (STUDY,),
        "--study demo/study --seed {seed}",
    ),
    Benchmark(
        "dense",
        "dense.table",
        "Dense maps against windows: time, answer, the machine's own speed.",
        (RUNS,),
    ),
    Benchmark(
        "field-maps",
        "field_maps.table",
        "Heat maps of FAST, FAST_DENSE and FAST_FIELDS: dense against windows.",
    ),
    Benchmark(
        "dense-real",
        "movies.real_images",
        "How far dense maps are from windows on real images.",
        (DATA, RUNS, MODELS),
        REAL + "{models}",
    ),
    Benchmark(
        "movie",
        "movies.movie",
        "A long movie from file to map and video: memory and time.",
        (RUNS, FRAMES),
        "--frames {frames} --seed {seed}",
    ),
    Benchmark(
        "large-image", "movies.large_image", "Memory of a map of 20,000 x 20,000 px.", (RUNS,)
    ),
    Benchmark(
        "training-speed",
        "training.speed",
        "Crops a second with full augmentation, as a share of the net alone.",
    ),
    Benchmark(
        "budget-cultures",
        "cultures.cultures",
        "The light budget end to end on three simulated cultures.",
        (RUNS,),
    ),
    Benchmark(
        "budget-tables",
        "budget.tables",
        "The light budget on simulated tables of wells: false safes, ED50, verdicts.",
    ),
    Benchmark(
        "interval-coverage",
        "budget.coverage",
        "How often the paper's interval and ours hold the truth on grouped data.",
    ),
    Benchmark(
        "explain-planted",
        "planted.planted",
        "Grad-CAM on planted sick cells: do the peaks lie on them, do crops agree.",
        (RUNS,),
    ),
    Benchmark(
        "mcf7-explain",
        "mcf7.evidence",
        "Share of evidence off the cells on real images, right and wrong patches shown.",
        (DATA, OF_CELLS),
        "--data ../shared/data --runs RUNS --seed {seed}",
    ),
    Benchmark(
        "demo",
        "demo.figures",
        "Figures of a demo that was run.",
        (DEMO,),
        before="livewell demo --seed {seed} && ",
    ),
    Benchmark(
        "wscnn-table1",
        "table1.table",
        "WSCNN's Table 1: which images hold circles.",
        (KEPT, _images(10_000)),
        WSCNN,
    ),
    Benchmark(
        "wscnn-table3",
        "table3.table",
        "WSCNN's Table 3: where the circles are.",
        (KEPT, _images(10_000)),
        WSCNN,
    ),
    Benchmark(
        "wscnn-rare",
        "rare.curve",
        "Accuracy and localisation against rarity.",
        (KEPT, _images(2_000)),
        WSCNN,
    ),
    Benchmark(
        "wscnn-mislabels",
        "mislabels.flipped",
        "Find labels that were flipped on purpose.",
        (KEPT, _images(4_000)),
        WSCNN,
    ),
    Benchmark(
        "haemocytometer",
        "haemocytometer.table",
        "Dead cells in a counting chamber, from labels of images.",
        (DATA, KEPT),
        "--data ../shared/data --runs RUNS --seed {seed}",
    ),
)


@click.group("benchmarks")
def bench() -> None:
    """Measure livewell itself; each prints one table and writes JSON."""


@command("render", bench)
@OUT
@click.option("--page", type=PATH, default=Path("BENCHMARKS.md"), show_default=True)
def render_(talk: Talk, out: Path, page: Path) -> None:
    """Write BENCHMARKS.md from all results."""
    from benchmarks.result import render
    from livewell.files import write_text

    write_text(page, render(out))
    talk.say(str(page))


def _register(benchmark: Benchmark) -> None:
    def run(talk: Talk, **options: Any) -> None:
        benchmark.measure(talk, **options)

    run.__doc__ = benchmark.shows
    decorated: Any = run
    for option in reversed((*benchmark.options, SEEDED, OUT)):
        decorated = option(decorated)
    command(benchmark.name, bench)(decorated)


for _each in BENCHMARKS:
    _register(_each)


if __name__ == "__main__":
    bench(prog_name="python -m benchmarks")
