"""How the pixels of a TIFF page are stored: sizes, bits, samples, strips or tiles."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3}
_NEEDED = {256: "ImageWidth", 257: "ImageLength"}


class Form:
    """How the pixels of a page are stored: what pages of one series have in common."""

    def __init__(self, said: Mapping[int, tuple[Any, ...]]) -> None:
        def number(code: int, usual: int) -> int:
            values = said.get(code)
            return int(values[0]) if values else usual

        self.width, self.height = number(256, 0), number(257, 0)
        self.samples = number(277, 1)
        self.bits = _one(said.get(258, ()), 1)
        """Bits of a sample, 0 where samples differ in it."""
        self.format = {4: 1}.get(_one(said.get(339, ()), 1), _one(said.get(339, ()), 1))
        """1 whole, 2 signed, 3 real numbers; 5 and 6 complex; 0 where samples differ in it."""
        self.photometric = number(262, 1) if 262 in said else None
        """How samples are meant: 0 and 1 grey, 2 colour, 3 a palette; ``None`` if not said."""
        self.compression, self.predictor = number(259, 1), number(317, 1)
        self.planar = self.samples > 1 and number(284, 1) == 2
        self.extras = tuple(int(value) for value in said.get(338, ()))
        """Meaning of samples beyond the colours: 1 and 2 are transparency."""
        self.reduced = bool(number(254, 0) & 5) or self.photometric == 4
        """Whether the page says that it is a smaller copy, or the mask of another page."""
        self.tile = (number(323, 0), number(322, 0)) if 322 in said else None
        """Rows and columns of a tile; none where the pixels are in strips."""
        strip = min(number(278, self.height) or self.height, self.height)
        self.rows, self.columns = self.tile or (strip, self.width)
        """Rows and columns of a strip or tile."""
        self.depth, self.orientation = number(32997, 1), number(274, 1)
        self.reversed_bits = number(266, 1) == 2
        self._counted = {code: len(values) for code, values in said.items()}

    @cached_property
    def grid(self) -> tuple[int, int, int]:
        """Segments (planes of samples, down, across)."""
        down, across = -(-self.height // max(self.rows, 1)), -(-self.width // max(self.columns, 1))
        return self.samples if self.planar else 1, down, across

    @cached_property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the pixels in native byte order; none where it is not one of plain numbers."""
        if self.format == 1 and (1 <= self.bits <= 16 or self.bits in (32, 64)):
            size = next(size for size in (8, 16, 32, 64) if size >= self.bits)
            return np.dtype("?" if self.bits == 1 else f"u{size // 8}")
        kind, sizes = {2: ("i", (8, 16, 32, 64)), 3: ("f", (16, 32, 64))}.get(self.format, ("", ()))
        return np.dtype(f"{kind}{self.bits // 8}") if self.bits in sizes else None

    @property
    def name(self) -> str:
        """Name of `dtype` in numpy, empty where there is none."""
        return self.dtype.name if self.dtype else ""

    @cached_property
    def plain(self) -> bool:
        """Whether bytes in strips are numbers as they are."""
        whole = self.dtype is not None and self.bits == 8 * self.dtype.itemsize and self.bits >= 8
        kept = self.compression == self.predictor == 1 and not self.reversed_bits
        return whole and kept and not self.tile

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What pages of one series have in common."""
        size = self.height, self.width, self.samples, self.planar
        kept = self.predictor, self.reversed_bits
        return *size, self.bits, self.format, self.photometric, *kept

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels as they are stored: (y, x), (y, x, sample) or (sample, y, x)."""
        size = self.height, self.width
        if self.samples == 1:
            return size
        return (self.samples, *size) if self.planar else (*size, self.samples)

    def segment_rows(self, down: int) -> int:
        """Rows in the strips or tiles number `down` from the top."""
        return self.rows if self.tile else min(self.rows, self.height - down * self.rows)

    def segment_bytes(self, down: int) -> int:
        """Bytes that a segment needs without compression."""
        bits = self.columns * (1 if self.planar else self.samples) * self.bits
        return self.segment_rows(down) * -(-bits // 8)

    @cached_property
    def plane_bytes(self) -> int:
        """Bytes of all pixels without compression."""
        planes, down, across = self.grid
        full = (down - 1) * self.segment_bytes(0) + self.segment_bytes(down - 1)
        return planes * across * full

    @cached_property
    def faults(self) -> tuple[str, ...]:
        """What cannot be in the tags."""
        missing = [name for code, name in _NEEDED.items() if code not in self._counted]
        if missing:
            return (f"{' and '.join(missing)} missing",)
        if not all((self.width, self.height, self.samples, self.rows, self.columns)):
            return ("a size of zero",)
        found = [
            f"{name} has {self._counted[code]} values for {self.samples} samples"
            for code, name in ((258, "BitsPerSample"), (339, "SampleFormat"))
            if self._counted.get(code, 1) not in (1, self.samples)
        ]
        if self.compression in (2, 3, 4) and self.bits != 1:
            found.append(f"a compression of faxes, for {self.bits} bits")
        base, more = _COLOURS.get(self.photometric or 0), len(self.extras)
        if base and self.samples < base:
            found.append(f"colours of {base} samples are stated, and there are {self.samples}")
        elif base and more and self.samples != base + more:
            found.append(f"{base} + {more} samples are stated, and there are {self.samples}")
        return tuple(found)

    def __str__(self) -> str:
        samples = f" x {self.samples} samples" if self.samples > 1 else ""
        kind = {1: "whole", 2: "signed", 3: "real"}.get(self.format, "other")
        return f"{self.height} x {self.width} px{samples}, {self.bits}-bit {kind} numbers"


def _one(values: Sequence[Any], usual: int) -> int:
    return (int(values[0]) if len(set(values)) == 1 else 0) if values else usual
