"""Mosaics of a study's images as files: dealt within part and class, reduced, with their table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray
from skimage.transform import resize_local_mean

from livewell.errors import Fault, LabelError, SpecError, SplitError, TableError
from livewell.files import claim_same, stamp, whole_file
from livewell.geometry import Box
from livewell.image import Frame
from livewell.papers.mosaic_tables import deal_mosaics, left_out, raw_images
from livewell.progress import task
from livewell.study.pixels import StudyPixels
from livewell.study.runs import refuse_new_labels, split_hashes
from livewell.study.scale import SAME, channel_name, common_pixel_um
from livewell.study.study import Study
from livewell.tables.metadata import SplitMeta
from livewell.tables.results import write_csv
from livewell.tables.schemas import BOX

KIND, STAMP = "folder of mosaics", "mosaics.json"
GRID, SIZE_PX = (2, 2), (356, 462)
"""Rows and columns of a mosaic, and its height and width when reduced (Sailem et al. 2017)."""
SUFFIX = ".ome.tif"


@dataclass(frozen=True, slots=True)
class Mosaics:
    """What `mosaics` made: the folder of images and ``mosaics.csv``, their metadata.

    `classes` of two are (negative, positive); `balance` has one row a part and class: raw images,
    those left out, mosaics, and mosaic groups.
    """

    images: Path
    table: Path
    classes: tuple[str, ...]
    balance: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """What all raw images share, and what a mosaic becomes: (height, width) in pixels."""

    shape: tuple[int, int]
    dtype: str
    size: tuple[int, int]
    grid: tuple[int, int]
    channel: str
    pixel_um: float | None

    @property
    def factors(self) -> tuple[float, float]:
        """How many times a mosaic's height and width shrink."""
        full = [edge * count for edge, count in zip(self.shape, self.grid, strict=True)]
        return full[0] / self.size[0], full[1] / self.size[1]


def mosaics(
    study: Study,
    out: Path,
    *,
    split: str = "split",
    fold: int | None = None,
    grid: tuple[int, int] = GRID,
    repeats: int = 8,
    size_px: tuple[int, int] | None = SIZE_PX,
    seed: int = 0,
    channel: str | None = None,
) -> Mosaics:
    """Write mosaics of the images of a split; what a stopped run wrote is kept.

    Parameters
    ----------
    study
        With labels on whole images or frames, and a split.
    out
        New, empty, or begun with the same settings. Takes ``images/train-sick-00001.ome.tif``
        (y x, the number type of the raw images, channel and pixel size inside), ``mosaics.csv``
        (image, label, part, mosaic_group, and of each cell its source image, t and group;
        written last) and ``mosaics.json`` (the settings). Its column picture repeats
        mosaic_group: so `livewell split` refuses whatever would part mosaics that share
        an image or a group.
    fold
        Of the split; the only one, or 0, where ``None``.
    grid, size_px
        Rows and columns of a mosaic; height and width to which it is reduced, or ``None``.
    repeats
        Training mosaics that begin with each training image.
    channel
        Name or number of the channel; found by its name where ``None``.

    Notes
    -----
    Source: Sailem et al. 2017, section 3.1. How mosaics are dealt, and where this goes beyond the
    paper, is in `livewell.papers.mosaic_tables.deal_mosaics`.
    """
    patches, folds, meta = study.split(split)
    _check_labels(study, split, meta)
    chosen = _chosen_fold(folds, fold)
    raw = raw_images(patches, folds, chosen)
    table = deal_mosaics(raw, cells=grid[0] * grid[1], repeats=repeats, seed=seed)
    wide = _metadata(table)
    look = _common_look(study, raw["image"], grid, size_px, channel)
    settings = {
        "study": str(study.folder.resolve()),
        "split": split,
        "fold": chosen,
        "grid": list(grid),
        "repeats": repeats,
        "size_px": list(look.size),
        "seed": seed,
        "channel": look.channel,
        "raw_px": list(look.shape),
        "raw_dtype": look.dtype,
        "raw_pixel_um": look.pixel_um,
        "inputs": split_hashes(study, split),
        "table_sha256": sha256(wide.to_csv(index=False).encode()).hexdigest(),
    }
    claim_same(out, KIND, STAMP, settings)
    stamp(out, STAMP, KIND, classes=meta.classes, by=meta.by, **settings)
    pixels = StudyPixels(study, channel)
    pixels.prepare(sorted(table["image"].unique()))
    _write(table, look, out / "images", pixels)
    write_csv(out / "mosaics.csv", wide)
    rest = left_out(raw, table)
    notes = [*_scale_notes(look), *_dealing_notes(table, rest), *_border_notes(table, look, pixels)]
    return Mosaics(
        out / "images", out / "mosaics.csv", meta.classes, _balance(table, rest), tuple(notes)
    )


