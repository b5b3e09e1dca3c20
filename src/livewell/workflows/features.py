"""Features of a frozen backbone that a study keeps: how many, made ahead, removed."""

from dataclasses import dataclass

from livewell.files import AnyPath
from livewell.images.opening import Channels
from livewell.models.device import AUTO
from livewell.models.profile import Profile
from livewell.progress import task
from livewell.study.features import LIMIT, FeatureCache, Room
from livewell.study.pixels import StudyPixels
from livewell.study.regions import labelled_frames
from livewell.study.scale import common_pixel_um
from livewell.study.study import Study
from livewell.text import plural
from livewell.training.features import reader_of


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
    reader = reader_of(profile, pixels, pixels.number_of_channels, 2, pixel_um, device)
    pixels.prepare(table["image"].unique())
    frames = sorted({(image, t) for image, t, *_ in labelled_frames(table, pixels)})
    with task("making features", total=len(frames)) as tick:
        for image, t in frames:
            reader.keep(pixels.crop(image, t, pixels.area(image, t)))
            tick()
    gone = reader.cache.evicted if reader.cache else 0
    told = f"{plural(gone, 'file')} of features had to make room: raise {LIMIT} to keep all"
    return FeaturesResult(cache.room(), removed, len(frames), (told,) if gone else ())
