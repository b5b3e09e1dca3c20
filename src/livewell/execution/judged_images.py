"""What `assess` said of images, read back from its folder: one value an image."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from livewell.errors import LivewellError, SpecError, StudyError
from livewell.files import read_json
from livewell.images.listing import STAMP, images_at
from livewell.names import path_of
from livewell.tables.faults import near
from livewell.tables.results import plain_cell

Measure = Literal["called", "p"]
"""The share of patches called a class, or its mean probability."""
_TWO = {"called": "sick_fraction", "p": "p_sick"}
"""Columns of verdicts of two classes."""


@dataclass(frozen=True)
class JudgedImages:
    """Images of a folder of verdicts.

    `table` has ``image``, ``plate`` (where one is known), ``well`` and ``position`` as the verdicts
    say them (missing where they do not), ``t`` (the only frame judged, missing where there are
    several), ``value`` (0 to 1), ``patches`` and ``failed``. `score` is what the value is, in
    words.
    """

    table: pd.DataFrame
    score: str
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, results: Path, measure: Measure, class_name: str | None, t: int | None
    ) -> "JudgedImages":
        """Read ``verdicts.csv`` and ``failures.csv``; of `t` ``None`` all frames of an image count.

        Raises
        ------
        StudyError
            No folder of verdicts, or one that is not whole.
        SpecError
            No class is named of three or more, or one that there is not; no image has the frame.
        """
        settings = read_json(results / "assessment.json", kind="assessment")
        verdicts, failures = (_table(results / f"{name}.csv") for name in ("verdicts", "failures"))
        column, score = _column(verdicts, measure, class_name)
        verdicts = verdicts.assign(value=pd.to_numeric(verdicts[column]))
        notes = []
        if t is None:
            several = int((verdicts.groupby("image").size() > 1).sum())
            if several:
                notes.append(f"all frames of an image count alike: {several:,} have several")
        else:
            chosen = verdicts[verdicts["t"] == t]
            left = verdicts["image"].nunique() - chosen["image"].nunique()
            if chosen.empty:
                got = f"frames 0 to {verdicts['t'].max()}"
                raise SpecError("no image has this frame", where=f"--frame {t}", got=got)
            if left:
                notes.append(f"{left:,} images without frame {t} left out")
            verdicts = chosen
        table = _images(verdicts)
        lost = failures[~failures["image"].isin(table["image"])].drop_duplicates("image")
        places = lost.reindex(columns=["plate", "well", "position"])
        places = places.dropna(axis="columns", how="all")
        rows = pd.concat([lost[["image"]], places], axis="columns").assign(patches=0, failed=True)
        table = pd.concat([table, rows], ignore_index=True) if len(rows) else table
        table = table.astype({"failed": bool, "value": "float64", "patches": "int64"})
        return cls(table, score, settings, tuple(notes))

    @property
    def study(self) -> Path | None:
        """The study that was judged, where it was one that is still there."""
        images = Path(str(self.settings.get("images", "")))
        return images if (images / STAMP).is_file() else None

    def files(self) -> dict[str, Path]:
        """Where the images lie, by name, of those that were files or a folder of files."""
        root = Path(str(self.settings.get("images", "")))
        found: Mapping[str, Path] = {}
        with suppress(LivewellError):  # moved or gone: whoever opens them is told
            found = images_at(root).files
        return {name: found.get(name, path_of(root, name)) for name in self.table["image"]}


def _table(path: Path) -> pd.DataFrame:
    """A table of a folder of verdicts, names as they were before they were made safe."""
    if not path.is_file():
        raise StudyError(
            "the verdicts are not whole",
            where=str(path),
            remedy="give the same `livewell assess` again: it goes on where it was stopped",
        )
    texts = dict.fromkeys(("image", "plate", "well", "position", "verdict", "note", "error"), "str")
    table = pd.read_csv(path, dtype=texts)
    if "image" not in table or (path.stem == "verdicts" and "n_patches" not in table):
        raise StudyError("not a table of `livewell assess`", where=str(path))
    return table.assign(image=table["image"].map(plain_cell))


def _column(verdicts: pd.DataFrame, measure: Measure, name: str | None) -> tuple[str, str]:
    """The column of the value, and what it is in words."""
    what = "share of patches called" if measure == "called" else "mean probability of being"
    if _TWO[measure] in verdicts:
        words = f"{what} {name or 'sick'}"
        return _TWO[measure], words
    classes = [str(n).removeprefix("called_") for n in verdicts if str(n).startswith("called_")]
    if name not in classes:
        raise SpecError(
            "no class is named" if name is None else "no such class",
            where="--class" if name is None else f"--class {name}",
            expected="one of " + ", ".join(classes),
            got="" if name is None else near(name, classes),
            remedy="of three or more classes name the one whose wells are looked for",
        )
    return f"{measure}_{name}", f"{what} {name}"


def _images(verdicts: pd.DataFrame) -> pd.DataFrame:
    """A row an image: frames weigh by their patches."""
    weights = verdicts["n_patches"].where(verdicts["value"].notna(), 0)
    table = verdicts.assign(sum=verdicts["value"].fillna(0) * weights, patches=weights)
    groups = table.groupby("image", sort=False)
    made = groups[["sum", "patches"]].sum()
    plate = ["plate"] if "plate" in verdicts else []
    first = groups[[*plate, "well", "position"]].first()
    single = groups["t"].first().where(groups.size() == 1)
    value = made["sum"] / made["patches"].where(made["patches"] > 0)
    made = first.assign(t=single, value=value, patches=made["patches"], failed=False)
    return made.reset_index()
