"""DeadNet's data sets A and B as recipes over a study, with the paper's counts beside ours."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from livewell.classes import ClassNames
from livewell.doses.positions import places
from livewell.errors import Fault, LabelError, SpecError, TableError
from livewell.files import whole_file
from livewell.geometry import Edge
from livewell.labels.by_dose import Dose, by_dose
from livewell.labels.by_votes import by_votes
from livewell.labels.doses import doses
from livewell.labels.made import Count, Labels, label_table, two_classes
from livewell.labels.times import frame_times
from livewell.labels.voting import Doubt
from livewell.measure.occupancy import Texture
from livewell.papers.counts import (
    FRAMES,
    PATCH_PX,
    STRIDE_PX,
    Step,
    agreement,
    copies_a,
    copies_b,
    grids,
)
from livewell.papers.endings import Dead, ending
from livewell.progress import task
from livewell.study.metadata import read_metadata
from livewell.study.pixels import StudyPixels
from livewell.study.regions import (
    SEQUENCE,
    Grid,
    gridded,
    labelled_frames,
    refuse_small,
    sequences,
    unusable_frames,
)
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study, checked_name
from livewell.tables.metadata import LabelMeta
from livewell.tables.results import write_csv


@dataclass(frozen=True, slots=True)
class DeadNetA:
    """Data set A: unlit positions are healthy, early frames of positions that die are sick.

    Parameters
    ----------
    sick_from
        Lowest dose of a sick position, in the study's unit.
    window_s
        Early frames: from (inclusive) and to (exclusive), seconds since the start.
    dead
        How it is known that a position is dead by the end.
    healthy_any_time
        Healthy frames from any time, as in the paper, instead of from the same window.
    crops
        ``full``: every crop of the grid (63 of 1344 x 1024 px); ``paper``: the paper's count of 54,
        which leaves out a last row or column flush with the far edge.
    empty
        What becomes of crops without a cell.
    """

    sick_from: float
    window_s: tuple[float, float]
    dead: Dead
    healthy_any_time: bool = False
    crops: Literal["full", "paper"] = "full"
    empty: Literal["drop", "keep"] = "drop"


@dataclass(frozen=True, slots=True)
class DeadNetB:
    """Data set B: sequences of ten frames that experts scored.

    Parameters
    ----------
    votes
        CSV with columns sequence, expert, vote; ``None`` makes the sequences only.
    dose_to
        Highest dose of the positions taken, in the study's unit; ``None`` for the paper's 80 s,
        where the unit is seconds or nobody knows it; infinite for all.
    doubt
        What to do with sequences that somebody is unsure of.
    least
        Fewest votes that a sequence needs.
    empty
        What becomes of crops without a cell in the first frame.
    """

    votes: Path | None = None
    dose_to: float | None = None
    doubt: Doubt = "drop"
    least: int = 1
    empty: Literal["drop", "keep"] = "drop"


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a recipe made, the paper's counts beside it, and what a careful user should know.

    `labels` is empty where there are none yet; `file` is the table of what was decided on:
    positions and what became of them (A), sequences (B).
    """

    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    labels: str
    file: Path


