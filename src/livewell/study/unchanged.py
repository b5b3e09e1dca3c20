"""Whether a study's images are those that a split was made of."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256

import pandas as pd

from livewell.errors import ImageReadError, LivewellError, SplitError
from livewell.images.listing import fingerprint
from livewell.study.content import content
from livewell.study.pixels import StudyPixels
from livewell.study.scale import channel_names
from livewell.study.study import Study
from livewell.tables.schemas import SEEN
from livewell.text import few, plural


def seen(study: Study, digests: pd.DataFrame) -> pd.DataFrame:
    """What a split was made of (`schemas.SEEN`), from the content digests of its frames."""
    rows = [
        (image, *fingerprint(study.path(image)), digest) for image, digest in _by_image(digests)
    ]
    return pd.DataFrame(rows, columns=SEEN.names)


def refuse_changed(study: Study, split: str, images: Iterable[str], pixels: StudyPixels) -> None:
    """Refuse images whose contents are others than when a split was made.

    A file of the size and time of then is not read; of another time its frames are compared, so
    that files may be copied and moved. Splits of older versions do not say what they were made of.

    Raises
    ------
    SplitError
        Images that changed, all of them counted and the first named.
    """
    table, wanted = study.split_images(split), set(images)
    if table is None:
        return
    columns = [table[name].tolist() for name in SEEN.names]
    then = {
        image: (size, mtime, digest) for image, size, mtime, digest in zip(*columns, strict=True)
    }
    suspects = [name for name in wanted & set(then) if _version(study, name) != then[name][:2]]
    if not suspects:
        return
    patches, _, meta = study.split(split)
    # digests are of the split's first channel, which may not be the one that is looked at now
    if not _shows(pixels, suspects, meta.channels):
        named = tuple(name for name in meta.channels if name)
        pixels = StudyPixels(study, named or study.channels)
    usable: dict[str, set[int]] = {}
    for image in suspects:
        with suppress(LivewellError):
            usable[image] = set(pixels.usable(image))
    frames = patches.loc[patches["image"].isin(usable), ["image", "t"]].drop_duplicates()
    # frames that are gone make another digest of their image
    there = [t in usable[image] for image, t in zip(frames["image"], frames["t"], strict=True)]
    now = dict(_by_image(content(study, pixels, frames[there]))) if any(there) else {}
    changed = sorted(image for image in suspects if now.get(image) != then[image][2])
    if changed:
        raise SplitError(
            f"{plural(len(changed), 'image')} changed since the split was made",
            where=f"{study.folder}, split {split}",
            expected="the frames that labels and groups were made for",
            got=few(changed),
            remedy="put the old files back, or label and split again",
        )


def _shows(pixels: StudyPixels, images: Iterable[str], channels: tuple[str, ...]) -> bool:
    with suppress(LivewellError):
        return channel_names(pixels.study, images, pixels.channels) == channels
    return False


def _by_image(digests: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Every image, and one digest of its frames, in order of time."""
    frames = digests[digests["part"] == "whole"].sort_values("t")
    for image, rows in frames.groupby("image"):
        text = " ".join(
            f"{t}:{digest}" for t, digest in zip(rows["t"], rows["digest"], strict=True)
        )
        yield str(image), sha256(text.encode()).hexdigest()[:20]


def _version(study: Study, image: str) -> tuple[int, int]:
    try:
        return fingerprint(study.path(image))
    except ImageReadError:
        return -1, -1
