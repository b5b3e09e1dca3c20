"""What the images of a study agree on: channels and pixel size."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from livewell.errors import Fault, TableError
from livewell.image import Header
from livewell.images.opening import GREY, Channels, asked_channels, choose_channels, one_channel
from livewell.study.study import Study

SAME = 0.01
"""Pixel sizes that differ by less than this share are the same."""


def _rows(study: Study, images: Iterable[str]) -> pd.DataFrame:
    """Headers of these images; others that cannot be read are no concern of theirs."""
    names, headers = set(images), study.read_headers()[0]
    if not names <= set(headers["image"]):
        headers = study.headers()
    return headers[headers["image"].isin(names)]


def common_pixel_um(study: Study, images: Iterable[str]) -> float | None:
    """The one pixel size of these images in micrometres; ``None`` where no file says one."""
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


def channel_names(study: Study, images: Iterable[str], asked: Channels = None) -> tuple[str, ...]:
    """Names of the channels that are used of these images, in the order asked for.

    The first image's channels count for all; where none are asked for, the study's choice, else the
    transmitted light, called ``grey`` in a grey image stored as colour.
    """
    row = _rows(study, images).iloc[0]
    header = header_of(row)
    wanted = asked_channels(asked) or study.channels
    numbers = choose_channels(header, wanted, str(row["image"]))
    if header.colourless and not wanted:
        return (GREY,)
    return tuple(header.channels[number] for number in numbers)


def header_of(row: "pd.Series[Any]") -> Header:
    """Size, channels and number type in one row of `schemas.HEADERS`."""
    frames, height, width = (int(row[name]) for name in ("frames", "height", "width"))
    channels = tuple(str(row["channels"]).split("|"))
    colourless = bool(pd.notna(row["colourless"]) and row["colourless"])  # 0.1 does not say
    return Header(frames, channels, height, width, str(row["dtype"]), colourless=colourless)


def sizes_of(headers: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """(height, width) of every image in pixels, by `schemas.HEADERS`."""
    sizes = headers[["image", "height", "width"]].itertuples(index=False)
    return {str(image): (int(height), int(width)) for image, height, width in sizes}


def channel_name(study: Study, images: Iterable[str], asked: Channels) -> str:
    """The one of `channel_names`, for what looks at one channel; several asked for are refused."""
    wanted = one_channel(asked_channels(asked) or study.channels, str(study.folder))
    return channel_names(study, images, wanted)[0]
