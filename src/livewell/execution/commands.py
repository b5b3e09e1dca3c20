"""A program of the user's that is started beside the work, without a shell, and never stops it."""

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from livewell.errors import SpecError

LONGEST_S = 60.0
"""A program that runs longer is ended."""


@dataclass(eq=False)
class Commands:
    """Starts `words` with further arguments, without waiting; what they print goes to a file."""

    words: Sequence[str]
    log: Path
    _running: dict[str, tuple[subprocess.Popen[bytes], float]] = field(default_factory=dict)

    @classmethod
    def of(cls, command: str, log: Path) -> "Commands":
        """A command as it is written, parted at spaces that are not quoted; no shell reads it."""
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise SpecError("not a command", where=command, got=str(error)) from error
        if not words:
            raise SpecError("an empty command", remedy="name a program, or leave the option out")
        return cls(words, log)

    def start(self, name: str, arguments: Sequence[str], now_s: float) -> str:
        """Start it under a name; empty, or why it cannot be started."""
        try:
            with self.log.open("ab") as file:
                made = subprocess.Popen(  # noqa: S603  # no shell; the user's own program
                    [*self.words, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
        except (OSError, ValueError) as error:
            return str(error)
        self._running[name] = made, now_s
        return ""

    def ended(self, now_s: float) -> Iterator[tuple[str, str]]:
        """Names of those that have ended, and what was wrong; empty where nothing was."""
        for name, (process, since_s) in list(self._running.items()):
            code = process.poll()
            late = code is None and now_s - since_s > LONGEST_S
            if late:
                process.kill()
                process.wait()
            if late or code is not None:
                del self._running[name]
                error = f"ended after {LONGEST_S:g} s" if late else f"exit code {code}" * bool(code)
                yield name, error

    @property
    def busy(self) -> bool:
        """Whether one is running."""
        return bool(self._running)
