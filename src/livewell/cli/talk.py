"""What all commands share: how they speak, how they fail, how options of pairs are read."""

import functools
import logging
import math
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from livewell.cli import endings
from livewell.cli.endings import echo, echo_json, stopped, told
from livewell.images.walking import left_out_lines
from livewell.progress import SILENT, Bars, shown


class _Path(click.Path):
    """A path; the empty text of an unset variable is none, though it would be the folder here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or a usage error."""
        if str(value) == "":
            self.fail("An empty path.", param, ctx)
        return super().convert(value, param, ctx)


AGAIN_S = 0.02
"""After so many seconds a stop comes once more that came where nothing could be stopped."""
PATH = _Path(path_type=Path)
COUNT, SEED = click.IntRange(min=1), click.IntRange(min=0)


class Positive(click.FloatRange):
    """A number above zero; not infinite, not NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


POSITIVE = Positive(min=0, min_open=True)
Command = Callable[..., Any]
DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Where to compute: cpu, cuda, cuda:1, mps; auto: the first GPU where there is one.",
)
OCCUPIED_BY = click.option(
    "--occupied-by",
    type=PATH,
    help="Model or run of patches that were marked empty or not (EMPTY_SVM), which tells those"
    " without cells in place of their texture.",
)


class Talk:
    """What a command says: text for people, or one JSON object for machines."""

    def __init__(self, quiet: bool, as_json: bool) -> None:
        self._quiet, self._json, self._lines = quiet, as_json, False

    def say(self, text: str, *, lines: bool = False) -> None:
        """A line for people, or `lines`, on standard output."""
        if not (self._quiet or self._json):
            echo(text, lines=lines)

    def warn(self, text: str) -> None:
        """A warning, on standard error, also when quiet."""
        if not self._json:
            echo(f"warning: {text}", err=True)

    def count(self, verdicts: Iterable[str]) -> dict[str, int]:
        """Say how many there are of each verdict, the most frequent first."""
        counts = dict(Counter(verdicts).most_common())
        for verdict, number in counts.items():
            self.say(f"{number:>8,}  {verdict}")
        return counts

    def end(self, made: Any, /, *lines: str, lost: str = "", **values: Any) -> int:
        """Tell warnings, failures (as `lost` says), lines and page, if any; the exit code."""
        failures = made.failures.to_dict("records") if lost else []
        counts = Counter(lost.format(**row) for row in failures)
        many = (
            f"{text} ({count:,} times)" if count > 1 else text for text, count in counts.items()
        )
        for text in (*made.warnings, *many):
            self.warn(text)
        left_out = getattr(made, "left_out", None)
        page = getattr(made, "page", None)
        report = {} if page is None else {"report": str(page)}
        for line in (
            *lines,
            *left_out_lines(left_out or {}),
            *(f"report: {at}" for at in report.values()),
        ):
            self.say(line)
        values |= {"left_out": dict(left_out)} if left_out is not None else {}
        audit = getattr(made, "audit", None)
        values |= {"audit": audit.model_dump()} if audit is not None else {}
        self.result({**values, "warnings": list(made.warnings), **report})
        return 1 if failures else 0

    def line(self, values: dict[str, Any]) -> None:
        """One of several objects for machines, on a line of its own, as then is the result too."""
        self._lines = True
        if self._json:
            echo_json(values)

    def result(self, values: dict[str, Any]) -> None:
        """The result for machines, on standard output."""
        if self._json:
            echo_json(values, indent=None if self._lines else 2)


def command(
    name: str, group: click.Group | None = None, cls: type[click.Command] = endings.Command
) -> Callable[[Command], click.Command]:
    """A command with ``--quiet`` and ``--json``, whose errors are in plain words."""

    def decorate(function: Command) -> click.Command:
        @functools.wraps(function)
        def run(quiet: bool, as_json: bool, **options: Any) -> None:
            stops: list[endings.Terminated] = []

            def stop(number: int, *_: object) -> None:
                stops.append(endings.Terminated(number))
                raise stops[-1]

            heeded = [each for each in endings.ENDING if signal.getsignal(each) != signal.SIG_IGN]
            before = {each: signal.signal(each, stop) for each in heeded}
            hook, sys.excepthook = sys.excepthook, _of_main_thread
            unraised, sys.unraisablehook = sys.unraisablehook, _raised_nowhere
            talk = Talk(quiet, as_json)
            bars = SILENT if quiet or as_json else Bars(functools.partial(echo, err=True))
            try:
                with shown(bars), _logged(talk):
                    code = function(talk, **options)
                sys.excepthook = hook
            except click.ClickException:
                raise
            except Exception as error:
                # what is not written in Python may make another error of a stop
                code = stopped(stops[0], as_json) if stops else told(error, as_json)
            except KeyboardInterrupt as error:
                code = stopped(stops[0] if stops else error, as_json)
            finally:
                sys.unraisablehook = unraised
                for each, handler in before.items():
                    signal.signal(each, handler)
            sys.exit(code or 0)

        made = (group or click).command(name, cls=cls)(run)
        made = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(made)
        return click.option("--quiet", is_flag=True, help="Say nothing but warnings and errors.")(
            made
        )

    return decorate


@contextmanager
def _logged(talk: Talk) -> Iterator[None]:
    """Say what the package logs, from warnings upwards, as the command speaks, each thing once."""
    said: set[str] = set()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (text := record.getMessage()) not in said:
                said.add(text)
                talk.warn(text)

    logger, handler = logging.getLogger("livewell"), Handler(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _raised_nowhere(seen: "sys.UnraisableHookArgs") -> None:
    """A stop that came where Python lets no error out, such as while it forks, comes once more."""
    if isinstance(seen.exc_value, KeyboardInterrupt):
        number = endings.signal_of(seen.exc_value)
        again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(seen)


def _of_main_thread(kind: type[BaseException], error: BaseException, at: Any) -> None:
    """For the thread that shares tensors with loading processes, and tells of their end."""
    if threading.current_thread() is threading.main_thread():
        sys.__excepthook__(kind, error, at)


def pairs(
    _: click.Context, parameter: click.Parameter, values: tuple[str, ...], *, empty: bool = False
) -> dict[str, str]:
    """``NAME=VALUE`` options; ``NAME`` alone stands for itself, a value may be empty if so said."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or (equals and not rest and not empty):
            raise click.BadParameter(f"{value!r} is not NAME=VALUE", param=parameter)
        if name in found:
            raise click.BadParameter(
                f"{name!r} is given twice; each stands for one thing", param=parameter
            )
        found[name] = rest if equals else name
    return found


