"""Class maps of a net of whole frames beside its input, and histograms of their values."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from livewell.outputs.overlay import grey
from livewell.report.galleries import PERCENTILES
from livewell.report.page import Picture
from livewell.report.style import INK, SICK, Sheet, class_colours, empty
from livewell.text import plural, threshold_p

Values = NDArray[np.floating]
BINS, DPI = 60, 130
WIDE_IN, HEAD_IN, FOOT_IN, GAP_IN, PANEL_IN = 12.0, 0.32, 0.95, 0.26, 2.05
"""Of the figure: its width, margins, distance of rows, width of a picture."""
COLUMNS_IN = ((0.5, PANEL_IN), (2.65, PANEL_IN), (4.8, PANEL_IN), (7.55, 1.85), (10.05, 1.85))
"""Left edge and width of its columns."""
SAID = (
    "One cell of a map is one place. Cells outlined in vermillion reach the threshold of a place;"
    " boxes in the input are the places found. Counts are logarithmic. Look whether the histograms"
    " of the rows differ, and where: at the right end alone, where few cells decide, or throughout."
    " Inputs are shown between percentiles of their grey levels, for display only."
)
EDGE_SAID = (
    " The dashed white line is the edge of the picture: beyond it the picture is mirrored, and"
    " cells there are not counted."
)
WHITE_DASH: dict[str, Any] = {"ec": "white", "lw": 1.2, "ls": (0, (3, 2))}
TITLE_PT = 8.5


@dataclass(frozen=True)
class ClassMaps:
    """What the net makes of one picture.

    Titles have up to three lines, cut in the middle where too long for the row. `pixels` (h, w) are
    grey levels as the net saw them; `maps` (2, rows, columns) scores before softmax, negative and
    positive; `odds` (rows, columns) log odds of every place; `boxes` (y0, x0, y1, x1) of the places
    found, pixels. From cell to cell it is `stride_px`; the first cell's centre is counted from 0 at
    the centre of the first pixel. Beyond `inside` the picture is mirrored; all is picture where
    ``None``.
    """

    title: str
    pixels: NDArray[Any]
    maps: Values
    odds: Values
    boxes: Sequence[tuple[int, int, int, int]]
    stride_px: int
    first_px: float
    inside: tuple[int, int, int, int] | None = None

    @property
    def mirrored(self) -> bool:
        """Whether a part of it is no picture."""
        return self.inside is not None and self.inside != (0, 0, *self.pixels.shape)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(rows, columns) whether the centre of each cell lies in the picture.

        All of them where none does, as they all speak for the picture then.
        """
        rows, columns = self.maps.shape[1:]
        y0, x0, y1, x1 = self.inside or (0, 0, *self.pixels.shape)
        y, x = (self.first_px + 0.5 + self.stride_px * np.arange(n) for n in (rows, columns))
        found = np.outer((y >= y0) & (y < y1), (x >= x0) & (x < x1))
        return found if found.any() else np.ones_like(found)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge of the maps, pixels of the picture."""
        rows, columns = self.maps.shape[1:]
        start = self.first_px + 0.5 - self.stride_px / 2
        return start, start + self.stride_px * columns, start + self.stride_px * rows, start


def class_maps(
    items: Sequence[ClassMaps], classes: tuple[str, str], least: float, least_p: float
) -> Picture:
    """Pictures, their class maps and histograms of them, one a row and of one size, as PNG.

    From the log odds `least`, the probability `least_p`, on a place is called. Source: Sailem et
    al., section 4.1 and Figure 3.
    """
    title = f"Class maps of {classes[0]} and {classes[1]}"
    if not items:
        return empty("None.", title)
    bounds = (
        min(float(item.maps.min()) for item in items),
        max(float(item.maps.max()) for item in items),
    )
    scale, ends = Normalize(*bounds), _ends(items, least)
    high, wide = items[0].pixels.shape
    row_in = min(max(PANEL_IN * high / wide, 1.3), 3.2)
    full_in = HEAD_IN + len(items) * (row_in + GAP_IN) + FOOT_IN
    with Sheet(WIDE_IN, full_in, rows=len(items), columns=len(COLUMNS_IN)) as sheet:
        sheet.figure.set_layout_engine("none")
        grid = [sheet.panels[i : i + 5] for i in range(0, len(sheet.panels), 5)]
        for number, (item, panels) in enumerate(zip(items, grid, strict=True)):
            bottom = full_in - HEAD_IN - number * (row_in + GAP_IN) - row_in
            for axes, (left, width) in zip(panels, COLUMNS_IN, strict=True):
                axes.set_position(
                    (left / WIDE_IN, bottom / full_in, width / WIDE_IN, row_in / full_in)
                )
            _input(panels[0], item, _fitted(sheet, item.title, row_in + 0.7 * GAP_IN))
            for axes, values in zip(panels[1:3], item.maps, strict=True):
                _map(axes, item, values, scale)
            _called(panels[2], item, least)
            _both(panels[3], item, least, bounds)
            _difference(panels[4], item, least, ends)
        _heads(grid, classes)
        bar = sheet.figure.add_axes(
            (COLUMNS_IN[1][0] / WIDE_IN, 0.52 / full_in, 2 * PANEL_IN / WIDE_IN, 0.09 / full_in)
        )
        drawn = sheet.figure.colorbar(
            ScalarMappable(scale, "viridis"), cax=bar, orientation="horizontal"
        )
        drawn.outline.set_visible(False)
        drawn.set_label("score before softmax", size=9)
        bar.tick_params(labelsize=8)
        _legend(sheet, classes, least, least_p)
        buffer = BytesIO()
        sheet.figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": "livewell"})
    alt = f"{title}, beside {plural(len(items), 'input')} and histograms of their values."
    said = SAID + (EDGE_SAID if any(item.mirrored for item in items) else "")
    return Picture(buffer.getvalue(), "png", alt, said, wide=True)


def _heads(grid: Sequence[Sequence[Axes]], classes: tuple[str, str]) -> None:
    """Names of the columns, and of the histograms' axes."""
    negative, positive = classes
    heads = ("input", f"class map: {negative}", f"class map: {positive}", "values of both maps",
             f"log odds: {positive}")  # fmt: skip
    for axes, head in zip(grid[0], heads, strict=True):
        axes.set_title(head, size=10)
    for axes, said in zip(grid[-1][3:], ("score before softmax", "log odds"), strict=True):
        axes.set_xlabel(said, size=9)


