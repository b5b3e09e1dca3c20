"""Opening a file by tifffile, for what is left to it, without its messages on the terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import tifffile

_QUIET: ContextVar[bool] = ContextVar("tifffile_quiet", default=False)


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """The file as tifffile sees it; what it logs within the block (in this thread) is lost."""
    # a filter is consulted before every handler, and adding it twice does nothing
    logging.getLogger("tifffile").addFilter(_unless_quiet)
    token = _QUIET.set(True)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    finally:
        _QUIET.reset(token)


def _unless_quiet(record: logging.LogRecord) -> bool:
    return not _QUIET.get()
