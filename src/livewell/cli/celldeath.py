"""celldeath's three commands."""

from pathlib import Path
from typing import Any

import click

from livewell.cli import endings
from livewell.cli.talk import (
    COUNT,
    DEVICE,
    PATH,
    POSITIVE,
    SEED,
    Talk,
    channels,
    command,
    named_values,
    pairs,
    value_maps,
)

NETS = ("resnet34", "resnet50", "resnet101", "densenet121")
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
LABEL = click.option(
    "--label",
    "labels",
    multiple=True,
    callback=pairs,
    metavar="WORD[=CLASS]",
    help="Word in file names, and its class (repeatable), untreated first: of two classes the"
    " second is the one to find. --labels WORD WORD ... says several.",
)
OF_NETS = {
    "lr_first": click.option("--lr-first", type=POSITIVE, help="Rate of the first blocks; 1e-4."),
    "lr": click.option("--lr", type=POSITIVE, help="Rate of the last layer; 1e-3."),
    "passes": click.option("--epochs", "passes", type=COUNT, help="Epochs; 50."),
    "batch": click.option("--batch", type=COUNT, help="Patches a step; 16."),
    "head_dropout": click.option(
        "--dropout", "head_dropout", type=click.FloatRange(0, 1, max_open=True), help="0.5."
    ),
    "weight_decay": click.option(
        "--weight-decay", type=click.FloatRange(0), help="Weight decay; 0.01."
    ),
}
"""Options of nets by the setting that they are."""


class ManyWords(endings.Command):
    """A command whose option ``--labels`` takes all words up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's, ``--labels a b`` read as ``--label a --label b``."""
        words: list[str] = []
        many = False
        for word in args:
            many = word == "--labels" or (many and not word.startswith("-"))
            words += [] if word == "--labels" else ["--label", word] if many else [word]
        return super().parse_args(ctx, words)


@click.group("celldeath")
def celldeath() -> None:
    """The steps of celldeath: slice images, train on labels in their names, predict.

    IMAGES stands before the options; docs/celldeath.md says what became of each old option.
    """


