"""Designs of a study: lines, experiments, hours, doses, wells, repeats."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import COUNT, DEVICE, PATH, SEED, Talk, channels, command, named_values


@command("design")
@click.argument("study", type=PATH)
@click.option(
    "--design",
    "designs",
    multiple=True,
    required=True,
    metavar="NAME",
    help="all-lines: one model over all lines; each-line: one for each; leave-line-out: each line"
    " left out and tested on; experiment: whole groups as test; hours: by hour after treatment;"
    " doses: each against none; wells: learning curve over training wells; repeats: several seeds"
    " (repeatable).",
)
@click.option("--out", type=PATH, required=True, help="Folder for all; the same one to go on.")
@click.option("--by", default="well", show_default=True, help="What is never split.")
@click.option("--line", default="cell_line", show_default=True, help="Column of the cell line.")
@click.option("--test", multiple=True, help="Group that tests; by default each does, in folds.")
@click.option("--folds", type=COUNT, default=4, show_default=True, help="Most folds.")
@click.option(
    "--repeats",
    type=COUNT,
    help="Seeds, and draws of training wells; 1 by default, 5 for repeats.",
)
@click.option("--death", help="Column of the hours from treatment to death, for early warning.")
@click.option(
    "--collapse",
    metavar="COLUMN=VALUE",
    multiple=True,
    callback=named_values,
    help="Ask many classes also for this column, such as treatment=CPT; VALUE is sought.",
)
@click.option("--labels", default="labels", show_default=True)
@click.option("--profile", default="FROZEN", show_default=True, help="Recipe, as in `train`.")
@click.option(
    "--set", "settings", multiple=True, callback=named_values, help="SETTING=VALUE (repeatable)."
)
@click.option("--every", type=COUNT, default=1, show_default=True, help="Every n-th frame only.")
@click.option("--pages", is_flag=True, help="The page of `evaluate` of every item too.")
@click.option("--name", default="design", show_default=True, help="Of labels and splits.")
@channels("Transmitted-light channel, if its name does not tell.")
@DEVICE
@click.option("--seed", type=SEED, default=0, show_default=True)
def design_(talk: Talk, study: Path, out: Path, designs: tuple[str, ...], **options: Any) -> int:
    """Train and test a study in several designs, with intervals over groups."""
    from livewell.models.profile import override
    from livewell.models.recipes import profile as recipe_of
    from livewell.splitting.design_rows import DesignPlan
    from livewell.workflows.design import design
    from livewell.workflows.design_items import DesignSettings

    names = ("by", "line", "test", "folds", "death", "seed")
    chosen = {name: options.pop(name) for name in names}
    plan = DesignPlan(**chosen, repeats=options.pop("repeats") or 0)
    recipe = override(recipe_of(options.pop("profile")), options.pop("settings"))
    collapse = list(options.pop("collapse").items())
    if len(collapse) > 1:
        raise click.UsageError("--collapse asks one question")
    made = design(
        study,
        out,
        designs,
        plan,
        DesignSettings(recipe, **options),
        collapse=collapse[0] if collapse else None,
    )
    lines = [
        f"{row.key.design}, {row.key.name}: {row.question}: test {row.test},"
        f" accuracy {row.figures['accuracy']}"
        for row in made.found.rows
    ]
    tables = {name: table.to_dict("records") for name, table in made.tables.items()}
    return talk.end(made, *lines, lost="not made: {image}: {error}", tables=tables)
