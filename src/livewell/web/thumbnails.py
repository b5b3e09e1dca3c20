"""Small pictures of images, to find one's way by; nothing is measured on them.

They are 8-bit WebP between the same grey levels at which the image itself is shown at first, made
when they are first asked for, and kept in STUDY/site/thumbnails until their image changes.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from livewell.disk import remove
from livewell.errors import LivewellError
from livewell.files import whole_file
from livewell.images.listing import fingerprint
from livewell.web.catalogue import Catalogue
from livewell.web.frames import PERCENTILES, STEPS, StudyFrames

EDGE_PX = 240
"""Longer edge."""
QUALITY = 80
"""Of WebP, 0 to 100."""
WORKERS = 2
"""Made at a time, so that answers need not wait for them."""
RULE = f"1 {EDGE_PX} {PERCENTILES}"
"""How they are made: pictures of another rule are made again."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture: its bytes, media type, and what names its content."""

    data: bytes
    kind: str
    tag: str
    fault: str = ""


class Thumbnails:
    """Thumbnails of a study's images; may be asked for by many threads."""

    def __init__(self, catalogue: Catalogue, frames: StudyFrames) -> None:
        self._catalogue, self._frames = catalogue, frames
        self._folder = catalogue.folder / "site" / "thumbnails"
        self.pool = ThreadPoolExecutor(WORKERS, "livewell-thumbnails")

    def get(self, image: str) -> Thumbnail:
        """The thumbnail of an image: its last frame that can be read, else a drawn placeholder."""
        try:
            return self._kept(image)
        except LivewellError as error:
            return placeholder(error.what)

    def close(self) -> None:
        """Make no more."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def _kept(self, image: str) -> Thumbnail:
        study = self._catalogue.study()
        version = fingerprint(study.path(image))
        stem = hashlib.sha256(image.encode()).hexdigest()[:24]
        asked = f"{image}|{version}|{study.channels}|{RULE}"
        tag = hashlib.sha256(asked.encode()).hexdigest()[:16]
        folder = self._folder / stem[:2]
        path = folder / f"{stem}-{tag}.webp"
        try:
            return Thumbnail(path.read_bytes(), "image/webp", tag)
        except OSError:
            data = self._made(image)
        _keep(path, stem, data)
        return Thumbnail(data, "image/webp", tag)

    def _made(self, image: str) -> bytes:
        frames = self._frames
        header = frames.header(image)
        channel = frames.channel(image)
        channels = (0, 1, 2) if frames.colour(image) else (channel,)
        limits = frames.limits(image, channel)
        longest = max(header.height, header.width)
        step = max(each for each in STEPS if each == 1 or longest // each >= EDGE_PX)
        for t in dict.fromkeys((header.frames - 1, header.frames // 2, 0)):
            try:
                planes = [frames.boxes(image, (t,), each, None, step)[0] for each in channels]
            except LivewellError:
                if t == 0:
                    raise
                continue
            return webp(np.stack([eight_bit(plane, limits) for plane in planes], axis=-1))
        raise AssertionError


def _keep(path: Path, stem: str, data: bytes) -> None:
    """Write a thumbnail and let go of older ones of its image; on a full disk nothing is kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_bytes(data)
        for old in path.parent.glob(f"{stem}-*.webp"):
            if old != path:
                remove(old)
    except (OSError, LivewellError):
        return


def eight_bit(plane: NDArray[np.generic], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Grey levels (h, w) between limits as 0 to 255; what is no number is black."""
    low, high = limits
    share = (np.asarray(plane, np.float32) - low) / (high - low)
    return np.asarray(np.rint(255 * np.clip(np.nan_to_num(share), 0, 1)), np.uint8)


def webp(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (h, w, 1 or 3) as WebP of at most `EDGE_PX`, never enlarged."""
    picture = Pillow.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    picture.thumbnail((EDGE_PX, EDGE_PX), Pillow.Resampling.LANCZOS)
    buffer = BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()


def placeholder(what: str) -> Thumbnail:
    """What is shown in place of an image that cannot be read."""
    words = "file is missing" if what == "no such file" else "cannot be read"
    lines = ("image", words)
    text = "".join(
        f'<text x="60" y="{60 + 16 * n}" text-anchor="middle">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    data = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" width="240" height="240"'
        ' font-family="system-ui, sans-serif" font-size="12" fill="#fff">'
        '<rect width="120" height="120" fill="#3a3f45"/>'
        '<path d="M50 22h20v20h-20z M50 22l20 20 M70 22l-20 20" fill="none" stroke="#f0e442"'
        f' stroke-width="2"/>{text}</svg>'
    )
    return Thumbnail(data.encode(), "image/svg+xml", "", words)
