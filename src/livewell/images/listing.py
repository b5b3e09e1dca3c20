"""Which image files there are, known by their names alone."""

from pathlib import Path
from stat import S_ISDIR

from livewell.errors import ImageReadError
from livewell.images.formats import SUFFIXES
from livewell.images.walking import UNREAD, Listing, left_out_lines, walk
from livewell.names import AnyPath

STAMP = "study.json"
"""The file that marks a study folder."""
RESULTS = frozenset(
    f"{name}.json"
    for name in [
        "agreement",
        "assessment",
        "audit",
        "budget",
        "celldeath",
        "comparison",
        "design",
        "embedding",
        "explain",
        "heatmap",
        "localisation",
        "quizresults",
        "run",
        "stainarea",
        "timelapse",
    ]
)
"""Files that mark folders of results: what was drawn there is no image to judge."""


def find_images(root: AnyPath) -> Listing:
    """Every file below `root` whose ending livewell reads, as `walking.walk` lists them.

    Study folders and folders of results below `root` are left out.
    """
    root = Path(root)
    if root.is_file():
        raise ImageReadError(
            "a file, not a folder",
            where=str(root),
            remedy="name the folder that it lies in, and choose files with --files",
        )
    if not root.is_dir():
        raise ImageReadError("no such file or folder", where=str(root), remedy="check the path")
    if (root / STAMP).exists():
        raise ImageReadError(
            "a study folder, and no image files here that are not of the study",
            where=str(root),
            remedy="name the folder of the images",
        )
    listing = walk(root, SUFFIXES, markers={STAMP, *RESULTS})
    if not listing.files:
        others = any(reason.startswith(UNREAD) for reason in listing.left_out)
        raise ImageReadError(
            "no image files here" + " that livewell reads" * bool(listing.left_out),
            where=str(root),
            expected="files ending in " + ", ".join(SUFFIXES),
            got="".join(left_out_lines(listing.left_out)),
            remedy="export the images as OME-TIFF with the program that wrote them, or check the"
            " path"
            if others
            else "check the path",
        )
    return listing


def fingerprint(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds, of a file or a folder's files."""
    try:
        stat = path.stat()
        if S_ISDIR(stat.st_mode):
            stats = [file.stat() for file in path.iterdir() if file.is_file()]
            return sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)
    except OSError as error:
        raise ImageReadError(
            "no such file" if isinstance(error, FileNotFoundError) else "cannot be read",
            where=str(path),
            remedy="put it back, or index the study again",
        ) from error
    return stat.st_size, stat.st_mtime_ns
