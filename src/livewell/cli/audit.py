"""Look for shortcuts in a study."""

from pathlib import Path
from typing import Any

import click

from livewell.cli.talk import PATH, SEED, Talk, channels, command


@command("audit")
@click.argument("study", type=PATH)
@click.option("--labels", default="labels", show_default=True)
@click.option("--split", help="Name of a split that is audited too.")
@click.option("--model", type=PATH, help="Model or run that is audited too.")
@channels("Channel to look at, if its name does not tell.")
@click.option("--out", type=PATH, help="Report's folder; by default audits/LABELS in the study.")
@click.option(
    "--learning/--no-learning",
    default=True,
    show_default=True,
    help="Also ask what a backbone's features tell: in replicates left out, with labels shuffled,"
    " before the treatment. Takes longer.",
)
@click.option(
    "--treated-s",
    type=float,
    default=0.0,
    show_default=True,
    help="When cells were treated, seconds of the study's time.",
)
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--strict", is_flag=True, help="End with 1 where a check fails.")
def audit_(talk: Talk, study: Path, strict: bool, **options: Any) -> int:
    """Ask a labelled study what tells the classes apart and is not health."""
    from livewell.workflows.audit import audit

    made = audit(study, **options)
    for check in made.meta.checks:
        talk.say(f"{check.verdict:>10}  {check.name}: {check.answer}")
    talk.say(made.meta.headline)
    code = talk.end(
        made,
        lost="not read: {image}: {error}",
        state=made.meta.state,
        headline=made.meta.headline,
        checks=[check.model_dump(mode="json") for check in made.meta.checks],
        failures=made.failures.to_dict("records"),
    )
    return max(code, int(strict and made.meta.state == "fails"))
