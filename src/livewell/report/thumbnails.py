"""Many regions made small: one atlas of all of them, and a map with regions in place of dots."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image as Pillow

from livewell.image import PixelSource
from livewell.progress import task
from livewell.region import Region
from livewell.report.galleries import stretched
from livewell.report.page import Picture

LARGEST_PX, SMALLEST_PX = 96, 24
"""Longer edge of a thumbnail where there are few regions, and where there are very many."""
ATLAS_PX = 12_000_000
"""About as many pixels are in all thumbnails of a page."""
QUALITY = 78
"""Of WebP, 0 to 100."""
CELLS, CELL_PX, RIM_PX = 34, 36, 3
"""Cells on either side of a map of thumbnails, the edge of one, and of its coloured rim."""
Tiles = NDArray[np.uint8]


def thumbnails(source: PixelSource, regions: Sequence[Region], most: int) -> Tiles:
    """Regions of one shape as (n, h, w), first channel, each stretched as in galleries.

    They are as large as `most` of them in one page may be, and never enlarged.
    """
    edge = int(np.clip((ATLAS_PX / most) ** 0.5, SMALLEST_PX, LARGEST_PX))
    height, width = regions[0].box.shape
    scale = min(edge / max(height, width), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    made = np.empty((len(regions), *size[::-1]), dtype=np.uint8)
    with task("thumbnails", total=len(regions)) as tick:
        for row, region in enumerate(regions):
            grey = stretched(source.crop(region.image, region.t, region.box)[0])
            made[row] = resized(np.rint(255 * grey).astype(np.uint8), size)
            tick()
    return made


def atlas(tiles: Tiles) -> tuple[Picture, int]:
    """All tiles in one image, row by row, and how many stand in a row."""
    number, height, width = tiles.shape
    columns = int(np.ceil(number**0.5))
    rows = -(-number // columns)
    padded = np.zeros((rows * columns, height, width), dtype=np.uint8)
    padded[:number] = tiles
    grid = padded.reshape(rows, columns, height, width).swapaxes(1, 2)
    return _webp(grid.reshape(rows * height, columns * width), f"{number:,} thumbnails"), columns


def thumbnail_map(
    tiles: Tiles, places: NDArray[np.floating], colours: Sequence[str]
) -> tuple[Picture, int]:
    """Tiles at their places, (n, 2) from 0 to 1, rims in their `colours`; how many are shown.

    Places are rounded to a grid; of tiles in one cell that nearest to its middle is shown.
    """
    shown = np.full((CELLS * CELL_PX, CELLS * CELL_PX, 3), 255, dtype=np.uint8)
    inner = CELL_PX - 2 * RIM_PX
    height, width = tiles.shape[1:]
    scale = inner / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    cells = np.clip(np.floor(places * CELLS), 0, CELLS - 1).astype(int)
    away = np.abs(places * CELLS - cells - 0.5).max(axis=1)
    taken: dict[tuple[int, int], int] = {}
    for tile in np.argsort(away, kind="stable").tolist():
        column, row = cells[tile].tolist()
        taken.setdefault((CELLS - 1 - row, column), tile)
    for (row, column), tile in taken.items():
        top, left = row * CELL_PX + 1, column * CELL_PX + 1
        rim = 2 * (RIM_PX - 1)
        square = shown[top : top + size[1] + rim, left : left + size[0] + rim]
        square[:] = np.rint(255 * np.array(to_rgb(colours[tile])))
        square[RIM_PX - 1 : 1 - RIM_PX, RIM_PX - 1 : 1 - RIM_PX] = resized(tiles[tile], size)[
            ..., None
        ]
    return _webp(shown, f"{len(taken)} of {len(tiles):,} thumbnails at their places"), len(taken)


def resized(grey: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Grey levels resized to (width, height)."""
    if grey.shape == size[::-1]:
        return grey
    return np.asarray(Pillow.fromarray(grey).resize(size, Pillow.Resampling.LANCZOS))


def _webp(pixels: NDArray[np.uint8], alt: str) -> Picture:
    buffer = BytesIO()
    Pillow.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY)
    return Picture(buffer.getvalue(), "webp", alt)
