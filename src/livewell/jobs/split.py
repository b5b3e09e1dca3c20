"""Patches of a study, and which group plays which part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from livewell.errors import Fault, LabelError, LeakError, SpecError, SplitError, TableError
from livewell.evaluation import balance as balancing
from livewell.evaluation import confounds, leaks, splits
from livewell.evaluation.units import NESTED, UNITS, straddling, unit_names
from livewell.geometry import Edge
from livewell.io.content import content
from livewell.io.pixels import StudyPixels
from livewell.io.runs import label_hash
from livewell.io.scale import channel_name, common_pixel_um
from livewell.io.study import Study, checked_name
from livewell.measure.occupancy import LEAST_SHARE, shares, textured
from livewell.patch import Patch, PatchGrid
from livewell.progress import SILENT, Progress, Tick
from livewell.tables import BOX, PATCHES, key_table


@dataclass(frozen=True, slots=True)
class Holdout:
    """Train, validation and test by shares of the patches."""

    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2)


@dataclass(frozen=True, slots=True)
class KFolds:
    """Every group tested once, in `folds` folds."""

    folds: int = 5
    validation: float = 0.1


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Every group tested once, alone."""

    validation: float = 0.1


@dataclass(frozen=True, slots=True)
class Named:
    """Named groups are held out."""

    test: tuple[str, ...]
    validation: tuple[str, ...] | None = None


Scheme = Holdout | KFolds | LeaveOneOut | Named


