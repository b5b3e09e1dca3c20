"""The text of a table that a user gives, whatever program saved it."""

import re
from pathlib import Path

from livewell.errors import LayoutError
from livewell.regular import regular

LARGEST = 500_000_000
"""Bytes; a table of text is smaller, a movie named by mistake is not."""
_OTHERS = {
    b"PK\x03\x04": "a spreadsheet (.xlsx, .ods) or another zip file",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls)",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file (.gz)",
    b"%PDF": "a PDF",
    b"<": "a page of HTML or XML",
}
"""What begins with these bytes is no table of text."""
_CP1252 = "Windows-1252 (it is not UTF-8)"
_MACINTOSH = "Mac Roman (it is not UTF-8, and its lines end as on old Macintoshes)"


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file, and the encoding it was read as, in words for a note.

    Raises
    ------
    LayoutError
        No regular file, too large, or nothing that can be text without loss.
    """
    data = _bytes(path)
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    for sign, noun in _OTHERS.items():
        if start.startswith(sign):
            raise _no_text(path, noun)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(path, data, "utf-16"), "UTF-16"
    if b"\0" in data:
        # of UTF-16 text in Latin letters about every other byte is zero
        first = data[::2].count(0) > data[1::2].count(0)
        if 4 * data[not first :: 2].count(0) < len(data):
            raise _no_text(path, "zero bytes between the letters")
        return _decoded(path, data, "utf-16-be" if first else "utf-16-le"), "UTF-16"
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        odd = data[error.start]
    old = b"\r" in data and b"\n" not in data
    text = _decoded(path, data, "mac-roman" if old else "cp1252")
    at = next(i for i, letter in enumerate(text) if not letter.isascii())
    before, after = text[max(at - 12, 0) : at], text[at : at + 12]
    shown = (re.split(r"[\r\n]", before)[-1] + re.split(r"[\r\n]", after)[0]).strip()
    how = _MACINTOSH if old else _CP1252
    return text, f"{how}: check letters as in {shown!r} (byte {odd:#x})"


def _bytes(path: Path) -> bytes:
    try:
        size = regular(path).stat().st_size
        if size > LARGEST:
            raise _no_text(path, f"a file of {size:,} bytes")
        return path.read_bytes()
    except LayoutError:
        raise
    except (OSError, ValueError) as error:  # a zero byte in the path
        raise LayoutError(
            "cannot be read",
            where=str(path),
            expected="a CSV",
            got=getattr(error, "strerror", None) or str(error),
            remedy="check the path",
        ) from error


def _decoded(path: Path, data: bytes, encoding: str) -> str:
    """Strictly, for a replaced letter would be another word without a word."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _no_text(
            path, f"bytes that are neither UTF-8 nor {encoding} (at {error.start:,})"
        ) from error
    if "\0" in text:
        raise _no_text(path, "zero bytes between the letters")
    return text


def _no_text(path: Path, got: str) -> LayoutError:
    return LayoutError(
        "not a table of text",
        where=str(path),
        expected="a CSV",
        got=got,
        remedy="save the table as CSV UTF-8 from the spreadsheet program, and name that file",
    )
