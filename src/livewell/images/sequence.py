"""Image sequences: one file a frame, read as one movie."""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Self

from livewell.errors import Fault, ImageContentError, ImageReadError
from livewell.image import Frame, Header, Image

_DIGITS = re.compile(r"(\d+)")


def numbering(names: Sequence[str]) -> tuple[bool, str]:
    """Whether file names can be one movie, and what a careful user should know of them.

    Names of one movie have the same letters and differ in one number that rises evenly.
    """
    split = [_DIGITS.split(name.casefold()) for name in names]
    if len({tuple(pieces[::2]) for pieces in split}) > 1:
        return False, "the file names differ in more than their numbers"
    columns = [[int(n) for n in column] for column in zip(*(p[1::2] for p in split), strict=True)]
    varying = [column for column in columns if len(set(column)) > 1]
    if len(varying) > 1:
        return True, (
            f"the file names differ in {len(varying)} numbers; "
            "frames of several positions or channels may be mixed here"
        )
    steps = {b - a for column in varying for a, b in pairwise(column)}
    if len(steps) > 1:
        return True, "the numbers in the file names do not rise evenly; frames may be missing"
    return True, ""


class SequenceImage:
    """Files of one frame each, as one movie; a file is open only while its frame is read.

    Files that differ from the first in size, type or channels are kept in ``odd`` (see `refuse`),
    and ``mixed`` says what is wrong with names that are not those of one movie.
    """

    def __init__(self, paths: Sequence[Path], open_one: Callable[[Path], Image]) -> None:
        if not paths:
            raise ImageReadError("a sequence without a file", remedy="name at least one image")
        self.paths, self.source = tuple(paths), str(paths[0])
        self._open = open_one
        headers = []
        for path in paths:
            with closing(open_one(path)) as image:
                headers.append(image.header)
        first = headers[0]
        self.odd = tuple(
            Fault("frame-differs", path.name, _oddity(header, first))
            for path, header in zip(self.paths, headers, strict=True)
            if header.frames != 1 or _said(header) != _said(first)
        )
        self._movies = [
            path for path, header in zip(self.paths, headers, strict=True) if header.frames > 1
        ]
        same, doubt = numbering([path.name for path in self.paths])
        self.mixed = "" if same else doubt
        notes = dict.fromkeys(note for header in headers for note in header.notes)
        # the interval is never in single files
        self.header = Header(
            frames=len(self.paths),
            channels=first.channels,
            height=first.height,
            width=first.width,
            dtype=first.dtype,
            pixel_um=first.pixel_um if len({h.pixel_um for h in headers}) == 1 else None,
            well=first.well if len({h.well for h in headers}) == 1 else None,
            position=first.position if len({h.position for h in headers}) == 1 else None,
            notes=(*notes, *([doubt] if doubt else [])),
        )

    def refuse(self, *, mixed: bool) -> Self:
        """The movie itself; an error where files are movies or odd, or (if `mixed`) their names."""
        if self._movies:
            raise ImageReadError(
                f"{len(self._movies)} of {len(self.paths)} files hold several frames each:"
                " they are movies, not the frames of one",
                where=str(self.paths[0].parent),
                expected="one frame a file",
                remedy=f"name a file of it, such as {self._movies[0]}",
            )

        if mixed and self.mixed:
            raise ImageReadError(
                f"not one movie: {self.mixed}",
                where=str(self.paths[0].parent),
                expected="names like t001.tif, t002.tif",
                got=", ".join(path.name for path in self.paths[:3]),
                remedy="name the files of one movie, or put them into a folder of their own",
            )
        if self.odd:
            raise ImageReadError(
                f"{len(self.odd)} of {len(self.paths)} files cannot be frames of one movie: "
                + "; ".join(f"{fault.where}: {fault.message}" for fault in self.odd[:5]),
                where=str(self.paths[0].parent),
                expected="one frame a file, all of one size, number type and channels",
                remedy="move the odd files away, or name the files of one movie yourself",
            )
        return self

    def frame(self, t: int, channel: int = 0) -> Frame:
        """The only frame of file `t`, shape (y, x)."""
        with closing(self._open(self.paths[t])) as image:
            frame = image.frame(0, channel)
        if frame.shape != self.header.area.shape:
            raise ImageContentError(
                "a frame of another size",
                where=str(self.paths[t]),
                expected=f"{self.header.width} x {self.header.height} px",
                got=f"{frame.shape[1]} x {frame.shape[0]} px",
                remedy="move the odd file away",
            )
        return frame

    def close(self) -> None:
        """Nothing stays open."""


def _oddity(header: Header, first: Header) -> str:
    if header.frames != 1:
        return f"holds {header.frames} frames, not one"
    return f"{_said(header)}; the first file is {_said(first)}"


def _said(header: Header) -> str:
    channels = "|".join(header.channels) if len(header.channels) > 1 else "1 channel"
    return f"{header.frames} x {header.width} x {header.height} px, {header.dtype}, {channels}"