def named_values(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """``NAME=VALUE`` options, never without ``=``; settings may be empty, such as ``weights=``."""
    for value in values:
        if "=" not in value:
            raise click.BadParameter(
                f"{value!r} is not NAME=VALUE; write {value}=VALUE", param=parameter
            )
    return pairs(context, parameter, values, empty=parameter.name == "settings")


def once(_: click.Context, parameter: click.Parameter, values: tuple[Any, ...]) -> Any:
    """The one value of an option that would otherwise take the last of several unsaid."""
    if len(values) > 1:
        raise click.BadParameter(f"given {len(values)} times; name one", param=parameter)
    return values[0] if values else None


def channels(text: str) -> Callable[[Command], Command]:
    """``--channel``, which may be given several times: a tuple ``channels``, in that order."""
    text = f"{text[:-1]}; repeatable, in the order of the model."
    return click.option("--channel", "channels", multiple=True, help=text)


def value_maps(
    _: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """``PART:FOUND=MEANT`` options."""
    found: dict[str, dict[str, str]] = {}
    for value in values:
        part, colon, pair = value.partition(":")
        old, equals, new = pair.partition("=")
        if not (colon and equals and part and old and new):
            raise click.BadParameter(f"{value!r} is not PART:FOUND=MEANT", param=parameter)
        if old in found.setdefault(part, {}):
            raise click.BadParameter(f"{part}:{old} is given twice", param=parameter)
        found[part][old] = new
    return found
