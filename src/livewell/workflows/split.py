"""Patches of a study, and which group plays which part."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, LeakError, SplitError
from livewell.files import AnyPath
from livewell.images.opening import Channels
from livewell.splitting import balance as balancing
from livewell.splitting import confounds, leaks
from livewell.splitting import schemes as splits
from livewell.splitting.units import NESTED, UNITS, straddling, unit_names
from livewell.study.content import content
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid, Whole, frame_of, patches_of_labels
from livewell.study.runs import label_hash
from livewell.study.scale import channel_names, common_pixel_um
from livewell.study.study import Study, checked_name
from livewell.tables.metadata import LabelMeta, SplitMeta
from livewell.tables.schemas import PATCHES

LOG = logging.getLogger(__name__)

PART_NAMES = ("train", "validation", "test")


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


@dataclass(frozen=True, slots=True)
class Parts:
    """Every group's part stands in a column: train, validation or test."""

    column: str


@dataclass(frozen=True, slots=True)
class Stratified:
    """Every group tested once, in folds over which the groups of each stratum are spread."""

    strata: Mapping[str, float]
    folds: int = 5
    validation: float = 0.1


Dealing = Holdout | KFolds | LeaveOneOut | Named | Stratified
Scheme = Dealing | Parts


@dataclass(frozen=True, slots=True)
class SplitResult:
    """What `split` made."""

    patches: pd.DataFrame
    folds: pd.DataFrame
    balance: pd.DataFrame
    warnings: tuple[str, ...]


def split(
    study: Study | AnyPath,
    *,
    by: str,
    scheme: Scheme,
    grid: Grid | Whole | None = None,
    labels: str = "labels",
    name: str = "split",
    channels: Channels = None,
    merge_duplicates: bool = False,
    seed: int = 0,
) -> SplitResult:
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
        Patches of labelled frames, or whole frames; ``None`` where the labels are on patches.
    labels, name
        Labels to use, and the split's name in the study.
    channels
        Channels to look at, by name or number; by default the study's, else the transmitted light.
    merge_duplicates
        Give pictures with the same content one group instead of refusing them.
    seed
        Of the dealing.

    Returns
    -------
    SplitResult

    Raises
    ------
    SplitError
        No such group, a group missing, or too few groups of a class.
    LeakError
        The same picture content on both sides.
    LabelError
        Labels on patches and a grid asked for, or neither; or no patch of a class.
    """
    study = Study.of(study)
    table, meta = study.labels(labels), study.label_meta(labels)
    checked_name(name)
    groups = unit_names(study.fields(), by)
    labelled = groups[groups.index.isin(table["image"])]
    if isinstance(scheme, Parts):
        _named(scheme, study.fields(), labelled)
    else:
        _check_scheme(scheme, labelled)
    pixels = StudyPixels(study, channels)
    pixels.prepare(sorted(table["image"].unique()))
    patches, counts = patches_of_labels(study, table, grid, pixels)
    _refuse_lost(patches, meta.class_names)
    patches["group"] = patches["image"].map(groups)
    _refuse_groupless(patches, by)
    digests = content(study, pixels, patches[["image", "t"]].drop_duplicates())
    clusters = leaks.same_content(digests)
    if merge_duplicates:
        names = leaks.merged_groups(clusters, _group_of_images(patches))
        patches["group"] = patches["image"].map(names)
    patches = PATCHES.check(patches, where=f"split {name}")
    warnings = _torn(study.fields(), patches, by) + _ties(study.fields(), patches, by, meta)
    for text in warnings:
        LOG.warning(text)
    # copies may have become one group since
    merged = pd.Series(_group_of_images(patches))
    dealing = _named(scheme, study.fields(), merged) if isinstance(scheme, Parts) else scheme
    folds = _dealt(patches, dealing, seed)
    _refuse_leaks(clusters, patches, folds)
    balance = balancing.balance(patches, folds)
    whole = isinstance(grid, Whole)
    for text in balancing.warnings(patches, folds):
        LOG.warning(text)
        warnings.append(text)
    study.write_split(
        name,
        patches,
        folds,
        SplitMeta(
            labels=labels,
            label_meta=meta,
            labels_sha256=label_hash(study, labels),
            classes=meta.classes,
            positive=meta.positive,
            by=by,
            scheme=type(scheme).__name__,
            scheme_settings=asdict(scheme),
            grid=asdict(grid) if grid else None,
            patch_px=0 if whole else int(patches["y1"].iloc[0] - patches["y0"].iloc[0]),
            frame_px=frame_of(patches) if whole else None,
            channels=channel_names(study, patches["image"], channels),
            pixel_um=common_pixel_um(study, patches["image"]),
            counts=counts,
            merge_duplicates=merge_duplicates,
            seed=seed,
            warnings=tuple(warnings),
        ),
    )
    return SplitResult(patches, folds, balance, tuple(warnings))


def _named(scheme: Parts, fields: pd.DataFrame, groups: "pd.Series[str]") -> Named:
    """The groups of a column's parts."""
    if scheme.column not in fields:
        raise SplitError(
            "no such column",
            where="--parts",
            expected="a column of the study's images with train, validation or test",
            got=scheme.column,
            remedy="index with --metadata",
        )
    part = pd.Series(fields[scheme.column].to_numpy(), index=fields["image"].to_numpy())
    words = ["" if pd.isna(word) else str(word) for word in part.reindex(groups.index)]
    told = pd.DataFrame({"group": groups.to_numpy(), "part": words}).drop_duplicates()
    wrong = sorted(set(told["part"]) - set(PART_NAMES))
    torn = sorted(told.loc[told["group"].duplicated(), "group"].unique())
    if wrong or torn:
        raise SplitError(
            "the column does not give every group one part",
            where=f"column {scheme.column}",
            expected=", ".join(PART_NAMES),
            got=", ".join([repr(name) for name in wrong[:3]] or [f"several for {torn[0]}"]),
            remedy="mend the table and index again",
        )
    test, validation = (
        tuple(told.loc[told["part"] == name, "group"]) for name in ("test", "validation")
    )
    return Named(test, validation)


