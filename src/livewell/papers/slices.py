"""Images in tiles as files, every tile with its image's name, bit depth, channels and scale."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import imagecodecs
import numpy as np
import pandas as pd
import tifffile

from livewell.errors import ImageContentError, SpecError
from livewell.execution.frames import image_files
from livewell.execution.items import Item, Journal, Record, map_items
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath, whole_file
from livewell.geometry import Box
from livewell.image import Header
from livewell.images.formats import OpenImage
from livewell.images.opening import open_image
from livewell.measure.content import LAYOUTS, Layout
from livewell.names import path_of, picture_of, tile_name
from livewell.progress import Tick
from livewell.study.known import with_pictures
from livewell.tables.results import write_csv
from livewell.text import few, plural

TILES = (2, 4, 6, 8)
"""Numbers of tiles that an image is cut into."""
COLUMNS = ["image", "picture", "tile_row", "tile_column", "y0", "x0", "y1", "x1"]
"""Columns of ``tiles.csv``, which `livewell index` takes as metadata: a tile, the image that it is
of, its row and column from 1, and its pixels in that image."""
Write = Callable[[Path, Box], None]
"""Writes the pixels of a box of an image to a file."""
_LONGEST = 255
_PLAIN = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Slices:
    """What `slices` made: tiles (columns `COLUMNS`), failures (image, t, error).

    `layouts` say how many images were cut how, `warnings` what was left out or repeated.
    """

    folder: Path
    tiles: pd.DataFrame
    layouts: tuple[str, ...]
    failures: pd.DataFrame
    warnings: tuple[str, ...]
    left_out: Mapping[str, int]


def slices(images: AnyPath, out: AnyPath, *, tiles: int = 4) -> Slices:
    """Cut images into equal tiles, none of which goes through another number type.

    Of the layouts of so many tiles (2: 1 x 2 or 2 x 1, 4: 2 x 2, 6: 2 x 3 or 3 x 2, 8: 2 x 4 or
    4 x 2) that one is taken whose tiles are nearest to squares. What does not divide is left out at
    the lower and right edges, and told. PNG and JPEG files become PNG, all others OME-TIFF, with
    every channel and frame, pixel size and frame interval. A tile's name is its image's with row
    and column (``a.png_01_02.png``), so that it stays known which image it is of. Tiles of images
    that lie here too are not cut again.

    Parameters
    ----------
    images
        A file, or a folder that is searched with its folders.
    out
        Takes the tiles, in the folders of their images, ``tiles.csv``, and ``failures.csv`` with
        images that could not be cut. If a slicing of the same images was stopped here, it goes on.
    tiles
        How many an image: 2, 4, 6 or 8.

    Raises
    ------
    SpecError
        Another number of tiles.
    ImageReadError
        No image at all. One that cannot be read is a row of ``failures.csv``.
    OutputError
        `out` cannot be written, or holds something else or other tiles.

    Notes
    -----
    Source: the module ``slice`` of celldeath's tool (La Greca et al. 2021), and its names.
    """
    images, out = Path(images), Path(out)
    if tiles not in TILES:
        raise SpecError(
            "images are cut into 2, 4, 6 or 8 tiles",
            where="--tiles",
            expected=", ".join(map(str, TILES)),
            got=str(tiles),
        )
    listing = image_files(images, out)
    settings = {"images": str(images.resolve()), "tiles": tiles}
    ResultFolder.claim(out, "folder of tiles", "slices.json", settings).begin()
    names = pd.DataFrame({"image": list(listing.files)}, dtype="str")
    own = with_pictures(names)[0].set_index("image")["picture"]
    again = [name for name in own.index if own[name] != name and own[name] in own.index]
    items = [Item(n, path, settings) for n, path in listing.files.items() if n not in set(again)]
    batch = map_items(
        items,
        partial(_sliced, out=out, tiles=tiles),
        Journal(out),
        what="slicing images",
        files=lambda record: [path_of(out, row["image"]) for row in record["rows"]],
    )
    rows = [row for record in batch.records.values() for row in record["rows"]]
    table = pd.DataFrame(rows, columns=COLUMNS)
    write_csv(out / "tiles.csv", table)
    write_csv(out / "failures.csv", batch.failures)
    said = [record["notes"] for record in batch.records.values()]
    notes = pd.DataFrame(said, columns=["layout", "rest", "lossy"], dtype="str")
    layouts, *losses = (_counted(notes[column]) for column in notes)
    repeated = (
        f"{plural(len(again), 'file')} not cut, for they are tiles of images that lie here too:"
        f" {few(again, 3)}",
    ) * bool(again)
    warnings = (*repeated, *(text for each in losses for text in each))
    return Slices(out, table, layouts, batch.failures, warnings, listing.left_out)


def layout_of(height: int, width: int, tiles: int) -> Layout:
    """Rows and columns of so many equal tiles that are nearest to squares; the wider where even."""

    def oblong(layout: Layout) -> float:
        edges = height / layout[0], width / layout[1]
        return max(edges) / min(edges)

    return min((each for each in LAYOUTS if each[0] * each[1] == tiles), key=oblong)


def boxes_of(height: int, width: int, layout: Layout) -> Iterator[tuple[int, int, Box]]:
    """Row, column and pixels of every tile; the rest at the far edges is in none."""
    high, wide = height // layout[0], width // layout[1]
    for row, column in np.ndindex(layout):
        yield row, column, Box.of(row * high, column * wide, (row + 1) * high, (column + 1) * wide)


def _sliced(item: Item, tick: Tick, *, out: Path, tiles: int) -> Record:
    """Write the tiles of one image; the record has a row a tile, and a note."""
    with open_image(item.path) as image:
        header = image.header
        layout = layout_of(header.height, header.width, tiles)
        if header.height < layout[0] or header.width < layout[1]:
            raise ImageContentError(
                "too small to be cut",
                where=item.name,
                expected=f"{layout[0]} x {layout[1]} tiles of a pixel or more",
                got=f"{header.height} x {header.width} px",
            )
        plain = _is_plain(item.path, header)
        ending, write = (".png", _as_png(image)) if plain else (".ome.tif", _as_tiff(image))
        rows = []
        for row, column, box in boxes_of(header.height, header.width, layout):
            name = tile_name(item.name, row, column, ending)
            _refuse_long(name)
            with whole_file(path_of(out, name)) as temporary:
                write(temporary, box)
            place = (picture_of(item.name), row + 1, column + 1, *box.corners)
            rows.append(dict(zip(COLUMNS, (name, *place), strict=True)))
            tick(1 / tiles)
    return {"rows": rows, "notes": _notes(header, layout, item.path)}


def _notes(header: Header, layout: Layout, path: Path) -> dict[str, str]:
    """How an image was cut, and what its tiles lack; empty where nothing."""
    rest = {"lower": header.height % layout[0], "right": header.width % layout[1]}
    edges = [f"{px} px at the {side} edge" for side, px in rest.items() if px]
    lossy = path.suffix.lower() in _PLAIN[1:]
    return {
        "layout": f"cut into {layout[0]} x {layout[1]} tiles (rows x columns)",
        "rest": f"cut without {' and '.join(edges)}, which tiles of one size leave"
        if edges
        else "",
        "lossy": "stored with loss (JPEG), whose tiles are stored without more of it" * lossy,
    }


def _counted(notes: "pd.Series[str]") -> tuple[str, ...]:
    """Every note once, with how many images it is about."""
    counts = notes[notes != ""].value_counts()
    return tuple(f"{plural(int(n), 'image')} {note}" for note, n in counts.items())


def _is_plain(path: Path, header: Header) -> bool:
    """Whether a PNG holds all that there is."""
    return (
        path.suffix.lower() in _PLAIN
        and header.frames == 1
        and header.pixel_um is None
        and len(header.channels) in (1, 3)
        and header.dtype in ("uint8", "uint16")
    )


def _refuse_long(name: str) -> None:
    last = PurePosixPath(name).name
    size = len(last.encode("utf-8", "surrogatepass"))
    if size > _LONGEST:
        raise ImageContentError(
            "a name that is too long for its tiles",
            where=name,
            expected=f"at most {_LONGEST} bytes with the tile's row and column",
            got=f"{size} bytes",
            remedy="give the image a shorter name",
        )


def _as_png(image: OpenImage) -> Write:
    planes = [image.frame(0, c) for c in range(len(image.header.channels))]
    pixels = planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)

    def write(path: Path, box: Box) -> None:
        path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels[box.slices])))

    return write


def _as_tiff(image: OpenImage) -> Write:
    """Frame by frame, so that a movie need not be held."""
    header = image.header
    metadata: dict[str, Any] = {"axes": "TCYX", "Channel": {"Name": list(header.channels)}}
    if header.pixel_um is not None:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": header.pixel_um, f"PhysicalSize{axis}Unit": "µm"}
    if header.frame_s is not None:
        metadata |= {"TimeIncrement": header.frame_s, "TimeIncrementUnit": "s"}
    keys = list(np.ndindex(header.frames, len(header.channels)))

    def write(path: Path, box: Box) -> None:
        tifffile.imwrite(
            path,
            (image.frame(t, c)[box.slices] for t, c in keys),
            shape=(header.frames, len(header.channels), *box.shape),
            dtype=header.dtype,
            ome=True,
            photometric="minisblack",
            metadata=metadata,
        )

    return write
