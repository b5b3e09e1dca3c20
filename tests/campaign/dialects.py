"""Tables as programs write them: separators, encodings, decimal commas; and as they break."""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table as a file: its bytes, how it was written, and whether it is sound."""

    data: bytes
    how: str
    sound: bool


def written(rows: list[Row], rng: random.Random, number: tuple[str, ...] = ()) -> Table:
    """A table as some program writes it; one in three is damaged."""
    separator, code = rng.choice(",;\t"), rng.choice(("utf-8", "utf-8-sig", "utf-16", "cp1252"))
    comma = separator != "," and rng.random() < 0.5
    file = io.StringIO(newline="")
    heading = list(dict.fromkeys(name for row in rows for name in row))
    how = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    end = rng.choice(("\n", "\r\n"))
    writer = csv.DictWriter(file, heading, delimiter=separator, quoting=how, lineterminator=end)
    writer.writeheader()
    for row in rows:
        pointed = {name: str(row[name]).replace(".", ",") for name in number if name in row}
        writer.writerow(row | (pointed if comma else {}))
    text = file.getvalue()
    stated = rng.random() < 0.2
    text = (f"sep={separator}{end}" if stated else "") + text + end * rng.choice((0, 0, 2))
    said = f"{separator!r} {code} quoting {how} decimal comma {comma} sep= {stated}"
    try:
        data = text.encode(code)
    except UnicodeEncodeError:
        data, said = text.encode("utf-8"), said.replace(code, "utf-8")
    if rng.random() > 1 / 3:
        return Table(data, said, True)
    way = rng.choice(list(DAMAGE))
    return Table(DAMAGE[way](data, rng), f"{said}; {way}", False)


def _cut(data: bytes, rng: random.Random, more: bytes = b"") -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + more + data[at + rng.choice((0, 1, 5, 50)) :]


DAMAGE: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "bytes cut out": _cut,
    "random bytes": lambda data, rng: _cut(data, rng, rng.randbytes(rng.choice((1, 4, 100)))),
    "a quote": partial(_cut, more=b'"'),
    "nothing": lambda data, rng: b"",
    "a null byte": partial(_cut, more=b"\0"),
    "a cell of 200,000 letters": partial(_cut, more=b"x" * 200_000),
    "3,000 columns": lambda data, rng: b"\n".join(
        line + (b",c%d" * 3000 % tuple(range(3000)) if n == 0 else b",1" * 3000)
        for n, line in enumerate(data.splitlines())
    ),
    "an escape sequence": partial(_cut, more=b"\x1b[31m\x07"),
    "another heading": lambda data, rng: b"file;image;image" + data[data.find(b"\n") :],
    "a spreadsheet's bytes": lambda data, rng: b"PK\x03\x04" + rng.randbytes(400),
}
