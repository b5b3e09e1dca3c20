"""How a command ends: what it says on the way out, to people and to machines, and its exit code.

0 done, 1 some inputs failed, 2 wrong use or a `LivewellError`, 3 anything unexpected, 130 and 143
stopped by Ctrl-C and by SIGTERM, 129 by a terminal that was closed.
"""

import codecs
import json
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import click

from livewell import __version__
from livewell.disk import FAILING, UNKNOWN, refused
from livewell.errors import STOPPED, LivewellError
from livewell.files import strict
from livewell.text import printable

WORDS = "livewell.words"
"""Key of the words of a command in its context."""
TRACEBACK = "LIVEWELL_TRACEBACK"
"""Environment variable: show where in the program an unexpected error arose."""


ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
"""Ctrl-C, and signals of a scheduler, a shutdown or a closed terminal, which end a command."""


class Terminated(KeyboardInterrupt):
    """Ends a command, by one of `ENDING`; its number is the argument."""


class Command(click.Command):
    """A command that ends as this module says, whatever was typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click; the words that were typed are kept, see `words`."""
        ctx.meta[WORDS] = list(args)
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command and leave with its exit code; options are those of click."""
        words = options.get("args", args[0] if args else None)
        as_json = "--json" in (sys.argv[1:] if words is None else words)
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            if as_json:
                _object("usage", error.format_message())
            error.show()
            code = 2
        except click.Abort as error:
            code = stopped(error, as_json)
        except Exception as error:
            code = told(error, as_json)
        finally:
            for stream in (sys.stdout, sys.stderr):
                _flushed(stream)
        sys.exit(code if isinstance(code, int) else 0)


def echo(text: str, *, err: bool = False, lines: bool = False) -> None:
    """Print a line, or `lines`, safe for a terminal; what its encoding lacks is spelt out."""
    code = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    _write(printable(text, lines=lines).encode(code, "backslashreplace").decode(code), err)


def echo_json(values: dict[str, Any], indent: int | None = None) -> None:
    """Print one JSON object, in ASCII where the output is not in UTF-8."""
    plain = codecs.lookup(getattr(sys.stdout, "encoding", None) or "utf-8").name != "utf-8"
    text = json.dumps(strict(values), ensure_ascii=plain, default=str, indent=indent)
    _write(text, err=False)


def _write(text: str, err: bool) -> None:
    """Who no longer reads what is written stops no work."""
    try:
        click.echo(text, err=err)
    except ValueError:  # closed by whoever called us
        return
    except OSError as error:
        _drop(sys.stderr if err else sys.stdout)
        if not err and error.errno in FAILING:
            raise refused(Path("standard output"), error) from error


def told(error: Exception, as_json: bool) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, OSError) and error.errno in FAILING:
        error = refused(Path(os.fsdecode(error.filename or Path.cwd())), error, UNKNOWN)
    if isinstance(error, LivewellError):
        code, kind, text = 2, error.code, str(error)
    else:
        code, kind = 3, "unexpected"
        text = (
            f"{type(error).__name__}: {error}. This is a fault in livewell {__version__}, not in"
            " how you use it. What to do: report it with the whole command and with what it prints"
            f" once the environment variable {TRACEBACK} is 1."
        )
        if os.environ.get(TRACEBACK, "0") != "0":
            echo("".join(traceback.format_exception(error)), err=True, lines=True)
    if as_json:
        _object(kind, text)
    echo(f"error [{kind}]: {text}", err=True, lines=True)
    return code


def stopped(stop: BaseException, as_json: bool) -> int:
    """Say that the command was stopped; the exit code."""
    if as_json:
        _object("stopped", STOPPED)
    echo(STOPPED, err=True)
    return 128 + signal_of(stop)


def _object(kind: str, text: str) -> None:
    with suppress(LivewellError):
        echo_json({"error": kind, "message": text})


def signal_of(stop: BaseException) -> int:
    """The number of the signal that stopped a command."""
    led: BaseException | None = stop
    while led is not None and not isinstance(led, Terminated):
        led = led.__cause__ or led.__context__
    return signal.SIGINT if led is None else int(led.args[0])


def _flushed(stream: TextIO | None) -> None:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        _drop(stream)


def _drop(stream: TextIO | None) -> None:
    """Let everything further go nowhere, also what waits to be written at the end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)
