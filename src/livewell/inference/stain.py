"""The stain that a net predicts, pixel by pixel: a field in tiles, each with its margin."""

from itertools import product
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from livewell.geometry import Box, cover
from livewell.image import Frame, mirrored
from livewell.models.device import device_of
from livewell.models.nets.field import STRIDE_PX
from livewell.models.nets.net import Net, normalise
from livewell.models.nets.unet import FIRST_PX, TILE_PX, UNet

MOST_PX = 1024
"""Edge of what is computed at a time: some 100 MB."""


@torch.inference_mode()
def stain_ratio(net: Net, pixels: Frame, area: Box, most_px: int = MOST_PX) -> NDArray[np.float32]:
    """Predicted stain of a field, (y, x), as its ratio to the background; NaN beyond `area`.

    Parameters
    ----------
    net
        With a `UNet`.
    pixels
        (channels, y, x) at the model's pixel size; mirrored beyond `area`.
    most_px
        Edge of the largest tile. Tiles are on one grid of the net's cells, and read all that it
        sees: whatever the tiles, the stain is the same but for rounding.
    """
    module, device = cast(UNet, net.module), device_of(net.module)
    found = np.full(pixels.shape[1:], np.nan, dtype=np.float32)
    down, across = (
        cover(-(-span.size // STRIDE_PX), window_px=TILE_PX, stride_px=STRIDE_PX, tile_px=most_px)
        for span in (area.y, area.x)
    )
    for row, column in product(down, across):
        read = Box(
            row.read.moved(area.y.start - FIRST_PX), column.read.moved(area.x.start - FIRST_PX)
        )
        wide = np.array(mirrored(pixels, area, read.widened(net.radius_px)), dtype=np.float32)
        crop = normalise(torch.from_numpy(wide), net.how, net.radius_px)
        log_stain = module.both(crop[None].to(device))[1][0].cpu().numpy()
        kept, written = (
            tuple(slice(STRIDE_PX * span.start, STRIDE_PX * span.stop) for span in spans)
            for spans in ((row.keep, column.keep), (row.write, column.write))
        )
        # the last tiles reach beyond the area, whose rest is left out
        cells = found[area.slices][written]
        cells[...] = np.exp(log_stain[kept])[: cells.shape[0], : cells.shape[1]]
    return found
