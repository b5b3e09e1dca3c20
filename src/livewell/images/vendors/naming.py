"""Files of a vendor's folder by their names: which hold planes, and whether all are named alike."""

import os
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from livewell.images.walking import is_thumbnail

_IMAGES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


def all_fit(pattern: re.Pattern[str], same: Sequence[str], names: Collection[str]) -> bool:
    """Whether all image files among the names fit a pattern, and two or more are of one image.

    Those are of one image whose parts of these names are the `same`. Where every file is an image
    of its own, the folder is left as it is.
    """
    images = seen = 0
    found = set()
    for name in names:
        if not _is_plane(name):
            continue
        match = pattern.fullmatch(name)
        if match is None:
            return False
        images += 1
        if same:
            found.add(match.group(*same))
        seen = len(found)
    return seen < images


def files_in(folder: Path, within: re.Pattern[str] | None = None) -> tuple[str, ...]:
    """Image files of a folder, and of its folders whose names fit, by names below the folder."""
    files, folders = _listed(folder, folder.stat().st_mtime_ns)
    found = list(files)
    for name in folders:
        if within and within.fullmatch(name):
            found += [f"{name}/{file}" for file in files_in(folder / name, within)]
    return tuple(found)


def folders_in(folder: Path, within: re.Pattern[str] | None = None) -> tuple[str, ...]:
    """Names of its folders, but for those whose names fit, as `files_in` enters them."""
    _, folders = _listed(folder, folder.stat().st_mtime_ns)
    return tuple(name for name in folders if not (within and within.fullmatch(name)))


def changes_in(folder: Path, within: re.Pattern[str] | None, endings: Collection[str]) -> object:
    """What changes when a file comes or goes, or one of these endings is written anew."""
    changed = folder.stat().st_mtime_ns
    _, folders = _listed(folder, changed)
    inner = [changes_in(folder / name, within, endings)
             for name in folders if within and within.fullmatch(name)]  # fmt: skip
    indices = [
        (folder / name).stat().st_mtime_ns for name in _indices(folder, changed, frozenset(endings))
    ]
    return changed, *indices, *inner


@lru_cache(maxsize=256)
def _listed(folder: Path, changed_ns: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of images and of folders, in their order; a large folder is not listed each time."""
    with os.scandir(folder) as inside:
        entries = sorted((entry.name, entry.is_dir()) for entry in inside)
    return (
        tuple(name for name, is_folder in entries if not is_folder and _is_plane(name)),
        tuple(name for name, is_folder in entries if is_folder),
    )


@lru_cache(maxsize=256)
def _indices(folder: Path, changed_ns: int, endings: frozenset[str]) -> tuple[str, ...]:
    names = sorted(os.listdir(folder))  # noqa: PTH208  (names, not paths)
    return tuple(name for name in names if os.path.splitext(name)[1].lower() in endings)  # noqa: PTH122


def _is_plane(name: str) -> bool:
    low = name.lower()
    return low.endswith(_IMAGES) and not name.startswith(".") and not is_thumbnail(name)
