"""Which images there are: files by their names alone, fields by what their files hold."""

from collections.abc import Mapping
from pathlib import Path

from livewell.errors import ImageReadError, LivewellError
from livewell.images.formats import (
    FORMATS,
    SEQUENCE,
    SUFFIXES,
    endings,
    fields_in,
    has_index,
    is_container,
    kind_of_folder,
    version_of,
)
from livewell.images.reference import ImageRef
from livewell.images.walking import UNREAD, Listing, left_out_lines, walk
from livewell.names import AnyPath, name_of

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
        "plate",
        "quizresults",
        "run",
        "stainarea",
        "timelapse",
        "watch",
    ]
)
"""Files that mark folders of results: what was drawn there is no image to judge."""


def images_at(path: AnyPath) -> Listing:
    """The images that a path means: of a folder, of a file with fields, or the one that it names.

    Errors are those of `find_images`.
    """
    path = Path(path)
    within = ImageRef.of(path).container
    if within.is_dir() and kind_of_folder(within) == SEQUENCE:
        return find_images(path)
    return _with_fields({name_of(path): path}, {})


def find_images(root: AnyPath, *, by_names: bool = True) -> Listing:
    """Every image below `root`: files whose ending livewell reads, see `walking.walk`, and fields.

    Where a file or folder holds several images, each is listed by its field's name after that of
    the file or folder. Study folders and folders of results below `root` are left out. Folders
    that only the names of their files tell to be a vendor's are such unless not `by_names`, for
    whoever says what names mean.
    """
    root = Path(root)
    if root.is_file() or (root.is_dir() and _is_image(root, by_names)):
        if fields := fields_in(root):
            return Listing({field: root / field for field in fields}, {})
        raise ImageReadError(
            "a file, not a folder" if root.is_file() else "one image, not a folder of images",
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
    listing = find_files(root, by_names=by_names)
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
    return _with_fields(listing.files, listing.left_out)


def _is_image(folder: Path, by_names: bool) -> bool:
    kind = kind_of_folder(folder)
    return kind != SEQUENCE and (by_names or not FORMATS[kind].by_names)


def find_files(root: Path, *, by_names: bool) -> Listing:
    """Files, and folders of a kind of their own, that images below `root` lie in.

    They are known by names alone, and there may be none; `by_names` is as of `find_images`.
    """
    container = is_container if by_names else has_index
    return walk(root, endings(), markers={STAMP, *RESULTS}, container=container)


def images_in(name: str, path: Path) -> Mapping[str, Path]:
    """The images of one file or folder of this name, by theirs."""
    return _with_fields({name: path}, {}).files


def _with_fields(files: Mapping[str, Path], left_out: Mapping[str, int]) -> Listing:
    """The files, and in place of those that hold several images these."""
    found: dict[str, Path] = {}
    for name, path in files.items():
        fields = _fields(path)
        found |= {f"{name}/{field}": path / field for field in fields} or {name: path}
    return Listing(found, dict(left_out))


def _fields(path: Path) -> tuple[str, ...]:
    """Names of the fields; none of a file that cannot be read, whoever opens it is told why."""
    try:
        return fields_in(path)
    except LivewellError:
        return ()


def fingerprint(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds, of what an image lies in."""
    try:
        return version_of(path)
    except OSError as error:
        raise ImageReadError(
            "no such file" if isinstance(error, FileNotFoundError) else "cannot be read",
            where=str(path),
            remedy="put it back, or index the study again",
        ) from error
