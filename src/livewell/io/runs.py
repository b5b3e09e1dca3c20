"""Run folders: what a job resolved, on which inputs, with which versions and seed."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from livewell.errors import OutputError, StudyError
from livewell.files import article, claim, read_json, stamp, whole_file
from livewell.io.study import Study

RUN = "run.json"
PACKAGES = (
    "livewell",
    "torch",
    "torchvision",
    "lightning",
    "numpy",
    "pandas",
    "scipy",
    "scikit-learn",
    "scikit-image",
    "tifffile",
    "imagecodecs",
)


@dataclass(frozen=True, slots=True)
class Run:
    """A folder of one training run: ``run.json`` and one folder a fold.

    Parameters
    ----------
    folder
        Where it lies.
    spec
        What ``run.json`` holds: study, split, profile, seed, channel, classes, folds, inputs,
        versions.
    """

    folder: Path
    spec: Mapping[str, Any]

    @classmethod
    def claim(cls, folder: Path, spec: Mapping[str, Any]) -> "Run":
        """A new run folder, or the one that was begun with the same spec.

        Raises
        ------
        OutputError
            The folder holds something else, or a run with another spec.
        """
        claim(folder, "training run", RUN)
        if (folder / RUN).is_file():
            begun = read_json(folder / RUN, kind="training run")
            differ = _differences(begun, spec)
            if differ:
                raise OutputError(
                    "this run was begun with other settings",
                    where=str(folder),
                    expected=", ".join(f"{name}={_short(old)}" for name, old, _ in differ),
                    got=", ".join(f"{name}={_short(new)}" for name, _, new in differ),
                    remedy="name a new folder, or repeat the settings to go on",
                )
            return cls(folder, begun)
        stamp(folder, RUN, "training run", **spec)
        return cls(folder, dict(spec))

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """A run folder that exists.

        Raises
        ------
        StudyError
            It is not there or not a training run.
        """
        spec = read_json(folder / RUN, kind="training run")
        if spec.get("kind") != "training run":
            raise StudyError(
                "not a training run",
                where=str(folder),
                got=article(str(spec.get("kind", "JSON file"))),
            )
        return cls(folder, spec)

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds of this run."""
        return [int(fold) for fold in self.spec["folds"]]

    def fold(self, number: int) -> Path:
        """Folder of one fold: checkpoints, ``log.csv`` and, when finished, ``model``."""
        return self.folder / f"fold-{number:02d}"

    def model(self, number: int) -> Path:
        """Model folder of one fold; there only when the fold is finished."""
        return self.fold(number) / "model"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results; nothing is imported."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def split_hashes(study: Study, split: str) -> dict[str, str]:
    """Hashes of a split's tables: what a run was trained on, and is tested on."""
    folder = study.folder / "splits" / split
    return {name: sha256(folder / name) for name in ("patches.parquet", "folds.parquet")}


def label_hash(study: Study, labels: str) -> str:
    """Hash of a labels table: what a split was made of."""
    return sha256(study.folder / "labels" / f"{labels}.parquet")


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8")


def _differences(
    begun: Mapping[str, Any], spec: Mapping[str, Any]
) -> list[tuple[str, object, object]]:
    """Name, old and new value of what differs; of a profile, its settings one by one."""
    found: list[tuple[str, object, object]] = []
    for name in sorted(k for k in spec if k != "versions" and begun.get(k) != spec[k]):
        old, new = begun.get(name), spec[name]
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            found.append((name, old, new))
            continue
        inner = [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
        # a profile's source only repeats which of its settings were changed
        inner = [k for k in inner if k != "source"] or inner
        found += [(name if k == "name" else k, old.get(k), new.get(k)) for k in inner]
    return found


def _short(value: object, most: int = 60) -> str:
    text = str(value)
    return text if len(text) <= most else text[: most - 3] + "..."
