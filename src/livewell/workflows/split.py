"""Patches of a study, and which group plays which part."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from livewell.files import AnyPath, refuse_unwritable
from livewell.images.opening import Channels
from livewell.splitting import balance, confounds, leaks, units
from livewell.splitting.copies import tables_hash
from livewell.splitting.groups import group_of_images, grouped, refuse_lost
from livewell.splitting.schemes import NamedFolds, Scheme
from livewell.study.content import content
from livewell.study.pixels import StudyPixels
from livewell.study.regions import (
    Grid,
    Whole,
    frame_of,
    patches_of_labels,
    refuse_kept,
    unusable_frames,
)
from livewell.study.runs import label_hash
from livewell.study.scale import channel_names, common_pixel_um
from livewell.study.study import Study, checked_name
from livewell.study.unchanged import seen
from livewell.tables.metadata import SplitMeta
from livewell.tables.schemas import PATCHES

LOG = logging.getLogger(__name__)


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
    different_fields: Sequence[tuple[str, str]] = (),
    occupied_by: AnyPath | None = None,
    seed: int = 0,
) -> SplitResult:
    """Make patches and divide whole groups among train, validation and test.

    Parameters
    ----------
    study
        With labels.
    by
        Column that names what is never split: well, position, picture, replicate, experiment ...
    scheme
        How groups are divided, such as `livewell.Holdout`.
    grid
        Patches of labelled frames, or whole frames; ``None`` where the labels are on patches.
    labels, name
        Labels to use, and the split's name in the study.
    channels
        Channels to look at, by name or number; by default the study's, else the transmitted light.
    merge_duplicates
        Give images that show the same, also near copies, one group instead of refusing them.
    different_fields
        Pairs of images that look like near copies, and that somebody saw to be different fields.
    occupied_by
        A model that tells empty patches of a grid, trained on marked ones; their texture does where
        ``None``.
    seed
        Of what is left to chance.

    Returns
    -------
    SplitResult

    Raises
    ------
    SplitError
        No such group, a group missing, or too few groups of a class.
    LeakError
        The same content, or near copies, on both sides.
    LabelError
        Labels on patches and a grid asked for, or neither; or no patch of a class.
    OutputError
        The study cannot be written.
    SpecError, ModelFileError, ImageContentError
        `occupied_by` where no empty patch is left out, or no model for these images.
    """
    study = Study.of(study)
    refuse_unwritable(study.folder)
    fields, table, meta = study.fields(), study.labels(labels), study.label_meta(labels)
    checked_name(name)
    groups = units.unit_names(fields, by)
    scheme.settled(fields, groups[groups.index.isin(table["image"])])
    pixels = StudyPixels(study, channels)
    unusable = pixels.prepare(sorted(table["image"].unique()))
    warnings = _logged(unusable_frames(table, unusable))
    occupancy = None
    if occupied_by is not None:
        from livewell.inference.occupancy import ModelOccupancy  # torch, where it is needed

        refuse_kept(grid)
        occupancy = ModelOccupancy.of_study(occupied_by, study, table["image"], channels)
    patches, counts = patches_of_labels(study, table, grid, pixels, occupancy)
    refuse_lost(patches, meta)
    patches = grouped(patches, groups, by)
    digests = content(study, pixels, patches[["image", "t"]].drop_duplicates())
    known = dict(group_of_images(patches))
    near = leaks.near_copies(digests, known, different_fields)
    clusters = leaks.same_content(digests, near)
    if merge_duplicates:
        before = set(patches["group"])
        merged = leaks.merged_groups(clusters, known)
        patches["group"] = patches["image"].map(merged)
        warnings += _logged(leaks.told_merged(before, merged))
    patches = PATCHES.check(patches, where=f"split {name}")
    group_of = group_of_images(patches)
    warnings += _logged(units.warnings(fields, group_of, by))
    warnings += _logged(confounds.of_split(fields, patches, by, meta))
    # copies may have become one group since the scheme was settled first
    folds = scheme.settled(fields, group_of).assign(patches, seed)
    leaks.refuse_leaks(clusters, dict(group_of), folds)
    # groups of classes that nothing else holds, left out by name, hold no others
    lacking = isinstance(scheme, NamedFolds) and bool(scheme.unknown)
    warnings += _logged(balance.warnings(patches, folds, lacking=lacking))
    whole = isinstance(grid, Whole)
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
            occupied_by=occupancy.weights_sha256 if occupancy else "",
            counts=counts,
            merge_duplicates=merge_duplicates,
            different_fields=tuple(different_fields),
            without_copies=tables_hash(patches, folds),
            seed=seed,
            warnings=tuple(warnings),
        ),
        seen(study, digests),
    )
    return SplitResult(patches, folds, balance.balance(patches, folds), tuple(warnings))


def _logged(texts: Iterable[str]) -> list[str]:
    found = list(texts)
    for text in found:
        LOG.warning(text)
    return found
