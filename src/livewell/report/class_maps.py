"""Class maps of a net of whole frames beside its input, and histograms of their values."""

from collections.abc import Sequence
from dataclasses import dataclass
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

from livewell.report.galleries import stretched
from livewell.report.page import Picture
from livewell.report.style import INK, SICK, Sheet, class_colours, empty
from livewell.text import plural, threshold_p

Values = NDArray[np.floating]
Ends = tuple[float, float]
Bounds = tuple[float, float, float, float]
BINS, DPI = 60, 130
WIDE_IN, HEAD_IN, FOOT_IN, GAP_IN, PANEL_IN = 12.0, 0.32, 0.95, 0.26, 2.05
"""Of the figure: its width, margins, distance of rows, width of an image."""
COLUMNS_IN = ((0.5, PANEL_IN), (2.65, PANEL_IN), (4.8, PANEL_IN), (7.55, 1.85), (10.05, 1.85))
"""Left edge and width of its columns."""
SAID = (
    "Each square of a map is one cell of it. Cells outlined in vermillion reach the threshold of a"
    " detection; boxes in the input are the detections. Counts are logarithmic. Look whether the"
    " histograms of the rows differ, and where: at the right end alone, where few cells decide, or"
    " throughout. Inputs are shown between percentiles of their grey levels, for display only."
)
EDGE_SAID = (
    " The dashed white line is the edge of the image: beyond it the image is mirrored, and"
    " cells there are not counted."
)
TITLE_PT = 8.5


@dataclass(frozen=True)
class ClassMaps:
    """What the net makes of one image.

    Titles have up to three lines, cut in the middle where too long for the row. `pixels` (h, w) are
    grey levels as the net saw them; `maps` (2, rows, columns) scores before softmax, negative and
    positive; `odds` (rows, columns) log odds of every cell; `boxes` (y0, x0, y1, x1) of the
    detections, pixels. From cell to cell it is `stride_px`; the first cell's centre is counted from
    0 at the centre of the first pixel. Beyond `inside` the image is mirrored; all is image where
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
        """Whether a part of it is no image."""
        return self.inside is not None and self.inside != (0, 0, *self.pixels.shape)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(rows, columns) whether the centre of each cell lies in the image.

        All of them where none does, as they all speak for the image then.
        """
        rows, columns = self.maps.shape[1:]
        y0, x0, y1, x1 = self.inside or (0, 0, *self.pixels.shape)
        y, x = (self.first_px + 0.5 + self.stride_px * np.arange(n) for n in (rows, columns))
        found = np.outer((y >= y0) & (y < y1), (x >= x0) & (x < x1))
        return found if found.any() else np.ones_like(found)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge of the maps, pixels of the image."""
        rows, columns = self.maps.shape[1:]
        start = self.first_px + 0.5 - self.stride_px / 2
        return start, start + self.stride_px * columns, start + self.stride_px * rows, start


def class_maps(
    items: Sequence[ClassMaps], classes: tuple[str, str], least: float, least_p: float
) -> Picture:
    """Images, their class maps and histograms of them, one a row and of one size, as PNG.

    From the log odds `least`, the probability `least_p`, on a cell is called. Source: Sailem et
    al., section 4.1 and Figure 3.
    """
    title = f"Class maps of {classes[0]} and {classes[1]}"
    if not items:
        return empty("None.", title)
    low = min(float(item.maps.min()) for item in items)
    high = max(float(item.maps.max()) for item in items)
    scale, ends = Normalize(low, high), _ends(items, least)
    tall, wide = items[0].pixels.shape
    row_in = min(max(PANEL_IN * tall / wide, 1.3), 3.2)
    full_in = HEAD_IN + len(items) * (row_in + GAP_IN) + FOOT_IN
    with Sheet(WIDE_IN, full_in, rows=len(items), columns=len(COLUMNS_IN)) as sheet:
        sheet.figure.set_layout_engine("none")

        def room(left_in: float, bottom_in: float, width_in: float, height_in: float) -> Bounds:
            x, width = left_in / WIDE_IN, width_in / WIDE_IN
            return x, bottom_in / full_in, width, height_in / full_in

        grid = [sheet.panels[i : i + 5] for i in range(0, len(sheet.panels), 5)]
        for number, (item, panels) in enumerate(zip(items, grid, strict=True)):
            bottom = full_in - HEAD_IN - number * (row_in + GAP_IN) - row_in
            for axes, (left, width) in zip(panels, COLUMNS_IN, strict=True):
                axes.set_position(room(left, bottom, width, row_in))
            _input(panels[0], item, _fitted(sheet, item.title, row_in + 0.7 * GAP_IN))
            for axes, values in zip(panels[1:3], item.maps, strict=True):
                axes.imshow(
                    values, norm=scale, extent=item.extent, cmap="viridis", interpolation="none"
                )
                axes.set_facecolor("#E9EAEB")
                _bare(axes, item)
            _called(panels[2], item, least)
            _histograms(panels[3], panels[4], item, least, ((low, high), ends))
        _heads(grid, classes)
        bar = sheet.figure.add_axes(room(COLUMNS_IN[1][0], 0.52, 2 * PANEL_IN, 0.09))
        shades = ScalarMappable(scale, "viridis")
        drawn = sheet.figure.colorbar(shades, cax=bar, orientation="horizontal")
        drawn.outline.set_visible(False)
        drawn.set_label("score before softmax", size=9)
        bar.tick_params(labelsize=8)
        _legend(sheet, classes, least, least_p)
        alt = f"{title}, beside {plural(len(items), 'input')} and histograms of their values."
        said = SAID + (EDGE_SAID if any(item.mirrored for item in items) else "")
        return sheet.png(alt, said, DPI, wide=True)


def _heads(grid: Sequence[Sequence[Axes]], classes: tuple[str, str]) -> None:
    """Names of the columns, and of the histograms' axes."""
    maps = [f"class map: {name}" for name in classes]
    heads = ("input", *maps, "values of both maps", f"log odds: {classes[1]}")
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
    axes.imshow(stretched(item.pixels), cmap="gray", vmin=0, vmax=1, extent=(0, width, height, 0))
    for box in item.boxes:
        axes.add_patch(_outline(box, ec=SICK, lw=1.1))
    axes.set_ylabel(title, size=TITLE_PT, color=INK)
    _bare(axes, item)


