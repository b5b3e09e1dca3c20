"""How a study's images were taken, as measured on their frames and stated by their files; kept."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from livewell.errors import LivewellError
from livewell.geometry import Box
from livewell.image import Frame
from livewell.images.listing import fingerprint
from livewell.images.properties import file_properties
from livewell.measure import intensity, texture
from livewell.measure.borders import valid_area
from livewell.measure.ground import (
    empty_boxes,
    ground_measures,
    ground_of,
    patch_edge,
    whole_measures,
)
from livewell.measure.occupancy import textured
from livewell.progress import task
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.tables.columns import read_table
from livewell.tables.schemas import BOX, write_table

VERSION = 2
"""Raised where a measure changes: what was kept is then measured again."""
BYTES = "bytes a pixel"
"""Column of the size of a file for its pixels."""
PATCHES_A_FRAME = 6
"""Empty patches of a frame that are looked at."""
_FRAME = ["image", "t"]
_KEY = ["image", "bytes", "mtime_ns", "t", "channel", "version"]


@dataclass(frozen=True)
class Measured:
    """Measures of frames, one row a frame, and of empty patches, one row a patch.

    Both have `image` and `t`; patches their box, and features of intensity and texture. Frames
    without ground have no patch.
    """

    frames: pd.DataFrame
    patches: pd.DataFrame


def measured(study: Study, pixels: StudyPixels, frames: pd.DataFrame) -> Measured:
    """Measures of frames (image, t), computed where they are not kept in the folder ``cache``."""
    channel = str(next(iter(pixels.channels), "auto"))
    folder = study.folder / "cache"
    paths = folder / "measures.parquet", folder / "empty-patches.parquet"
    known = [_known(path) for path in paths]
    if not len(known[0]) or "y0" not in known[1]:  # one is absent or damaged: both anew
        known = [pd.DataFrame(columns=_KEY)] * 2
    elif len(known[1]):
        known[1] = known[1].merge(known[0][_KEY], on=_KEY)
    scales = study.read_headers()[0].set_index("image")["pixel_um"]
    wanted = frames[_FRAME].drop_duplicates()
    versions = {
        image: (image, *fingerprint(study.path(image))) for image in wanted["image"].unique()
    }
    keys = [
        (*versions[image], t, channel, VERSION)
        for image, t in wanted.itertuples(index=False, name=None)
    ]
    done = set(known[0][_KEY].itertuples(index=False, name=None)) if len(known[0]) else set()
    todo = [key for key in keys if key not in done]
    made: tuple[list[pd.DataFrame], list[pd.DataFrame]] = ([], [])
    with task("measuring how images were taken", total=len(todo)) as tick:
        for key in todo:
            scale = scales.get(key[0])
            pixel_um = None if scale is None or pd.isna(scale) else float(scale)
            for rows, table in zip(
                made, _measure(pixels.frame(key[0], key[3]), pixel_um), strict=True
            ):
                rows.append(table.assign(**dict(zip(_KEY, key, strict=True))))
            tick()
    tables = [
        pd.concat([old, *new], ignore_index=True) if new else old
        for old, new in zip(known, made, strict=True)
    ]
    if todo:
        # frames last: what they do not name is measured anew
        for path, table in zip(paths[::-1], tables[::-1], strict=True):
            write_table(path, table)
    asked = pd.DataFrame(keys, columns=_KEY)
    return Measured(
        *(
            asked.merge(table, on=_KEY).drop(columns=_KEY[1:3] + _KEY[4:])
            if len(table)
            else table.reindex(columns=_FRAME)
            for table in tables
        )
    )


def properties(study: Study, images: Iterable[str]) -> pd.DataFrame:
    """What files state (`file_properties`), size, number type and bytes by image; else empty."""
    headers = study.read_headers()[0].astype("object").set_index("image").to_dict("index")
    rows = []
    for image in images:
        said: dict[str, object] = {"image": image}
        with suppress(LivewellError):
            said |= file_properties(study.path(image))
        if (row := headers.get(image)) is not None:
            pixels = int(row["frames"]) * int(row["height"]) * int(row["width"])
            said |= {
                "size": f"{row['height']} x {row['width']} px",
                "number type": row["dtype"],
                BYTES: int(row["bytes"]) / pixels,
            }
            if pd.notna(row["pixel_um"]):
                said["pixel size"] = f"{float(row['pixel_um']):.4g} um"
        rows.append(said)
    return pd.DataFrame(rows)


def _measure(frame: Frame, pixel_um: float | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    area = valid_area(frame)
    image = frame[area.slices]
    cells = textured(frame, pixel_um)[area.slices]
    ground = ground_of(image, cells, pixel_um)
    numbers = pd.DataFrame([whole_measures(image, cells) | ground_measures(image, ground)])
    boxes = empty_boxes(ground, patch_edge(pixel_um), PATCHES_A_FRAME)
    if not boxes:
        return numbers, pd.DataFrame(columns=BOX)
    stack = np.stack([image[box.slices] for box in boxes])
    light = intensity.features(stack)
    grain = texture.features(stack)
    named = light.add_prefix("intensity ").join(grain.add_prefix("texture "))
    moved = [_moved(box, area) for box in boxes]
    return numbers, named.join(pd.DataFrame(moved, columns=BOX))


def _moved(box: Box, area: Box) -> tuple[int, ...]:
    down, across = area.y.start, area.x.start
    y0, x0, y1, x1 = box.corners
    return y0 + down, x0 + across, y1 + down, x1 + across


def _known(path: Path) -> pd.DataFrame:
    with suppress(Exception):  # whatever damaged bytes lead to
        table = read_table(path)
        if set(_KEY) <= set(table):
            return table[table["version"] == VERSION].reset_index(drop=True)
    return pd.DataFrame(columns=_KEY)
