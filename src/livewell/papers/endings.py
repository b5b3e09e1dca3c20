"""What became of every position by the end of its movie: read from pixels, a column or a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.images.opening import open_image
from livewell.inference.frames import Field, fit_to, read_field
from livewell.inference.model import Model
from livewell.inference.plates import need_no_plate
from livewell.labels.ending import EVERY, SHRUNK, Ending, by_area, by_said, by_share
from livewell.labels.times import frame_times
from livewell.measure.occupancy import has_cells, textured
from livewell.progress import task
from livewell.study.pixels import StudyPixels
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study

ENDS = 3
"""First and last frames of a movie that are looked at, so that no single frame decides."""


@dataclass(frozen=True, slots=True)
class LastFrames:
    """Cells cover at the end at most `most` of the area that they covered first."""

    most: float = SHRUNK


@dataclass(frozen=True, slots=True)
class EndingColumn:
    """A column of the fields table says yes or no."""

    column: str


@dataclass(frozen=True, slots=True)
class EndingModel:
    """A model calls at least `least` of the last frame's patches positive."""

    model: Path
    least: float = EVERY


Dead = LastFrames | EndingColumn | EndingModel


def ending(
    study: Study,
    fields: pd.DataFrame,
    headers: pd.DataFrame,
    positions: "pd.Series[str]",
    rule: Dead,
    pixels: StudyPixels,
) -> Ending:
    """What became of the positions of some images.

    `fields` are rows of the images to look at; `positions` holds the position's name by image, and
    several files may make one.
    """
    if isinstance(rule, EndingColumn):
        return by_said(fields, positions, rule.column)
    frames, _, _ = frame_times(fields, headers)
    columns = [name for name in ("image", "t", "time_s") if name in frames]
    usable = {image: set(pixels.usable(image)) for image in frames["image"].unique()}
    there = [t in usable[image] for image, t in zip(frames["image"], frames["t"], strict=True)]
    frames = frames.loc[there, columns].assign(position=frames["image"].map(positions))
    if "time_s" in frames:
        frames = frames.sort_values(["position", "time_s"], kind="stable")
    if isinstance(rule, LastFrames):
        return by_area(_covered(study, frames, pixels), rule.most)
    groups = frames.groupby("position")
    begun = groups.head(1).set_index("position")
    return by_share(_called(study, groups.tail(1), begun, rule), rule.least)


def _covered(study: Study, frames: pd.DataFrame, pixels: StudyPixels) -> pd.DataFrame:
    """Share of the area with cells in every position's first and last frames."""
    pixel_um = common_pixel_um(study, frames["image"])
    groups = frames.groupby("position")
    rows = []
    with task("looking at the ends of movies", total=len(groups)) as tick:
        for position, movie in groups:
            found = []
            for part in (movie.head(ENDS), movie.tail(ENDS)):
                shares_ = [
                    textured(pixels.frame(image, int(t)), pixel_um)[
                        pixels.area(image, int(t)).slices
                    ].mean()
                    for image, t in zip(part["image"], part["t"], strict=True)
                ]
                found.append(float(np.mean(shares_)))
            rows.append({"position": position, "first": found[0], "last": found[1]})
            tick()
    return pd.DataFrame(rows)


def _called(
    study: Study, last: pd.DataFrame, begun: pd.DataFrame, rule: EndingModel
) -> pd.DataFrame:
    """Share of each position's last frame that a model calls positive.

    All of it where no cell is left of those that were there first: cells that die let go. NaN where
    there never was one.
    """
    model = need_no_plate(Model.load(rule.model).need_patches())
    number = model.classes.code(model.classes.pair[1])
    rows = []
    with task("judging last frames", total=len(last)) as tick:
        for _, row in last.iterrows():
            position = str(row["position"])
            made = model.judged(_field(study, row, model))
            share = float(made.shares[number])
            if not made.boxes:
                first = _field(study, begun.loc[[position]].iloc[0], model)
                share = 1.0 if has_cells(first.pixels[0], model.card.pixel_um) else share
            rows.append({"position": position, "share": share})
            tick()
    return pd.DataFrame(rows)


def _field(study: Study, row: "pd.Series[Any]", model: Model) -> Field:
    image, t = str(row["image"]), int(row["t"])
    with open_image(study.path(image), pixel_um=study.pixel_um) as opened:
        fit = fit_to(model.card, opened.header, study.channels, image)
        return read_field(opened, t, fit, f"{image}, frame {t}")