def _check_labels(study: Study, split: str, meta: SplitMeta) -> None:
    """Refuse labels that are not on whole images, or not those of the split any more."""
    name = meta.labels
    if name not in study.label_names():
        return
    where = f"{study.folder}, split {split}"
    refuse_new_labels(study, split, meta)
    if study.labels(name)[BOX].notna().any(axis=None):
        raise LabelError(
            f"the labels {name!r} are on patches; a mosaic takes its class from whole images",
            where=where,
            expected="labels on images or frames (label column, words, dose or boxes)",
            got=f"labels by {meta.label_meta.route}",
        )


def _chosen_fold(folds: pd.DataFrame, asked: int | None) -> int:
    there = sorted(int(fold) for fold in folds["fold"].unique())
    chosen = there[0] if asked is None else asked
    if chosen not in there:
        raise SplitError(
            "no such fold", where="--fold", expected=", ".join(map(str, there)), got=str(asked)
        )
    return chosen


def _common_look(
    study: Study,
    images: "pd.Series[str]",
    grid: tuple[int, int],
    size_px: tuple[int, int] | None,
    channel: str | None,
) -> _Look:
    """The one shape, number type and pixel size of the images; refuses others by name."""
    headers = study.headers()
    headers = headers[headers["image"].isin(images)]
    kinds = headers[["height", "width", "dtype"]].astype("str").agg(" ".join, axis=1)
    usual = kinds.mode().iloc[0]
    height, width, dtype = usual.split()
    faults = [
        Fault("image-content", str(image), "{} x {} px, {}".format(*kind.split()))
        for image, kind in zip(headers["image"], kinds, strict=True)
        if kind != usual
    ]
    if faults:
        raise TableError(
            f"images of several sizes or number types (most: {height} x {width} px, {dtype})",
            faults,
            where=str(study.folder),
            remedy="index and split those of one kind; mosaics take images of one kind",
        )
    shape = (int(height), int(width))
    full = (shape[0] * grid[0], shape[1] * grid[1])
    size = size_px or full
    if not (1 <= size[0] <= full[0] and 1 <= size[1] <= full[1]):
        raise SpecError(
            "mosaics are reduced, never enlarged",
            where="--size",
            expected=f"at most {full[0]}x{full[1]}, the size of {grid[0]} x {grid[1]} images",
            got=f"{size[0]}x{size[1]}",
            remedy="ask for a smaller size, or for --size full",
        )
    name = channel_name(study, images, channel)
    return _Look(shape, dtype, size, grid, name, common_pixel_um(study, images))


def _write(table: pd.DataFrame, look: _Look, folder: Path, pixels: StudyPixels) -> None:
    """Write every mosaic that is not there yet."""
    groups = table.groupby("mosaic", sort=False)
    with task("writing mosaics", total=groups.ngroups) as tick:
        for name, cells in groups:
            path = folder / f"{name}{SUFFIX}"
            if not path.is_file():
                frames = [
                    pixels.frame(str(image), int(t))
                    for image, t in zip(cells["image"], cells["t"], strict=True)
                ]
                _write_one(path, reduced(tiled(frames, look.grid[1]), look.size), look)
            tick()


def tiled(frames: Sequence[Frame], columns: int) -> Frame:
    """Frames (h, w) of one shape and number type side by side in a grid, row by row."""
    rows = range(0, len(frames), columns)
    return np.block([list(frames[first : first + columns]) for first in rows])


