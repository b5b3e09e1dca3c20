"""Lines of JSON that are appended while work goes on: each is whole on the disk, or not there."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from livewell.disk import lock, writing
from livewell.errors import OutputError
from livewell.files import strict

Line = dict[str, Any]


class FrameLog:
    """A file of JSON lines that one process at a time appends to.

    `lines` are those that earlier processes wrote. What a kill left of a last line is cut off.

    Raises
    ------
    OutputError
        Another process writes it, it cannot be written, or a line in it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as files:
            with writing(path):
                held = files.enter_context(path.with_suffix(".lock").open("a", encoding="ascii"))
                self._file = files.enter_context(path.open("a+b", buffering=0))
            try:
                lock(held)
            except BlockingIOError:
                raise OutputError(
                    "another program is writing here",
                    where=str(path),
                    remedy="end it first, or name another folder",
                ) from None
            except OSError:  # this disk knows no locks: who starts two watches is not told
                pass
            self.lines = self._read()
            self._open = files.pop_all()

    def add(self, line: Line) -> None:
        """Append a line, and return when it is on the disk."""
        data = json.dumps(strict(line)).encode() + b"\n"
        with writing(self.path):
            before = self._file.seek(0, os.SEEK_END)
            try:
                if self._file.write(data) < len(data):
                    raise OSError(f"{len(data)} bytes requested and less written")
                os.fsync(self._file.fileno())
            except BaseException:
                self._file.truncate(before)
                raise

    def _read(self) -> list[Line]:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with writing(self.path):
                self._file.truncate(whole)
        lines = data[:whole].splitlines()
        found: list[Line] = []
        for number, text in enumerate(lines, 1):
            try:
                line = json.loads(text)
                line["kind"]
            except (ValueError, TypeError, KeyError):
                raise OutputError(
                    "a line is damaged",
                    where=f"{self.path}, line {number}",
                    expected="a JSON object with a kind, as livewell wrote it",
                    got=text[:60].decode("utf-8", "replace"),
                    remedy="delete that line: its frame is judged again; or name a new folder",
                ) from None
            found.append(line)
        return found

    def close(self) -> None:
        """Let another process write it."""
        self._open.close()
