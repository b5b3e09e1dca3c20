"""Digests of a study's images, made once and kept."""

import re
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from livewell.errors import ImageContentError, LivewellError
from livewell.image import Frame
from livewell.images.formats import OpenImage
from livewell.images.listing import fingerprint
from livewell.images.opening import Channels, asked_channels, choose_channels, open_image
from livewell.measure.content import (
    COLUMNS,
    WHOLE,
    Row,
    content_rows,
    frame_digest,
    parts,
    table_of,
)
from livewell.measure.likeness import Likeness, likeness
from livewell.measure.quality import require_content
from livewell.progress import task
from livewell.study.pixels import StudyPixels
from livewell.study.scale import header_of
from livewell.study.study import Study
from livewell.tables.columns import read_table
from livewell.tables.schemas import write_table

_FILE = ["image", "bytes", "mtime_ns"]
"""Columns by which a file is known to be unchanged."""
_FIRST = [*_FILE, "channel", "digests", "likeness"]
_File = tuple[str, int, int]
_Rows = dict[tuple[int, str], Row]
"""Rows of a content table by frame and part."""


def content(
    study: Study,
    pixels: StudyPixels,
    frames: pd.DataFrame,
    also: Iterable[tuple[int, int]] = (),
) -> pd.DataFrame:
    """Digests and likenesses of frames (image, t), and of tiles about as large as another frame.

    `also` are shapes of further frames that the table is to be compared with. The first channel of
    `pixels` is compared. What was computed of a file is kept in the study's folder ``cache`` until
    the file changes; only what is new is computed.
    """
    first = re.sub(r"[^\w.-]+", "-", str(next(iter(pixels.channels), "auto")))
    cache = study.folder / "cache" / f"content-{first}.parquet"
    wanted = frames.groupby("image", sort=False)["t"].apply(lambda times: sorted(set(times)))
    shapes = sorted({pixels.shape(str(image))[1:] for image in wanted.index}.union(also))
    known, rows, fresh = _known(cache), [], False
    with task("comparing images", total=len(wanted)) as tick:
        for image, times in wanted.items():
            name = str(image)
            own = known.setdefault((name, *fingerprint(study.path(name))), {})
            sought = parts(pixels.shape(name)[1:], shapes)
            for t in times:
                if any((t, part) not in own for part in sought):
                    found = content_rows(name, int(t), pixels.frame(name, t), shapes)
                    own |= {row[1:3]: row for row in found}
                    fresh = True
            rows += [own[t, part] for t in times for part in sought]
            tick()
    if fresh:
        versions = [file[1:] for file, own in known.items() for _ in own]
        table = table_of(row for own in known.values() for row in own.values())
        table[_FILE[1:]] = pd.DataFrame(versions, columns=_FILE[1:], dtype="int64")
        write_table(cache, table)
    return table_of(rows)


def _known(cache: Path) -> dict[_File, _Rows]:
    """Rows that were kept, by file; none where the table is absent or spoilt."""
    found: dict[_File, _Rows] = {}
    with suppress(Exception):  # whatever damaged bytes lead to
        table = read_table(cache)[[*COLUMNS, *_FILE[1:]]]
        table["digest"] = table["digest"].astype("object").where(table["digest"].notna(), None)
        for *row, size, mtime in table.itertuples(index=False, name=None):
            found.setdefault((row[0], size, mtime), {})[row[1], row[2]] = tuple(row)
    return found


class AllFrames(NamedTuple):
    """Digests of all usable frames of images, and likenesses with their image in order of time."""

    digests: frozenset[str]
    likenesses: list[tuple[str, Likeness]]


def all_frames(study: Study, pixels: StudyPixels, images: Iterable[str]) -> AllFrames:
    """What all usable frames of some images show, by which any of them is known again."""
    pixels = StudyPixels(study, pixels.channels[:1])
    frames = [(image, t) for image in images for t in pixels.usable(image)]
    table = content(study, pixels, pd.DataFrame(frames, columns=["image", "t"]))
    table = table[table["part"] == WHOLE]
    alike = table.dropna(subset=["likeness"])
    likenesses = zip(alike["image"], map(Likeness.unpacked, alike["likeness"]), strict=True)
    return AllFrames(frozenset(table["digest"].dropna()), list(likenesses))


class FirstFrame(NamedTuple):
    """Digests and likeness of an image's first frame with contents; empty where there is none.

    A digest as models know their images by now, and one as those of versions before 0.2 do.
    """

    digests: frozenset[str] = frozenset()
    likeness: Likeness | None = None


def first_frames(
    study: Study, images: Iterable[str], channels: Channels = None
) -> dict[str, frozenset[str]]:
    """Digests of every image's first frame with contents, see `first_looks`."""
    return {name: one.digests for name, one in first_looks(study, images, channels).items()}


def first_looks(
    study: Study, images: Iterable[str], channels: Channels = None
) -> dict[str, FirstFrame]:
    """What every image's first frame with contents shows, whatever file or folder it lies in.

    The first channel is looked at (the study's, or that of transmitted light, where none is asked
    for); digests and likenesses are kept in the study's folder ``cache`` until a file changes. Of a
    file that cannot be read they are empty. Frames of one value only are passed over: blank frames
    are alike in movies that have nothing to do with each other.
    """
    names = list(dict.fromkeys(images))
    cache = study.folder / "cache" / "first-frames.parquet"
    known: dict[tuple[str, int, int, int], FirstFrame] = {}
    with suppress(Exception):  # whatever damaged bytes lead to
        rows = read_table(cache)[_FIRST].itertuples(index=False, name=None)
        for name, size, mtime, number, digests, data in rows:
            seen = Likeness.unpacked(data) if data else None
            known[name, size, mtime, number] = FirstFrame(frozenset(digests.split()), seen)
    before, asked = len(known), asked_channels(channels) or study.channels
    headers = {str(row["image"]): row for _, row in study.read_headers()[0].iterrows()}
    found = dict.fromkeys(names, FirstFrame())
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
        table = [
            (*key, " ".join(sorted(digests)), seen.packed() if seen else b"")
            for key, (digests, seen) in known.items()
        ]
        write_table(cache, pd.DataFrame(table, columns=_FIRST))
    return found


def first_frame(image: OpenImage, channel: int) -> FirstFrame:
    """What the first frame with contents of an open file shows; empty where no frame has any."""
    frame = first_contents(image, channel)
    return FirstFrame() if frame is None else FirstFrame(known_digests(frame), likeness(frame))


def first_contents(image: OpenImage, channel: int) -> Frame | None:
    """The first frame with contents of an open file, if there is one."""
    for t in range(image.header.frames):
        frame = image.frame(t, channel)
        with suppress(ImageContentError):
            require_content(frame, image.source)
            return frame
    return None


def known_digests(frame: Frame) -> frozenset[str]:
    """Digests by which models of this version and of older ones know a frame."""
    return frozenset(filter(None, (frame_digest(frame), _older_digest(frame))))


def _older_digest(frame: Frame) -> str:
    made = sha256(repr((frame.shape, frame.dtype.str)).encode())
    made.update(np.ascontiguousarray(frame).tobytes())
    return made.hexdigest()[:20]
