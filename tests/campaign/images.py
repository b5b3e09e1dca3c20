"""Image files that something happened to: right, refused by name, said, or else a fault.

Whether a change could be noticed is judged by readers of our own, of bytes (`tiff_bytes`,
`png_bytes`, `jpeg_bytes`): a bit of an uncompressed pixel cannot, a strip of the wrong length can.
"""

import io
import os
import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from livewell.errors import LivewellError
from livewell.image import Header
from livewell.images.opening import open_image
from tests.campaign import jpeg_bytes, png_bytes, tiff_bytes
from tests.campaign.cases import Case, refusal
from tests.campaign.image_mutations import Mutation, mutated
from tests.campaign.image_sources import Pixels, Source, sources

MOST_PIXELS = 1 << 26


@dataclass(frozen=True)
class Reading:
    """What livewell says of a file: its header and its pixels (t, c, y, x)."""

    header: Header
    pixels: Pixels

    @property
    def said(self) -> set[str]:
        """Notes, and the account of the pages where there is one."""
        return {*self.header.notes, *getattr(self.header, "account", ())}


def read(path: Path) -> Reading:
    """All frames of all channels."""
    with open_image(path) as image:
        header = image.header
        t, c, height, width = header.shape
        if t * c * height * width > MOST_PIXELS:  # enough to see that it can be read
            t = min(t, 2)
        planes = [image.frame(i, j) for i in range(t) for j in range(c)]
    return Reading(header, np.stack(planes).reshape(t, c, *planes[0].shape))


class Images:
    """Mutations of image files, by number."""

    wait_s = 25.0

    def prepare(self, folder: Path) -> list[tuple[Source, Reading]]:
        """Sources that livewell reads when nothing happened to them, with what it says."""
        found = []
        for source in sources():
            own = folder / source.name
            path = _written(own, source, source.data, source.name)
            reading = read(path)
            if source.pixels is not None and not _same(reading.pixels, source.pixels):
                raise AssertionError(f"{source.name} is not read as it was written")
            found.append((source, reading))
        return found

    def case(self, world: list[tuple[Source, Reading]], rng: random.Random, folder: Path) -> Case:
        """Change one source, and judge what livewell says of it."""
        source, before = rng.choice(world)
        change = mutated(source, [it for it, _ in world], rng)
        path = _written(folder, source, change.data, change.name)
        _traps(folder, source)
        return Case(change.what, partial(_outcome, path, source, before, change))


def _outcome(path: Path, source: Source, before: Reading, change: Mutation) -> tuple[str, str]:
    try:
        after = read(path)
    except LivewellError as error:
        return refusal(error, change.name)
    category, why = judged(before, after, change, bool(source.beside))
    new = f"; new notes: {after.said - before.said}" if category == "noted" else ""
    return category, f"{_shown(before)} -> {_shown(after)}; {why}{new}"


def judged(
    before: Reading, after: Reading, change: Mutation, folder: bool = False
) -> tuple[str, str]:
    """The category of a file that was read, and why a reader could have noticed."""
    same = _same(before.pixels, after.pixels)
    if same and _scale(before.header) == _scale(after.header):
        return "right", ""
    if after.said - before.said:
        return "noted", ""
    if same:
        stated = _states(change.data, after.header)
        return ("header as the file says", "") if stated else ("silent wrong", "not in the file")
    wrong, planes = _independent(change.data)
    own = [plane for row in after.pixels for plane in row]
    if not wrong and not _same_planes(own[1:2] if folder else own, planes):
        wrong = f"another decoder finds {len(planes)} other planes"
    if wrong.endswith(jpeg_bytes.UNNOTICED):
        return "JPEG damage that libjpeg does not notice", wrong
    if wrong:
        return "silent wrong", wrong
    alike = before.pixels.shape == after.pixels.shape and before.pixels.dtype == after.pixels.dtype
    return ("pixel data changed" if alike else "shape as the file says"), ""


def _independent(data: bytes) -> tuple[str, list[Pixels]]:
    """What can be noticed in the bytes, and the planes that another decoder finds in them."""
    if data[:2] in (b"II", b"MM"):
        wrong = tiff_bytes.faults(data)
        if wrong:
            return wrong, []
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = [page.asarray() for page in file.pages]
            stack = file.asarray() if len(pages) == 1 else np.stack(pages)
            coloured = file.pages.first.samplesperpixel > 1
        if coloured and file.pages.first.planarconfig == 1:
            stack = np.moveaxis(stack, -1, -3)
        return "", list(stack.reshape(-1, *stack.shape[-2:]))
    png = data[:1] == b"\x89"
    wrong = png_bytes.faults(data) if png else jpeg_bytes.sound_jpeg(data)
    if wrong:
        return wrong, []
    pixels = (imagecodecs.png_decode if png else imagecodecs.jpeg_decode)(data)
    return "", list(np.moveaxis(np.atleast_3d(pixels), -1, 0))


def _same_planes(one: list[Pixels], two: list[Pixels]) -> bool:
    """The same planes in any order; white and black may be exchanged, alpha left out."""

    def known(planes: list[Pixels]) -> list[bytes]:
        return sorted(np.ascontiguousarray(p, p.dtype.newbyteorder("<")).tobytes() for p in planes)

    inverted = [np.invert(p) if p.dtype.kind in "iu" else p for p in two]
    return known(one) in (known(two), known(inverted))


def _states(data: bytes, header: Header) -> bool:
    """Whether a TIFF's own words say the scale of the header."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            text = file.pages.first.description
            x = file.pages.first.tags.valueof(282)
    except Exception:
        return False
    um = header.pixel_um
    words = text + (f" {x[1] / x[0]:.6g}" if isinstance(x, tuple) and len(x) == 2 and x[0] else "")
    said = um is None or any(_close(word, um) for word in _numbers(words))
    return said and all(
        name in text or name.startswith(("channel ", "grey", "z")) for name in header.channels
    )


def _numbers(text: str) -> list[float]:
    found = []
    for word in text.replace('"', " ").replace("=", " ").replace(",", ".").split():
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found


def _close(number: float, um: float) -> bool:
    """Equal but for the unit, a power of ten or an inch."""
    return any(abs(number * factor - um) <= 1e-3 * um for factor in (1, 1e-3, 1e3, 1e4, 25400, 1e6))


def _scale(header: Header) -> tuple[Any, ...]:
    um = None if header.pixel_um is None else round(header.pixel_um, 6)
    return um, header.frame_s, header.channels


def _same(one: Pixels, two: Pixels) -> bool:
    return one.shape == two.shape and one.dtype == two.dtype and one.tobytes() == two.tobytes()


def _shown(reading: Reading) -> str:
    return f"{reading.header.shape} {reading.header.dtype} {_scale(reading.header)}"


def _written(folder: Path, source: Source, data: bytes, name: str) -> Path:
    """The file, or the folder of frames that it belongs to."""
    folder.mkdir(parents=True, exist_ok=True)
    if not source.beside:
        path = folder / name
        path.write_bytes(data)
        return path
    movie = folder / "movie"
    movie.mkdir()
    for other, content in source.beside.items() | {(source.name, data)}:
        (movie / other).write_bytes(content)
    return movie


def _traps(folder: Path, source: Source) -> None:
    """What a file may name and must not be led to: a pipe without end, pixels of others."""
    os.mkfifo(folder / "pipe.tif")
    half = len(source.data) // 2
    (folder / "decoy.tif").write_bytes(source.data[:half] + source.data[half:][::-1])
