"""Digests of a study's images, made once and kept."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.errors import LivewellError
from livewell.image import Frame
from livewell.images.formats import OpenImage
from livewell.images.listing import fingerprint
from livewell.images.opening import Channels, asked_channels, choose_channels, open_image
from livewell.measure.content import COLUMNS, compared, content_table
from livewell.progress import task
from livewell.study.pixels import StudyPixels
from livewell.study.scale import header_of
from livewell.study.study import Study
from livewell.tables.schemas import write_table

_FILE = ["image", "bytes", "mtime_ns"]
"""Columns by which a file is known to be unchanged."""
_FIRST = [*_FILE, "channel", "digest"]


def content(study: Study, pixels: StudyPixels, frames: pd.DataFrame) -> pd.DataFrame:
    """Content digests of frames (image, t), and of tiles where another frame has their shape.

    The first channel of `pixels` is compared. What was computed of a file is kept in the study's
    folder ``cache`` until the file changes; only what is new is computed.
    """
    first = re.sub(r"[^\w.-]+", "-", str(next(iter(pixels.channels), "auto")))
    cache = study.folder / "cache" / f"content-{first}.parquet"
    wanted = frames.groupby("image", sort=False)["t"].apply(list)
    shapes = sorted({pixels.shape(str(image))[1:] for image in wanted.index})
    known = {key: rows.drop_duplicates(["t", "part"]) for key, rows in _kept(cache, _FILE)}
    tables, fresh, nothing = [], False, content_table([], [])
    with task("comparing images", total=len(wanted)) as tick:
        for image, times in wanted.items():
            name = str(image)
            key = (name, *fingerprint(study.path(name)))
            sought = {f"{y}x{x}" for y, x in compared(pixels.shape(name)[1:], shapes)} | {"whole"}
            kept = _of_kinds(known.get(key, nothing), sought)
            kinds = kept.groupby("t")["kind"].nunique()
            missing = sorted({int(t) for t in times} - set(kinds.index[kinds == len(sought)]))
            if missing:
                found = content_table(((name, t, pixels.frame(name, t)) for t in missing), shapes)
                found = found.assign(bytes=key[1], mtime_ns=key[2])
                both = [known[key], found] if key in known else [found]
                known[key] = pd.concat(both, ignore_index=True).drop_duplicates(["t", "part"])
                kept, fresh = _of_kinds(known[key], sought), True
            tables.append(kept[kept["t"].isin(times)])
            tick()
    if fresh:
        write_table(cache, pd.concat(known.values(), ignore_index=True))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _of_kinds(table: pd.DataFrame, sought: set[str]) -> pd.DataFrame:
    """Digests of whole frames and of tiles of the sought layouts, which the column kind names."""
    table = table.assign(kind=[part.partition(":")[0] for part in table["part"]])
    return table[table["kind"].isin(sought)]


def _kept(cache: Path, key: list[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Rows of a table that was kept, by some of its columns; none where it is absent or spoilt."""
    with suppress(Exception):  # whatever damaged bytes lead to
        yield from pd.read_parquet(cache).groupby(key, sort=False)


def first_frames(study: Study, images: Iterable[str], channels: Channels = None) -> dict[str, str]:
    """Digest of every image's first frame with contents, whatever file or folder it lies in.

    The first channel is looked at (the study's, or that of transmitted light, where none is asked
    for); digests are kept in the study's folder ``cache`` until a file changes. Empty text for a
    file that cannot be read. Frames of one value only are passed over: blank frames are alike in
    movies that have nothing to do with each other.
    """
    names = list(dict.fromkeys(images))
    cache = study.folder / "cache" / "first-frames.parquet"
    known = {key: str(rows["digest"].iloc[0]) for key, rows in _kept(cache, _FIRST[:-1])}
    before, asked = len(known), asked_channels(channels) or study.channels
    headers = {str(row["image"]): row for _, row in study.read_headers()[0].iterrows()}
    found = dict.fromkeys(names, "")
    with task("looking whether images were learnt from", total=len(names)) as tick:
        for name in names:
            with suppress(LivewellError):
                if name in headers:
                    path = study.path(name)
                    number, *_ = choose_channels(header_of(headers[name]), asked, name)
                    key = (name, *fingerprint(path), number)
                    if key not in known:
                        with open_image(path) as image:
                            known[key] = first_frame(image, number)
                    found[name] = known[key]
            tick()
    if len(known) > before:
        rows = [(*key, digest) for key, digest in known.items()]
        write_table(cache, pd.DataFrame(rows, columns=_FIRST))
    return found


def first_frame(image: OpenImage, channel: int) -> str:
    """A digest of the first frame with contents of an open file; empty text where none has."""
    frames = (image.frame(t, channel) for t in range(image.header.frames))
    return next((_digest(frame) for frame in frames if frame.min() < frame.max()), "")


def _digest(frame: Frame) -> str:
    made = sha256(repr((frame.shape, frame.dtype.str)).encode())
    made.update(np.ascontiguousarray(frame).tobytes())
    return made.hexdigest()[:20]
