"""Decoding in a process of its own, so that a file that crashes its decoder costs one frame.

One such process serves this one, from the first packed frame on; it may take 2 GB, and about 10 s
of computing a frame, where the system can hold it to that (not on Windows). It is never forked, for
threads of torch would be copied half, and ends when its input does, however this process ended.
"""

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from logging import getLogger
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from livewell.errors import ImageReadError
from livewell.image import Frame, Header

LIMIT_S, PIXELS_S = 10, 5e6
"""Seconds of computing that a frame may take, and one more for so many pixels."""
HEAD = struct.Struct(">?Q")
"""Before every answer: whether it is a frame, and its bytes."""
START = "import sys; sys.path[:] = sys.argv[1:]; from livewell.images.serving import serve; serve()"
"""What its Python runs; the arguments are where modules lie."""
READY = b"ready"
_LOG = getLogger(__name__)


class Decoder:
    """The process that decodes for this one; it starts with the first frame asked for."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._works = bool(sys.executable) and not getattr(sys, "frozen", False)

    def frame(self, path: str, header: Header, t: int, channel: int) -> Frame | None:
        """One (y, x) frame of a file, as `header` says; ``None`` where no process can be started.

        Raises
        ------
        ImageReadError
            It cannot be decoded, or not within the limits; what was wrong is told.
        """
        frame = np.empty(header.area.shape, header.dtype)
        question = {"path": str(Path(path).absolute()), "t": t, "channel": channel}
        with self._lock:
            process = self._running()
            if process is None:
                return None
            try:
                said = _answer(process, question, frame)
            except (EOFError, BrokenPipeError):
                raise _lost(path, self._stop()) from None
            except BaseException:
                # whoever goes on after an interruption must not read the answer to this
                self._stop()
                raise
        if said is not None:
            if said["where"] == question["path"]:
                said["where"] = path
            raise ImageReadError(said.pop("what"), **said)
        return frame

    def close(self, path: str) -> None:
        """Let go of one file."""
        with self._lock:
            if self._process is not None:
                with suppress(OSError):
                    _write(self._process, {"close": str(Path(path).absolute())})

    def stop(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def forget(self) -> None:
        """In a forked process: the decoder is the parent's, and stays with it."""
        process, self._process, self._lock = self._process, None, Lock()
        if process is not None:
            _let_go(process)
            process.returncode = 0

    def _running(self) -> "subprocess.Popen[bytes] | None":
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._process is None and self._works:
            self._process = _started()
            if self._process is None:
                self._works = False
                _LOG.warning("No decoder can be started: a file that crashes it will end this run.")
        return self._process

    def _stop(self) -> int:
        """End the process; what it ended with by itself, else 0."""
        process, self._process = self._process, None
        if process is None:
            return 0
        _let_go(process)
        try:
            return process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return 0


def _started() -> "subprocess.Popen[bytes] | None":
    """A process that is ready to answer; Ctrl-C at the terminal is not for it."""
    try:
        process = subprocess.Popen(  # noqa: S603  # no shell, our own arguments
            [sys.executable, "-c", START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError:
        return None
    try:
        _read(process, bytearray(READY))
    except EOFError:
        _let_go(process)
        process.wait()
        return None
    return process


def _answer(
    process: "subprocess.Popen[bytes]", question: dict[str, Any], frame: Frame
) -> dict[str, str] | None:
    """Fill `frame`; else what is wrong, by the parts of an error."""
    _write(process, question)
    decoded, size = HEAD.unpack(_read(process, bytearray(HEAD.size)))
    if not decoded:
        said: dict[str, str] = json.loads(bytes(_read(process, bytearray(size))))
        return said
    if size != frame.nbytes:
        raise ImageReadError("it changed while it was read", where=question["path"])
    _read(process, frame.data.cast("B"))
    return None


def _let_go(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _write(process: "subprocess.Popen[bytes]", question: dict[str, Any]) -> None:
    assert process.stdin is not None  # noqa: S101  # a pipe
    process.stdin.write(json.dumps(question).encode() + b"\n")


def _read(
    process: "subprocess.Popen[bytes]", into: bytearray | memoryview
) -> bytearray | memoryview:
    """Fill a buffer; an `EOFError` where the other end was closed before."""
    rest = memoryview(into)
    while rest:
        count = process.stdout.readinto(rest)  # type: ignore[union-attr]  # a pipe, unbuffered
        if not count:
            raise EOFError
        rest = rest[count:]
    return into


def _lost(path: str, code: int) -> ImageReadError:
    """The error for a file whose decoder ended by itself."""
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(code)
    what = {
        "SIGXCPU": "it takes far too long to decode",
        "SIGKILL": "its decoder was stopped by the system, which may be short of memory",
    }.get(name, f"its decoder crashed ({name})")
    remedy = "copy it again, or save it without compression from the program that made it"
    return ImageReadError(what, where=path, remedy=remedy)


DECODER = Decoder()
"""That of this process."""
atexit.register(DECODER.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=DECODER.forget)
