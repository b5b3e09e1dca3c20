"""How much light is safe."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import COUNT, PATH, SEED, Talk, channels, command, named_values


@command("budget")
@click.argument("study", type=PATH)
@click.option("--out", type=PATH, required=True, help="Folder for runs and report; go on with it.")
@click.option(
    "--margin",
    type=float,
    required=True,
    help="Difference in the share of sick patches that would be harm, such as 0.1.",
)
@click.option("--sick-from", type=float, help="Lowest dose learnt as sick; by default the highest.")
@click.option(
    "--window-s", type=(float, float), help="Frames learnt from, seconds; by default all."
)
@click.option(
    "--at-s", type=(float, float), help="Frames judged, seconds; by default those learnt from."
)
@click.option("--by", default="well", show_default=True, help="What got one dose, never split.")
@click.option("--folds", type=COUNT, default=4, show_default=True, help="Models, each tested once.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Risk of a false safe.")
@click.option("--model", type=PATH, help="Judge by this model or run; trains nothing.")
@click.option("--profile", default="FAST", show_default=True, help="Recipe, as in `train`.")
@click.option(
    "--set", "settings", multiple=True, callback=named_values, help="SETTING=VALUE (repeatable)."
)
@click.option("--stride-px", type=COUNT, help="From patch to patch; by default the recipe's.")
@click.option("--every", type=COUNT, default=1, show_default=True, help="Every n-th frame only.")
@click.option("--name", default="budget", show_default=True, help="Of labels and split.")
@channels("Transmitted-light channel, if its name does not tell.")
@click.option("--seed", type=SEED, default=0, show_default=True)
def budget_(
    talk: Talk,
    study: Path,
    out: Path,
    profile: str,
    settings: Any,
    sick_from: float | None,
    window_s: Any,
    **options: Any,
) -> None:
    """Find the highest dose of light shown to be not worse than none."""
    from livewell.inference.dosed import Plan, highest_dose
    from livewell.models.profile import override
    from livewell.models.recipes import profile as recipe_of
    from livewell.study.study import Study
    from livewell.workflows.budget import budget

    recipe = override(recipe_of(profile), settings)
    where = Study.open(study)
    names = ("at_s", "by", "folds", "every", "stride_px")
    plan = Plan(
        highest_dose(where) if sick_from is None else sick_from,
        window_s,
        **{name: options.pop(name) for name in names},
    )
    made = budget(where, out, plan, profile=recipe, **options)
    wide = max(len(f"{test.dose:g}") for test in made.budget.tests)
    positive = made.classes[1]
    broad = max(6, len(positive))
    talk.say(f"{'dose':>{wide}}  wells  {positive:<{broad}}  {'less no light':<24}  decision")
    for test in made.budget.tests:
        bounds = (
            f"{100 * test.difference:+.1f} ({100 * test.lower:+.1f} to {100 * test.upper:+.1f})"
        )
        talk.say(
            f"{test.dose:>{wide}g}  {test.wells:>5}  {test.fraction:>{broad}.1%}  {bounds:<24}"
            f"  {test.decision}"
        )
    talk.say(made.budget.told(made.unit, positive))
    talk.say(f"report: {made.page}")
    talk.result(made.as_json())
