"""Features of images, kept in the study by the content that they were computed from.

Whoever computes them names them by a digest; what is not used for longest goes first where they
would take too much room.
"""

import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from livewell.disk import TEMPORARY, clear
from livewell.errors import OutputError, SpecError
from livewell.files import whole_file
from livewell.study.study import Study

Arrays = dict[str, NDArray[np.generic]]
LIMIT = "LIVEWELL_FEATURES_GB"
"""Environment variable: how much a study's features may take, 1e9 bytes."""
LIMIT_GB, SPARE_GB = 20.0, 1.0
"""What they may take by default, and what they leave free on the disk."""
LISTED = 0.05
"""Share of the limit that may be written before the folder is listed again."""
FORMAT, SUFFIX = "1", ".safetensors"
_WARNED: set[Path] = set()
"""Folders that a warning told of."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a study's features take, 1e9 bytes, in how many files, and what they may take."""

    used_gb: float
    files: int
    limit_gb: float


class _File(NamedTuple):
    used_ns: int
    size_gb: float
    path: Path


class FeatureCache:
    """Arrays by digest in a folder; what cannot be read back is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._closed = False
        self._unlisted_gb = 0.0
        self.evicted = 0
        """How many had to make room."""

    @classmethod
    def of(cls, study: Study) -> "FeatureCache":
        """That of a study."""
        return cls(study.folder / "features")

    @property
    def limit_gb(self) -> float:
        """What they may take.

        Raises
        ------
        SpecError
            The environment variable `LIMIT` is no number, or below 0.
        """
        asked = os.environ.get(LIMIT, "")
        try:
            limit = float(asked or LIMIT_GB)
        except ValueError:
            limit = math.nan
        if not limit >= 0:
            raise SpecError(
                f"{LIMIT} is no amount", expected="so many times 1e9 bytes, 0 or more", got=asked
            )
        return limit

    def get(self, digest: str) -> Arrays | None:
        """The arrays of that digest, where they are kept whole."""
        path = self._path(digest)
        try:
            found = load_file(path)
        except (OSError, SafetensorError):
            return None
        with suppress(OSError):
            os.utime(path)  # how long it was not used decides what goes first
        return found

    def put(self, digest: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Keep arrays; where they cannot be written, say so once and go on without."""
        size = sum(array.nbytes for array in arrays.values()) / 1e9
        if self._closed or size > self.limit_gb:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(size)
            free = shutil.disk_usage(self.folder).free / 1e9
            if free < size + SPARE_GB:
                wanted = f"{size:.2g} GB beside {SPARE_GB:g} GB that stay free"
                raise OutputError("too full a disk", expected=wanted, got=f"{free:.2g} GB free")
            with whole_file(self._path(digest)) as temporary:
                # bytes are written as they lie in memory
                whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
                save_file(whole, temporary, metadata={"format": FORMAT})
        except (OSError, SafetensorError) as error:
            self._closed = True
            if self.folder not in _WARNED:
                _WARNED.add(self.folder)
                getLogger("livewell").warning(
                    "features are not kept in %s, so they are computed anew every time: %s",
                    self.folder,
                    " ".join(str(error).split()),
                )

    def room(self) -> Room:
        """What they take."""
        files = self._files()
        return Room(sum(file.size_gb for file in files), len(files), self.limit_gb)

    def remove(self) -> Room:
        """Remove all of them; returns what they took.

        Raises
        ------
        OutputError
            They may not be removed.
        """
        clear(self.folder)
        room = self.room()
        for file in self._files():
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(
                    "cannot be removed",
                    where=str(file.path),
                    got=error.strerror or str(error),
                    remedy="change the folder's permissions",
                ) from error
        return room

    def _make_room(self, wanted_gb: float) -> None:
        """Remove what is unused for longest; the folder is listed only every now and then."""
        limit = self.limit_gb
        if wanted_gb > self._unlisted_gb:
            files = sorted(self._files())
            used, needed = sum(file.size_gb for file in files), max(wanted_gb, LISTED * limit)
            for file in files:
                if used + needed <= limit:
                    break
                file.path.unlink(missing_ok=True)
                used -= file.size_gb
                self.evicted += 1
            self._unlisted_gb = min(limit - used, needed)
        self._unlisted_gb -= wanted_gb

    def _files(self) -> list[_File]:
        """Those of now: others may write and remove here at the same time."""
        found: list[_File] = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and not entry.name.startswith(TEMPORARY):
                    with suppress(FileNotFoundError):
                        stat = entry.stat()
                        file = _File(stat.st_mtime_ns, stat.st_size / 1e9, Path(entry.path))
                        found.append(file)
        return found

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}{SUFFIX}"
