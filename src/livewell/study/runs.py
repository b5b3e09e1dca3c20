"""Run folders: what a job resolved, on which inputs, with which versions and seed."""

import math
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd

from livewell.errors import SplitError
from livewell.files import claim, refuse_other, sha256
from livewell.study.study import Study
from livewell.tables.metadata import RunMeta, SplitMeta

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
EXTRAS = ("onnxruntime", "openvino", "umap-learn")


@dataclass(frozen=True, slots=True)
class Run:
    """A folder of one training run: ``run.json`` and one folder a fold."""

    folder: Path
    spec: RunMeta

    @classmethod
    def claim(cls, folder: Path, spec: RunMeta) -> "Run":
        """A new run folder, or the one that was begun with the same spec; any other is refused."""
        claim(folder, spec.kind, RUN)
        if not (folder / RUN).is_file():
            spec.write(folder / RUN)
            return cls(folder, spec)
        begun = RunMeta.read(folder / RUN)
        asked = {name: value for name, value in spec.values().items() if name != "versions"}
        refuse_other(folder, spec.kind, begun.values(), asked)
        return cls(folder, begun)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """A run folder that exists."""
        return cls(folder, RunMeta.read(folder / RUN))

    @property
    def folds(self) -> list[int]:
        """Numbers of the folds of this run."""
        return list(self.spec.folds)

    def fold(self, number: int) -> Path:
        """Folder of one fold: checkpoints, ``log.csv`` and, when finished, ``model``."""
        return self.folder / f"fold-{number:02d}"

    def model(self, number: int) -> Path:
        """Model folder of one fold; there only when the fold is finished."""
        return self.fold(number) / "model"

    @property
    def seconds(self) -> float:
        """Seconds that training took, all folds together; NaN where a log does not say."""
        logs = [self.fold(number) / "log.csv" for number in self.folds]
        return sum(map(_seconds, logs))


def _seconds(log: Path) -> float:
    """Seconds that a log says, all epochs together; NaN where it is absent, damaged or silent."""
    with suppress(OSError, ValueError, KeyError):
        return float(pd.to_numeric(pd.read_csv(log)["seconds"]).sum())
    return math.nan


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results; nothing is imported."""
    found = {"python": platform.python_version()}
    found |= dict.fromkeys(PACKAGES, "not installed as a package")
    for name in (*PACKAGES, *EXTRAS):
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


def refuse_new_labels(study: Study, split: str, meta: SplitMeta) -> None:
    """Refuse a split whose labels were made anew after it."""
    there = meta.labels in study.label_names()
    if there and meta.labels_sha256 not in ("", label_hash(study, meta.labels)):
        raise SplitError(
            "the labels were made anew after the split, which holds the old ones",
            where=f"{study.folder}, split {split}",
            remedy="split again, or give other labels another --name",
        )
