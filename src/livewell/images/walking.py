"""The files below a folder: those that may be images, and what was left out for which reason."""

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from livewell.names import natural_key, path_of, text_of

HIDDEN, THUMBNAIL = "hidden", "thumbnail"
SYSTEM = "folder of a file server or of deleted files"
OURS = "folder of livewell's studies and results"
INNER = "folder in a folder of frames"
SEEN, BROKEN = "link to what is listed already or lies around it", "broken link"
DENIED, FAILED = "no permission to read", "folder that cannot be read"
TWIN, ODD = "name that cannot be told from another one", "no regular file"
UNREAD = "kind that livewell does not read"
_SYSTEM = frozenset(
    {"@eadir", "#recycle", "@recycle", "#snapshot", "~snapshot", "@recently-snapshot", "recycler"}
    | {"$recycle.bin", "recycled", "lost+found", "__macosx", "system volume information"}
    | {"network trash folder", "temporary items"}
)
_THUMBNAILS = {"thumb", "thumbs", "thumbnail", "thumbnails", "_thumbnails", "ehthumbs"}
# of ImageXpress ..._w1_thumb3F2504E0-4F89.tif, of Synology SYNOPHOTO_THUMB_XL.jpg
_THUMBNAIL = re.compile(r"(?:.*_thumb[0-9a-f-]*|syno\w+_thumb_\w+)\.\w+", re.IGNORECASE)
Identity = tuple[object, ...]
_ENDING = re.compile(r"\.(?!\d+$)\w{1,8}")


@dataclass(frozen=True, slots=True)
class Listing:
    """Files of a folder by name, in natural order, and how many were left out by reason.

    A folder that was not entered counts as one.
    """

    files: Mapping[str, Path]
    left_out: dict[str, int]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in natural order of their names."""
        return tuple(self.files.values())


def left_out_lines(left_out: Mapping[str, int]) -> list[str]:
    """What was left out by reason, in one line; none where nothing was."""
    unread = sorted(reason for reason in left_out if reason.startswith(UNREAD))
    others = sorted(left_out.keys() - set(unread))
    texts = [f"{reason} ({left_out[reason]:,})" for reason in others]
    if unread:
        kinds = [f"{reason.split()[-1]} {left_out[reason]:,}" for reason in unread]
        texts.append(f"{UNREAD} ({', '.join(kinds)})")
    return [f"left out: {'; '.join(texts)}"] if texts else []


def is_thumbnail(name: str) -> bool:
    """Whether a file's name is one that programs give to small copies of images."""
    low = name.lower()
    return "thumb" in low and (
        low.rpartition(".")[0] in _THUMBNAILS or _THUMBNAIL.fullmatch(name) is not None
    )


def walk(
    root: Path,
    endings: Collection[str],
    *,
    markers: Collection[str] = (),
    container: Callable[[Path, Collection[str]], bool] = lambda folder, names: False,
    deep: bool = True,
) -> Listing:
    """List the files of a folder, if `deep` those of its folders too, whose endings are asked for.

    Hidden files and folders, thumbnails, what file servers and archives keep for themselves, and
    folders below `root` that hold a file of `markers` are left out. A folder that is a `container`,
    by its path and the names in it, is listed as if it were a file. Links are followed once, after
    all else, so that a file keeps the name that it has without them. Nothing is opened.
    """
    walked = _Walk(root, frozenset(endings), frozenset(markers), container, deep)
    walked.all()
    return Listing(walked.named(), dict(walked.left_out))


@dataclass
class _Walk:
    root: Path
    endings: frozenset[str]
    markers: frozenset[str]
    container: Callable[[Path, Collection[str]], bool]
    deep: bool
    found: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    linked_folders: list[str] = field(default_factory=list)
    linked_files: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def all(self) -> None:
        """Find every file."""
        seen = {_identity(parent) for parent in self.root.resolve().parents}
        self.folders.append(os.fspath(self.root))
        while self.folders:
            self._enter(self.folders.pop(), seen)
            if not self.folders:
                self.folders = sorted(self.linked_folders, reverse=True)
                self.linked_folders = []
        self._add_linked_files()

    def named(self) -> dict[str, Path]:
        """The files by name, in natural order."""
        start = len(os.path.join(os.fspath(self.root), ""))  # noqa: PTH118  (of text, not a path)
        files: dict[str, Path] = {}
        for path in self.found:
            raw = path[start:] if os.sep == "/" else path[start:].replace(os.sep, "/")
            name = text_of(raw)
            if name != raw and path_of(self.root, name) != Path(path):
                self.left_out[TWIN] += 1
            else:
                files[name] = Path(path)
        return {name: files[name] for name in sorted(files, key=natural_key)}

    def _enter(self, folder: str, seen: set[Identity]) -> None:
        try:
            here = _identity(folder)
            with os.scandir(folder) as inside:
                entries = list(inside)
        except OSError as error:
            self.left_out[DENIED if isinstance(error, PermissionError) else FAILED] += 1
            return
        ours = not self.markers.isdisjoint(entry.name for entry in entries)
        if here in seen or (ours and folder != os.fspath(self.root)):
            self.left_out[SEEN if here in seen else OURS] += 1
            return
        seen.add(here)
        names = frozenset(entry.name for entry in entries)
        if folder != os.fspath(self.root) and self.container(Path(folder), names):
            self.found.append(folder)
            return
        for entry in entries:
            try:
                self._add(entry)
            except OSError:
                self.left_out[BROKEN] += 1

    def _add(self, entry: os.DirEntry[str]) -> None:
        is_link = entry.is_symlink()
        mode = entry.stat().st_mode if is_link else 0
        is_folder = S_ISDIR(mode) if is_link else entry.is_dir()
        reason = self._reason(entry.name, is_folder)
        if not reason and not is_folder and not (S_ISREG(mode) if is_link else entry.is_file()):
            reason = ODD
        if reason:
            self.left_out[reason] += 1
        elif is_folder:
            (self.linked_folders if is_link else self.folders).append(entry.path)
        else:
            (self.linked_files if is_link else self.found).append(entry.path)

    def _reason(self, name: str, is_folder: bool) -> str:
        """Why a file or folder of this name is left out; empty where it is not."""
        if name.startswith("."):
            return HIDDEN
        low = name.lower()
        _, dot, ending = low.rpartition(".")
        if is_folder:
            if low in _SYSTEM:
                return SYSTEM
            return THUMBNAIL if low in _THUMBNAILS else "" if self.deep else INNER
        if is_thumbnail(name):
            return THUMBNAIL
        if dot and f".{ending}" in self.endings:
            return ""
        return f"{UNREAD} {f'.{ending}' if _ENDING.fullmatch(dot + ending) else '(other)'}"

    def _add_linked_files(self) -> None:
        """Files that are links, but for those to a file that is listed already."""
        known = {_identity(path) for path in self.found} if self.linked_files else set()
        for link in sorted(self.linked_files):
            target = _identity(link)
            if target in known:
                self.left_out[SEEN] += 1
            else:
                known.add(target)
                self.found.append(link)


def _identity(path: str | Path) -> Identity:
    """What is the same for one file or folder under all its paths."""
    at = os.stat(path)  # noqa: PTH116
    # some file servers number nothing
    return (at.st_dev, at.st_ino) if at.st_ino else (os.path.realpath(path),)
