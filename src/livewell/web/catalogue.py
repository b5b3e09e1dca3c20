"""The tables of a study as the pages show them: read once, and again when their files change."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import pandas as pd

from livewell.errors import ImageReadError
from livewell.images.listing import STAMP, fingerprint
from livewell.names import path_of
from livewell.study.study import Study
from livewell.tables.metadata import StudyMeta

OLD_S = 0.2
"""How old the list of images may be: a page asks for it many times."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Listing:
    """The study as it is now, its fields table, and the names of its images by row number."""

    study: Study
    fields: pd.DataFrame
    names: tuple[str, ...]
    numbers: dict[str, int]


class Catalogue:
    """What is known of a study, in memory; may be used by many threads."""

    def __init__(self, study: Study) -> None:
        self.folder = study.folder
        # images may be looked for elsewhere than where the study says
        own = StudyMeta.read(study.folder / STAMP).root
        self._root = None if path_of("", own) == study.root else study.root
        self._lock = RLock()
        self._kept: dict[Any, tuple[Any, Any]] = {}
        self._last: tuple[float, Listing] | None = None

    def listing(self) -> Listing:
        """The study and its images, as the last `livewell index` left them."""
        now, last = time.monotonic(), self._last
        if last is None or now - last[0] > OLD_S:
            files = (self.folder / STAMP, self.folder / "fields.parquet")
            last = self._last = now, self.kept("listing", files, self._listed)
        return last[1]

    def study(self) -> Study:
        """The study as it is now."""
        return self.listing().study

    def labels(self, name: str) -> pd.DataFrame:
        """A labels table, see `Study.labels`."""
        study = self.study()
        files = (self.folder / "labels" / f"{name}.parquet",)
        return self.kept(("labels", name), files, lambda: study.labels(name))

    def kept(self, key: Any, files: tuple[Path, ...], make: Callable[[], Value]) -> Value:
        """What `make` makes of files, made again when their size or time of change is another."""
        version = tuple(map(_version, files))
        with self._lock:
            known = self._kept.get(key)
            if known is None or known[0] != version:
                known = self._kept[key] = (version, make())
            value: Value = known[1]
            return value

    def _listed(self) -> Listing:
        study = Study.open(self.folder)
        study = study if self._root is None else replace(study, root=self._root)
        fields = study.fields()
        names = tuple(fields["image"].tolist())
        return Listing(study, fields, names, {name: n for n, name in enumerate(names)})


def _version(file: Path) -> tuple[int, int] | None:
    """Size and time of change; ``None`` where there is no such file."""
    try:
        return fingerprint(file)
    except ImageReadError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
