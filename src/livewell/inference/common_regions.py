"""Regions that several runs hold out, each of them scored by the models of every run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError, SplitError, StudyError
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics.outcomes import Floats
from livewell.models.device import AUTO
from livewell.splitting.units import unit_names
from livewell.study.content import first_frames
from livewell.tables.schemas import KEY
from livewell.text import few

NEAR_PX = 1
"""Centres of patches round the same point differ by so much at most, for boxes are whole pixels."""
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class CommonRegions:
    """Test regions that all of several runs share.

    Parameters
    ----------
    runs
        By name, each with no other test regions than the shared ones, in the same order.
    regions
        One row a shared region: `schemas.KEY` as of the first run, label and group.
    tested
        Number of test regions of each run, shared or not.
    by
        Column that names the groups.
    """

    runs: Mapping[str, EvaluationSet]
    regions: pd.DataFrame
    tested: Mapping[str, int]
    by: str

    @classmethod
    def of(
        cls, folders: Sequence[Path], *, by: str | None = None, device: str = AUTO
    ) -> "CommonRegions":
        """The regions that the test parts of these runs share, by image, frame and centre of box.

        Boxes may be of different sizes. Groups are those of the runs, or named in the column `by`
        of the first run's study.

        Raises
        ------
        SpecError
            Fewer than two runs, one twice, or runs of other classes.
        SplitError
            No region in common; groups of another column, or other groups; regions that several
            folds test.
        LabelError
            A region has other labels in another run.
        StudyError
            An image of the same name holds something else in another run's study.
        """
        sets = {
            name: EvaluationSet.of_run(folder, device=device)
            for name, folder in run_names(folders).items()
        }
        _check_alike(sets, by)
        tests = {name: _test_regions(name, each) for name, each in sets.items()}
        rows = _shared(tests)
        (first, own), *others = ((name, tests[name].iloc[rows[name]]) for name in tests)
        for name, theirs in others:
            _check_images(sets[first], sets[name], list(own["image"].unique()), name)
            _check_labels(own, theirs, (first, name))
            if by is None:
                _check_groups(own, theirs, (first, name))
        regions = own[[*KEY, "label", "group"]].reset_index(drop=True)
        if by is not None:
            units = regions["image"].map(unit_names(sets[first].study.fields(), by))
            regions["group"] = units.fillna(regions["image"]).astype("str")
        kept = {
            name: replace(each, patches=tests[name].iloc[rows[name]].assign(row=range(len(own))))
            for name, each in sets.items()
        }
        counts = {name: len(table) for name, table in tests.items()}
        return cls(kept, regions, counts, by or sets[first].meta.by)

    @property
    def classes(self) -> ClassNames:
        """The classes that all runs tell apart."""
        return next(iter(self.runs.values())).classes

    @property
    def healthy_only(self) -> bool:
        """Whether the runs learnt one class alone, so that p is no probability."""
        return any(each.own_run.spec.healthy is not None for each in self.runs.values())

    def scores(self) -> dict[str, pd.DataFrame]:
        """By name of the run the scores (`schemas.SCORES`) of the regions, in their order."""
        found = {}
        for name, tested in self.runs.items():
            table = tested.scores()[0].sort_values("row", ignore_index=True).drop(columns="row")
            found[name] = table.assign(group=self.regions["group"])
        return found


def run_names(folders: Sequence[Path]) -> dict[str, Path]:
    """Short names of run folders, each once: the folder's own where that tells it from the others.

    Fewer than two folders, or one given twice, are an error.
    """
    paths = [folder.resolve() for folder in folders]
    if len(paths) < 2 or len(set(paths)) < len(paths):
        raise SpecError(
            "nothing to compare" if len(paths) < 2 else "a run is given twice",
            where="runs",
            expected="two training runs or more, each once",
            got=", ".join(map(str, folders)) or "none",
        )
    depth = next(
        (n for n in range(1, 9) if len({path.parts[-n:] for path in paths}) == len(paths)), 99
    )
    return {str(Path(*path.parts[-depth:])): path for path in paths}


def matched(first: pd.DataFrame, second: pd.DataFrame) -> tuple[Rows, Rows]:
    """Numbers of the rows of two tables of regions that are of the same cell, pair by pair.

    They are of one image and frame, and each has the other's centre as the nearest, not more than
    `NEAR_PX` away along either axis.
    """
    both = pd.concat([first[KEY], second[KEY]], ignore_index=True)
    frames = both.groupby(["image", "t"], sort=False).ngroup().to_numpy(float)
    centres = [(both[low] + both[high]).to_numpy(float) / 2 for low, high in (KEY[2::2], KEY[3::2])]
    # frames lie so far apart that no neighbour is of another
    points = np.column_stack([1e6 * frames, *centres])
    ours, theirs = points[: len(first)], points[len(first) :]
    there, back = _nearest(ours, theirs), _nearest(theirs, ours)
    rows = np.flatnonzero(there < len(theirs))
    rows = rows[back[there[rows]] == rows]
    return rows, there[rows]


def _nearest(points: Floats, among: Floats) -> Rows:
    """Number of the nearest of other points for each; their count where none is near."""
    near = KDTree(among).query(points, p=np.inf, distance_upper_bound=NEAR_PX + 0.25)[1]
    return np.asarray(near, dtype=np.int64)


def _shared(tests: Mapping[str, pd.DataFrame]) -> dict[str, Rows]:
    """Of each table the rows of what all of them share, in the order of the first."""
    (first, own), *others = tests.items()
    pairs = {name: matched(own, table) for name, table in others}
    ours = np.arange(len(own))
    for rows, _ in pairs.values():
        ours = np.intersect1d(ours, rows)
    if not len(ours):
        raise SplitError(
            "no region is held out in all of these runs",
            expected="test regions of the same image and frame with the same centre",
            got=", ".join(f"{len(table):,} in {name}" for name, table in tests.items()),
            remedy="train on splits with the same test groups, or on one split",
        )
    # rows of a match are in ascending order
    there = {name: found[np.searchsorted(rows, ours)] for name, (rows, found) in pairs.items()}
    return {first: ours, **there}


def _test_regions(name: str, tested: EvaluationSet) -> pd.DataFrame:
    """The test regions of a run, each tested once."""
    table = tested.part("test")
    twice = table.loc[table.duplicated(KEY), "group"].unique()
    if len(twice):
        raise SplitError("groups tested in more than one fold", where=name, got=few(twice))
    return table[list(tested.patches.columns)]


def _check_alike(sets: Mapping[str, EvaluationSet], by: str | None) -> None:
    """Refuse runs of other classes, or of other groups where no column is named for all."""
    for (one, ours), (other, theirs) in pairwise(sets.items()):
        if ours.classes != theirs.classes:
            raise SpecError(
                "runs of different classes",
                where=other,
                expected=f"{ours.classes} as in {one}, and the same positive class",
                got=str(theirs.classes),
                remedy="compare runs of the same classes; one of healthy alone only with others of"
                " healthy alone. Each by itself is measured by `livewell evaluate RUN`",
            )
        if by is None and ours.meta.by != theirs.meta.by:
            raise SplitError(
                "runs were split by different columns",
                where=other,
                expected=f"{ours.meta.by}, as in {one}",
                got=theirs.meta.by,
                remedy="name the column that intervals shall resample, with --by",
            )


def _check_images(
    own: EvaluationSet, theirs: EvaluationSet, images: Sequence[str], name: str
) -> None:
    """Refuse another image under the same name; files of one path are not read."""
    if all(own.study.path(image) == theirs.study.path(image) for image in images):
        return
    digests = [first_frames(each.study, images, own.pixels.channels) for each in (own, theirs)]
    other = [image for image in images if digests[0][image] != digests[1][image]]
    if other:
        raise StudyError(
            "images of the same name hold something else",
            where=name,
            expected=f"the images of {own.study.folder}",
            got=few(other),
            remedy="compare runs on the same images",
        )


def _check_labels(own: pd.DataFrame, theirs: pd.DataFrame, names: tuple[str, str]) -> None:
    pairs = zip(own["label"], theirs["label"], strict=True)
    differ = [n for n, (ours, other) in enumerate(pairs) if ours != other]
    if differ:
        row = own.iloc[differ[0]]
        raise LabelError(
            "the same regions have other labels in another run",
            where=" and ".join(names),
            expected="one label a region",
            got=f"{len(differ)} of {len(own)} differ, such as {row['image']}, frame {row['t']}:"
            f" {row['label']} and {theirs['label'].iloc[differ[0]]}",
            remedy="compare runs on the same labels",
        )


def _check_groups(own: pd.DataFrame, theirs: pd.DataFrame, names: tuple[str, str]) -> None:
    ours, others = (table["group"].astype("str").to_numpy() for table in (own, theirs))
    differ = np.flatnonzero(ours != others)
    if len(differ):
        raise SplitError(
            "the same regions are in other groups in another run",
            where=" and ".join(names),
            got=f"{len(differ)} of {len(own)} differ, such as {ours[differ[0]]} and"
            f" {others[differ[0]]}",
            remedy="name the column that intervals shall resample, with --by",
        )
