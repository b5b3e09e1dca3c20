"""What the groups and arrays of a Zarr store say of themselves, read as JSON.

Source: OME-Zarr 0.4 and 0.5 (next-generation file formats), Zarr formats 2 and 3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livewell.errors import ImageReadError
from livewell.images.plain import damaged

Json = Mapping[str, Any]
NAMES = frozenset({"zarr.json", ".zgroup", ".zattrs", ".zarray"})
"""Files of which one lies in every folder of a Zarr store that says what it is."""
VERSIONS = ("0.4", "0.5")
_KINDS = "uif"


@dataclass(frozen=True, slots=True)
class Array:
    """An array: its shape, numpy's name of its number type, the Zarr format (2 or 3)."""

    shape: tuple[int, ...]
    dtype: str
    zarr_format: int


def read_json(path: Path) -> Json | None:
    """What a JSON file says; ``None`` where there is none.

    Raises
    ------
    ImageReadError
        It is cut off, or holds something else.
    """
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        said = json.loads(text)
    except ValueError as error:
        raise damaged(path, "its JSON cannot be read", got=str(error)) from error
    if not isinstance(said, dict):
        raise damaged(path, "not what a Zarr store says of itself", got=type(said).__name__)
    return said


def ome(folder: Path) -> Json:
    """What a group says by OME-Zarr, with its version; empty where it says nothing.

    Raises
    ------
    ImageReadError
        Another version of OME-Zarr, or damaged.
    """
    newer = read_json(folder / "zarr.json")
    if newer is not None:
        attributes = newer.get("attributes")
        said = attributes.get("ome") if isinstance(attributes, dict) else None
        if not isinstance(said, dict):
            return {}
    else:
        said = read_json(folder / ".zattrs") or {}
    version = _version(said)
    if version and version not in VERSIONS:
        raise ImageReadError(
            f"an OME-Zarr of version {version}",
            where=str(folder),
            expected="version " + " or ".join(VERSIONS),
            remedy="write it anew with a current program, such as `livewell convert` or ngio",
        )
    return said


def _version(said: Json) -> str:
    """The version of OME-Zarr that metadata name; empty where they name none."""
    inner = said.get("plate") or said.get("well") or said.get("multiscales")
    if isinstance(inner, list):
        inner = inner[0] if inner else None
    named = said.get("version") or (inner.get("version") if isinstance(inner, dict) else None)
    return str(named or "")


def array(folder: Path) -> Array:
    """Shape and number type of an array.

    Raises
    ------
    ImageReadError
        There is none, it is damaged, or its numbers are no grey levels.
    """
    newer = read_json(folder / "zarr.json")
    said = newer if newer is not None else read_json(folder / ".zarray")
    if said is None:
        raise damaged(folder, "an array that its image names is not there")
    kind = said.get("data_type") if newer is not None else said.get("dtype")
    shape = said.get("shape")
    try:
        dtype = np.dtype("u1" if kind == "bool" else kind)
        sizes = tuple(int(size) for size in shape)  # type: ignore[union-attr]
    except (TypeError, ValueError) as error:
        raise damaged(folder, "what its array holds is not said", got=f"{kind}, {shape}") from error
    if dtype.kind not in _KINDS:
        raise ImageReadError(
            "numbers that are no grey levels",
            where=str(folder),
            expected="integers or floating point numbers",
            got=str(kind),
        )
    return Array(sizes, dtype.name, 3 if newer is not None else 2)
