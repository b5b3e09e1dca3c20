"""How far a run is, and what its parts come to."""

from contextlib import chdir, nullcontext
from pathlib import Path
from typing import Any

import click

from livewell.cli import endings
from livewell.cli.executing import GATHER
from livewell.cli.talk import PATH, Talk, command

SHOWN = 5
"""So many names of units that failed are shown."""


@command("status")
@click.argument("out", type=PATH)
def status_(talk: Talk, out: Path) -> int:
    """Say how far a run is, from its folder, while it runs and after."""
    from livewell.execution.status import RunStatus
    from livewell.progress import span
    from livewell.text import few

    found = RunStatus.of(out)
    share = found.done / found.total if found.total else 1.0
    talk.say(
        f"{found.what}: {found.done:,} of {found.total:,} done ({share:.0%}),"
        f" {len(found.failed):,} failed, {len(found.missing):,} missing"
    )
    if found.rate is not None:
        left = "" if found.left_s is None else f", {span(found.left_s)} left at this rate"
        by = f"{found.active} of {len(found.workers)} workers"
        talk.say(f"{found.rate:.3g} a minute by {by}{left}")
    if found.failed:
        talk.say(f"failed: {few(found.failed, SHOWN)}")
    talk.result(
        {
            "what": found.what,
            "total": found.total,
            "done": found.done,
            "failed": list(found.failed),
            "missing": list(found.missing),
            "per_minute": found.rate,
            "left_s": found.left_s,
            "workers": list(found.workers),
            "active_workers": found.active,
        }
    )
    return 0


@click.command("gather", cls=endings.Command)
@click.argument("out", type=PATH)
@click.option("--quiet", is_flag=True, help="Say nothing but warnings and errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def gather_(context: click.Context, out: Path, quiet: bool, as_json: bool) -> None:
    """Make tables and page of a run that was done in parts (--shard)."""
    from livewell.errors import StudyError
    from livewell.execution.status import RUN, read_units

    known = read_units(out)
    words: list[str] = known.get("command") or [""]
    parent: Any = context.parent
    told = parent.command.get_command(context, words[0])
    begun = {word.partition("=")[0] for word in words}
    places = [p for p in told.params if p.name in ("out", "to", "into")] if told else []
    option = next((p for p in places if begun & set(p.opts)), None)
    if option is None:
        raise StudyError(
            "it is not known which command began this run, or it makes no page",
            where=str(out / RUN),
            remedy="give the command itself again, without --shard",
        )
    flags = [*(["--quiet"] if quiet else []), *(["--json"] if as_json else [])]
    # the folder may have been moved since
    words = [*words[1:], *flags, option.opts[0], str(out.resolve())]
    began_in = Path(known.get("folder") or ".")
    with chdir(began_in) if began_in.is_dir() else nullcontext():
        again = told.make_context(told.name, words, parent=parent)
        again.meta[GATHER] = True
        told.invoke(again)
