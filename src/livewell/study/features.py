"""Features of images, kept in the study by the content that they were computed from.

Whoever computes them names them by a digest; what is not used for longest goes first where they
would take too much room.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from livewell.errors import OutputError, SpecError
from livewell.files import whole_file

Arrays = dict[str, NDArray[np.generic]]
LIMIT = "LIVEWELL_FEATURES_GB"
"""Environment variable: how much a study's features may take, 1e9 bytes."""
LIMIT_GB, SPARE_GB = 20.0, 1.0
"""What they may take by default, and what they leave free on the disk."""
FORMAT = "1"


@dataclass(frozen=True, slots=True)
class Room:
    """What a study's features take, 1e9 bytes, in how many files, and what they may take."""

    used_gb: float
    files: int
    limit_gb: float


class FeatureCache:
    """Arrays by digest in a folder; what cannot be read back is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._full = False

    @property
    def limit_gb(self) -> float:
        """What they may take."""
        asked = os.environ.get(LIMIT, "")
        try:
            return float(asked or LIMIT_GB)
        except ValueError as error:
            raise SpecError(
                f"{LIMIT} is no number", expected="so many times 1e9 bytes", got=asked
            ) from error

    def get(self, digest: str) -> Arrays | None:
        """The arrays of that digest, where they are kept whole."""
        path = self._path(digest)
        try:
            found = load_file(path)
            os.utime(path)  # how long it was not used decides what goes first
        except (OSError, SafetensorError):
            return None
        return found

    def put(self, digest: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Keep arrays; where the disk has no room for them, say so once and go on without."""
        size = sum(array.nbytes for array in arrays.values()) / 1e9
        if self._full or size > self.limit_gb:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._make_room(size)
        free = shutil.disk_usage(self.folder).free / 1e9
        try:
            if free < size + SPARE_GB:
                raise OutputError("the disk has too little room", got=f"{free:.2g} GB free")
            with whole_file(self._path(digest)) as temporary:
                # bytes are written as they lie in memory
                whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
                save_file(whole, temporary, metadata={"format": FORMAT})
        except OSError as error:
            self._full = True
            getLogger("livewell").warning(
                "features are not kept, so they are computed anew every time: %s;"
                " %s wants %.1f GB beside %.0f GB that stay free",
                " ".join(str(error).split()),
                self.folder,
                size,
                SPARE_GB,
            )

    def room(self) -> Room:
        """What they take."""
        sizes = [path.stat().st_size for path in self._files()]
        return Room(sum(sizes) / 1e9, len(sizes), self.limit_gb)

    def remove(self) -> Room:
        """Remove all of them; returns what they took."""
        room = self.room()
        for path in self._files():
            path.unlink(missing_ok=True)
        return room

    def _make_room(self, wanted_gb: float) -> None:
        files = [(path.stat(), path) for path in self._files()]
        used = sum(stat.st_size for stat, _ in files) / 1e9
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime_ns):
            if used + wanted_gb <= self.limit_gb:
                break
            path.unlink(missing_ok=True)
            used -= stat.st_size / 1e9

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def _path(self, digest: str) -> Path:
        return self.folder / f"{digest}.safetensors"