@command("slice", celldeath)
@click.argument("images", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for the tiles.")
@click.option(
    "--tiles",
    type=click.Choice(["2", "4", "6", "8"]),
    default="4",
    show_default=True,
    help="Tiles an image; of two layouts the one whose tiles are nearest to squares.",
)
def slice_(talk: Talk, images: Path, out: Path, tiles: str) -> int:
    """Cut images into tiles, with all their bits, channels and their scale."""
    from livewell.images.walking import left_out_lines
    from livewell.papers.slices import slices
    from livewell.text import plural

    made = slices(images, out, tiles=int(tiles))
    failures = made.failures.to_dict("records")
    for text in (*made.warnings, *(f"not cut: {row['image']}: {row['error']}" for row in failures)):
        talk.warn(text)
    said = (*made.layouts, *left_out_lines(made.left_out))
    for text in (*said, f"{plural(len(made.tiles), 'tile')}, listed in {out / 'tiles.csv'}"):
        talk.say(text)
    found = {"tiles": len(made.tiles), "table": str(out / "tiles.csv"), "layouts": made.layouts}
    found |= {"warnings": list(made.warnings), "failures": failures}
    talk.result(found | {"left_out": dict(made.left_out)})
    return 1 if failures else 0


def _of_nets(function: Any) -> Any:
    for option in reversed(OF_NETS.values()):
        function = option(function)
    return function


@command("train", celldeath, cls=ManyWords)
@click.argument("images", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for study, run and report.")
@LABEL
@click.option(
    "--others",
    type=click.Choice(["refuse", "drop"]),
    default="refuse",
    show_default=True,
    help="Names without a label.",
)
@click.option(
    "--model",
    type=click.Choice(NETS),
    help="A net of the paper, CELLDEATH_2021: hours on a GPU. By default FROZEN: seconds on a"
    " processor, on a backbone that knows photographs.",
)
@click.option("--imagenet", is_flag=True, help="With --model: begin with weights of ImageNet.")
@_of_nets
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=named_values,
    help="SETTING=VALUE of the recipe (repeatable).",
)
@click.option(
    "--by",
    default="picture",
    show_default=True,
    help="What is never split: picture, or better what pattern or metadata say, as replicate.",
)
@click.option(
    "--empty",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="Patches without cells.",
)
@click.option("--test", multiple=True, help="Group that is tested (repeatable), of --by.")
@click.option("--test-share", type=SHARE, default=0.2, show_default=True, help="Of the groups.")
@click.option(
    "--valid-share", type=SHARE, default=0.2, show_default=True, help="Of the other groups."
)
@click.option("--pattern", help="File-name pattern, as of index.")
@click.option(
    "--value", "values", multiple=True, callback=value_maps, help="PART:FOUND=MEANT, as of index."
)
@click.option("--metadata", type=PATH, help="CSV keyed by file or well, as of index.")
@channels("Transmitted-light channel, if its name does not tell.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@DEVICE
@click.option("--seed", type=SEED, default=0, show_default=True)
def train_(
    talk: Talk,
    images: Path,
    out: Path,
    model: str | None,
    imagenet: bool,
    settings: dict[str, str],
    **options: Any,
) -> int:
    """Learn classes that stand in file names, audited and evaluated."""
    from dataclasses import asdict

    from livewell.models.profile import override
    from livewell.models.recipes import CELLDEATH_2021, FROZEN
    from livewell.papers.celldeath import LABELS, Plan, learn
    from livewell.report.vocabulary import short

    of_net = {name: options.pop(name) for name in OF_NETS}
    of_net = {name: value for name, value in of_net.items() if value is not None}
    if model is None and (of_net or imagenet):
        raise click.UsageError("rates, epochs, batch, dropout, decay and --imagenet need --model")
    named = {"net": model} | ({"weights": "imagenet"} if imagenet else {}) if model else {}
    profile = override(CELLDEATH_2021 if model else FROZEN, named | of_net | settings)
    shares = options.pop("test_share"), options.pop("valid_share")
    where = {"device": options.pop("device"), "seed": options.pop("seed"), "say": talk.say}
    options["labels"] = options["labels"] or LABELS
    made = learn(images, out, Plan(profile=profile, shares=shares, **options), **where)
    for name, figure in made.figures.items():
        talk.say(f"{name:<18} {short(figure)}")
    talk.say(made.headline)
    figures = {name: asdict(figure) for name, figure in made.figures.items()}
    cautions, run = list(made.cautions), str(out / "run")
    return talk.end(made, figures=figures, headline=made.headline, cautions=cautions, run=run)


@command("predict", celldeath, cls=ManyWords)
@click.argument("images", type=PATH)
@click.option("--model", type=PATH, required=True, help="Folder of train, or any model.")
@click.option("--out", type=PATH, required=True, help="Folder for verdicts and report.")
@LABEL
@channels("Channel to judge; by default the model's.")
@click.option("--pixel-um", type=POSITIVE, help="Pixel size in micrometres, for all files.")
@DEVICE
def predict_(
    talk: Talk, images: Path, model: Path, out: Path, labels: dict[str, str], **options: Any
) -> int:
    """Judge images by a model; where names hold labels, say how often it is right."""
    from dataclasses import asdict

    from livewell.papers.celldeath import words_of
    from livewell.report.trust import audited
    from livewell.report.vocabulary import short
    from livewell.workflows.assess import assess

    made = assess(images, model, out, named=labels or words_of(model), **options)
    verdicts, truth = talk.count(made.verdicts["verdict"]), made.named
    talk.say(truth.said)
    if len(truth.matrix):
        talk.say(truth.matrix.to_string(), lines=True)
    for name, figure in truth.figures.items():
        talk.say(f"{name:<18} {short(figure)}")
    if made.audit.state != "passes":
        talk.warn(audited(made.audit).text)
    return talk.end(
        made,
        lost="not judged: {error}",
        verdicts=verdicts,
        named=truth.said,
        figures={name: asdict(figure) for name, figure in truth.figures.items()},
        confusion=truth.matrix.to_dict(),
        failures=len(made.failures),
    )
