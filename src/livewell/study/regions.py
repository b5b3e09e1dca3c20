"""Patches of labelled frames: a grid, frame by frame, without those that show no cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from livewell.errors import Fault, LabelError, SpecError, TableError
from livewell.geometry import Box, Edge
from livewell.measure.occupancy import Occupancy, Texture
from livewell.progress import Tick, task
from livewell.region import Region, RegionGrid
from livewell.study.pixels import StudyPixels
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study
from livewell.tables.schemas import BOX, key_table
from livewell.text import few, plural

SEQUENCE = ["sequence", "image", "t", *BOX, "frames"]
"""Columns of a table of sequences: name, image, first frame, box in pixels, number of frames."""
BY_BOXES = "boxes"
"""Route of labels that say what an image holds, not each of its patches."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Patches of labelled frames: a grid, frame by frame.

    Parameters
    ----------
    patch_px, stride_px, edge
        See `livewell.region.RegionGrid`.
    every
        Take every n-th labelled frame only: neighbours in time are nearly the same image.
    empty
        Whether patches without any cell-scale texture are kept or dropped.
    """

    patch_px: int
    stride_px: int
    edge: Edge = "drop"
    every: int = 1
    empty: Literal["drop", "keep"] = "drop"

    def __post_init__(self) -> None:
        if min(self.patch_px, self.stride_px, self.every) < 1:
            raise SpecError(
                "not a grid",
                expected="patch_px, stride_px and every of at least 1",
                got=f"{self.patch_px}, {self.stride_px} and {self.every}",
            )


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole labelled frames, one patch each.

    All are seen through a window of one size, that of the highest and of the widest frame, centred
    on the frame; beyond a smaller frame the image is mirrored. Frames less than
    `LEAST_OF_LARGEST` times as high or wide as the largest are refused: too much would be mirrored.

    Parameters
    ----------
    every
        Take every n-th labelled frame only.
    """

    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise SpecError("not a choice of frames", expected="every >= 1", got=str(self.every))


LEAST_OF_LARGEST = 0.75
"""Least height or width of a whole frame, of the largest one's."""


def refuse_kept(grid: Grid | Whole | None) -> None:
    """Refuse a way to tell empty patches where none is left out."""
    if not isinstance(grid, Grid) or grid.empty == "keep":
        raise SpecError(
            "there is a model that tells empty patches, and none is left out",
            where="occupied_by",
            expected="patches of a grid, with empty ones dropped",
            remedy="give --patch-px without --empty keep, or leave --occupied-by out",
        )


