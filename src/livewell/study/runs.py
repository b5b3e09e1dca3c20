"""Run folders: what a job resolved, on which inputs, with which versions and seed."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from livewell.errors import StudyError
from livewell.files import article, claim_same, read_json, sha256, stamp
from livewell.study.study import Study

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
EXTRAS = ("onnxruntime", "openvino")


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
        settings = {name: value for name, value in spec.items() if name != "versions"}
        claim_same(folder, "training run", RUN, settings)
        if (folder / RUN).is_file():
            return cls(folder, read_json(folder / RUN, kind="training run"))
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
    for name in EXTRAS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def split_hashes(study: Study, split: str) -> dict[str, str]:
    """Hashes of a split's tables: what a run was trained on, and is tested on."""
    folder = study.folder / "splits" / split
    return {name: sha256(folder / name) for name in ("patches.parquet", "folds.parquet")}


def label_hash(study: Study, labels: str) -> str:
    """Hash of a labels table: what a split was made of."""
    return sha256(study.folder / "labels" / f"{labels}.parquet")
