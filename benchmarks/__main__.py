"""The project's own benchmarks."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, command


@dataclass(frozen=True)
class Option:
    """An option, and what of it stands in the command that makes a result again."""

    add: Callable[[Any], Any]
    again: str = ""


def _path(flag: str, text: str, default: str | None = None, **more: Any) -> Callable[[Any], Any]:
    path, shown = None if default is None else Path(default), default is not None
    return click.option(flag, type=PATH, default=path, show_default=shown, help=text, **more)


def _count(flag: str, default: int) -> Option:
    option = click.option(flag, type=COUNT, default=default, show_default=True)
    return Option(option, f"{flag} {{{flag[2:]}}}")


OUT = _path("--out", "Folder of results.", "benchmarks/results")
SEEDED = click.option("--seed", type=SEED, default=0, show_default=True)
DATA = Option(_path("--data", "Folder of real images.", "../shared/data"), "--data ../shared/data")
RUNS = Option(_path("--runs", "Where models are kept, to go on after a stop."))
KEPT = Option(_path("--runs", "Where models are kept.", "runs"), "--runs RUNS")
OF_CELLS = Option(
    _path("--runs", "Where the benchmark mcf7-cells kept its runs.", required=True),
    "--runs RUNS",
)
MODEL = Option(_path("--model", "Model folder or training run.", required=True), "--model demo/run")
MODELS = Option(
    click.option(
        "--model", "models", type=PATH, multiple=True, help="A further model (repeatable)."
    )
)
STUDY = Option(_path("--study", "A study with a split.", required=True), "--study demo/study")
DEMO = Option(_path("--demo", "Of the demo.", "demo"))
FRAMES = _count("--frames", 500)


@dataclass(frozen=True)
class Benchmark:
    """A command, and the function (MODULE.FUNCTION) whose `Result` it prints and writes.

    The function takes the options; where no ``--runs`` are given it gets a temporary folder.
    `before` stands before the command that makes the result again.
    """

    name: str
    work: str
    shows: str
    options: tuple[Option, ...] = ()
    before: str = ""

    def again(self, options: Mapping[str, Any]) -> str:
        """The command that makes the result again."""
        parts = [option.again for option in self.options if option.again]
        if options.get("runs") and KEPT.again not in parts:
            parts.append(KEPT.again)
        parts += ["--seed {seed}", *(f"--model {path}" for path in options.get("models", ()))]
        words = f"{self.before}python -m benchmarks {self.name} {' '.join(parts)}"
        return words.format(**options)

    def measure(self, talk: Talk, out: Path, **options: Any) -> None:
        """Run it, and print and write its result."""
        module, function = self.work.split(".")
        began = time.monotonic()
        with TemporaryDirectory() as temporary:
            given = {"runs": Path(temporary)} if options.get("runs", "") is None else {}
            result = getattr(import_module(f"benchmarks.{module}"), function)(**options | given)
        seconds, again = time.monotonic() - began, self.again(options)
        record = result.write(out, self.name, again, seed=options["seed"], seconds=seconds)
        talk.say(result.text(), lines=True)
        talk.result(record)


BENCHMARKS = (
    Benchmark(
        "mcf7-cells",
        "mcf7.cells",
        "Dead among live MCF7 cells, leave one experiment out.",
        (DATA, RUNS),
    ),
    Benchmark(
        "mcf7-fast",
        "mcf7.default_net",
        "The default net on unseen experiments, against that of version 0.1.",
        (DATA, RUNS),
    ),
    Benchmark(
        "mcf7-frozen",
        "methods.table",
        "Nets of all kinds, trees and the plate alone on unseen experiments.",
        (DATA, RUNS),
    ),
    Benchmark(
        "mcf7-stain", "mcf7.stain", "Labels from propidium iodide: counts of every step.", (DATA,)
    ),
    Benchmark(
        "designs",
        "designs.designs",
        "Seven simulated lines: one model, one for each, each left out; 14 classes.",
        (RUNS,),
    ),
    Benchmark(
        "scaling",
        "scaling.scaling",
        "Fields a second against processes, and nodes of a cluster on paper.",
        (MODEL, RUNS),
    ),
    Benchmark(
        "false-hits",
        "false_hits.level",
        "How often a plate without any effect has a hit.",
        (_count("--trials", 1000),),
    ),
    Benchmark(
        "verdict-memory", "movies.verdicts", "Memory of verdicts on a long movie.", (MODEL, FRAMES)
    ),
    Benchmark(
        "killed-training",
        "killed.training",
        "Kill a training five times, go on, compare the weights.",
        (STUDY,),
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
        "Heat maps of FAST and its relatives: dense against windows.",
    ),
    Benchmark(
        "features",
        "features.table",
        "Features of a frozen backbone on every backend, beside a dense pass of FAST.",
        (DATA,),
    ),
    Benchmark(
        "interactive",
        "interactive.table",
        "Seconds of features, and of training with features that are kept.",
        (DATA, RUNS),
    ),
    Benchmark(
        "dense-real",
        "movies.real_images",
        "How far dense maps are from windows on real images.",
        (DATA, RUNS, MODELS),
    ),
    Benchmark(
        "movie",
        "movies.movie",
        "A long movie from file to map and video: memory and time.",
        (RUNS, FRAMES),
    ),
    Benchmark(
        "large-image", "movies.large_image", "Memory of a map of 20,000 x 20,000 px.", (RUNS,)
    ),
    Benchmark(
        "load",
        "load.load",
        "Many small files: time and memory of index, split and assess, which grow as their number.",
        (RUNS, _count("--images", 10_000)),
    ),
    Benchmark(
        "site-first-page",
        "first_page.first_page",
        "The site's first page of many images, its thumbnails, sequences for 50 people at once.",
        (RUNS, _count("--images", 10_000)),
    ),
    Benchmark(
        "site",
        "site.load",
        "Fifty people on the site at once, also with a slow disk: times, what is lost.",
        (RUNS, _count("--answers", 200), _count("--seconds", 60)),
    ),
    Benchmark(
        "plate",
        "plate.page",
        "The page of a plate of 384 and 1,536 wells: made, and opened in a browser.",
        (RUNS,),
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
        "decoding",
        "decoding.table",
        "Frames decoded in a process of its own: the cost beside assess and heatmap.",
        (MODEL,),
    ),
    Benchmark(
        "watch",
        "watch.delays",
        "A running acquisition, frames in all ways of writing: from last byte to verdict.",
        (MODEL, RUNS, _count("--images", 500)),
    ),
    Benchmark(
        "unlike",
        "unlike.unlike",
        "Fields unlike what a model learnt: how many are flagged, how well it judges them.",
        (RUNS,),
    ),
    Benchmark(
        "anchor",
        "anchor.anchor",
        "Features relative to each plate's untreated wells, beside features as they are.",
        (RUNS,),
    ),
    Benchmark(
        "audit",
        "audit.audit",
        "Shortcuts planted in simulated plates, and what the audit makes of them.",
        (_count("--seeds", 20), RUNS),
    ),
    Benchmark(
        "annotation",
        "annotation.table",
        "Simulated annotators: answers that the stop rule saves at equal label accuracy.",
    ),
    Benchmark(
        "uncertain",
        "uncertain.table",
        "Most uncertain cells first against random ones: labels needed for the same AUC.",
        (DATA, RUNS),
    ),
    Benchmark(
        "healthy",
        "healthy.table",
        "Healthy wells alone against two classes: simulated plates, and mcf7-pi.",
        (DATA, RUNS),
    ),
    Benchmark(
        "interval-coverage",
        "budget.coverage",
        "How often the paper's interval and ours hold the truth on grouped data.",
    ),
    Benchmark(
        "agreement",
        "agreement.coverage",
        "How often intervals of agreement between persons hold the truth.",
        (_count("--crews", 3_000),),
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
        (OF_CELLS,),
    ),
    Benchmark(
        "duplicates",
        "duplicates.table",
        "Near copies: planted ones of eight kinds found, false alarms, time.",
        (DATA,),
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
        (KEPT, _count("--images", 10_000)),
    ),
    Benchmark(
        "wscnn-table3",
        "table3.table",
        "WSCNN's Table 3: where the circles are.",
        (KEPT, _count("--images", 10_000)),
    ),
    Benchmark(
        "wscnn-rare",
        "rare.curve",
        "Accuracy and localisation against rarity.",
        (KEPT, _count("--images", 2_000)),
    ),
    Benchmark(
        "wscnn-mislabels",
        "mislabels.flipped",
        "Find labels that were flipped on purpose.",
        (KEPT, _count("--images", 4_000)),
    ),
    Benchmark(
        "haemocytometer",
        "haemocytometer.table",
        "Dead cells in a counting chamber, from labels of images.",
        (DATA, KEPT),
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
    for option in reversed((*(each.add for each in benchmark.options), SEEDED, OUT)):
        decorated = option(decorated)
    command(benchmark.name, bench)(decorated)


for _each in BENCHMARKS:
    _register(_each)


if __name__ == "__main__":
    bench(prog_name="python -m benchmarks")
