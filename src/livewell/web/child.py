"""The process beside the server that does one job, so that the server never waits for it.

Its first line of input is a JSON object: `target` (``module:function``) and `arguments`. It answers
in lines of JSON: ``step`` (what it does), ``result`` (what it has found so far; later ones add to
it), where it fails ``error`` and ``message``, and last ``end``. When its input ends, the server has
gone, and so does it.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, TextIO

from livewell.errors import LivewellError
from livewell.files import strict
from livewell.progress import Tick, shown

EVERY_S = 0.3
"""Least time between two lines of one step."""
NICENESS = 10
"""How far behind the pages it stands."""
Say = Callable[[dict[str, Any]], None]


class Steps:
    """Progress in lines: ``training: 12 of 30``."""

    def __init__(self, say: Say) -> None:
        self._say = say

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Lines on `total` units called `what`."""
        at, noted, said = 0.0, "", 0.0

        def tick(done: float = 1, note: str = "") -> None:
            """Say how far it is, where it is time."""
            nonlocal at, noted, said
            at, noted = at + done, note or noted
            now = time.monotonic()
            if now - said >= EVERY_S:
                said = now
                text = f"{what}: {at:,.0f} of {total:,}"
                self._say({"step": f"{text}; {noted}" if noted else text})

        self._say({"step": what})
        yield tick


def main() -> int:
    """Do one job; 0 where it is done."""
    answers = _own_output()

    def say(values: dict[str, Any]) -> None:
        print(json.dumps(strict(values), default=str), file=answers, flush=True)

    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_server, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    code = _done(asked, say)
    say({"end": code})
    return code


def _done(asked: dict[str, Any], say: Say) -> int:
    module, _, name = asked["target"].partition(":")
    try:
        with shown(Steps(say)):
            getattr(import_module(module), name)(say, **asked["arguments"])
    except LivewellError as error:
        say({"error": error.code, "message": str(error)})
        return 2
    except MemoryError:
        say({"error": "memory", "message": "The machine has too little memory for this."})
        return 3
    except Exception as error:
        traceback.print_exc()
        say({"error": "unexpected", "message": f"{type(error).__name__}: {error}"})
        return 3
    return 0


def _own_output() -> TextIO:
    """The output of answers; what libraries print goes to the log instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _end_with_server() -> None:
    with suppress(OSError, ValueError):
        while sys.stdin.readline():
            pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
