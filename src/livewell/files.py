"""Folders and files that are whole or not there: temporary name first, then renamed."""

import errno
import hashlib
import json
import math
import os
import re
import stat as modes
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unicodedata import normalize

from livewell import __version__
from livewell.disk import ASIDE, TEMPORARY, clear_once, remove, unfinished, writing
from livewell.errors import OutputError, StudyError
from livewell.names import AnyPath as AnyPath
from livewell.names import fitted, text_of
from livewell.regular import regular
from livewell.text import encodable, short

LARGEST_JSON = 100_000_000
"""Bytes of the largest JSON file that is read: the longest cards have a tenth of it."""
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends without an error."""
    with whole_files(path) as (temporary,):
        yield temporary


@contextmanager
def whole_files(*paths: Path) -> Iterator[list[Path]]:
    """Temporary paths of files that belong together; the last one vouches for the others.

    Whenever the process is killed, either the last is absent, or all are of one making.
    """
    found = [unfinished(path) for path in paths]
    try:
        for path, temporary in zip(paths, found, strict=True):
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                clear_once(path.parent)
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "a folder of this name is there")
                temporary.touch()
        given = [temporary.stat().st_mode for temporary in found]
        with writing(paths[-1]):
            yield found
            for temporary, mode in zip(found, given, strict=True):
                _settle(temporary, mode)
            if len(paths) > 1:
                paths[-1].unlink(missing_ok=True)
            for path, temporary in zip(paths, found, strict=True):
                temporary.replace(path)
                _sync_folder(path.parent)
    except BaseException:
        for temporary in found:
            remove(temporary)
        raise


@contextmanager
def whole_folder(path: Path, holds: Collection[str]) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its place when the block ends without an error.

    An older folder may hold nothing but the names of `holds`.
    """
    with writing(path):
        real = Path(os.path.realpath(path))
        real.parent.mkdir(parents=True, exist_ok=True)
        clear_once(real.parent)
        names: list[str] = []
        with suppress(FileNotFoundError):  # there is none, or another process has just moved it
            names = [entry.name for entry in real.iterdir()]
    foreign = [name for name in names if name not in holds and not name.startswith(TEMPORARY)]
    if foreign:
        raise OutputError(
            "the folder holds something else, which would be lost",
            where=str(path),
            expected=f"nothing but {', '.join(sorted(holds))}",
            got=", ".join(sorted(foreign)[:3]),
            remedy="name a new folder",
        )
    temporary = unfinished(real)
    try:
        with writing(path):
            temporary.mkdir()
            mode = temporary.stat().st_mode & 0o666
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    _settle(file, mode)
            _take_place(temporary, real)
    except BaseException:
        remove(temporary)
        raise


def _take_place(temporary: Path, path: Path, attempts: int = 9) -> None:
    """Rename a folder to `path`; an older one stands aside, and is back if that fails."""
    asides: list[Path] = []
    placed = False
    try:
        for attempt in range(attempts):
            aside = unfinished(path, ASIDE)
            asides.append(aside)
            try:
                with suppress(FileNotFoundError):  # there is none, or another process has moved it
                    aside.mkdir()
                    path.rename(aside / path.name)
                temporary.rename(path)
                placed = True
                _sync_folder(path.parent)
                return
            except OSError as error:
                if not placed:
                    with suppress(OSError):
                        (aside / path.name).rename(path)
                # another process was faster: theirs stands aside next
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == attempts - 1:
                    raise
    finally:
        # once placed, it may stand aside of another process by now
        if placed or path.exists():
            for aside in asides:
                remove(aside)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as strict JSON, whole or not at all; NaN and infinite become ``null``."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """A strict JSON file's text; NaN and infinite become ``null``."""
    return json.dumps(strict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path, *, kind: str) -> dict[str, Any]:
    """Read a JSON object, called `kind` in errors."""
    what, where = f"cannot be read as {article(kind)}", str(path)
    mend = "put back a copy of this file; without one delete it, and make it again"
    try:
        size = regular(path).stat().st_size
        if size > LARGEST_JSON:
            raise ValueError(f"{size:,} bytes, and {LARGEST_JSON:,} are the most")
        value = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        remedy = "check the path, or make it first"
        raise StudyError(f"no {kind} here", where=where, remedy=remedy) from error
    # numbers of thousands of digits are ValueErrors, and so are bytes that are no text
    except (OSError, ValueError, RecursionError) as error:
        got = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise StudyError(what, where=where, got=got, remedy=mend) from error
    if not isinstance(value, dict):
        got = type(value).__name__
        raise StudyError(what, where=where, expected="a JSON object", got=got, remedy=mend)
    return value


def claim(folder: Path, kind: str, stamp: str, *, beside: str = "") -> None:
    """Make `folder` ours, or check that it is: empty, new, or with the marker file of this kind.

    Where a file `beside` is, which only livewell makes, the marker may be absent or damaged.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = [entry.name for entry in folder.iterdir()]
    refuse_unwritable(folder)
    foreign = [name for name in names if not name.startswith(TEMPORARY)]
    if stamp in names:
        try:
            found = read_json(folder / stamp, kind=kind).get("kind")
        except StudyError as error:
            if beside in names:
                return
            raise StudyError(
                f"the file that marks {article(kind)} is damaged",
                where=str(folder / stamp),
                got=error.got,
                remedy=f"put back a copy of it; without one delete the folder {folder}, and make it"
                " again",
            ) from error
        if found == kind:
            return
        foreign = [article(str(found))]
    elif beside in names:
        return
    if foreign:
        raise OutputError(
            f"not {article(kind)} of livewell and not empty",
            where=str(folder),
            got=", ".join(sorted(foreign)[:3]),
            remedy="name a new folder",
        )


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that cannot be written, before any work."""
    with writing(folder):
        probe = unfinished(folder / "probe")
        probe.touch()
        probe.unlink()


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
            expected=", ".join(f"{name}={short(old)}" for name, old, _ in differ),
            got=", ".join(f"{name}={short(new)}" for name, _, new in differ),
            remedy="name a new folder, or repeat the settings to go on",
        )


def stamp(folder: Path, name: str, kind: str, **content: Any) -> None:
    """Write the JSON file that marks `folder` as ours, with livewell's version."""
    write_json(folder / name, {"kind": kind, "livewell": __version__, **content})


def remove_others(folder: Path, pattern: str, kept: Collection[str]) -> None:
    """Remove the files of a folder of results that an earlier call wrote and this one did not."""
    for path in folder.glob(pattern):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def article(noun: str) -> str:
    """A noun with ``a`` or ``an`` before it."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


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


def _settle(file: Path, mode: int) -> None:
    """Bring a file onto the disk, readable by whom the user's other files are readable."""
    file.chmod(modes.S_IMODE(mode))
    with file.open("r+b") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    """Bring names of files onto the disk, where folders can be opened for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
