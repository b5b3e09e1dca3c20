"""Images and what is known about them become a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

from livewell.errors import LayoutError
from livewell.files import AnyPath
from livewell.images.listing import find_images
from livewell.images.opening import Channels
from livewell.study.constants import constant
from livewell.study.known import known_fields, refuse_twins, with_pictures
from livewell.study.layout import NamePattern
from livewell.study.study import Study
from livewell.tables.schemas import FIELDS


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What `index` made: the study, and what a careful user should know, what no image was.

    `kept` is the one of the notes on labels and splits of an earlier study there, or empty.
    """

    study: Study
    fields: pd.DataFrame
    notes: tuple[str, ...]
    left_out: Mapping[str, int]
    kept: str = ""


def index(
    images: AnyPath,
    out: AnyPath,
    *,
    pattern: str | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    metadata: AnyPath | None = None,
    constants: Mapping[str, str] | None = None,
    files: str = "*",
    unmatched: str = "refuse",
    pixel_um: float | None = None,
    frame_s: float | None = None,
    channels: Channels = None,
) -> IndexResult:
    """Index a folder of images; no pixel is read and no image is moved.

    Where neither pattern nor table says the wells, they and positions are those that files state;
    where they say no picture, a tile's is the image that its name tells (``a.png_01_02.png``).

    Parameters
    ----------
    images
        Folder that is searched, with its folders.
    out
        The study folder to make.
    pattern, values
        File-name pattern with named parts, and for some parts the value that stands for another.
    metadata
        CSV keyed by file or by well.
    constants
        Columns with one value for every image, such as ``cell_line``.
    files
        Only files whose name fits this (``*.ome.tif``).
    unmatched
        ``refuse`` or ``drop`` files that do not fit the pattern or have no row of metadata, and
        rows without a file.
    pixel_um, frame_s
        Override what the files say: micrometres, seconds.
    channels
        Channels that later steps look at, by name or number; by default the transmitted light.

    Returns
    -------
    IndexResult

    Raises
    ------
    LayoutError
        No image, files that do not fit the pattern, or a value map for values that none holds.
    SpecError
        A constant for what names the files, or against what names or table say.
    TableError
        Metadata that do not fit the files, or several files of one plate, well, position and time,
        with every fault.
    """
    images = Path(images)
    # whoever says what names of files mean wants files
    listing = find_images(images, by_names=pattern is None and files == "*")
    names = [name for name, path in listing.files.items() if _fits(name, path, files)]
    other = len(listing.files) - len(names)
    left_out = listing.left_out | ({f"name does not fit {files}": other} if other else {})
    if not names:
        raise LayoutError("no image here", where=str(images), expected=f"files like {files}")
    chosen = {name: listing.files[name] for name in names}
    read = None if pattern is None else NamePattern.parse(pattern, values)
    table = None if metadata is None else Path(metadata)
    fields, notes, stated = known_fields(chosen, read, table, drop=unmatched == "drop")
    for column, value in (constants or {}).items():
        fields[column] = constant(fields, column, value)
    fields, tiles = with_pictures(fields)
    notes += tiles
    fields = FIELDS.check(
        fields, where=str(images), remedy="correct --column, the pattern or the table"
    )
    notes += refuse_twins(fields, str(images), stated=stated)
    sources = {"pattern": pattern, "table": metadata}
    study = Study.create(
        out,
        images,
        fields,
        pixel_um=pixel_um,
        frame_s=frame_s,
        channels=channels,
        sources=[*(f"{name} {source}" for name, source in sources.items() if source), *notes],
    )
    kept = ""
    if study.label_names():
        kept = (
            f"kept, as made before: {', '.join((*study.label_names(), *study.split_names()))};"
            " label and split again if what they rest on has changed"
        )
        notes.append(kept)
    return IndexResult(study, fields, tuple(notes), left_out, kept)


def _fits(name: str, path: Path, files: str) -> bool:
    """Whether a file's name fits; of a field, that of its file or folder."""
    parts = name.lower().split("/")
    looked_at = parts[-1:] if path.is_file() else parts
    return any(fnmatch(part, files.lower()) for part in looked_at)
