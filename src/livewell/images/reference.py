"""Where an image lies: a file or folder, and which of its fields it is."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from livewell.errors import ImageReadError
from livewell.names import AnyPath
from livewell.text import plural

_UNFIT = re.compile(r"[^\w .,+()#=@-]")
_NAMED = 8
"""Fields of a file that an error names."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A file or folder, and the field in it; no field where it is one image.

    Everywhere else an image is named by one path. The field's name follows that of its file or
    folder: ``movies/exp.nd2/XY03``, ``plate.zarr/B/03/0``.
    """

    container: Path
    field: str = ""

    @classmethod
    def of(cls, path: AnyPath) -> "ImageRef":
        """The nearest file or folder that exists, and the rest of the path.

        Raises
        ------
        OSError
            What the operating system says of a path of which no part is there.
        """
        path = Path(path)
        rest: list[str] = []
        here = path
        while not os.path.lexists(here):
            if here.parent == here:
                path.stat()
            rest.insert(0, here.name)
            here = here.parent
        return cls(here, "/".join(rest))

    @property
    def path(self) -> Path:
        """The path that names the image."""
        return self.container / self.field if self.field else self.container


def field_names(said: Sequence[str]) -> tuple[str, ...]:
    """Names of fields as a file calls them, made fit for a path and told apart.

    A ``/`` stays between folders of the file. A name that is empty or used before gets its number,
    from 1, and signs that are no part of a name become ``_``.
    """
    names: list[str] = []
    for number, text in enumerate(said, start=1):
        parts = (_UNFIT.sub("_", part.strip()) for part in text.split("/"))
        name = "/".join(part for part in parts if part.strip("."))
        if not name or name in names:
            name = f"{name} {number}".strip()
        while name in names:
            name += "_"
        names.append(name)
    return tuple(names)


def one_field(fields: Sequence[str], field: str, container: Path) -> int:
    """The number of a field that is asked for by name, or of the only one where none is.

    Raises
    ------
    ImageReadError
        There is no such field; or there are several, and none is asked for.
    """
    if field in fields:
        return fields.index(field)
    if not field and len(fields) == 1:
        return 0
    named = ", ".join(fields[:_NAMED]) + ", ..." * (len(fields) > _NAMED)
    if field:
        raise ImageReadError(
            f"no field {field!r} in it",
            where=str(container),
            expected=f"one of {named}" if fields else "a file of several fields",
            remedy="look which there are with `livewell inspect`",
        )
    raise ImageReadError(
        f"holds {plural(len(fields), 'image')}, and none is named",
        where=str(container),
        expected=f"one of {named}",
        remedy=f"name one after the file, such as {container.name}/{(*fields, '')[0]}",
    )
