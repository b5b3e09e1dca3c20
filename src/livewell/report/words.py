"""Words for what a net sees, the same page for patches, frames and images, and for how sure."""

import math
import re
from dataclasses import replace

from livewell.report.page import Note, Picture

PATCH = "patch"
_WORD = re.compile(r"\b([Pp])atch(es)?\b")
_AXES = ("patches", "share of the class's patches (%)")
"""Labels of axes that speak of patches."""


def chance(p: float, digits: int = 3) -> str:
    """A probability for a table: never rounded to 0 or 1; nothing for NaN."""
    if p != p:
        return ""
    shown, least = f"{p:.{digits}f}", 10.0**-digits
    if float(shown) >= 1:
        return f">{1 - least:.{digits}f}"
    return shown if float(shown) > 0 else f"<{least:.{digits}f}"


def threshold_p(p: float) -> str:
    """A threshold on a probability: two digits of how far it is from the nearer of 0 and 1."""
    left = min(p, 1 - p)
    digits = 1 - math.floor(math.log10(left)) if left > 0 else 2
    return f"{p:.{min(max(digits, 2), 9)}f}"


def several(noun: str) -> str:
    """``patches``, ``frames``, ``images``."""
    return f"{noun}es" if noun.endswith("ch") else f"{noun}s"


def said_of(text: str, noun: str) -> str:
    """A sentence on patches, said of frames or images; not for text that holds names of users'."""

    def word(found: re.Match[str]) -> str:
        said = several(noun) if found[2] else noun
        return said.capitalize() if found[1] == "P" else said

    return text if noun == PATCH else _WORD.sub(word, text)


def note_of(note: Note, noun: str) -> Note:
    """A note on patches, said of frames or images."""
    return replace(note, text=said_of(note.text, noun))


def picture_of(picture: Picture, noun: str) -> Picture:
    """A figure on patches, said of frames or images: its caption, and the labels of its axes."""
    if noun == PATCH:
        return picture
    data = picture.data
    if picture.kind == "svg":
        for label in _AXES:
            data = data.replace(f">{label}<".encode(), f">{said_of(label, noun)}<".encode())
    return replace(picture, data=data, caption=said_of(picture.caption, noun))
