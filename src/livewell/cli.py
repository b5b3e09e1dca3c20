"""The command line: one command a job, no logic. Exit 0 done, 1 some inputs failed, 2 wrong use.

Nothing heavy is imported before a command runs, so that every ``--help`` comes at once.
"""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell import __version__
from livewell.errors import LivewellError, SpecError
from livewell.progress import SILENT, Bars, Progress

if TYPE_CHECKING:
    from livewell.jobs.label import Route
    from livewell.jobs.split import Scheme

PATH = click.Path(path_type=Path)
Command = Callable[..., Any]


class Talk:
    """What a command says: text for people, or one JSON object for machines."""

    def __init__(self, quiet: bool, as_json: bool) -> None:
        self._quiet, self._json = quiet, as_json
        self.progress: Progress = SILENT if quiet or as_json else Bars()

    def say(self, text: str) -> None:
        """A line for people, on standard output."""
        if not (self._quiet or self._json):
            click.echo(text)

    def warn(self, text: str) -> None:
        """A warning, on standard error, also when quiet."""
        if not self._json:
            click.echo(f"warning: {text}", err=True)

    def result(self, values: dict[str, Any]) -> None:
        """The result for machines, on standard output."""
        if self._json:
            click.echo(json.dumps(values, ensure_ascii=False, default=str, indent=2))


def command(group: click.Group, name: str) -> Callable[[Command], click.Command]:
    """A command with ``--quiet`` and ``--json``, whose errors are told in plain words."""

    def decorate(function: Command) -> click.Command:
        @functools.wraps(function)
        def run(quiet: bool, as_json: bool, **options: Any) -> None:
            try:
                code = function(Talk(quiet, as_json), **options)
            except LivewellError as error:
                if as_json:
                    click.echo(json.dumps({"error": error.code, "message": str(error)}))
                click.echo(f"error [{error.code}]: {error}", err=True)
                sys.exit(2)
            except KeyboardInterrupt:
                click.echo("stopped; the same command goes on where it was", err=True)
                sys.exit(130)
            sys.exit(code or 0)

        made = group.command(name)(run)
        made = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(made)
        return click.option("--quiet", is_flag=True, help="Say nothing but warnings and errors.")(
            made
        )

    return decorate


