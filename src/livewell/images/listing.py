"""Which image files there are, known by their names alone."""

import os
from pathlib import Path

from livewell.errors import ImageReadError
from livewell.images.formats import SUFFIXES
from livewell.images.sequence import natural_key

STAMP = "study.json"
"""The file that marks a study folder."""
RESULTS = frozenset(
    f"{name}.json"
    for name in [
        "assessment",
        "budget",
        "comparison",
        "embedding",
        "explain",
        "heatmap",
        "localisation",
        "run",
        "stainarea",
        "timelapse",
    ]
)
"""Files that mark folders of results: what was drawn there is no image to judge."""


def find_images(root: Path | str) -> list[Path]:
    """Every file below `root` whose ending livewell reads, in the natural order of the names.

    Hidden and unfinished files are left out, and so are study folders and folders of results below
    `root`; nothing is opened.
    """
    root = Path(root)
    found: list[str] = []
    for folder, inner, names in os.walk(root):
        if STAMP in names or (not RESULTS.isdisjoint(names) and Path(folder) != root):
            inner.clear()
            continue
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [
            os.path.join(folder, name)  # noqa: PTH118  (ten times faster than Path here)
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
        ]
    if root.is_file():
        raise ImageReadError(
            "a file, not a folder",
            where=str(root),
            remedy="name the folder that it lies in, and choose files with --files",
        )
    if not found:
        raise ImageReadError(
            "no image files here" if root.is_dir() else "no such file or folder",
            where=str(root),
            expected="files ending in " + ", ".join(SUFFIXES),
            remedy="check the path",
        )
    return [Path(path) for path in sorted(found, key=natural_key)]


def fingerprint(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds, of a file or a folder's files."""
    try:
        if path.is_dir():
            stats = [file.stat() for file in path.iterdir() if file.is_file()]
            return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)
        stat = path.stat()
    except OSError as error:
        raise ImageReadError(
            "no such file" if isinstance(error, FileNotFoundError) else "cannot be read",
            where=str(path),
            remedy="put it back, or index the study again",
        ) from error
    return stat.st_size, stat.st_mtime_ns
