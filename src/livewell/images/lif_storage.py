"""Where the pixels of a Leica image lie: the axes of its block, and planes out of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element

import numpy as np

from livewell.errors import ImageReadError
from livewell.image import Frame
from livewell.images.plain import damaged

DESCRIPTION = "./Data/Image/ImageDescription"
_AXES = {
    "1": "x", "2": "y", "3": "z", "4": "t", "5": "emission", "6": "rotation", "7": "x-t slice",
    "8": "t slice", "9": "excitation", "10": "tile", "11": "loop",
}  # fmt: skip
"""What the numbers of dimensions mean in LAS AF and LAS X."""
COLOURS = ["1", "2", "3"]
"""Tags of the channels red, green and blue of a colour image."""
_DENSE = 8
"""A plane is read at once where it lies among at most so many times its own bytes."""
Block = tuple[Path, int, int]
"""File, first byte and size of pixels."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One axis: its size, physical start and length from the first to the last, bytes of a step."""

    axis: str
    size: int
    origin: float
    length: float
    unit: str
    step_bytes: int

    @property
    def step(self) -> float:
        """Physical length of a step."""
        return self.length / (self.size - 1) if self.size > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Storage:
    """Where an image's pixels lie: a block of a file, bytes of a step of each axis and channel."""

    path: Path
    start: int
    size: int
    dtype: str
    dimensions: tuple[Dimension, ...]
    channels: tuple[int, ...]

    def of(self, axis: str) -> Dimension:
        """An axis; of size 1 where it is absent."""
        absent = Dimension(axis, 1, 0.0, 0.0, "", 0)
        return next((each for each in self.dimensions if each.axis == axis), absent)

    def plane(self, file: BinaryIO, channel: int, at: dict[str, int]) -> Frame:
        """One plane, shape (y, x), of the file that is open; `at` are places on other axes."""
        dtype = np.dtype(self.dtype).newbyteorder("<")
        y, x = self.of("y"), self.of("x")
        start = self.start + self.channels[channel]
        start += sum(self.of(axis).step_bytes * place for axis, place in at.items())
        row = (x.size - 1) * x.step_bytes + dtype.itemsize
        whole = (y.size - 1) * y.step_bytes + row
        if whole > _DENSE * y.size * x.size * dtype.itemsize:
            rows = [
                np.ndarray(
                    x.size, dtype, self._bytes(file, start + i * y.step_bytes, row), 0, x.step_bytes
                )
                for i in range(y.size)
            ]
            return np.stack(rows)
        steps = y.step_bytes, x.step_bytes
        frame: Frame = np.ndarray(
            (y.size, x.size), dtype, self._bytes(file, start, whole), 0, steps
        )
        return frame

    def _bytes(self, file: BinaryIO, start: int, count: int) -> bytes:
        file.seek(start)
        found = file.read(count)
        if len(found) < count:
            raise damaged(self.path)
        return found


def dimensions(path: Path, element: Element) -> tuple[Dimension, ...]:
    """Axes, the slowest first."""
    found = []
    for said in element.findall(f"{DESCRIPTION}/Dimensions/DimensionDescription"):
        number = said.get("DimID", "")
        dimension = Dimension(
            _AXES.get(number, f"number {number}"),
            int(said.get("NumberOfElements", "0")),
            float(said.get("Origin", "nan")),
            float(said.get("Length", "nan")),
            said.get("Unit", ""),
            int(said.get("BytesInc", "0")),
        )
        if dimension.size < 1 or dimension.step_bytes < 1:
            raise damaged(path, f"an axis ({dimension.axis}) of no size")
        found.append(dimension)
    if len({each.axis for each in found}) < len(found):
        raise damaged(path, "an image that names an axis twice")
    return tuple(sorted(found, key=lambda each: -each.step_bytes))


def storage_of(
    path: Path, name: str, element: Element, blocks: dict[str, Block]
) -> tuple[Storage, list[str]]:
    """Where the pixels lie, and the colour tags of the channels in the order of these."""
    said = element.findall(f"{DESCRIPTION}/Channels/ChannelDescription")
    forms = [(each.get("DataType", "0"), int(each.get("Resolution", "0"))) for each in said]
    types = {_dtype(kind, bits) for kind, bits in forms}
    if len(types) != 1 or None in types:
        raise ImageReadError(
            "an image whose channels are not of one number type that livewell reads",
            where=str(path),
            got=", ".join(f"{bits} bit" for _, bits in forms) or "no channel",
            remedy="export its channels one by one as OME-TIFF from LAS X",
        )
    dtype, memory = str(types.pop()), element.find("./Memory")
    block = blocks.get(memory.get("MemoryBlockID", "")) if memory is not None else None
    if block is None and len(blocks) == 1 and memory is None:
        block = next(iter(blocks.values()))
    if block is None:
        raise damaged(path, f"the pixels of {name!r} are not in the file")
    tags = [each.get("ChannelTag", "0") for each in said]
    steps = [int(each.get("BytesInc", "0")) for each in said]
    if sorted(tags) == COLOURS:
        steps = [steps[tags.index(tag)] for tag in COLOURS]
    storage = Storage(*block, dtype, dimensions(path, element), tuple(steps))
    missing = [axis for axis in "yx" if axis not in {each.axis for each in storage.dimensions}]
    if missing:
        raise ImageReadError(
            f"an image without an axis {missing[0]}, such as a line scan or a section",
            where=f"{path}/{name}",
            expected="frames of y and x",
            remedy="leave it out",
        )
    size = np.dtype(dtype).itemsize
    sizes = [each.size for each in storage.dimensions]
    last = sum((each.size - 1) * each.step_bytes for each in storage.dimensions) + max(steps) + size
    if last > storage.size or np.prod(sizes, dtype=object) * len(steps) * size > storage.size:
        raise damaged(
            path,
            f"{name!r} is larger than the bytes that the file gives it",
            got=f"{' x '.join(map(str, sizes))} in {storage.size} bytes",
        )
    return storage, tags


def _dtype(kind: str, bits: int) -> str | None:
    if kind == "1":
        return {16: "float16", 32: "float32", 64: "float64"}.get(bits)
    if not 0 < bits <= 32:
        return None
    return "uint8" if bits <= 8 else "uint16" if bits <= 16 else "uint32"