@dataclass(frozen=True, slots=True)
class Grid:
    """Patches of labelled frames: a grid, frame by frame.

    Parameters
    ----------
    patch_px, stride_px, edge
        See `livewell.patch.PatchGrid`.
    every
        Take every n-th labelled frame only: neighbours in time are nearly the same picture.
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
class Splitted:
    """What `split` made."""

    patches: pd.DataFrame
    folds: pd.DataFrame
    balance: pd.DataFrame
    warnings: tuple[str, ...]


def split(
    study: Study,
    *,
    by: str,
    scheme: Scheme,
    grid: Grid | None = None,
    labels: str = "labels",
    name: str = "split",
    channel: str | None = None,
    merge_duplicates: bool = False,
    seed: int = 0,
    warn: Callable[[str], None] = lambda text: None,
    progress: Progress = SILENT,
) -> Splitted:
    """Make patches and deal whole groups to train, validation and test.

    Parameters
    ----------
    study
        With labels.
    by
        Column that names what is never split: well, position, picture, replicate, experiment ...
    scheme
        How groups are dealt.
    grid
        Patches of labelled frames; ``None`` where the labels are on patches already.
    labels, name
        Labels to use, and the split's name in the study.
    channel
        Transmitted-light channel; found by its name where ``None``.
    merge_duplicates
        Give pictures with the same content one group instead of refusing them.
    seed
        Of the dealing.
    warn
        Told every warning as soon as it is known, also when the split is then refused.
    progress
        Where to report.

    Returns
    -------
    Splitted

    Raises
    ------
    SplitError
        No such group, a group missing, or too few groups of a class.
    LeakError
        The same picture content on both sides.
    LabelError
        Labels on patches and a grid asked for, or neither.
    """
    table, meta = study.labels(labels), study.label_meta(labels)
    checked_name(name)
    groups = unit_names(study.fields(), by)
    _check_scheme(scheme, groups[groups.index.isin(table["image"])])
    pixels = StudyPixels(study, channel)
    pixels.prepare(sorted(table["image"].unique()), progress=progress)
    patches, counts = _patches(study, table, grid, pixels, progress)
    patches["group"] = patches["image"].map(groups)
    _refuse_groupless(patches, by)
    digests = content(study, pixels, patches[["image", "t"]].drop_duplicates(), progress)
    clusters = leaks.same_content(digests)
    if merge_duplicates:
        names = leaks.merged_groups(clusters, _group_of_images(patches))
        patches["group"] = patches["image"].map(names)
    patches = PATCHES.check(patches, where=f"split {name}")
    warnings = _torn(study.fields(), patches, by) + _ties(study.fields(), patches, by, meta)
    for text in warnings:
        warn(text)
    folds = _dealt(patches, scheme, seed)
    _refuse_leaks(clusters, patches, folds)
    balance = balancing.balance(patches, folds)
    for text in balancing.warnings(patches, folds):
        warn(text)
        warnings.append(text)
    study.write_split(
        name,
        patches,
        folds,
        {
            "labels": labels,
            "label_meta": meta,
            "labels_sha256": label_hash(study, labels),
            "classes": meta["classes"],
            "by": by,
            "scheme": type(scheme).__name__,
            "scheme_settings": asdict(scheme),
            "grid": asdict(grid) if grid else None,
            "patch_px": int(patches["y1"].iloc[0] - patches["y0"].iloc[0]),
            "channel": channel_name(study, patches["image"], channel),
            "pixel_um": common_pixel_um(study, patches["image"]),
            "counts": counts,
            "merge_duplicates": merge_duplicates,
            "seed": seed,
            "warnings": warnings,
        },
    )
    return Splitted(patches, folds, balance, tuple(warnings))


def _check_scheme(scheme: Scheme, groups: "pd.Series[str]") -> None:
    """Refuse what cannot be before any pixel is read."""
    there = sorted(groups.dropna().unique())
    match scheme:
        case KFolds() if not 2 <= scheme.folds <= len(there):
            raise SplitError(
                "no such number of folds",
                where="--folds",
                expected=f"2 to {len(there)}, the number of groups",
                got=str(scheme.folds),
            )
        case Named():
            absent = [
                name for name in (*scheme.test, *(scheme.validation or ())) if name not in there
            ]
            if absent or not scheme.test:
                raise SplitError(
                    "no such group" if absent else "no group is named to be held out",
                    where="--test",
                    expected=f"some of {', '.join(there[:12])}{', ...' if len(there) > 12 else ''}",
                    got=", ".join(absent) or "none",
                )


def _dealt(patches: pd.DataFrame, scheme: Scheme, seed: int) -> pd.DataFrame:
    match scheme:
        case Holdout():
            return splits.holdout(patches, scheme.fractions, seed)
        case KFolds():
            return splits.k_folds(patches, scheme.folds, scheme.validation, seed)
        case LeaveOneOut():
            return splits.leave_one_group_out(patches, scheme.validation, seed)
        case Named():
            return splits.named_groups(patches, scheme.test, scheme.validation, seed)


def _patches(
    study: Study,
    labels: pd.DataFrame,
    grid: Grid | None,
    pixels: StudyPixels,
    progress: Progress,
) -> tuple[pd.DataFrame, dict[str, int]]:
    boxed = labels[BOX].notna().all(axis=1)
    if boxed.all() and grid is None:
        return labels.copy(), {"patches": len(labels)}
    if boxed.any() or grid is None:
        raise LabelError(
            "labels on patches take no grid" if boxed.any() else "labels on frames need a grid",
            expected="no patch size" if boxed.any() else "a patch size and a stride",
            remedy="leave --patch-px out" if boxed.any() else "give --patch-px, such as 112",
        )
    headers = study.headers(progress=progress).set_index("image")
    _refuse_small(headers.loc[labels["image"].unique()], grid.patch_px)
    frames = headers["frames"]
    wanted = [
        (str(image), frame, label, score)
        for image, t, label, score in zip(
            labels["image"], labels["t"], labels["label"], labels["score"], strict=True
        )
        for frame in (range(int(frames[image])) if pd.isna(t) else [int(t)])
    ]
    wanted = [row for row in wanted if row[1] % grid.every == 0]
    pixel_um = common_pixel_um(study, labels["image"])
    with progress.task("making patches", total=len(wanted)) as tick:
        table, empty = _gridded(wanted, grid, pixels, pixel_um, tick)
    table["route"] = labels["route"].iloc[0]
    if not len(table):
        raise LabelError(
            "no patch is left",
            expected=f"frames of at least {grid.patch_px} px with cells",
            got=f"{len(wanted)} frames, {empty} empty patches",
        )
    return table, {"frames": len(wanted), "empty patches left out": empty, "patches": len(table)}


def _refuse_small(headers: pd.DataFrame, patch_px: int) -> None:
    """Refuse images that no patch fits into: left out in silence, a well could vanish."""
    small = headers[headers[["height", "width"]].min(axis=1) < patch_px]
    if len(small):
        faults = [
            Fault("image-content", str(image), f"smaller than a patch: {height} x {width} px")
            for image, height, width in zip(
                small.index, small["height"], small["width"], strict=True
            )
        ]
        raise TableError(
            f"labelled images too small for patches of {patch_px} px",
            faults,
            remedy="leave them out when indexing, or take a smaller --patch-px",
        )


def _gridded(
    wanted: Sequence[tuple[str, int, str, float]],
    grid: Grid,
    pixels: StudyPixels,
    pixel_um: float | None,
    tick: Tick,
) -> tuple[pd.DataFrame, int]:
    kept: list[Patch] = []
    rows: list[tuple[str, float]] = []
    empty = 0
    layout = PatchGrid(grid.patch_px, grid.stride_px, grid.edge)
    for image, t, label, score in wanted:
        patches = list(layout.patches(image, t, pixels.area(image, t)))
        if grid.empty == "drop" and patches:
            mask = textured(pixels.frame(image, t), pixel_um)
            full = shares(mask, [patch.box for patch in patches]) >= LEAST_SHARE
            empty += int((~full).sum())
            patches = [patch for patch, holds in zip(patches, full, strict=True) if holds]
        kept += patches
        rows += [(label, score)] * len(patches)
        tick()
    table = key_table(kept)
    table["label"] = [label for label, _ in rows]
    table["score"] = [score for _, score in rows]
    return table, empty


def _refuse_groupless(patches: pd.DataFrame, by: str) -> None:
    without = patches.loc[patches["group"].isna(), "image"].unique()
    if len(without):
        raise SplitError(
            f"labelled images without a {by}: {len(without)}",
            where=f"column {by}",
            expected="a value for every labelled image",
            got=f"empty for {', '.join(without[:3])}{', ...' if len(without) > 3 else ''}",
            remedy="fill the column, or label only images that have it",
        )


def _refuse_leaks(clusters: pd.DataFrame, patches: pd.DataFrame, folds: pd.DataFrame) -> None:
    try:
        leaks.refuse_leaks(clusters, _group_of_images(patches), folds)
    except LeakError as error:
        raise LeakError(
            error.what,
            expected=error.expected,
            got=error.got,
            remedy="give pictures that show the same one group (--merge-duplicates does), or leave"
            " one of them out when indexing",
        ) from error


def _group_of_images(patches: pd.DataFrame) -> dict[str, str]:
    return dict(zip(patches["image"], patches["group"], strict=True))


def _torn(fields: pd.DataFrame, patches: pd.DataFrame, by: str) -> list[str]:
    """Warnings about units that the groups tear; a torn picture is refused."""
    group = pd.Series(_group_of_images(patches))
    torn = straddling(fields, group)
    if "picture" in torn:
        raise LeakError(
            f"{by} tears pictures: tiles of one picture stand in several groups",
            expected="a picture in one group",
            got=", ".join(torn["picture"][:3]) + (", ..." if len(torn["picture"]) > 3 else ""),
            remedy="split by picture or by something coarser",
        )
    fine = NESTED.index(by) if by in NESTED else len(NESTED)
    return [
        f"{len(names)} {unit}s stand in several groups, such as {names[0]}: a net that knows the"
        f" {unit} may pass for one that knows health; split by {unit} if there are enough"
        for unit, names in torn.items()
        if NESTED.index(unit) < fine
    ]


def _ties(
    fields: pd.DataFrame, patches: pd.DataFrame, by: str, meta: Mapping[str, Any]
) -> list[str]:
    """Warnings about batches that know the label; what a treatment was given to counts once."""
    name = str(meta["settings"].get("column") or meta["route"])
    counts = patches.groupby(["image", "label"]).size().rename("patches").reset_index()
    table = counts.rename(columns={"label": name}).merge(
        fields.drop(columns=name, errors="ignore"), on="image"
    )
    unit = next((u for u in UNITS if u in table and table[u].notna().any()), "picture")
    table["unit"] = table["image"].map(unit_names(fields, unit)).fillna(table["picture"])
    mixed = bool(table["image"].duplicated().any())
    # the groups' own column by itself: among several columns the test must be stricter
    asked: list[list[str] | None] = [None] if by in UNITS else [[by], None]
    found = [
        confounds.ties(
            table,
            name,
            columns,
            unit="unit",
            count="patches" if mixed else None,
            noun="patches" if mixed else f"{unit}s",
        )
        for columns in asked
    ]
    return list(dict.fromkeys(text for each in found for text in confounds.warnings(each)))
