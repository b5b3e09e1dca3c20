"""Edits of JSON files and of bytes that every kind of folder may suffer."""

import json
import random
import re
from typing import Any

ODD: tuple[Any, ...] = (
    -1, 0, 1, 1.5, 1e300, 10**400, True, False, None, "", "x", "-1", "\x1b[31m\n",
    [], {}, [None], {"x": 1}, float("nan"), float("inf"),
)  # fmt: skip


def edited(text: str, rng: random.Random) -> tuple[str, str]:
    """One value of a JSON object replaced, removed or added, and what was done."""
    value = json.loads(text)
    place, path = value, []
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return json.dumps({}), "emptied"
        key = rng.choice(keys)
        path.append(key)
        if isinstance(place[key], dict | list) and place[key] and rng.random() < 0.8:
            place = place[key]
            continue
        break
    where = "/".join(map(str, path))
    way = rng.choice(("set", "set", "set", "removed", "added"))
    if way == "removed":
        del place[key]
        return json.dumps(value), f"{where} removed"
    odd = rng.choice(ODD)
    if way == "added" and isinstance(place, dict):
        place["unknown"] = odd
        return json.dumps(value), f"{where} has a neighbour {odd!r:.40}"
    place[key] = odd
    return json.dumps(value), f"{where} set to {odd!r:.40}"


def hurt_text(text: str, rng: random.Random) -> tuple[bytes, str]:
    """A JSON file edited as above, or hurt as text is."""
    way = rng.choice(("edit", "edit", "edit", "bytes", "digits", "levels", "array"))
    if way == "edit":
        made, what = edited(text, rng)
        return made.encode(), what
    if way == "bytes":
        return hurt_bytes(text.encode(), rng)
    if way == "digits":
        return re.sub(
            r": \d+", ": " + "9" * 5000, text, count=1
        ).encode(), "a number of 5,000 digits"
    if way == "levels":
        return b'{"x": ' * 100_000 + b"1" + b"}" * 100_000, "100,000 levels"
    return f"[{text}]".encode(), "within an array"


def hurt_bytes(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Bytes flipped, cut, put in, emptied, or of another kind altogether."""
    at = rng.randrange(max(len(data), 1))
    stop = at + rng.choice((1, 4, 100))
    way = rng.choice(("flip", "flip", "cut", "out", "zero", "empty", "zip", "noise"))
    if way == "flip" and data:
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :], f"flip {at}"
    made = {
        "cut": data[:at], "out": data[:at] + data[stop:], "zip": b"PK\x03\x04" + data[4:],
        "zero": data[:at] + bytes(stop - at) + data[stop:], "noise": rng.randbytes(300),
    }  # fmt: skip
    return made.get(way, b""), f"{way} at {at}"
