"""Pictures of bright and dim discs, and a net set by hand that tells them apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from livewell.metrics.rules import ImageRule, RegionRule
from livewell.models.files import NORMALISATIONS, Card, save_model
from livewell.models.nets.compact import Block
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import WscnnSmallSpec
from livewell.models.recipes import WSCNN_FAST

Pixels = NDArray[np.uint16]

CLASSES = ("dim", "bright")
SHAPE = (96, 128)
BRIGHT = [(30, 40), (60, 90)]
DIM = [(75, 25), (20, 100)]
NEAR_PX = 6
"""A net that sums up its field is as exact as its cells are apart: 8 px. A disc has 15 px."""


def blobs(
    bright: Sequence[tuple[int, int]] = BRIGHT,
    dim: Sequence[tuple[int, int]] = DIM,
    shape: tuple[int, int] = SHAPE,
    seed: int = 0,
) -> Pixels:
    """Noise with discs of 15 px: bright ones, which the model looks for, and dim ones."""
    frame = np.random.default_rng(seed).normal(1000, 8, shape)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    for centres, level in ((dim, 1300), (bright, 2200)):
        for y, x in centres:
            frame[np.hypot(rows + 0.5 - y, columns + 0.5 - x) < 7.5] += level - 1000
    return frame.round().astype(np.uint16)


def by_hand() -> Net:
    """A net of WSCNN_FAST's form whose weights were set by hand: the mean contrast around a cell.

    Its blocks are their shortcuts, which hand on one channel, and the log odds are 4.5 of it less
    12: a bright disc has a contrast of 6 against the background, a dim one of 1.5.
    """
    module = WscnnSmallSpec().build(NetShape(frame_px=SHAPE)).eval()
    with torch.no_grad():
        stem, last = module.body[0], module.body[-1]
        stem.weight.zero_()
        stem.weight[0] = 1 / 25
        for block in module.body:
            if isinstance(block, Block):
                block.shortcut[1].weight.zero_()
                block.shortcut[1].weight[0, 0] = 1
        last.weight.zero_()
        last.weight[:, 0, 0, 0] = torch.tensor([-0.5, 4.0])
        last.bias.copy_(torch.tensor([0.0, -12.0]))
    return Net(module, CLASSES, 0.5, 0, 0, how="background", frame_px=SHAPE)


def save_by_hand(folder: Path) -> Path:
    """The model folder of that net, with made-up rules."""
    card = Card(
        classes=CLASSES,
        channels=("phase contrast",),
        pixel_um=0.5,
        frame_px=SHAPE,
        patch_px=0,
        input_px=0,
        stride_px=0,
        normalisation=NORMALISATIONS["background"],
        profile=WSCNN_FAST,
        precision="float32",
        seed=0,
        data={"study": "discs"},
        region_rule=RegionRule(1.0, 0.5),
        image_rule=ImageRule(1.0, 1.0, 0.0, 0.5, 0.2, 0.8, CLASSES, "made up"),
        detection_rule=RegionRule(2.0, 0.6),
        versions={},
    )
    save_model(folder, by_hand(), card)
    return folder


def found_in(table: pd.DataFrame, image: str) -> pd.DataFrame:
    return table[table["image"] == image].reset_index(drop=True)


def nearest(table: pd.DataFrame, centres: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """How far every centre lies from the middle of the nearest box, pixels."""
    middles = table[["y0", "x0"]].to_numpy() / 2 + table[["y1", "x1"]].to_numpy() / 2
    return np.array([np.hypot(*(middles - centre).T).min() for centre in np.array(centres)])
