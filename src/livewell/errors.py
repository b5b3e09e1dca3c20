"""One tree of errors: each has a stable code, and each is also a builtin.

The text of an error says what is wrong, where, what was expected, what came and what to do.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from livewell.text import printable

STOPPED = "stopped; give the same command again to go on"
"""What is said where somebody ended a command."""


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

    def __init_subclass__(cls, code: str = "") -> None:
        cls.code = code or cls.code

    def __init__(
        self, what: str, *, where: str = "", expected: str = "", got: str = "", remedy: str = ""
    ) -> None:
        self.what, self.where, self.expected = what, where, expected
        self.got, self.remedy = got, remedy
        parts = [f"{printable(where)}: {what}" if where else what]
        named = {"Expected": expected, "Got": got, "What to do": remedy}
        parts += [f"{name}: {printable(text)}" for name, text in named.items() if text]
        # what has several lines, such as the faults of a table, is followed by a line of its own
        apart = "\n" if "\n" in what else " "
        head, *rest = [part if part.endswith(".") else part + "." for part in parts]
        super().__init__(apart.join([head, " ".join(rest)]) if rest else head)


def why(error: LivewellError) -> str:
    """The reason in one line, for a table of failures."""
    return f"[{error.code}] {' '.join(str(error).split())}"


class GeometryError(LivewellError, ValueError, code="geometry"):
    """A span, box, grid or well name that cannot be."""


class ImageReadError(LivewellError, OSError, code="image-unreadable"):
    """A file that cannot be read as an image."""


class ImageContentError(LivewellError, ValueError, code="image-content"):
    """An image that was read but cannot be used: NaN, all zero, too small, channel missing."""


class LayoutError(LivewellError, ValueError, code="layout"):
    """A file-name pattern or a plate map that does not fit the files."""


@contextmanager
def named(where: str) -> Iterator[None]:
    """Say which image it is, in an `ImageContentError` that does not say it itself."""
    try:
        yield
    except ImageContentError as error:
        if error.where:
            raise
        told = {"expected": error.expected, "got": error.got, "remedy": error.remedy}
        raise ImageContentError(error.what, where=where, **told) from error


class LabelError(LivewellError, ValueError, code="label"):
    """Labels that cannot be made from what is known."""


class SplitError(LivewellError, ValueError, code="split"):
    """A split that cannot be made without breaking a group or starving a class."""


class LeakError(SplitError, code="leak"):
    """The same image content on both sides of a split."""


class SpecError(LivewellError, ValueError, code="setting"):
    """A setting that does not exist or a value out of range."""


class ModelFileError(LivewellError, OSError, code="model-file"):
    """A model file or card that is not whole, not ours or not safe to load."""


class StudyError(LivewellError, OSError, code="study"):
    """A study or run folder that is missing, half-written or not ours."""


class AnswerError(LivewellError, ValueError, code="answer"):
    """An answer of a person that is refused: not theirs to give, or not one that was asked for."""


class OutputError(LivewellError, OSError, code="output"):
    """An output that cannot be written."""


class ClusterError(LivewellError, OSError, code="cluster"):
    """Processes, a Dask scheduler or SLURM jobs that cannot be had, or are gone."""


class MissingExtraError(LivewellError, ImportError, code="missing-extra"):
    """An optional program or package that was asked for and is not installed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a table: a stable code, its column, row or value, and a sentence."""

    code: str
    where: str
    message: str

    @classmethod
    def of(cls, error: LivewellError, where: str) -> "Fault":
        """An error as a fault of a table; its position is said once."""
        return cls(error.code, where, str(error).removeprefix(f"{where}: "))

    def __str__(self) -> str:
        return printable(f"[{self.code}] {self.where}: {self.message}")


class TableError(LivewellError, ValueError, code="table"):
    """All faults of a table at once; ``faults`` holds them one by one."""

    shown: ClassVar[int] = 20

    def __init__(
        self, what: str, faults: Iterable[Fault], *, where: str = "", remedy: str = ""
    ) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        lines = [f"{what} ({count} fault{'s' if count != 1 else ''})"]
        lines += [f"  {fault}" for fault in self.faults[: self.shown]]
        if count > self.shown:
            lines.append(f"  ... and {count - self.shown} more")
        super().__init__("\n".join(lines), where=where, remedy=remedy)


def missing_columns(table: Container[str], needed: Mapping[str, str]) -> list[Fault]:
    """Columns that a table lacks, of those needed; by name what each is, or is needed for."""
    return [
        Fault("missing-column", name, text) for name, text in needed.items() if name not in table
    ]
