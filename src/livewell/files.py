"""Folders and files that are whole or not there: temporary name first, then renamed."""

import errno
import hashlib
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unicodedata import normalize
from uuid import uuid4

from livewell import __version__
from livewell.errors import OutputError, StudyError
from livewell.names import AnyPath as AnyPath
from livewell.names import fitted, text_of
from livewell.text import encodable

TEMPORARY = ".livewell-tmp-"
"""Every unfinished file or folder begins with this, so that it is never taken for whole."""
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends without an error."""
    temporary = _temporary(path)
    with _made_writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder of this name is there")
        temporary.touch()
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(path: Path, holds: Collection[str]) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when the block ends without an error.

    An older folder may hold nothing but the names of `holds`.
    """
    temporary = _temporary(path)
    with _made_writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        names = [entry.name for entry in path.iterdir()] if path.exists() else []
    foreign = [name for name in names if name not in holds and not name.startswith(TEMPORARY)]
    if foreign:
        raise OutputError(
            "the folder holds something else, which would be lost",
            where=str(path),
            expected=f"nothing but {', '.join(sorted(holds))}",
            got=", ".join(sorted(foreign)[:3]),
            remedy="name a new folder",
        )
    with _made_writable(path):
        temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            old = _temporary(path)
            path.rename(old)
            try:
                temporary.rename(path)
            except OSError:
                old.rename(path)
                raise
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as strict JSON, whole or not at all; NaN and infinite become ``null``."""
    text = json.dumps(strict(value), indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")


def read_json(path: Path, *, kind: str) -> dict[str, Any]:
    """Read a JSON object, called `kind` in errors."""
    what, where = f"cannot be read as {article(kind)}", str(path)
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        remedy = "check the path, or make it first"
        raise StudyError(f"no {kind} here", where=where, remedy=remedy) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StudyError(what, where=where, got=str(error)) from error
    if not isinstance(value, dict):
        got = type(value).__name__
        raise StudyError(what, where=where, expected="a JSON object", got=got)
    return value


def claim(folder: Path, kind: str, stamp: str) -> None:
    """Make `folder` ours, or check that it is: empty, new, or with the marker file of this kind."""
    with _made_writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = [entry.name for entry in folder.iterdir()]
        if not os.access(folder, os.W_OK):
            raise PermissionError("no permission to write")
    foreign = [name for name in names if not name.startswith(TEMPORARY)]
    if stamp in names:
        found = read_json(folder / stamp, kind=kind).get("kind")
        if found == kind:
            return
        foreign = [article(str(found))]
    if foreign:
        raise OutputError(
            f"not {article(kind)} of livewell and not empty",
            where=str(folder),
            got=", ".join(sorted(foreign)[:3]),
            remedy="name a new folder, or empty this one",
        )


def claim_same(folder: Path, kind: str, stamp: str, settings: Mapping[str, Any]) -> None:
    """As `claim`, and what lies there was begun with these settings, or the folder is new.

    Settings are compared with those of the same names in the marker file; nested ones one by one.
    """
    claim(folder, kind, stamp)
    if (folder / stamp).is_file():
        refuse_other(folder, kind, read_json(folder / stamp, kind=kind), settings)


def refuse_other(
    folder: Path, kind: str, begun: Mapping[str, Any], settings: Mapping[str, Any]
) -> None:
    """Refuse to go on in a folder that was begun with other settings, which are named."""
    differ = _differences(begun, settings)
    if differ:
        raise OutputError(
            f"the {kind} here was begun with other settings",
            where=str(folder),
            expected=", ".join(f"{name}={_short(old)}" for name, old, _ in differ),
            got=", ".join(f"{name}={_short(new)}" for name, _, new in differ),
            remedy="name a new folder, or repeat the settings to go on",
        )


def stamp(folder: Path, name: str, kind: str, **content: Any) -> None:
    """Write the JSON file that marks `folder` as ours, with livewell's version."""
    write_json(folder / name, {"kind": kind, "livewell": __version__, **content})


def remove_others(folder: Path, pattern: str, kept: Collection[str]) -> None:
    """Remove the files of a folder of results that an earlier call wrote and this one did not."""
    for path in folder.glob(pattern):
        if path.name not in kept:
            path.unlink()


def article(noun: str) -> str:
    """A noun with ``a`` or ``an`` before it."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


@contextmanager
def _made_writable(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses within the block into an error that names `path`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            "cannot be written",
            where=str(path),
            got=error.strerror or str(error),
            remedy="name a folder that you may write, or change its permissions",
        ) from error


def strict(value: Any) -> Any:
    """`value` as a strict JSON file gives it back.

    Tuples become lists, paths text (`names.text_of`), and numbers that are not finite ``None``,
    however deep.
    """
    if isinstance(value, Mapping):
        return {encodable(str(name)): strict(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [strict(each) for each in value]
    if isinstance(value, str | os.PathLike):
        return encodable(value) if isinstance(value, str) else text_of(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _temporary(path: Path) -> Path:
    """A new name beside `path`, with as much of its end as a file's name has room for."""
    return path.with_name(f"{TEMPORARY}{uuid4().hex[:8]}-{fitted(path.name, 200, end=True)}")


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _differences(
    begun: Mapping[str, Any], settings: Mapping[str, Any]
) -> list[tuple[str, object, object]]:
    """Name, old and new value of what differs; of nested settings, one by one."""
    found: list[tuple[str, object, object]] = []
    for name, new in sorted(strict(settings).items()):
        old = begun.get(name)
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            found += [(name, old, new)] if old != new else []
            continue
        inner = _differences(old, dict.fromkeys(old) | dict(new))
        # a profile's source only repeats which of its settings were changed
        inner = [each for each in inner if each[0] != "source"] or inner
        found += [(name if each[0] == "name" else each[0], *each[1:]) for each in inner]
    return found


def _short(value: object, most: int = 60) -> str:
    text = str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def folder_names(images: Sequence[str]) -> dict[str, str]:
    """A folder's name for every image of a study, each once, on every system.

    Names that differ in letter case or in how letters are composed count as the same, what Windows
    keeps for devices is no name of its own, and 80 bytes are the most.
    """
    stems = [re.sub(r"(\.ome)?\.\w+$", "", image, flags=re.IGNORECASE) for image in images]
    whole = [re.sub(r"[^\w+-]+", "_", normalize("NFC", encodable(stem))) for stem in stems]
    plain = [fitted(name, 80) for name in whole]
    counts = Counter(name.casefold() for name in plain)
    return {
        image: distinct(name, image)
        if counts[name.casefold()] > 1 or name.casefold() in _DEVICES
        else name
        for image, name in zip(images, plain, strict=True)
    }


def distinct(name: str, image: str) -> str:
    """A file's name that no other image has."""
    return f"{name}-{hashlib.sha256(image.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, "utf-8")
