"""One look for every figure: fixed colours, quiet axes, text that stays text in SVG."""

from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from livewell.report.page import Picture

HEALTHY = "#0072B2"
"""Blue of Okabe and Ito's palette (Color Universal Design, 2008): the negative class, always."""
SICK = "#D55E00"
"""Vermillion of the same palette: the positive class, always."""
UNSURE = "#8A8F94"
"""Grey: the band in which no verdict is given."""
INK = "#1B1F23"
"""Text and the curve that matters."""
FAINT = "#C9CED3"
"""Lines that only guide the eye."""
CLASS_COLOURS = (HEALTHY, SICK)
"""Colours of (negative, positive)."""
VERDICT_COLOURS = {
    "healthy": HEALTHY,
    "sick": SICK,
    "unsure": UNSURE,
    "nothing to judge": FAINT,
}
"""Colours of verdicts under the usual class names."""
VERDICT_MARKS = {"healthy": "o", "sick": "s", "unsure": "D", "nothing to judge": "x"}
"""A shape for every verdict, so that colour is never the only sign."""
FONTS = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
"""System fonts of figures and page."""

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "text.color": INK,
    "axes.edgecolor": "#6B7177",
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": "#6B7177",
    "ytick.color": "#6B7177",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "livewell",
    "axes.unicode_minus": False,
    # Names come from users, and a dollar in one is no formula.
    "text.parse_math": False,
}


class Sheet:
    """A figure being drawn in the house's look; a context manager around all drawing calls.

    Parameters
    ----------
    width_in, height_in
        Size on the page in inches of 96 CSS pixels.
    rows, columns
        Of panels.
    ratios
        Relative widths of the columns.
    share_y
        Panels of a row share their y axis.
    gap_in
        Distance between panels; the usual one where not given.
    """

    def __init__(
        self,
        width_in: float = 4.6,
        height_in: float = 3.4,
        *,
        rows: int = 1,
        columns: int = 1,
        ratios: tuple[float, ...] | None = None,
        share_y: bool = False,
        gap_in: float | None = None,
    ) -> None:
        self._size = (width_in, height_in)
        self._grid = (rows, columns, ratios, share_y)
        self._gap_in = gap_in
        self._style = mpl.rc_context(_RC)

    def __enter__(self) -> "Sheet":
        self._style.__enter__()
        rows, columns, ratios, share_y = self._grid
        engine = ConstrainedLayoutEngine(w_pad=self._gap_in, h_pad=self._gap_in)
        self.figure = Figure(figsize=self._size, layout=engine)
        FigureCanvasAgg(self.figure)
        grid = self.figure.subplots(
            rows, columns, squeeze=False, width_ratios=ratios, sharey="row" if share_y else False
        )
        self.panels: list[Axes] = list(grid.ravel())
        return self

    def __exit__(self, *error: object) -> None:
        self._style.__exit__(None, None, None)

    @property
    def axes(self) -> Axes:
        """The first panel."""
        return self.panels[0]

    def picture(self, alt: str, caption: str = "") -> Picture:
        """The finished figure as SVG; call it inside the block."""
        buffer = BytesIO()
        self.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "livewell"})
        # The layout was measured with DejaVu Sans, which is wider than any of these: they fit.
        data = buffer.getvalue().replace(b"'DejaVu Sans'", FONTS.replace("'", "&apos;").encode())
        return Picture(data, "svg", alt, caption)


def unit_axis(axes: Axes, which: str = "x", margin: float = 0.02) -> None:
    """Limits 0 to 1 with ticks at every fifth."""
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    if which == "x":
        axes.set_xlim(-margin, 1 + margin)
        axes.set_xticks(ticks)
    else:
        axes.set_ylim(-margin, 1 + margin)
        axes.set_yticks(ticks)


def say(axes: Axes, text: str) -> None:
    """Write in an otherwise empty panel why there is nothing to see."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#6B7177")


def empty(text: str, alt: str) -> Picture:
    """A small figure that says why there is nothing to draw."""
    with Sheet(4.6, 1.2) as sheet:
        sheet.axes.set_axis_off()
        say(sheet.axes, text)
        return sheet.picture(f"{alt}: {text}")