def _outline(box: tuple[float, float, float, float], **style: Any) -> Rectangle:
    y0, x0, y1, x1 = box
    return Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **style)


def _bare(axes: Axes, item: ClassMaps) -> None:
    """The same part in every panel of a row, without ticks, and the edge of the image."""
    height, width = item.pixels.shape
    if item.inside is not None and item.mirrored:
        axes.add_patch(_outline(item.inside, ec="white", lw=1.2, ls=(0, (3, 2))))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _called(axes: Axes, item: ClassMaps, least: float) -> None:
    """Cells of the positive map that reach the threshold, outlined as in the paper's Figure 3."""
    step = item.stride_px
    for row, column in np.argwhere(item.counted & (item.odds >= least)):
        corner = (item.extent[0] + column * step, item.extent[3] + row * step)
        axes.add_patch(Rectangle(corner, step, step, fill=False, ec=SICK, lw=0.9))


def _histograms(
    both: Axes, difference: Axes, item: ClassMaps, least: float, ends: tuple[Ends, Ends]
) -> None:
    """Values of both maps, and their difference; filled where a cell is called."""
    odds = item.odds[item.counted]
    of_maps, of_odds = (np.linspace(low, max(high, low + 1e-6), BINS + 1) for low, high in ends)
    for values, colour in zip(item.maps, class_colours(2), strict=True):
        both.stairs(np.histogram(values[item.counted], of_maps)[0], of_maps, color=colour, lw=1.4)
    difference.stairs(np.histogram(odds, of_odds)[0], of_odds, color="#B9BEC3", fill=True)
    positive = item.maps[1][item.counted]
    for axes, values, bins in ((both, positive, of_maps), (difference, odds, of_odds)):
        called = np.histogram(values[odds >= least], bins)[0]
        axes.stairs(called, bins, color=SICK, alpha=0.85, fill=True)
        axes.set_yscale("log")
        axes.set_ylim(0.6, 1.6 * item.odds.size)
        # the usual labels are formulas, which the house's look does not read
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_ylabel("cells", size=8.5)
        axes.tick_params(labelsize=8)
    if of_odds[0] <= least <= of_odds[-1]:
        difference.axvline(least, color=INK, lw=1.1, ls=(0, (4, 2)))


def _ends(items: Sequence[ClassMaps], least: float) -> Ends:
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
        Line2D([], [], color=INK, lw=1.1, ls=(0, (4, 2)), label="threshold of a detection"),
        Patch(fc=SICK, label=said),
    ]
    place: dict[str, Any] = {"loc": "lower left", "fontsize": 8.5, "ncols": 2}
    left = COLUMNS_IN[3][0] / WIDE_IN - 0.02
    sheet.figure.legend(handles=marks, bbox_to_anchor=(left, 0), **place)
