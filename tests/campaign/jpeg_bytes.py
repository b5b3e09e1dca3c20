"""JPEG at the level of bytes: whether a baseline scan holds exactly its blocks."""

import re
import struct

_Table = dict[tuple[int, int], int]

LONG_BLOCK, LEFT = "a block of over 64 numbers", "bytes left after the last block"
UNNOTICED = (LONG_BLOCK, LEFT)
"""What no library that is built on libjpeg says, and only decoding every code by hand shows."""


def segments(data: bytes) -> list[tuple[int, int, bytes]]:
    """Marker, place and content of every segment up to the first scan, that one too."""
    found, at = list[tuple[int, int, bytes]](), 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError("no marker where one belongs")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        found.append((marker, at, data[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            break
    return found


def sound_jpeg(data: bytes) -> str:
    """What is wrong with a JPEG of one baseline scan; of others the markers only."""
    try:
        parts = segments(data)
        start = parts[-1][1] + 4 + len(parts[-1][2])
        end = data.rfind(b"\xff\xd9")
        scan = data[start:end]
        if parts[-1][0] != 0xDA or end < start:
            return "no scan or no end"
        frames = [part for part in parts if 0xC0 <= part[0] <= 0xCF and part[0] not in (0xC4, 0xCC)]
        if len(frames) != 1 or data[:2] != b"\xff\xd8":
            return "not one frame"
        if frames[0][0] > 0xC1:
            return ""
        if re.search(rb"\xff[^\x00\xd0-\xd7]", scan) or any(part[0] == 0xDD for part in parts):
            return "a marker inside the scan"
        return _blocks(frames[0][2], parts, scan)
    except (IndexError, KeyError, ValueError, struct.error) as error:
        return f"{type(error).__name__}: {error}"


def _blocks(frame: bytes, parts: list[tuple[int, int, bytes]], scan: bytes) -> str:
    """Decode the code words of all blocks; nothing may be missing and nothing left."""
    height, width, count = struct.unpack(">HHB", frame[1:6])
    inks = {frame[6 + 3 * i]: frame[7 + 3 * i] for i in range(count)}
    across, down = (max(s >> 4 for s in inks.values()), max(s & 15 for s in inks.values()))
    tables = _tables(parts)
    order = parts[-1][2]
    plan = []
    for i in range(order[0]):
        ink, both = order[1 + 2 * i], order[2 + 2 * i]
        repeat = 1 if order[0] == 1 else (inks[ink] >> 4) * (inks[ink] & 15)
        plan += [(tables[0, both >> 4], tables[1, both & 15])] * repeat
    if order[0] == 1:
        across = down = 1
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    bits = _Bits(scan.replace(b"\xff\x00", b"\xff"))
    for _ in range(units):
        for direct, rest in plan:
            bits.skip(bits.word(direct))
            place = 1
            while place < 64:
                both = bits.word(rest)
                if both == 0:
                    break
                place += (both >> 4) + 1
                bits.skip(both & 15)
            if place > 64:
                return LONG_BLOCK
    return LEFT if bits.left >= 8 else ""


def _tables(parts: list[tuple[int, int, bytes]]) -> dict[tuple[int, int], _Table]:
    found = dict[tuple[int, int], _Table]()
    for content in (part[2] for part in parts if part[0] == 0xC4):
        at = 0
        while at < len(content):
            counts, values, code, table = content[at + 1 : at + 17], at + 17, 0, _Table()
            for length, count in enumerate(counts, 1):
                for _ in range(count):
                    table[length, code] = content[values]
                    code, values = code + 1, values + 1
                code <<= 1
            found[content[at] >> 4, content[at] & 15] = table
            at = values
    return found


class _Bits:
    """Bits of a scan in turn; raises ValueError where there are no more."""

    def __init__(self, data: bytes) -> None:
        self._text, self._at = "".join(f"{byte:08b}" for byte in data), 0

    @property
    def left(self) -> int:
        return len(self._text) - self._at

    def skip(self, count: int) -> None:
        self._at += count
        if self.left < 0:
            raise ValueError("the scan ends too early")

    def word(self, table: _Table) -> int:
        """The value of the next code word."""
        code = 0
        for length in range(1, 17):
            if self.left < length:
                raise ValueError("the scan ends too early")
            code = code << 1 | (self._text[self._at + length - 1] == "1")
            if (length, code) in table:
                self._at += length
                return table[length, code]
        raise ValueError("no such code word")
