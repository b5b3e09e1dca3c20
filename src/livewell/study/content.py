"""Digests of a study's pictures, made once and kept."""

from collections.abc import Iterable
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.errors import LivewellError
from livewell.image import Frame
from livewell.images.formats import OpenImage
from livewell.images.listing import fingerprint
from livewell.images.opening import Channels, asked_channels, choose_channels, open_image
from livewell.measure.content import content_table
from livewell.progress import SILENT, Progress
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.tables.files import write_table

STAMPED = ["image", "bytes", "mtime_ns", "shapes"]


def content(
    study: Study, pixels: StudyPixels, frames: pd.DataFrame, progress: Progress = SILENT
) -> pd.DataFrame:
    """Content digests of frames, and of their tiles where another frame has a tile's shape.

    Parameters
    ----------
    study
        The digests are kept in its folder ``cache``.
    pixels
        Their first channel is compared.
    frames
        Columns image and t: the frames to compare with each other.
    progress
        Where to report.

    Returns
    -------
    DataFrame
        As `livewell.measure.content.content_table`.
    """
    first = next(iter(pixels.channels), "auto")
    cache = study.folder / "cache" / f"content-{first}.parquet"
    wanted = frames.groupby("image", sort=False)["t"].apply(list)
    shapes = sorted({pixels.shape(str(image))[1:] for image in wanted.index})
    known = _known(cache)
    tables = []
    with progress.task("comparing pictures", total=len(wanted)) as tick:
        for image, times in wanted.items():
            name = str(image)
            size, mtime = fingerprint(study.path(name))
            kept = known.get((name, size, mtime, str(shapes)), pd.DataFrame(columns=["t"]))
            missing = sorted({int(t) for t in times} - set(kept["t"]))
            if missing:
                frames_left = ((name, t, pixels.frame(name, t)) for t in missing)
                fresh = content_table(frames_left, shapes)
                fresh = fresh.assign(bytes=size, mtime_ns=mtime, shapes=str(shapes))
                kept = fresh if kept.empty else pd.concat([kept, fresh], ignore_index=True)
                known[(name, size, mtime, str(shapes))] = kept
            tables.append(kept[kept["t"].isin(times)])
            tick()
    write_table(cache, pd.concat(chain(known.values()), ignore_index=True))
    return pd.concat(tables, ignore_index=True).drop(columns=STAMPED[1:])


def _known(cache: Path) -> dict[tuple[object, ...], pd.DataFrame]:
    """Digests that were kept, by image, size, time of change and shapes compared with."""
    try:
        table = pd.read_parquet(cache)
        return {tuple(key): rows for key, rows in table.groupby(STAMPED, sort=False)}
    except (OSError, ValueError, KeyError):
        return {}


def first_frames(
    study: Study,
    images: Iterable[str],
    channels: Channels = None,
    progress: Progress = SILENT,
) -> dict[str, str]:
    """A digest of every image's first frame with a picture, whatever file or folder it lies in.

    Parameters
    ----------
    study
        The study.
    images
        Names of its images.
    channels
        The first of them is looked at; where there is none the study's, else the one of transmitted
        light.
    progress
        Where to report.

    Returns
    -------
    dict
        Digest by image; empty text for a file that cannot be read. Frames of one value only are
        passed over: blank frames are alike in movies that have nothing to do with each other.
    """
    names = list(dict.fromkeys(images))
    asked = asked_channels(channels) or study.channels
    found = {}
    with progress.task("looking whether pictures were learnt from", total=len(names)) as tick:
        for name in names:
            try:
                with open_image(study.path(name)) as image:
                    first, *_ = choose_channels(image.header, asked, name)
                    found[name] = first_frame(image, first)
            except LivewellError:
                found[name] = ""
            tick()
    return found


def first_frame(image: OpenImage, channel: int) -> str:
    """A digest of the first frame with a picture of an open file; empty text where none has."""
    frames = (image.frame(t, channel) for t in range(image.header.frames))
    return next((_digest(frame) for frame in frames if frame.min() < frame.max()), "")


def _digest(frame: Frame) -> str:
    made = sha256(repr((frame.shape, frame.dtype.str)).encode())
    made.update(np.ascontiguousarray(frame).tobytes())
    return made.hexdigest()[:20]
