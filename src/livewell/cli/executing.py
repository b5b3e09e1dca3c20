"""Options that say where units of work are done, the same for all commands that have them."""

import functools
from typing import Any

import click

from livewell.cli.endings import WORDS
from livewell.cli.talk import COUNT, Command, Talk

GATHER = "livewell.gather"
"""Key in the context of a command that `livewell gather` gives again."""


class _Shard(click.ParamType[tuple[int, int]]):
    """``K/N``, such as 3/20."""

    name = "K/N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """The part and how many there are, or a usage error."""
        k, _, n = str(value).partition("/")
        if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
            self.fail(f"{value!r} is no part K/N, 1 <= K <= N, such as 3/20.", param, ctx)
        return int(k), int(n)


EXECUTING: dict[str, dict[str, Any]] = {
    "workers": {"type": COUNT, "help": "Work in so many processes of this machine."},
    "cluster": {
        "type": click.Choice(["dask", "slurm"]),
        "help": "Work on a Dask cluster (--scheduler), or in SLURM jobs that are begun now"
        " (--jobs).",
    },
    "scheduler": {"help": "Address of a Dask scheduler, or path of its scheduler file."},
    "partition": {"help": "SLURM partition."},
    "jobs": {"type": COUNT, "help": "How many SLURM jobs, each of one process."},
    "walltime": {"help": "Longest time of a SLURM job, HH:MM:SS; then another begins."},
    "memory": {"help": "Most memory of a worker, such as 8GB; of a SLURM job 4GB."},
    "account": {"help": "SLURM account."},
    "shard": {
        "type": _Shard(),
        "help": "Do only the K-th of N parts, and make no page: that does `livewell gather`.",
    },
}
"""Options of `livewell.execution.executors.Executor`, by name."""


def executing(function: Command) -> Command:
    """Give a command these options; its function takes an ``executor``."""

    @functools.wraps(function)
    def run(talk: Talk, **options: Any) -> Any:
        from livewell.execution.executors import Executor, PartDone
        from livewell.execution.status import command

        context = click.get_current_context()
        said = {name: options.pop(name) for name in EXECUTING}
        executor = Executor(gather=True) if context.meta.get(GATHER) else Executor(**said)
        words = [word for word in context.meta[WORDS] if word not in ("--json", "--quiet")]
        token = command.set((str(context.command.name), *words))
        try:
            return function(talk, executor=executor, **options)
        except PartDone as part:
            return _told(talk, part)
        finally:
            command.reset(token)

    for name, settings in reversed(EXECUTING.items()):
        run = click.option(f"--{name}", **settings)(run)
    return run


def _told(talk: Talk, part: Any) -> int:
    """What a part of a run came to; the exit code."""
    talk.say(str(part))
    talk.say("when all parts are done: livewell gather OUT")
    names = ("made", "failed", "kept", "done", "total")
    talk.result({name: getattr(part, name) for name in names})
    return 1 if part.failed else 0
