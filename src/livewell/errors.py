"""One tree of errors: each has a stable code, and each is also a builtin.

The text of an error says what is wrong, where, what was expected, what came and what to do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class LivewellError(Exception):
    """Base of every error that livewell raises on purpose.

    Parameters
    ----------
    what
        What is wrong, in one sentence.
    where
        File, field or row.
    expected, got
        What should have been there and what was.
    remedy
        What the reader can do about it.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self, what: str, *, where: str = "", expected: str = "", got: str = "", remedy: str = ""
    ) -> None:
        self.what, self.where, self.expected = what, where, expected
        self.got, self.remedy = got, remedy
        parts = [f"{where}: {what}" if where else what]
        if expected:
            parts.append(f"Expected: {expected}")
        if got:
            parts.append(f"Got: {got}")
        if remedy:
            parts.append(f"What to do: {remedy}")
        # what has several lines, such as the faults of a table, is followed by a line of its own
        apart = "\n" if "\n" in what else " "
        head, *rest = [part if part.endswith(".") else part + "." for part in parts]
        super().__init__(apart.join([head, " ".join(rest)]) if rest else head)


class GeometryError(LivewellError, ValueError):
    """A span, box, grid or well name that cannot be."""

    code = "geometry"


class ImageReadError(LivewellError, OSError):
    """A file that cannot be read as an image."""

    code = "image-unreadable"


class ImageContentError(LivewellError, ValueError):
    """An image that was read but cannot be used: NaN, all zero, too small, channel missing."""

    code = "image-content"


class LayoutError(LivewellError, ValueError):
    """A file-name pattern or a plate map that does not fit the files."""

    code = "layout"


class LabelError(LivewellError, ValueError):
    """Labels that cannot be made from what is known."""

    code = "label"


class SplitError(LivewellError, ValueError):
    """A split that cannot be made without breaking a group or starving a class."""

    code = "split"


class LeakError(SplitError):
    """The same image content on both sides of a split."""

    code = "leak"


class SpecError(LivewellError, ValueError):
    """A setting that does not exist or a value out of range."""

    code = "setting"


class ModelFileError(LivewellError, OSError):
    """A model file or card that is not whole, not ours or not safe to load."""

    code = "model-file"


class StudyError(LivewellError, OSError):
    """A study or run folder that is missing, half-written or not ours."""

    code = "study"


class OutputError(LivewellError, OSError):
    """An output that cannot be written."""

    code = "output"


class MissingExtraError(LivewellError, ImportError):
    """An optional program or package that was asked for and is not installed."""

    code = "missing-extra"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a table: a stable code, where it is, and what to know.

    Parameters
    ----------
    code
        Stable name, e.g. ``"missing-column"``.
    where
        Column, row or value.
    message
        One sentence.
    """

    code: str
    where: str
    message: str

    @classmethod
    def of(cls, error: LivewellError, where: str) -> "Fault":
        """An error as a fault of a table; its position is told once."""
        return cls(error.code, where, str(error).removeprefix(f"{where}: "))

    def __str__(self) -> str:
        return f"[{self.code}] {self.where}: {self.message}"


class TableError(LivewellError, ValueError):
    """All faults of a table at once; ``faults`` holds them one by one.

    Parameters
    ----------
    what
        What was checked.
    faults
        Every fault found.
    where, remedy
        As in `LivewellError`.
    """

    code = "table"
    shown: ClassVar[int] = 20

    def __init__(
        self, what: str, faults: Iterable[Fault], *, where: str = "", remedy: str = ""
    ) -> None:
        self.faults = tuple(faults)
        lines = [f"  {fault}" for fault in self.faults[: self.shown]]
        if len(self.faults) > self.shown:
            lines.append(f"  ... and {len(self.faults) - self.shown} more")
        super().__init__(
            f"{what} ({len(self.faults)} fault{'s' if len(self.faults) != 1 else ''})\n"
            + "\n".join(lines),
            where=where,
            remedy=remedy,
        )
