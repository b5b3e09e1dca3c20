"""The other end of `livewell.images.decoder`: a process that decodes frames within limits."""

import json
import math
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from livewell.errors import LivewellError
from livewell.image import Image
from livewell.images.decoder import HEAD, LIMIT_S, PIXELS_S, READY
from livewell.images.formats import plane, reader_of
from livewell.images.limits import LIMIT_MP, limit_mp
from livewell.images.reading import reading

LIMIT_GB = 2.0
"""What it may take beside its programs, 1e9 bytes; more where `limits.LIMIT` is set higher."""
_OPEN = 4
"""Files that are kept open between frames."""


def serve() -> None:
    """Answer the questions of another process until its end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _limit_memory()
    readers: dict[str, Image] = {}
    with suppress(BrokenPipeError):
        answers.write(READY)
        answers.flush()
        for question in map(json.loads, sys.stdin.buffer):
            if "close" in question:
                _close(readers, question["close"])
                continue
            decoded, answer = _answer(readers, **question)
            answers.write(HEAD.pack(decoded, len(answer)))
            answers.write(answer)
            answers.flush()


def _answer(
    readers: dict[str, Image], path: str, t: int, channel: int
) -> tuple[bool, bytes | memoryview]:
    """A frame's bytes, else the parts of an error as JSON."""
    try:
        _limit_time(LIMIT_S)
        with reading(Path(path)):
            if path not in readers and len(readers) == _OPEN:
                _close(readers, next(iter(readers)))
            if path not in readers:
                readers[path] = reader_of(Path(path))
            header = readers[path].header
            _limit_time(LIMIT_S + header.width * header.height / PIXELS_S)
            frame = plane(readers[path], t, channel)
    except LivewellError as error:
        parts = ("what", "where", "expected", "got", "remedy")
        return False, json.dumps({name: getattr(error, name) for name in parts}).encode()
    return True, frame.data.cast("B")


def _close(readers: dict[str, Image], path: str) -> None:
    if path in readers:
        readers.pop(path).close()


def _limit_memory() -> None:
    """Of what the system counts as this process's memory, allow so much more; no core files."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
        more = LIMIT_GB * 1e9 * max(1.0, limit_mp() / LIMIT_MP)
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (int(pages * resource.getpagesize() + more), most))


def _limit_time(seconds: float) -> None:
    """Allow so many more seconds of computing from now on."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        most = resource.getrlimit(resource.RLIMIT_CPU)[1]
        limit = int(used.ru_utime + used.ru_stime) + 1 + math.ceil(seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, most))
