"""What a recipe of DeadNet's data sets made, with the paper's counts beside it."""

import math
from dataclasses import dataclass

import pandas as pd

from livewell.geometry import Edge, starts
from livewell.metrics.agreement import Agreement

PATCH_PX, STRIDE_PX, FRAMES = 256, 128, 10
"""Edge of a crop, from crop to crop of data set A, frames of a sequence of data set B."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of what was made: here, and in the paper where it says so."""

    step: str
    here: str
    paper: str = ""


PAPER = Agreement(263, 49)
"""Sequences that two of the paper's experts scored, and on how many they disagreed."""


def agreement(found: Agreement) -> list[Step]:
    """What the experts' agreement says, and what the paper's said."""
    pairs = [Step("scored by two or more, none unsure", str(found.pairs), str(PAPER.pairs))]
    pairs.append(Step("of these experts disagree, dropped", f"{found.disagreed:g}", "49"))
    named = {
        "share of disagreement": "share",
        "ambiguous before": "ambiguous",
        "ambiguous after": "left",
        "highest accuracy to expect, as the paper says": "ceiling",
        "the same, right on half of the ambiguous": "chance_ceiling",
    }
    return pairs + [
        Step(text, _percent(getattr(found, at)), _percent(getattr(PAPER, at)))
        for text, at in named.items()
    ]


def _percent(share: float) -> str:
    return "unknown" if share != share else f"{100 * share:.1f}%"


def grids(headers: pd.DataFrame) -> list[Step]:
    """Crops an image in the full grid and in the paper's count, of the commonest frame size."""
    height, width = _commonest(headers)
    full, paper = (
        f"{rows * columns} = {columns}x{rows}"
        for rows, columns in (_crops(headers, "drop"), _crops(headers, "exclusive"))
    )
    size = f"{width} x {height} px"
    return [
        Step(f"crops of an image of {size}, full grid", full, "63 = 9x7 of 1344 x 1024"),
        Step("the same as the paper counts", paper, "54 = 9x6"),
    ]


def copies_a(headers: pd.DataFrame, edge: Edge) -> Step:
    """Near copies of a full image: 3 warps x 8 turns x 2 blurs x crops (section 2.3)."""
    rows, columns = _crops(headers, edge)
    copies = _product(3, 8, 2, rows * columns)
    return Step("near copies of a full image", copies, "2,592 = 3x8x2x54")


def copies_b() -> Step:
    """Near copies of a sequence: 8 turns x 3 blurs x 10 frames x 3 noises (section 2.3)."""
    return Step("near copies of a crop", _product(8, 3, FRAMES, 3), "720 = 8x3x10x3")


def _product(*factors: int) -> str:
    return f"{math.prod(factors):,} = " + "x".join(str(each) for each in factors if each > 1)


def _crops(headers: pd.DataFrame, edge: Edge) -> tuple[int, int]:
    """Rows and columns of crops in a frame of the commonest size."""
    rows, columns = (len(starts(e, PATCH_PX, STRIDE_PX, edge)) for e in _commonest(headers))
    return rows, columns


def _commonest(headers: pd.DataFrame) -> tuple[int, int]:
    sizes = headers.groupby(["height", "width"]).size()
    height, width = sizes.index[int(sizes.argmax())]
    return int(height), int(width)
