"""Features of a frozen backbone that a study keeps: how many, made ahead, removed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.errors import Fault, TableError
from livewell.execution.executors import SERIAL, Executor
from livewell.execution.items import Item, Record, map_items
from livewell.execution.journal import NotKept
from livewell.files import AnyPath
from livewell.images.opening import Channels
from livewell.models.device import AUTO
from livewell.models.profile import Profile
from livewell.progress import Tick, each
from livewell.study.features import LIMIT, FeatureCache, Room
from livewell.study.pixels import StudyPixels
from livewell.study.regions import labelled_frames
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study
from livewell.text import plural
from livewell.training.features import FieldReader, reader_of


@dataclass(frozen=True, slots=True)
class FeaturesResult:
    """What `features` found and made.

    `room` is what is kept now, `removed` what was removed, `frames` how many frames were seen.
    """

    room: Room
    removed: Room | None
    frames: int
    warnings: tuple[str, ...]


def features(
    study: Study | AnyPath,
    *,
    profile: Profile | None = None,
    labels: str = "labels",
    channels: Channels = None,
    remove: bool = False,
    device: str = AUTO,
    executor: Executor = SERIAL,
) -> FeaturesResult:
    """State, remove or make ahead the features that a study keeps of its images.

    Parameters
    ----------
    study
        The study; training and evaluation keep features in its folder ``features``.
    profile
        A recipe such as FROZEN, whose features of all labelled frames are made now.
    labels
        Labels of these frames.
    channels
        Channels that the net sees, in this order; by default the study's.
    remove
        Remove what is kept first.
    device
        Where to compute: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    executor
        Where the work is done, see `livewell.Executor`.

    Raises
    ------
    SpecError
        A recipe without such features, or the limit is no amount.
    StudyError
        There are no labels of this name.
    TableError
        Images that cannot be used.
    OutputError
        What is kept may not be removed.
    """
    study = Study.of(study)
    pixels = StudyPixels(study, channels)
    cache = FeatureCache.of(study)
    removed = cache.remove() if remove else None
    if profile is None:
        return FeaturesResult(cache.room(), removed, 0, ())
    table = study.labels(labels)
    pixel_um = common_pixel_um(study, table["image"])
    profile = profile.for_labels(study.label_meta(labels).of_centres)
    work = FeatureWork(pixels, profile, table, pixel_um, device)
    _ = work.reader  # a recipe without features is refused at once
    items = [Item(image, study.path(image), {}) for image in sorted(table["image"].unique())]
    found = map_items(items, work, NotKept(study.folder), what="making features", executor=executor)
    if len(found.failures):
        rows = found.failures.itertuples(index=False)
        raise TableError(
            "some images of the study cannot be used",
            [Fault("image", str(row.image), str(row.error)) for row in rows],
            where=str(study.root),
            remedy="mend these files, or move them out of the folder and index again",
        )
    gone = sum(record["evicted"] for record in found.records.values())
    frames = sum(record["frames"] for record in found.records.values())
    told = f"{plural(gone, 'file')} of features had to make room: raise {LIMIT} to keep all"
    return FeaturesResult(cache.room(), removed, frames, (told,) if gone else ())


@dataclass(frozen=True)
class FeatureWork:
    """Makes the features of the labelled frames of an image."""

    pixels: StudyPixels
    profile: Profile
    table: pd.DataFrame
    pixel_um: float | None
    device: str

    def __reduce__(self) -> tuple[Callable[..., "FeatureWork"], tuple[Any, ...]]:
        """Other processes open the study themselves, and make a reader of their own."""
        study, channels = self.pixels.study, self.pixels.channels
        return _opened, (
            study.folder,
            channels,
            self.profile,
            self.table,
            self.pixel_um,
            self.device,
        )

    @cached_property
    def reader(self) -> FieldReader:
        """What sees fields."""
        channels = self.pixels.number_of_channels
        return reader_of(self.profile, self.pixels, channels, 2, self.pixel_um, self.device)

    def __call__(self, item: Item, tick: Tick) -> Record:
        """See every labelled frame of an image, so that its features are kept.

        Raises
        ------
        TableError
            The image cannot be used.
        """
        pixels, reader = self.pixels, self.reader
        pixels.prepare([item.name])
        own = self.table[self.table["image"] == item.name]
        frames = sorted({t for _, t, *_ in labelled_frames(own, pixels)})
        before = reader.cache.evicted if reader.cache else 0
        for t, _ in each(frames, tick, 1 / max(len(frames), 1)):
            reader.keep(pixels.crop(item.name, t, pixels.area(item.name, t)))
        gone = (reader.cache.evicted if reader.cache else 0) - before
        return {"frames": len(frames), "evicted": gone}


def _opened(
    folder: Path,
    channels: Channels,
    profile: Profile,
    table: pd.DataFrame,
    pixel_um: float | None,
    device: str,
) -> FeatureWork:
    pixels = StudyPixels(Study.open(folder), channels)
    return FeatureWork(pixels, profile, table, pixel_um, device)