def patches_of_labels(
    study: Study,
    labels: pd.DataFrame,
    grid: Grid | Whole | None,
    pixels: StudyPixels,
    occupancy: Occupancy | None = None,
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Patches of labelled frames, or the labelled patches themselves, and counts by name.

    Columns of `schemas.PATCHES` but for the group; no grid where the labels are on patches. Empty
    patches are told by their texture unless another `occupancy` is given. Frames that cannot be
    used are left out, see `unusable_frames`.
    """
    boxed = labels[BOX].notna().all(axis=1)
    if boxed.all() and grid is None:
        lost = _lost(labels, pixels)
        rows = [t not in lost[image] for image, t in zip(labels["image"], labels["t"], strict=True)]
        return labels[rows].copy(), {"patches": sum(rows)}
    if boxed.any():
        remedy = "leave --patch-px and --whole out"
        raise LabelError("labels on patches take no grid", expected="no patch size", remedy=remedy)
    if grid is None:
        raise LabelError(
            "labels on frames need a grid",
            expected="a patch size and a stride",
            remedy="give --patch-px, such as 112, or --whole for nets that see whole frames",
        )
    if isinstance(grid, Grid) and (labels["route"] == BY_BOXES).any():
        raise LabelError(
            "labels by boxes say what an image holds, not each of its patches",
            expected="whole frames",
            got=f"patches of {grid.patch_px} px",
            remedy="split with --whole, or label patches round points with `livewell label points`",
        )
    headers = study.headers().set_index("image")
    labelled = headers.loc[labels["image"].unique()]
    wanted = [each for each in labelled_frames(labels, pixels) if each[1] % grid.every == 0]
    if isinstance(grid, Whole):
        return _whole(wanted, labelled, labels["route"].iloc[0])
    refuse_small(labelled, grid.patch_px)
    pixel_um = common_pixel_um(study, labels["image"])
    with task("making patches", total=len(wanted)) as tick:
        table, empty = gridded(wanted, grid, pixels, occupancy or Texture(pixel_um), tick)
    table["route"] = labels["route"].iloc[0]
    if not len(table):
        raise LabelError(
            "no patch is left",
            expected=f"frames of at least {grid.patch_px} px with cells",
            got=f"{len(wanted)} frames, {empty} empty patches",
        )
    return table, {"frames": len(wanted), "empty patches left out": empty, "patches": len(table)}


def labelled_frames(labels: pd.DataFrame, pixels: StudyPixels) -> list[tuple[str, int, str, float]]:
    """Image, frame, label and score of every usable frame that a row of labels is about."""
    lost = _lost(labels, pixels)
    rows = labels[["image", "t", "label", "score"]].itertuples(index=False)
    return [
        (str(image), frame, label, score)
        for image, t, label, score in rows
        for frame in (range(pixels.shape(image)[0]) if pd.isna(t) else [int(t)])
        if frame not in lost[image]
    ]


def _lost(labels: pd.DataFrame, pixels: StudyPixels) -> dict[str, set[int]]:
    """Frames of labelled images that are there and cannot be used."""
    return {
        image: set(range(pixels.shape(image)[0])) - set(pixels.usable(image))
        for image in labels["image"].unique()
    }


def unusable_frames(
    labels: pd.DataFrame, unusable: Mapping[tuple[str, int], Fault]
) -> tuple[str, ...]:
    """A note on labelled frames that cannot be used, as `StudyPixels.prepare` gives them."""
    rows = labels[["image", "t"]].drop_duplicates()
    whole = set(rows.loc[rows["t"].isna(), "image"])
    single = set(rows.dropna().itertuples(index=False, name=None))
    lost = [
        f"{fault.where} ({fault.message})"
        for (image, t), fault in unusable.items()
        if image in whole or (image, t) in single
    ]
    if not lost:
        return ()
    return (f"{plural(len(lost), 'labelled frame')} that cannot be used left out: {few(lost)}",)


def _whole(
    wanted: Sequence[tuple[str, int, str, float]], headers: pd.DataFrame, route: str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Whole frames as patches of one size, and how many there are."""
    sizes = headers[["height", "width"]].astype(int)
    largest = (int(sizes["height"].max()), int(sizes["width"].max()))
    relative = sizes / list(largest)
    smaller = (relative < 1).any(axis=1)
    faults = [
        Fault("image-content", str(image), f"{height} x {width} px")
        for image, height, width in sizes[(relative < LEAST_OF_LARGEST).any(axis=1)].itertuples()
    ]
    if faults:
        raise TableError(
            f"images too small beside the largest, {largest[0]} x {largest[1]} px, to be seen whole"
            " by one net",
            faults,
            remedy="move them out of the folder and index again, or make studies of images of like"
            " size",
        )
    boxes = {
        str(image): _centred_box(height, width, largest)
        for image, height, width in sizes.itertuples()
    }
    table = _labelled(
        [(Region(image, t, boxes[image]), label, score) for image, t, label, score in wanted]
    )
    table["route"] = route
    if not len(table):
        raise LabelError("no frame is left", expected="labelled frames", got="none")
    return table, {"frames": len(wanted), "images mirrored at their edges": int(smaller.sum())}


def _centred_box(height: int, width: int, size: tuple[int, int]) -> Box:
    # rounded as `livewell.inference.wide_fields` places its window
    top, left = -((size[0] - height) // 2), -((size[1] - width) // 2)
    return Box.of(top, left, top + size[0], left + size[1])


def _labelled(regions: Sequence[tuple[Region, str, float]]) -> pd.DataFrame:
    """Columns `schemas.KEY`, label and score."""
    table = key_table([region for region, _, _ in regions])
    table["label"] = [label for _, label, _ in regions]
    table["score"] = [score for _, _, score in regions]
    return table


def frame_of(patches: pd.DataFrame) -> tuple[int, int]:
    """Height and width of whole frames as patches, pixels."""
    first = patches.iloc[0]
    return int(first["y1"] - first["y0"]), int(first["x1"] - first["x0"])


def refuse_small(
    headers: pd.DataFrame, patch_px: int, remedy: str = "or take a smaller --patch-px"
) -> None:
    """Refuse images that no patch fits into: left out in silence, a well could vanish."""
    small = headers[headers[["height", "width"]].min(axis=1) < patch_px]
    if len(small):
        faults = [
            Fault("image-content", str(image), f"smaller than a patch: {height} x {width} px")
            for image, height, width in small[["height", "width"]].itertuples()
        ]
        raise TableError(
            f"labelled images too small for patches of {patch_px} px",
            faults,
            remedy=f"move them out of the folder and index again, {remedy}",
        )


def gridded(
    wanted: Sequence[tuple[str, int, str, float]],
    grid: Grid,
    pixels: StudyPixels,
    occupancy: Occupancy,
    tick: Tick,
) -> tuple[pd.DataFrame, int]:
    """Patches of frames (image, t, label, score), and how many without cells were dropped."""
    kept: list[tuple[Region, str, float]] = []
    empty = 0
    layout = RegionGrid(grid.patch_px, grid.stride_px, grid.edge)
    for image, t, label, score in wanted:
        area = pixels.area(image, t)
        patches = list(layout.patches(image, t, area))
        if grid.empty == "drop" and patches:
            boxes = [patch.box for patch in patches]
            full = occupancy.holds(pixels.planes(image, t), area, boxes)
            empty += int((~full).sum())
            patches = [patch for patch, holds in zip(patches, full, strict=True) if holds]
        kept += [(patch, label, score) for patch in patches]
        tick()
    return _labelled(kept), empty


def sequences(
    headers: pd.DataFrame,
    pixels: StudyPixels,
    patch_px: int,
    frames: int,
    empty: Literal["drop", "keep"],
    pixel_um: float | None,
) -> tuple[pd.DataFrame, int]:
    """Crops that touch but do not overlap, through so many frames on end: DeadNet's data set B.

    Images that are shorter or smaller give none; sequences do not overlap in time either, and have
    no frame that cannot be used. Columns `SEQUENCE`; and how many without cells at first were left
    out.
    """
    rows: list[tuple[object, ...]] = []
    left = 0
    layout = RegionGrid(patch_px, patch_px)
    with task("making sequences", total=len(headers)) as tick:
        for image, count in zip(headers["image"], headers["frames"], strict=True):
            usable = set(pixels.usable(image))
            for first in range(0, int(count) - frames + 1, frames):
                if not usable.issuperset(range(first, first + frames)):
                    continue
                area: Box | None = pixels.area(image, first)
                for t in range(first + 1, first + frames):
                    area = area and area.common(pixels.area(image, t))
                boxes = [patch.box for patch in layout.patches(image, first, area)] if area else []
                if area and empty == "drop" and boxes:
                    full = Texture(pixel_um).holds(pixels.planes(image, first), area, boxes)
                    left += int((~full).sum())
                    boxes = [box for box, holds in zip(boxes, full, strict=True) if holds]
                for box in boxes:
                    name = f"{image}:{first}:{box.y.start}:{box.x.start}"
                    rows.append((name, image, first, *box.corners, frames))
            tick()
    return pd.DataFrame(rows, columns=SEQUENCE), left