def _fitted(sheet: Sheet, title: str, room_in: float) -> str:
    """The lines of a title, each cut in its middle until it fits the height of its row."""
    measure = sheet.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    font = FontProperties(family="DejaVu Sans", size=TITLE_PT)

    def wide_in(line: str) -> float:
        pixels, _, _ = measure.get_text_width_height_descent(line, font, False)
        return float(pixels) / sheet.figure.dpi

    lines = []
    for line in title.split("\n"):
        shown, kept = line, len(line)
        while wide_in(shown) > room_in and kept > 2:
            kept -= 1
            shown = f"{line[: kept // 2]}...{line[-(kept - kept // 2) :]}"
        lines.append(shown)
    return "\n".join(lines)


def _input(axes: Axes, item: ClassMaps, title: str) -> None:
    height, width = item.pixels.shape
    low, high = np.percentile(item.pixels, PERCENTILES)
    shown = grey(item.pixels, (low, high))
    axes.imshow(shown, cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    for y0, x0, y1, x1 in item.boxes:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=SICK, lw=1.1))
    axes.set_ylabel(title, size=TITLE_PT, color=INK)
    _bare(axes, item)


def _map(axes: Axes, item: ClassMaps, values: Values, scale: Normalize) -> None:
    axes.imshow(values, cmap="viridis", norm=scale, extent=item.extent, interpolation="none")
    axes.set_facecolor("#E9EAEB")
    _bare(axes, item)


def _bare(axes: Axes, item: ClassMaps) -> None:
    """The same part in every panel of a row, without ticks, and the edge of the picture."""
    height, width = item.pixels.shape
    if item.inside is not None and item.mirrored:
        y0, x0, y1, x1 = item.inside
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **WHITE_DASH))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _called(axes: Axes, item: ClassMaps, least: float) -> None:
    """Cells of the positive map that reach the threshold, outlined as in the paper's Figure 3."""
    step = item.stride_px
    for row, column in np.argwhere(item.counted & (item.odds >= least)):
        corner = (item.extent[0] + column * step, item.extent[3] + row * step)
        axes.add_patch(Rectangle(corner, step, step, fill=False, ec=SICK, lw=0.9))


def _both(axes: Axes, item: ClassMaps, least: float, ends: tuple[float, float]) -> None:
    bins = np.linspace(ends[0], max(ends[1], ends[0] + 1e-6), BINS + 1)
    for values, colour in zip(item.maps, class_colours(2), strict=True):
        axes.stairs(np.histogram(values[item.counted], bins)[0], bins, color=colour, lw=1.4)
    called = np.histogram(item.maps[1][item.counted & (item.odds >= least)], bins)[0]
    axes.stairs(called, bins, color=SICK, alpha=0.85, fill=True)
    _counted(axes, item)


def _difference(axes: Axes, item: ClassMaps, least: float, ends: tuple[float, float]) -> None:
    bins = np.linspace(*ends, BINS + 1)
    odds = item.odds[item.counted]
    axes.stairs(np.histogram(odds, bins)[0], bins, color="#B9BEC3", fill=True)
    called = np.histogram(odds[odds >= least], bins)[0]
    axes.stairs(called, bins, color=SICK, alpha=0.85, fill=True)
    if ends[0] <= least <= ends[1]:
        axes.axvline(least, color=INK, lw=1.1, ls=(0, (4, 2)))
    _counted(axes, item)


def _counted(axes: Axes, item: ClassMaps) -> None:
    axes.set_yscale("log")
    axes.set_ylim(0.6, 1.6 * item.odds.size)
    # the usual labels are formulas, which the house's look does not read
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel("cells", size=8.5)
    axes.tick_params(labelsize=8)


def _ends(items: Sequence[ClassMaps], least: float) -> tuple[float, float]:
    """Of the log odds of all rows, with the threshold unless it is far off."""
    odds = np.concatenate([item.odds[item.counted] for item in items])
    low, high = float(odds.min()), float(odds.max())
    span = max(high - low, 1e-6)
    if low - span <= least <= high + span:
        low, high = min(low, least), max(high, least)
    return low - 0.03 * span, high + 0.03 * span


def _legend(sheet: Sheet, classes: tuple[str, str], least: float, least_p: float) -> None:
    """What colours and the dashed line mean, beside the colour bar."""
    marks: list[Any] = [
        Patch(fill=False, ec=colour, lw=1.4, label=f"class map: {name}")
        for name, colour in zip(classes, class_colours(2), strict=True)
    ]
    said = f"called: log odds {least:.3g} or more (p {threshold_p(least_p)})"
    marks += [
        Line2D([], [], color=INK, lw=1.1, ls=(0, (4, 2)), label="threshold of a place"),
        Patch(fc=SICK, label=said),
    ]
    left = COLUMNS_IN[3][0] / WIDE_IN - 0.02
    sheet.figure.legend(
        handles=marks, loc="lower left", bbox_to_anchor=(left, 0), fontsize=8.5, ncols=2
    )
