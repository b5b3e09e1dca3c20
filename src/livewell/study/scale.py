"""What the images of a study agree on: channel and pixel size."""

from collections.abc import Iterable

import pandas as pd

from livewell.errors import Fault, TableError
from livewell.image import Header
from livewell.images.opening import choose_channel
from livewell.study.study import Study

SAME = 0.01
"""Pixel sizes that differ by less than this share are the same."""


def _rows(study: Study, images: Iterable[str]) -> pd.DataFrame:
    headers = study.headers()
    return headers[headers["image"].isin(set(images))]


def common_pixel_um(study: Study, images: Iterable[str]) -> float | None:
    """The one pixel size of these images in micrometres; ``None`` where no file says one.

    Raises
    ------
    TableError
        They differ, or only some files say it.
    """
    rows = _rows(study, images)
    sizes = rows["pixel_um"]
    if sizes.isna().all():
        return None
    middle = float(sizes.median())
    odd = rows[sizes.isna() | ((sizes - middle).abs() > SAME * middle)]
    if len(odd):
        faults = [
            Fault("pixel-size", str(image), "says no pixel size" if pd.isna(size) else f"{size} um")
            for image, size in zip(odd["image"], odd["pixel_um"], strict=True)
        ]
        raise TableError(
            f"images of several pixel sizes (most: {middle:.4g} um)",
            faults,
            where=str(study.folder),
            remedy="index them apart, or give one pixel size for all with --pixel-um",
        )
    return middle


def channel_name(study: Study, images: Iterable[str], asked: str | int | None) -> str:
    """Name of the channel that is used of these images; empty where the files name none.

    Parameters
    ----------
    study, images
        The study and names of its images; the first one's channels count for all.
    asked
        Name or number of a channel; ``None`` for the study's choice, else the transmitted one.

    Raises
    ------
    ImageContentError
        The channel is missing, or cannot be chosen.
    """
    row = _rows(study, images).iloc[0]
    names = tuple(str(row["channels"]).split("|"))
    header = Header(
        int(row["frames"]), names, int(row["height"]), int(row["width"]), str(row["dtype"])
    )
    number = choose_channel(header, study.channel if asked is None else asked, str(row["image"]))
    return names[number]
