"""Small images of the fields of a plate's wells, in one atlas, for display only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image as Pillow

from livewell.errors import LivewellError
from livewell.images.opening import Channels, choose_channels, open_image
from livewell.progress import task
from livewell.report.galleries import stretched
from livewell.report.style import PERCENTILES
from livewell.report.thumbnails import Tiles, resized

EDGES_PX = 64, 96
"""Edge of a tile where there are very many, and where there are few."""
ATLAS_PX = 8_000_000
"""About as many pixels are in all tiles of a page."""
MOST_FIELDS = 4
"""Of a well no more fields are shown."""


def chosen_fields(fields: pd.DataFrame, most: int = MOST_FIELDS) -> tuple[pd.DataFrame, int]:
    """The first judged fields of every well, as many as a page has room for, and a tile's edge."""
    judged = fields[~fields["failed"]]
    wells = max(judged.groupby(["plate", "well"]).ngroups, 1)
    each = int(np.clip(ATLAS_PX / (wells * EDGES_PX[0] ** 2), 1, most))
    shown = judged.groupby(["plate", "well"], sort=False).head(each)
    edge = int(np.clip((ATLAS_PX / max(len(shown), 1)) ** 0.5, *EDGES_PX))
    return shown.reset_index(drop=True), edge


def field_tiles(
    fields: pd.DataFrame, files: Mapping[str, Path], channels: Channels, edge: int
) -> tuple[Tiles, NDArray[np.bool_]]:
    """A tile a row of `fields` (``image``, ``t``), (n, edge, edge), and which could be read.

    Each image is made smaller by means of squares, then stretched by itself as in galleries, and
    stands in the middle of its tile. What is read is the first of the channels that were judged.
    """
    made = np.zeros((len(fields), edge, edge), dtype=np.uint8)
    read = np.zeros(len(fields), dtype=bool)
    with task("thumbnails", total=len(fields)) as tick:
        for row, (image, t) in enumerate(zip(fields["image"], fields["t"], strict=True)):
            try:
                small = _small(files[image], 0 if pd.isna(t) else int(t), channels, edge)
            except LivewellError:
                tick()
                continue
            top, left = ((edge - size) // 2 for size in small.shape)
            made[row, top : top + small.shape[0], left : left + small.shape[1]] = small
            read[row] = True
            tick()
    return made, read


def _small(path: Path, t: int, channels: Channels, edge: int) -> NDArray[np.uint8]:
    """One frame as grey levels, its longer edge that of a tile at most."""
    with open_image(path) as image:
        channel = choose_channels(image.header, channels, str(path))[0]
        frame: NDArray[Any] = image.frame(t, channel)
    by = max(max(frame.shape) // edge, 1)
    # means of squares, as `overlays.reduced` makes them, in a fifth of the time
    small = Pillow.fromarray(np.asarray(frame, dtype=np.float32)).reduce(by)
    grey = stretched(np.asarray(small))
    scale = min(edge / max(grey.shape), 1.0)
    height, width = (max(round(size * scale), 1) for size in grey.shape)
    return resized(np.rint(255 * grey).astype(np.uint8), (width, height))


def about_tiles(shown: int, fields: int, lost: int, edge: int) -> str:
    """What the small images are, in a sentence or two."""
    if not shown:
        return "The images are not where they were judged, so none is shown." if lost else ""
    low, high = PERCENTILES
    part = f" {shown:,} of {fields:,} fields are shown." if shown < fields else ""
    missing = f" {lost:,} could not be read." if lost else ""
    return (
        f"Fields are shown with {edge} px an edge in 256 grey levels, for display only, each by"
        f" itself from its {low}th to its {high}th percentile: brightness of two fields cannot be"
        f" compared.{part}{missing}"
    )