def deadnet_a(
    study: Study,
    recipe: DeadNetA,
    classes: tuple[str, str] = ("healthy", "sick"),
    *,
    name: str = "deadnet-a",
) -> DataSet:
    """Make data set A and write it as labels on crops, ready for `livewell.workflows.split.split`.

    `classes` are (negative, positive). Source: Richmond et al. 2017, section 2.2, data set A.
    """
    classes = two_classes(ClassNames.of(classes), "dose")
    checked_name(name)
    fields, headers = study.fields(), study.headers()
    values, faults = doses(fields, recipe.sick_from) if "dose" in fields else (None, [_NO_DOSE])
    if faults or values is None:
        raise TableError("no data set A", faults, where=str(study.folder / "fields.parquet"))
    _, _, faults = frame_times(fields, headers)
    if faults:
        raise TableError("no times of frames", faults, where=str(study.folder))
    used = fields[((values == 0) | (values >= recipe.sick_from)).to_numpy()]
    used_headers = headers[headers["image"].isin(used["image"])]
    refuse_small(
        used_headers.set_index("image"),
        PATCH_PX,
        "for DeadNet's crops have this size; or use `livewell label dose`",
    )
    positions = positions_of(fields)
    pixels = StudyPixels(study)
    unusable = pixels.prepare(used["image"])
    end = ending(study, used, headers, positions, recipe.dead, pixels)
    lit = set(fields.loc[(values >= recipe.sick_from).to_numpy(), "image"].map(positions))
    if not end.dead & lit:
        raise LabelError(
            "no lit position is dead by the end",
            where=str(study.folder),
            expected=end.rule,
            got=", ".join(
                f"{row.position} {row.value:.2f}"
                for row in end.table[end.table["position"].isin(lit)].head(6).itertuples()
            ),
            remedy="take a higher --sick-from, a longer movie, or say it in a column",
        )
    rule = Dose(recipe.sick_from, recipe.window_s, recipe.healthy_any_time)
    doomed = set(fields.loc[fields["image"].map(positions).isin(end.dead), "image"])
    frames = by_dose(fields, headers, rule, dead_by_end=doomed, classes=classes)
    edge: Edge = "exclusive" if recipe.crops == "paper" else "drop"
    grid = Grid(PATCH_PX, STRIDE_PX, edge, empty=recipe.empty)
    pixel_um = common_pixel_um(study, used["image"])
    rows = frames.table
    wanted = labelled_frames(rows, pixels)
    with task("cutting crops", total=len(wanted)) as tick:
        crops, empty = gridded(wanted, grid, pixels, Texture(pixel_um), tick)
    without = sorted(set(classes) - set(crops["label"]))
    if without:
        raise LabelError(
            f"no crop of {' and '.join(without)} is left",
            where=str(study.folder),
            expected=f"crops of {PATCH_PX} px with cells, of both classes",
            got=f"{len(crops)} crops of {len(rows)} frames, {empty} without cells",
            remedy="take --crops full, --empty keep, or another window",
        )
    table = label_table(crops, crops["label"].tolist(), "deadnet-a", crops["score"])
    notes = [*frames.notes, *unusable_frames(rows, unusable)]
    unlit = sorted(end.dead - lit)
    if unlit:
        notes.append(
            f"the rule calls unlit positions dead too, such as {', '.join(unlit[:3])}: look"
        )
    steps = (
        Step("lit positions", str(len(lit))),
        Step("of these dead by the end", str(len(lit & end.dead)), "every cell dead or dying"),
        *_by_class("frames", rows, classes, ("dose 0, any time", "the beginning")),
        *grids(used_headers),
        Step("crops without cells" + _LEFT[recipe.empty], str(empty)),
        *_by_class(
            "crops", crops, classes, ("about 2,000 of both to train on", "126 of both to test on")
        ),
        copies_a(used_headers, grid.edge),
    )
    counts = (*frames.counts, Count("crops without cells", empty), Count("crops", len(table)))
    _write(study, name, Labels(table, counts, tuple(notes)), recipe, classes)
    file = study.folder / "labels" / f"{name}-positions.csv"
    write_csv(file, end.table.assign(rule=end.rule))
    return DataSet(steps, tuple(notes), name, file)


def _by_class(
    what: str, rows: pd.DataFrame, classes: tuple[str, str], paper: tuple[str, str]
) -> list[Step]:
    """How many rows each class has."""
    return [
        Step(f"{what}, {label}", str(int((rows["label"] == label).sum())), text)
        for label, text in zip(classes, paper, strict=True)
    ]