def _pairs(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE`` options; ``NAME`` alone stands for itself."""
    found = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or (equals and not rest):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param=parameter)
        found[name] = rest if equals else name
    return found


def _value_maps(
    _: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """``PART:FOUND=MEANT`` options."""
    found: dict[str, dict[str, str]] = {}
    for value in values:
        part, colon, pair = value.partition(":")
        old, equals, new = pair.partition("=")
        if not (colon and equals and part and old and new):
            raise click.BadParameter(f"{value!r} is not PART:FOUND=MEANT", param=parameter)
        found.setdefault(part, {})[old] = new
    return found


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Tell from unstained images whether living cells are well, and how sure that is."""


@command(main, "inspect")
@click.argument("images", type=PATH, nargs=-1, required=True)
@click.option("--pixel-um", type=float, help="Pixel size in micrometres, if the file has none.")
@click.option("--frame-s", type=float, help="Seconds from frame to frame, if the file has none.")
def inspect_(talk: Talk, images: tuple[Path, ...], **scale: float | None) -> int:
    """Show axes, type, channels, scale of images, and what looks wrong."""
    from livewell.jobs.inspect import inspect_all, table

    inspections, failures = inspect_all(images, **scale)
    for inspection in inspections:
        talk.say(table(inspection))
    for failure in failures:
        click.echo(f"error: {failure['error']}", err=True)
    talk.result({"images": [each.to_dict() for each in inspections], "failures": failures})
    return 1 if failures else 0


@command(main, "index")
@click.argument("images", type=PATH)
@click.option("--out", type=PATH, required=True, help="Study folder to make.")
@click.option("--pattern", help="File-name pattern, e.g. '{well}_p{position:int}.ome.tif'.")
@click.option(
    "--value", "values", multiple=True, callback=_value_maps,
    help="PART:FOUND=MEANT, e.g. treatment:CPT2=CPT.",
)  # fmt: skip
@click.option("--metadata", type=PATH, help="CSV keyed by file (image) or by well.")
@click.option("--column", "constants", multiple=True, callback=_pairs, help="NAME=VALUE for all.")
@click.option("--files", default="*", show_default=True, help="Only files with such names.")
@click.option("--unmatched", type=click.Choice(["refuse", "drop"]), default="refuse",
              show_default=True, help="Files without a match or a row of metadata.")  # fmt: skip
@click.option("--pixel-um", type=float, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=float, help="Seconds from frame to frame, for all files.")
def index_(talk: Talk, images: Path, out: Path, **options: Any) -> None:
    """Make a study of a folder of images and what is known about them."""
    from livewell.jobs.index import index

    made = index(images, out, **options)
    known = [str(name) for name in made.fields if made.fields[name].notna().any()]
    talk.say(f"{len(made.fields)} images in {out}, with {', '.join(known)}")
    for note in made.notes:
        talk.say(note)
    talk.result({"images": len(made.fields), "columns": known, "notes": list(made.notes)})


@main.group("label")
def label_group() -> None:
    """Label a study: by column, words, dose, stain or points."""


def _labelling(function: Command) -> Command:
    for option in (
        click.option("--seed", type=int, default=0, show_default=True),
        click.option("--name", default="labels", show_default=True, help="Name of these labels."),
        click.option("--positive", required=True, help="Class to find, such as sick or dead."),
        click.option("--negative", required=True, help="The other class, such as healthy."),
        click.argument("study", type=PATH),
    ):
        function = option(function)
    return function


_CLASSES = click.option(
    "--class", "classes", multiple=True, required=True, callback=_pairs,
    help="VALUE=CLASS, or a value that is a class.",
)  # fmt: skip
_OTHERS = click.option(
    "--others", type=click.Choice(["refuse", "drop"]), default="refuse", show_default=True,
    help="What to do with values that have no class.",
)  # fmt: skip


def _label(
    talk: Talk, study: Path, negative: str, positive: str, name: str, seed: int, route: "Route"
) -> None:
    from livewell.io.study import Study
    from livewell.jobs.label import label

    made = label(
        Study.open(study), route, (negative, positive), name=name, seed=seed, progress=talk.progress
    )
    for step, count in made.meta["counts"]:
        talk.say(f"{count:>8,}  {step}")
    for note in made.meta["notes"]:
        talk.warn(note)
    talk.result(made.meta)


@command(label_group, "column")
@_labelling
@click.option("--column", required=True, help="Column of the fields table.")
@_CLASSES
@_OTHERS
def label_column(talk: Talk, column: str, classes: Any, others: Any, **common: Any) -> None:
    """Label images by a column."""
    from livewell.jobs.label import Column

    _label(talk, route=Column(column, classes, others), **common)


@command(label_group, "words")
@_labelling
@_CLASSES
@_OTHERS
def label_words(talk: Talk, classes: Any, others: Any, **common: Any) -> None:
    """Label images by words in their file names."""
    from livewell.jobs.label import Words

    _label(talk, route=Words(classes, others), **common)


@command(label_group, "dose")
@_labelling
@click.option("--sick-from", type=float, required=True, help="Lowest dose that counts as sick.")
@click.option("--window-s", type=(float, float), required=True, help="Time window, seconds.")
@click.option("--healthy-any-time", is_flag=True,
              help="Healthy frames from any time, as DeadNet did, not matched.")  # fmt: skip
def label_dose(
    talk: Talk, sick_from: float, window_s: Any, healthy_any_time: bool, **common: Any
) -> None:
    """Label frames by dose and time (DeadNet's data set A)."""
    from livewell.jobs.label import Dose

    _label(talk, route=Dose(sick_from, window_s, healthy_any_time), **common)


@command(label_group, "points")
@_labelling
@click.option("--csv", type=PATH, required=True, help="One row a cell: image, y, x, state.")
@click.option("--patch-px", type=int, required=True, help="Edge of a patch, centred on a cell.")
@_CLASSES
@_OTHERS
@click.option("--y", default="y", show_default=True, help="Column with y, pixels.")
@click.option("--x", default="x", show_default=True, help="Column with x, pixels.")
@click.option("--state", default="state", show_default=True, help="Column with the state.")
def label_points(talk: Talk, **options: Any) -> None:
    """Label patches centred on cells whose state is known."""
    from livewell.jobs.label import Points

    names = ("csv", "classes", "patch_px", "y", "x", "state", "others")
    route = Points(**{name: options.pop(name) for name in names})
    _label(talk, route=route, **options)


@command(label_group, "stain")
@_labelling
@click.option("--channel", required=True, help="The stain's channel.")
@click.option("--patch-px", type=int, default=224, show_default=True)
@click.option("--stride-px", type=int, default=112, show_default=True)
@click.option("--on", type=click.Choice(["mean", "ratio"]), default="ratio", show_default=True,
              help="Mean stain, or its ratio to the background.")  # fmt: skip
@click.option("--offset-counts", type=float, default=0.0, show_default=True, help="Of the camera.")
@click.option("--per", help="Column whose values are fitted one by one, e.g. experiment.")
@click.option("--unfit", type=click.Choice(["refuse", "drop"]), default="refuse",
              show_default=True, help="Groups in which no two components show.")  # fmt: skip
@click.option("--reference", help="COLUMN=VALUE of the images to fit on, e.g. treatment=none.")
def label_stain(talk: Talk, reference: str | None, **options: Any) -> None:
    """Label patches by a death stain (Pattarone's mixture of two)."""
    from livewell.jobs.label import Stain

    pair = None
    if reference:
        column, equals, value = reference.partition("=")
        if not equals:
            raise SpecError("not COLUMN=VALUE", where="--reference", got=reference)
        pair = (column, value)
    names = ("channel", "patch_px", "stride_px", "on", "offset_counts", "per", "unfit")
    route = Stain(**{name: options.pop(name) for name in names}, reference=pair)
    _label(talk, route=route, **options)


@command(main, "split")
@click.argument("study", type=PATH)
@click.option("--by", required=True, help="What is never split: well, position, experiment ...")
@click.option("--scheme", type=click.Choice(["holdout", "folds", "leave-one-out", "named"]),
              default="holdout", show_default=True)  # fmt: skip
@click.option("--folds", type=int, default=5, show_default=True, help="For --scheme folds.")
@click.option("--test", multiple=True, help="Group held out, for --scheme named.")
@click.option("--patch-px", type=int, help="Edge of a patch; for labels on frames.")
@click.option("--stride-px", type=int, help="From patch to patch; by default half a patch.")
@click.option("--edge", type=click.Choice(["drop", "shift"]), default="drop", show_default=True,
              help="Rest at the far edges: left out, or covered by a patch moved back.")  # fmt: skip
@click.option("--every", type=int, default=1, show_default=True, help="Every n-th frame only.")
@click.option("--empty", type=click.Choice(["drop", "keep"]), default="drop", show_default=True,
              help="Patches without cells.")  # fmt: skip
@click.option("--labels", default="labels", show_default=True)
@click.option("--name", default="split", show_default=True)
@click.option("--channel", help="Transmitted-light channel, if its name does not tell.")
@click.option("--merge-duplicates", is_flag=True, help="Same pictures become one group.")
@click.option("--seed", type=int, default=0, show_default=True)
def split_(talk: Talk, study: Path, **options: Any) -> None:
    """Cut patches and deal whole groups to train, validation and test."""
    from livewell.io.study import Study
    from livewell.jobs.split import Grid, Holdout, KFolds, LeaveOneOut, Named, split

    schemes: dict[str, Scheme] = {
        "holdout": Holdout(),
        "folds": KFolds(options.pop("folds")),
        "leave-one-out": LeaveOneOut(),
        "named": Named(options.pop("test")),
    }
    scheme = schemes[options.pop("scheme")]
    patch_px, stride_px = options.pop("patch_px"), options.pop("stride_px")
    rest = {name: options.pop(name) for name in ("edge", "every", "empty")}
    grid = Grid(patch_px, stride_px or max(patch_px // 2, 1), **rest) if patch_px else None
    made = split(Study.open(study), scheme=scheme, grid=grid, progress=talk.progress, **options)
    talk.say(made.balance.to_string(index=False))
    for warning in made.warnings:
        talk.warn(warning)
    balance = made.balance.to_dict("records")
    talk.result({"balance": balance, "warnings": list(made.warnings)})


@command(main, "train")
@click.argument("study", type=PATH)
@click.option("--out", type=PATH, required=True, help="Run folder; the same one to go on.")
@click.option("--profile", default="FAST", show_default=True, help="Recipe.")
@click.option("--set", "settings", multiple=True, callback=_pairs, help="SETTING=VALUE.")
@click.option("--split", default="split", show_default=True)
@click.option("--fold", "folds", type=int, multiple=True, help="Only this fold (repeatable).")
@click.option("--channel", help="Transmitted-light channel, if its name does not tell.")
@click.option("--seed", type=int, default=0, show_default=True)
def train_(
    talk: Talk, study: Path, out: Path, profile: str, settings: Any, folds: Any, **options: Any
) -> None:
    """Train, one model a fold; a run that was stopped goes on."""
    from livewell import profiles
    from livewell.io.study import Study
    from livewell.jobs.train import train

    recipe = profiles.override(profiles.profile(profile), settings)
    made = train(
        Study.open(study), out, recipe, folds=folds or None, progress=talk.progress, **options
    )
    for fold in made.cards:
        talk.say(f"model of fold {fold}: {made.run.model(fold)}")
    models = {fold: str(made.run.model(fold)) for fold in made.cards}
    talk.result({"run": str(out), "models": models})


@command(main, "evaluate")
@click.argument("run", type=PATH)
@click.option("--out", type=PATH, help="Folder of the report; by default RUN/evaluation.")
@click.option("--min-each", type=int, default=1, show_default=True,
              help="Patches of each class a group needs in the AUC within groups.")  # fmt: skip
@click.option("--baselines/--no-baselines", default=True, show_default=True,
              help="Trees on intensity and on texture, beside the net.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
def evaluate_(talk: Talk, run: Path, **options: Any) -> None:
    """Measure a run on the groups it never saw, and write the report."""
    from dataclasses import asdict

    from livewell.jobs.evaluate import evaluate

    made = evaluate(run, progress=talk.progress, **options)
    for name, figure in made.figures.items():
        talk.say(f"{name:<18} {figure.value:.3f}  ({figure.low:.3f} to {figure.high:.3f})")
    for rival, found in made.baselines.items():
        auc = found["roc_auc"]
        talk.say(f"{rival:<18} {auc.value:.3f}  ({auc.low:.3f} to {auc.high:.3f})  pooled AUC")
    talk.say(f"report: {made.page}")
    figures = {name: asdict(figure) for name, figure in made.figures.items()}
    talk.result({"figures": figures, "report": str(made.page)})


@command(main, "assess")
@click.argument("images", type=PATH)
@click.option("--model", type=PATH, required=True, help="Model folder or training run.")
@click.option("--out", type=PATH, required=True, help="Folder for verdicts and report.")
@click.option("--stride-px", type=int, help="From patch to patch; by default they touch.")
@click.option("--pattern", help="File-name pattern with {well} and {position}.")
@click.option("--channel", help="Channel to judge; by default the model's.")
@click.option("--pixel-um", type=float, help="Pixel size in micrometres, for all files.")
@click.option("--frame-s", type=float, help="Seconds from frame to frame, for all files.")
def assess_(talk: Talk, images: Path, model: Path, out: Path, **options: Any) -> int:
    """Judge pictures: healthy, sick, unsure, or nothing to judge."""
    from livewell.jobs.assess import assess

    made = assess(images, model, out, progress=talk.progress, **options)
    counts = made.verdicts["verdict"].value_counts()
    for verdict, count in counts.items():
        talk.say(f"{count:>8,}  {verdict}")
    for warning in made.warnings:
        talk.warn(warning)
    for row in made.failures.itertuples():
        talk.warn(f"not judged: {row.error}")
    talk.say(f"report: {made.page}")
    talk.result(
        {
            "verdicts": {str(verdict): int(count) for verdict, count in counts.items()},
            "failures": len(made.failures),
            "warnings": list(made.warnings),
            "report": str(made.page),
        }
    )
    return 1 if len(made.failures) else 0


@command(main, "heatmap")
@click.argument("movie", type=PATH)
@click.option("--model", type=PATH, required=True, help="Model folder or training run.")
@click.option("--out", type=PATH, required=True, help="Folder for map, video and report.")
@click.option("--stride-px", type=int, help="From window to window; by default a quarter patch.")
@click.option("--channel", help="Channel to judge; by default the model's.")
@click.option("--pixel-um", type=float, help="Pixel size in micrometres.")
@click.option("--frame-s", type=float, help="Seconds from frame to frame.")
@click.option("--fps", type=float, default=5.0, show_default=True, help="Of the video.")
@click.option("--video", type=click.Choice(["webm", "mp4"]), default="webm", show_default=True,
              help="mp4 needs ffmpeg.")  # fmt: skip
def heatmap_(talk: Talk, movie: Path, model: Path, out: Path, **options: Any) -> None:
    """Show where and when in a movie cells look sick."""
    from livewell.jobs.heatmap import heatmap

    made = heatmap(movie, model, out, progress=talk.progress, **options)
    for warning in made.warnings:
        talk.warn(warning)
    talk.say(f"video: {made.video}")
    talk.say(f"report: {made.page}")
    talk.result({"video": str(made.video), "map": str(made.map), "report": str(made.page)})


@main.group("simulate")
def simulate_group() -> None:
    """Make images with a known truth."""


@command(simulate_group, "culture")
@click.option("--out", type=PATH, required=True, help="Folder for the plate.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--frames", type=int, default=12, show_default=True, help="Frames a movie.")
@click.option("--wells-per-dose", type=int, help="Wells at each dose; by default 7, 2 and 7.")
@click.option("--dose", "doses", type=float, multiple=True, help="Dose in s (repeatable).")
def simulate_culture_(
    talk: Talk, out: Path, wells_per_dose: int | None, doses: tuple[float, ...], **settings: Any
) -> None:
    """A plate of phase-contrast movies under doses of light."""
    from livewell.jobs.simulate import simulate_culture
    from livewell.simulate.culture import CultureSpec

    if wells_per_dose:
        settings["wells_per_dose"] = wells_per_dose
    if doses:
        settings["doses_s"] = doses
        settings.setdefault("wells_per_dose", 4)
    images = simulate_culture(CultureSpec(**settings), out, progress=talk.progress)
    talk.say(f"images: {images}")
    talk.result({"images": str(images), "plate": str(out / "plate.csv")})


@command(main, "demo")
@click.option("--out", type=PATH, default=Path("demo"), show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def demo_(talk: Talk, out: Path, seed: int) -> None:
    """Run the whole way once on a simulated plate: five minutes."""
    from dataclasses import asdict

    from livewell.jobs.demo import demo

    made = demo(out, seed=seed, say=talk.say, progress=talk.progress)
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
