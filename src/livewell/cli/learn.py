"""Split, train, evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from livewell.cli.endings import echo
from livewell.cli.executing import executing
from livewell.cli.talk import (
    COUNT,
    DEVICE,
    OCCUPIED_BY,
    PATH,
    SEED,
    Talk,
    channels,
    command,
    named_values,
)
from livewell.errors import SpecError

if TYPE_CHECKING:
    from livewell.metrics.intervals import Estimate
    from livewell.splitting.schemes import Scheme


@command("split")
@click.argument("study", type=PATH)
@click.option("--by", required=True, help="What is never split: well, position, experiment ...")
@click.option(
    "--scheme",
    type=click.Choice(["holdout", "folds", "leave-one-out", "named", "parts"]),
    default="holdout",
    show_default=True,
)
@click.option("--folds", type=COUNT, help="For --scheme folds; 5 by default.")
@click.option("--test", multiple=True, help="Group held out, for --scheme named.")
@click.option("--parts", help="Column with each group's part, for --scheme parts.")
@click.option("--patch-px", type=COUNT, help="Edge of a patch; for labels on frames.")
@click.option("--stride-px", type=COUNT, help="From patch to patch; by default half a patch.")
@click.option("--whole", is_flag=True, help="Whole frames, for nets such as WSCNN_FAST.")
@click.option(
    "--edge",
    type=click.Choice(["drop", "shift"]),
    help="Rest at the far edges: left out (default), or covered by a patch moved back.",
)
@click.option("--every", type=COUNT, default=1, show_default=True, help="Every n-th frame only.")
@click.option(
    "--empty",
    type=click.Choice(["drop", "keep"]),
    help="Patches without cells: left out (default) or kept.",
)
@OCCUPIED_BY
@click.option("--labels", default="labels", show_default=True)
@click.option("--name", default="split", show_default=True)
@channels("Transmitted-light channel, if its name does not tell.")
@click.option(
    "--merge-duplicates",
    is_flag=True,
    help="Images of the same content, and near copies, become one group.",
)
@click.option(
    "--different-fields",
    type=(str, str),
    multiple=True,
    metavar="IMAGE IMAGE",
    help="Two images that look like near copies and are different fields (repeatable).",
)
@click.option("--seed", type=SEED, default=0, show_default=True)
def split_(talk: Talk, study: Path, **options: Any) -> None:
    """Cut patches and deal whole groups to train, validation and test."""
    from livewell.splitting.schemes import Holdout, KFolds, LeaveOneOut, Named, Parts
    from livewell.study.regions import Grid, Whole
    from livewell.study.study import Study
    from livewell.workflows.split import split

    names = ("scheme", "folds", "test", "parts")
    chosen, folds, test, parts = (options.pop(name) for name in names)
    given = {"--folds": (folds, "folds"), "--test": (test, "named"), "--parts": (parts, "parts")}
    for option, (value, needed) in given.items():
        if value and chosen != needed:
            raise click.UsageError(f"{option} is for --scheme {needed}, not {chosen}")
    if chosen == "parts" and not parts:
        raise click.UsageError("--scheme parts needs --parts COLUMN")
    schemes: dict[str, Scheme] = {
        "holdout": Holdout(),
        "folds": KFolds(folds or 5),
        "leave-one-out": LeaveOneOut(),
        "named": Named(test),
        "parts": Parts(parts),
    }
    scheme = schemes[chosen]
    patch_px, every, whole = (options.pop(name) for name in ("patch_px", "every", "whole"))
    of_grid = {name: options.pop(name) for name in ("stride_px", "edge", "empty")}
    of_grid = {name: value for name, value in of_grid.items() if value}
    if whole and patch_px:
        raise click.UsageError("--whole takes no --patch-px")
    for name in () if patch_px else of_grid:
        raise click.UsageError(f"--{name.replace('_', '-')} is for patches of --patch-px")
    if every > 1 and not (whole or patch_px):
        raise click.UsageError("--every is for frames of --patch-px or --whole")
    grid: Grid | Whole | None = None
    if whole:
        grid = Whole(every)
    elif patch_px:
        grid = Grid(patch_px, **{"stride_px": max(patch_px // 2, 1)} | of_grid, every=every)
    made = split(
        Study.open(study),
        scheme=scheme,
        grid=grid,
        **options,
    )
    talk.say(made.balance.to_string(index=False), lines=True)
    balance = made.balance.to_dict("records")
    talk.result({"balance": balance, "warnings": list(made.warnings)})


def _show_settings(context: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name is None or context.resilient_parsing:
        return
    from livewell.models.profile import described
    from livewell.models.recipes import profile

    try:
        echo(described(profile(name)), lines=True)
    except SpecError as error:
        raise click.BadParameter(str(error), param=parameter) from error
    context.exit()


@command("features")
@click.argument("study", type=PATH)
@click.option("--remove", is_flag=True, help="Remove what is kept; with --profile, first.")
@click.option("--profile", help="Recipe, such as FROZEN, whose features to make ahead.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=named_values,
    help="SETTING=VALUE of the recipe, e.g. zooms=1,2 (repeatable).",
)
@click.option("--labels", default="labels", show_default=True, help="Frames of these labels.")
@channels("Channel to look at; by default the study's.")
@DEVICE
@executing
def features_(
    talk: Talk, study: Path, profile: str | None, settings: dict[str, str], **options: Any
) -> None:
    """Tell what features of images a study keeps, make them ahead, or remove them."""
    from livewell.models.profile import override
    from livewell.models.recipes import profile as recipe_of
    from livewell.study.features import LIMIT
    from livewell.text import plural
    from livewell.workflows.features import features

    if settings and not profile:
        raise click.UsageError("--set is for --profile")
    recipe = override(recipe_of(profile), settings) if profile else None
    made = features(study, profile=recipe, **options)
    for text in made.warnings:
        talk.warn(text)
    if made.removed:
        talk.say(f"removed: {plural(made.removed.files, 'file')}, {made.removed.used_gb:.2f} GB")
    if recipe:
        talk.say(f"seen: {plural(made.frames, 'frame')}")
    room = made.room
    limit = f"{room.limit_gb:g} GB ({LIMIT})"
    talk.say(f"kept: {plural(room.files, 'file')}, {room.used_gb:.2f} GB of {limit}")
    kept = {"files": room.files, "gb": room.used_gb, "limit_gb": room.limit_gb}
    gone = made.removed and {"files": made.removed.files, "gb": made.removed.used_gb}
    found = {"frames": made.frames, "warnings": list(made.warnings)}
    talk.result({**kept, "removed": gone, **found})


@command("train")
@click.argument("study", type=PATH)
@click.option("--out", type=PATH, required=True, help="Run folder; the same one to go on.")
@click.option(
    "--profile",
    help="Recipe: FROZEN (default), seconds of fitting on a backbone that knows photographs;"
    " FINE_TUNED, such a backbone on patches, its last blocks trained too; FAST, a small net from"
    " scratch; AUTO for the better of FROZEN and FAST by validation groups; EMPTY_SVM for empty"
    " patches by a few that are marked; FAST_FIELDS for training on crops with all their labelled"
    " regions;"
    " STAIN_UNET to learn a stain (--stain) beside the labels;"
    " DEADNET_2017_SHORT or DEADNET_2017, DEADNET_DENSE for exact maps, DEADNET_2017_B for data"
    " set B, DEADNET_2017_PUBLISHED for the published files; PATTARONE_2021_SHORT or"
    " PATTARONE_2021; CELLDEATH_2021; FROZEN_IMAGES, WSCNN_FAST_CELLS, WSCNN_FAST,"
    " WSCNN_2017 or WSCNN_2017_CELLS for labels of whole images.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    callback=named_values,
    help="SETTING=VALUE, e.g. steps=2000 or lr=0.001 (repeatable).",
)
@click.option(
    "--settings-of",
    metavar="PROFILE",
    is_eager=True,
    expose_value=False,
    callback=_show_settings,
    help="Print every setting of this recipe, and end.",
)
@click.option("--split", default="split", show_default=True)
@click.option("--fold", "folds", type=SEED, multiple=True, help="Only this fold (repeatable).")
@channels("Transmitted-light channel, if its name does not tell.")
@click.option(
    "--stain",
    metavar="CHANNEL",
    help="Channel of a stain that the net learns to predict pixel by pixel; for STAIN_UNET.",
)
@click.option(
    "--begin-with",
    type=PATH,
    help="A model whose weights training begins with; refused if it has learnt from validation or"
    " test images.",
)
@click.option(
    "--anchor-by",
    metavar="COLUMN",
    help="What has untreated wells of its own: plate, day; features are relative to theirs."
    " For FROZEN, with --anchor.",
)
@click.option(
    "--anchor",
    metavar="COLUMN=VALUE",
    multiple=True,
    callback=named_values,
    help="Which images these are. They are neither learnt from nor judged, so they must not be all"
    " of a class; new plates need some too.",
)
@click.option(
    "--healthy-only",
    is_flag=True,
    help="Learn from healthy groups alone what is unlike them: recipe HEALTHY_ONLY.",
)
@click.option(
    "--healthy",
    metavar="CLASS",
    help="With --healthy-only: which class is healthy; by default the negative one of two.",
)
@DEVICE
@click.option("--seed", type=SEED, default=0, show_default=True)
def train_(
    talk: Talk,
    study: Path,
    out: Path,
    profile: str | None,
    settings: Any,
    folds: Any,
    healthy_only: bool,
    **options: Any,
) -> None:
    """Train, one model a fold; a run that was stopped goes on."""
    from livewell.models.profile import override
    from livewell.models.recipes import profile as recipe_of
    from livewell.study.study import Study
    from livewell.tables.metadata import Anchor
    from livewell.workflows.train import train

    if healthy_only and profile:
        raise click.UsageError("--healthy-only is a recipe of its own, without --profile")
    name = profile or ("HEALTHY_ONLY" if healthy_only else "FROZEN")
    recipe = override(recipe_of(name), settings)
    by, chosen = options.pop("anchor_by"), options.pop("anchor")
    if len(chosen) != (by is not None):
        raise click.UsageError("--anchor-by COLUMN and one --anchor COLUMN=VALUE go together")
    for column, value in chosen.items():
        options["anchor"] = Anchor(by=by, column=column, value=value)
    made = train(Study.open(study), out, recipe, folds=folds or None, **options)
    for fold in made.cards:
        talk.say(f"model of fold {fold}: {made.run.model(fold)}")
    models = {fold: str(made.run.model(fold)) for fold in made.cards}
    audits = {fold: card.audits[0].model_dump() for fold, card in made.cards.items()}
    first = next(iter(audits.values()), None)
    talk.result({"run": str(out), "models": models, "audit": first})


PLACED = ("precision", "recall", "f1")


def _told(figure: "Estimate") -> str:
    if figure.method == "undefined":
        return f"not defined: {figure.note}"
    if figure.low != figure.low:
        return f"{figure.value:.3f}  (no interval: {figure.note})"
    return f"{figure.value:.3f}  ({figure.low:.3f} to {figure.high:.3f})"


@command("evaluate")
@click.argument("model", metavar="RUN_OR_MODEL", type=PATH)
@click.option(
    "--on",
    type=PATH,
    help="A labelled study to try the run or model on, in place of the run's own test groups.",
)
@click.option(
    "--labels", default="labels", show_default=True, help="With --on: name of its labels."
)
@click.option("--by", help="With --on: column that names what is never split.")
@channels("With --on: channel to look at.")
@click.option(
    "--out",
    type=PATH,
    help="Folder of the report; by default RUN/evaluation, or with --on STUDY/evaluations/LABELS.",
)
@click.option(
    "--min-each",
    type=COUNT,
    default=1,
    show_default=True,
    help="Patches of each class a group needs in the AUC within groups.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Trees on intensity and on texture, beside the net.",
)
@click.option(
    "--random-split/--no-random-split",
    "random",
    default=True,
    show_default=True,
    help="Show, beside the result, what a split that tears groups would have shown.",
)
@click.option(
    "--collapse",
    metavar="COLUMN[=VALUE]",
    help="Also ask the coarser question of a column that the labels were made of, such as"
    " treatment=CPT: where it has two values, VALUE is the one to find.",
)
@click.option("--stain", help="Channel of a death stain to correlate the scores with.")
@DEVICE
@click.option("--seed", type=SEED, default=0, show_default=True)
def evaluate_(talk: Talk, model: Path, on: Path | None, **options: Any) -> None:
    """Measure a run on groups it never saw or on another study, and report."""
    from dataclasses import asdict

    from livewell.report.random_split import told
    from livewell.study.study import Study
    from livewell.workflows.evaluate import evaluate

    study = None if on is None else Study.open(on)
    made = evaluate(model, on=study, **options)
    for name, figure in made.figures.items():
        talk.say(f"{name:<18} {_told(figure)}")
    if made.places.figures:
        for how, found in made.places.figures["thresholds"].items():
            three = ", ".join(f"{name} {found[name]['value']:.3f}" for name in PLACED)
            talk.say(f"{'detections':<18} {three}; threshold {how}")
    elif made.paper:
        talk.say(f"{'virtual batches':<18} {_told(made.paper)}  as DeadNet's paper, too narrow")
    for rival, found in made.baselines.items():
        talk.say(f"{rival:<18} {_told(found['roc_auc'])}  pooled AUC, same patches")
    for name, figure in made.stain.figures.items():
        talk.say(f"{name:<23} {_told(figure)}  with {options['stain']}")
    for name, figure in made.collapse.figures.items():
        talk.say(f"{name:<18} {_told(figure)}  by {options['collapse']}")
    if leak := told(made.random):
        talk.say(f"{'random split':<18} {leak}")
    suspects = made.folder / "suspects.csv"
    talk.say(f"{len(made.suspects):,} labels contradicted: {suspects}")
    talk.say(f"report: {made.page}")
    figures = {name: asdict(figure) for name, figure in made.figures.items()}
    places = dict(made.places.figures)
    found = {"suspects": str(suspects), "places": places, "stain": made.stain.as_json()}
    found |= {"audit": made.audit.model_dump(), "report": str(made.page)}
    found |= {"collapse": made.collapse.as_json(), "random_split": made.random.as_json()}
    talk.result({"figures": figures, **found})