def reduced(frame: Frame, shape: tuple[int, int]) -> Frame:
    """A frame made smaller, in its number type: each new pixel is the mean of the area it covers.

    The two axes may shrink by different factors, and by factors that are not whole. The mean stays
    what it was, but for rounding of whole numbers (half a grey level at most); no detail finer than
    the new pixels is folded into coarser ones, as sampling would.
    """
    if shape == frame.shape:
        return frame.copy()
    # scikit-image says nothing of its types
    resize: Callable[..., NDArray[np.float64]] = resize_local_mean
    means = resize(frame.astype(np.float64), shape, preserve_range=True)
    if frame.dtype.kind in "ui":
        limits = np.iinfo(frame.dtype)
        means = np.clip(np.rint(means), limits.min, limits.max)
    smaller: Frame = means.astype(frame.dtype)
    return smaller


def _write_one(path: Path, frame: Frame, look: _Look) -> None:
    metadata: dict[str, Any] = {"axes": "YX"}
    if look.channel:
        metadata["Channel"] = {"Name": [look.channel]}
    if look.pixel_um is not None:
        for axis, factor in zip("YX", look.factors, strict=True):
            metadata |= {f"PhysicalSize{axis}": look.pixel_um * factor}
            metadata |= {f"PhysicalSize{axis}Unit": "µm"}
    with whole_file(path) as temporary:
        tifffile.imwrite(temporary, frame, ome=True, photometric="minisblack", metadata=metadata)


def _metadata(table: pd.DataFrame) -> pd.DataFrame:
    """One row a mosaic, its cells as columns ``source_1``, ``t_1``, ``group_1`` and so on."""
    wide = table.groupby("mosaic", sort=False)[["label", "part", "mosaic_group"]].first()
    wide["picture"] = wide["mosaic_group"]
    for cell, rows in table.groupby("cell"):
        rows = rows.set_index("mosaic")
        for column, name in (("image", "source"), ("t", "t"), ("group", "group")):
            wide[f"{name}_{int(str(cell)) + 1}"] = rows[column]
    return wide.rename(index=lambda name: f"{name}{SUFFIX}").rename_axis("image").reset_index()


def _balance(table: pd.DataFrame, rest: pd.DataFrame) -> pd.DataFrame:
    counts = table.assign(raw=table["image"] + ":" + table["t"].astype("str"))
    counts = counts.groupby(["part", "label"], sort=False).agg(
        raw_images=("raw", "nunique"),
        mosaics=("mosaic", "nunique"),
        mosaic_groups=("mosaic_group", "nunique"),
    )
    counts["left_out"] = rest.groupby(["part", "label"]).size().reindex(counts.index, fill_value=0)
    return counts.reset_index()


def _scale_notes(look: _Look) -> list[str]:
    high, wide = look.factors
    if abs(high - wide) <= SAME * max(high, wide):
        return []
    square = round(look.shape[1] * look.grid[1] / high)
    inside = ""
    if look.pixel_um is not None:
        inside = (
            f" ({look.pixel_um * high:.4g} x {look.pixel_um * wide:.4g} um; both stand in the"
            " files, and `livewell index` takes no pixel size from such)"
        )
    return [
        f"height shrinks {high:.3f} times and width {wide:.3f} times: pixels are not"
        f" square{inside}; --size {look.size[0]}x{square} keeps them square"
    ]


def _dealing_notes(table: pd.DataFrame, rest: pd.DataFrame) -> list[str]:
    found = [
        f"left out, too few to fill another mosaic: {len(rows)} of {label} in {part}"
        for (part, label), rows in rest.groupby(["part", "label"], sort=False)
    ]
    held = table[table["part"] != "train"]
    members = held.groupby("mosaic")["group"].nunique()
    mixed = int((members > 1).sum())
    if mixed:
        found.append(
            f"{mixed} of {len(members)} validation and test mosaics hold images of"
            f" several groups: {held['group'].nunique()} groups became"
            f" {held['mosaic_group'].nunique()} mosaic groups, which are what intervals resample"
        )
    return found


def _border_notes(table: pd.DataFrame, look: _Look, pixels: StudyPixels) -> list[str]:
    whole = Box.of(0, 0, *look.shape)
    keys = table[["image", "t"]].drop_duplicates()
    bordered = [
        str(image)
        for image, t in zip(keys["image"], keys["t"], strict=True)
        if pixels.area(str(image), int(t)) != whole
    ]
    if not bordered:
        return []
    return [
        f"images with borders of zeros: {len(bordered)}, such as {bordered[0]}; the borders stay,"
        " and lie inside the mosaics, where a net may look at them"
    ]
