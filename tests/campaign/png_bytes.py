"""PNG at the level of bytes: its chunks, and whether they hold exactly their image."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks(data: bytes) -> list[tuple[bytes, bytes, bool]]:
    """Kind, content and whether the checksum holds, of every chunk."""
    found, at = list[tuple[bytes, bytes, bool]](), len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        check = data[at + 8 + length : at + 12 + length]
        found.append((kind, content, check == struct.pack(">I", zlib.crc32(kind + content))))
        at += 12 + length
    return found


def joined(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, with checksums that hold."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )


def faults(data: bytes) -> str:
    """What a careful reader can notice in a PNG that is not interlaced, or nothing."""
    try:
        parts = chunks(data)
        kinds = [kind for kind, _, _ in parts]
        if kinds[0] != b"IHDR" or kinds[-1] != b"IEND" or not all(part[2] for part in parts):
            return "chunks are missing or of another checksum"
        if kinds.count(b"IHDR") > 1 or kinds.count(b"IEND") > 1:
            return "two images"
        width, height, bits, kind, *rest = struct.unpack(">IIBBBBB", parts[0][1])
        samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
        pixels = zlib.decompress(b"".join(part[1] for part in parts if part[0] == b"IDAT"))
        row = 1 + (width * samples * bits + 7) // 8
        if rest != [0, 0, 0] or len(pixels) != height * row or max(pixels[::row]) > 4:
            return "not as many bytes as its size says"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