def deadnet_b(
    study: Study,
    recipe: DeadNetB,
    classes: tuple[str, str] = ("healthy", "sick"),
    *,
    name: str = "deadnet-b",
) -> DataSet:
    """Make the sequences of data set B and, with votes, its labels on crops.

    `classes` are (negative, positive), and also the words of the votes; `name` is that of the
    labels and of the table of sequences. Source: Richmond et al. 2017, sections 2.2 and 3.1.
    """
    classes = two_classes(ClassNames.of(classes), "votes")
    checked_name(name)
    fields, headers = study.fields(), study.headers()
    most = _dose_to(fields, recipe.dose_to)
    if most < math.inf:
        if "dose" not in fields:
            raise TableError("no data set B", [_NO_DOSE], where=str(study.folder))
        values, faults = doses(fields)
        kinds = ("one-dose", "no-control")
        faults = [fault for fault in faults if fault.code not in kinds]
        if faults:
            raise TableError("no data set B", faults, where=str(study.folder))
        fields = fields[(values <= most).to_numpy()]
    headers = headers[headers["image"].isin(fields["image"])]
    pixels = StudyPixels(study)
    pixels.prepare(fields["image"])
    pixel_um = common_pixel_um(study, fields["image"])
    made, empty = sequences(headers, pixels, PATCH_PX, FRAMES, recipe.empty, pixel_um)
    if made.empty:
        raise LabelError(
            "no sequence",
            expected=f"movies of {FRAMES} frames or more, {PATCH_PX} px or more, with cells",
            got=f"{len(headers)} images, {empty} sequences without cells",
        )
    file = study.folder / "labels" / f"{name}-sequences.csv"
    # names come back with the votes, so they stay as they are
    with whole_file(file) as temporary:
        made[SEQUENCE].to_csv(temporary, index=False)
    steps = [
        Step("positions", str(fields["image"].map(positions_of(fields)).nunique()), "0 to 80 s"),
        Step("frames a sequence", str(FRAMES), "10"),
        Step("sequences without cells" + _LEFT[recipe.empty], str(empty)),
        Step("sequences to score", str(len(made))),
        copies_b(),
    ]
    if recipe.votes is None:
        note = f"no votes yet: let experts score the sequences of {file}, then give --votes"
        return DataSet(tuple(steps), (note,), "", file)
    votes = read_metadata(recipe.votes).table
    words = dict(zip(classes, classes, strict=True))
    try:
        voted, agreed = by_votes(made, votes, words, doubt=recipe.doubt, least=recipe.least)
    except TableError as error:
        raise TableError(
            "votes that cannot be used",
            error.faults,
            where=str(recipe.votes),
            remedy=f"correct the votes; the sequences are those of {file}",
        ) from error
    found = set(voted.table["label"])
    if found != set(classes):
        raise LabelError(
            "one class only" if found else "no sequence is left",
            where=str(recipe.votes),
            expected=f"sequences of {classes[0]} and of {classes[1]}",
            got="; ".join(f"{count.count} {count.step}" for count in voted.counts[:8]),
        )
    paper = {"sequences left": "about 900, 700 to train on"}
    skipped = ("sequences", "scored by two or more, none unsure", "experts disagree, dropped")
    steps += [
        Step(count.step, str(count.count), paper.get(count.step, ""))
        for count in voted.counts
        if count.step not in skipped
    ]
    steps += agreement(agreed)
    _write(study, name, voted, recipe, classes)
    return DataSet(tuple(steps), (), name, file)


def _dose_to(fields: pd.DataFrame, asked: float | None) -> float:
    """The highest dose that is taken."""
    if asked is not None:
        if not asked >= 0:
            raise SpecError("not a dose", where="--dose-to", expected="0 or more", got=f"{asked:g}")
        return asked
    units = set(fields["dose_unit"].dropna()) if "dose_unit" in fields else set()
    if units - {"s"}:
        raise SpecError(
            "the paper's highest dose of data set B is 80 s, and these doses are in another unit",
            where="--dose-to",
            got=", ".join(sorted(map(str, units))),
            remedy="give --dose-to in the study's unit, or -1 for all",
        )
    return 80.0


_NO_DOSE = Fault("missing-column", "dose", "the study's images have no dose")
_LEFT = {"drop": ", left out", "keep": ", kept (not counted)"}


def positions_of(fields: pd.DataFrame) -> "pd.Series[str]":
    """Name of the stage position by image, see `livewell.doses.positions.places`."""
    return places(fields).set_axis(fields["image"])


def _write(
    study: Study, name: str, made: Labels, recipe: DeadNetA | DeadNetB, classes: tuple[str, str]
) -> None:
    counts = tuple((count.step, count.count) for count in made.counts)
    meta = LabelMeta(
        route=name, settings=asdict(recipe), classes=classes, counts=counts, notes=made.notes
    )
    study.write_labels(name, made.table, meta)
