"""Words for what a net sees, the same page for patches, frames and images, and for how sure."""

import re
from dataclasses import replace

from livewell.report.page import Note, Picture
from livewell.text import several

PATCH = "patch"
_WORD = re.compile(r"\b([Pp])atch(es)?\b")
_AXES = ("patches", "share of the class's patches (%)")
"""Labels of axes that speak of patches."""


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