def _check_scheme(scheme: Dealing, groups: "pd.Series[str]") -> None:
    """Refuse what cannot be before any pixel is read."""
    there = sorted(groups.dropna().unique())
    match scheme:
        case KFolds() | Stratified() if not 2 <= scheme.folds <= len(there):
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


def _dealt(patches: pd.DataFrame, scheme: Dealing, seed: int) -> pd.DataFrame:
    match scheme:
        case Holdout():
            return splits.holdout(patches, scheme.fractions, seed)
        case KFolds():
            return splits.k_folds(patches, scheme.folds, scheme.validation, seed)
        case Stratified():
            return splits.stratified_folds(
                patches, scheme.strata, scheme.folds, scheme.validation, seed
            )
        case LeaveOneOut():
            return splits.leave_one_group_out(patches, scheme.validation, seed)
        case Named():
            return splits.named_groups(patches, scheme.test, scheme.validation, seed)


def _refuse_lost(patches: pd.DataFrame, classes: ClassNames) -> None:
    """Refuse a class that has lost all its patches; that of two none is left is told later."""
    there = set(patches["label"])
    lost = [name for name in classes if name not in there]
    if lost and len(there) > 1:
        raise LabelError(
            f"no patch of {' or '.join(map(repr, lost))} is left",
            where="labels",
            expected=f"patches of {classes}",
            got=", ".join(sorted(there)),
            remedy="keep patches without cells (--empty keep), take smaller patches, or merge"
            " classes with `livewell label merge`",
        )


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


def _ties(fields: pd.DataFrame, patches: pd.DataFrame, by: str, meta: LabelMeta) -> list[str]:
    """Warnings about batches that know the label; what a treatment was given to counts once."""
    name = str(meta.origin.settings.get("column") or meta.origin.route)
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
