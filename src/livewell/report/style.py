"""One look for every figure: fixed colours, quiet axes, text that stays text in SVG."""

import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from livewell.report.page import Picture
from livewell.text import printable

HEALTHY = "#0072B2"
"""Blue of Okabe and Ito's palette (Color Universal Design, 2008): the first class, always."""
SICK = "#D55E00"
"""Vermillion of the same palette: the second class, the positive one of two, always."""
UNSURE = "#8A8F94"
"""Grey: the band in which no verdict is given."""
INK = "#1B1F23"
"""Text and the curve that matters."""
FAINT = "#C9CED3"
"""Lines that only guide the eye."""
PALETTE = {
    "blue": HEALTHY,
    "orange": SICK,
    "green": "#009E73",
    "pink": "#CC79A7",
    "sky blue": "#56B4E9",
    "amber": "#E69F00",
    "yellow": "#F0E442",
    "black": "#000000",
}
"""Okabe and Ito's eight colours by the names that captions use, in the order of the classes."""
SHADES = (("", 0.0, 0.0), ("dark", 0.0, 0.45), ("pale", 1.0, 0.55))
"""What is said of a colour that comes again, and what it is mixed with, by which share."""
CLASS_MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
CLASS_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
CLASS_HATCHES = ("", "////", "....", "xxxx")
"""A mark, a line and a pattern for every class, so that colour is never the only sign."""
VERDICT_LOOKS = {
    "healthy": (HEALTHY, "o"),
    "sick": (SICK, "s"),
    "unsure": (UNSURE, "D"),
    "nothing to judge": (FAINT, "x"),
}
"""Colour and shape of verdicts under the usual names, so that colour is never the only sign."""
PERCENTILES = (0.5, 99.5)
"""Grey levels of a patch or frame shown as black and as white."""
FONTS = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif"
"""System fonts of figures and page."""


@dataclass(frozen=True, slots=True)
class ClassLook:
    """How one class looks in every figure; `said` is what captions call its colour."""

    colour: str
    said: str
    mark: str
    dash: Any
    hatch: str


def class_look(number: int) -> ClassLook:
    """Look of the class with this number.

    After eight classes the colours come again, darker, then paler, and hatched.
    """
    said, colour = list(PALETTE.items())[number % len(PALETTE)]
    shade, towards, share = SHADES[number // len(PALETTE) % len(SHADES)]
    if said == "black" and shade:
        shade, said, towards = "", f"{shade} grey", 1.0
    red, green, blue = ((1 - share) * part + share * towards for part in to_rgb(colour))
    return ClassLook(
        to_hex((red, green, blue)).upper(),
        f"{shade} {said}".strip(),
        CLASS_MARKS[number % len(CLASS_MARKS)],
        CLASS_DASHES[number % len(CLASS_DASHES)],
        CLASS_HATCHES[number // len(PALETTE) % len(CLASS_HATCHES)],
    )


def class_colours(count: int) -> list[str]:
    """Colours of so many classes in their order."""
    return [class_look(number).colour for number in range(count)]


def class_legend(classes: Iterable[str], width_in: float) -> tuple[dict[str, Any], float]:
    """Keywords of ``Figure.legend`` for a legend of classes, and its height in inches."""
    swatches = []
    for number, name in enumerate(classes):
        look = class_look(number)
        style: dict[str, Any] = {"fc": look.colour, "hatch": look.hatch, "label": cut(name, 24)}
        swatches.append(Patch(ec="white", lw=0, **style))
    longest, count = max(len(str(patch.get_label())) for patch in swatches), len(swatches)
    columns = max(1, min(count, int(width_in / (0.5 + 0.085 * longest))))
    settings = {"handles": swatches, "ncols": columns, "handlelength": 0.9}
    return settings, 0.1 + 0.2 * -(-count // columns)


def cut(name: str, most: int = 44) -> str:
    """A name of at most so many characters, its middle left out where it is longer."""
    name = printable(name)
    return name if len(name) <= most else f"{name[: most // 2]}...{name[-most // 2 + 3 :]}"


def tail(name: str, most: int) -> str:
    """The end of a name, of at most so many characters."""
    name = printable(name)
    return name if len(name) <= most else f"...{name[3 - most :]}"


def edges(classes: Iterable[str]) -> str:
    """What the colours of classes mean: ``blue healthy, orange sick``."""
    return ", ".join(f"{class_look(n).said} {name}" for n, name in enumerate(classes))


def tinted(grey: NDArray[Any], cover: NDArray[Any], colour: str) -> NDArray[np.floating]:
    """Grey levels (h, w), 0 to 1, as (h, w, 3) with so much of a colour, (h, w), over them."""
    share = cover[..., None]
    return np.asarray((1 - share) * grey[..., None] + share * np.array(to_rgb(colour)))


def ink_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour."""
    red, green, blue = to_rgb(colour)
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.55 else INK


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


@dataclass
class Sheet:
    """A figure being drawn in the house's look; a context manager around all drawing calls.

    The size on the page is in inches of 96 CSS pixels; `ratios` are relative widths of the columns,
    and panels of a row may share their y axis. Panels beyond those that are `used` stay empty.
    """

    width_in: float = 4.6
    height_in: float = 3.4
    _: KW_ONLY
    rows: int = 1
    columns: int = 1
    ratios: tuple[float, ...] | None = None
    share_y: bool = False
    gap_in: float | None = None
    used: int | None = None

    def __enter__(self) -> "Sheet":
        self._style = ExitStack()
        self._style.enter_context(mpl.rc_context(_RC))
        # a page's own fonts have letters that the one of measuring lacks
        self._style.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        engine = ConstrainedLayoutEngine(w_pad=self.gap_in, h_pad=self.gap_in)
        self.figure = Figure(figsize=(self.width_in, self.height_in), layout=engine)
        FigureCanvasAgg(self.figure)
        share: Any = {"width_ratios": self.ratios, "sharey": "row" if self.share_y else False}
        grid = self.figure.subplots(self.rows, self.columns, squeeze=False, **share)
        self.panels: list[Axes] = list(grid.ravel())
        for axes in self.panels[self.used :] if self.used is not None else []:
            axes.set_axis_off()
        return self

    def __exit__(self, *error: object) -> None:
        self._style.close()

    @property
    def axes(self) -> Axes:
        """The first panel."""
        return self.panels[0]

    @classmethod
    def tiled(
        cls, captions: Sequence[str], columns: int, tile_in: float, foot_in: float
    ) -> "Sheet":
        """A gallery on the page's full width, of tiles this tall above their captions."""
        lines = max(caption.count("\n") + 1 for caption in captions)
        rows, used = -(-len(captions) // columns), len(captions)
        height_in = rows * (tile_in + 0.17 * lines) + foot_in
        return cls(9.0, height_in, rows=rows, columns=columns, gap_in=0.03, used=used)

    def _save(self, **settings: Any) -> bytes:
        """The figure as bytes; its text printable, for SVG holds no control character, and cut."""
        for legend in self.figure.findobj(Legend):
            texts = legend.get_texts()
            columns = min(legend._ncols, max(len(texts), 1))  # type: ignore[attr-defined]
            for text in texts:
                share = legend.axes.get_position().width if legend.axes else 1
                _shorten(text, self.width_in * share / columns, "")
        for axes in self.figure.axes:
            _shorten(axes.yaxis.label, self.height_in)
        for text in self.figure.findobj(Text):
            _shorten(text, self.width_in)
        buffer = BytesIO()
        self.figure.savefig(buffer, **settings)
        return buffer.getvalue()

    def png(self, alt: str, caption: str, dpi: int, *, wide: bool = False) -> Picture:
        """The finished figure as PNG; call it inside the block."""
        data = self._save(format="png", dpi=dpi, metadata={"Software": "livewell"})
        return Picture(data, "png", alt, caption, wide)

    def picture(self, alt: str, caption: str = "", *, wide: bool = False) -> Picture:
        """The finished figure as SVG; call it inside the block."""
        data = self._save(format="svg", metadata={"Date": None, "Creator": "livewell"})
        # The layout was measured with DejaVu Sans, which is wider than any of these: they fit.
        data = data.replace(b"'DejaVu Sans'", FONTS.replace("'", "&apos;").encode())
        return Picture(data, "svg", alt, caption, wide)


def _shorten(text: Text, room_in: float, end: str = "\n") -> None:
    """Make each line printable, and cut what would take so much room that no figure is left."""
    lines = text.get_text().split(end) if end else [text.get_text()]
    text.set_text(end.join(cut(line, max(18, round(14 * room_in))) for line in lines))


def unit_axis(axes: Axes, which: str = "x", margin: float = 0.02) -> None:
    """Limits 0 to 1 with ticks at every fifth."""
    axes.set(**{f"{which}lim": (-margin, 1 + margin), f"{which}ticks": [0, 0.2, 0.4, 0.6, 0.8, 1]})


def log_axis(axes: Axes) -> None:
    """The x axis logarithmic, with plain numbers at 1, 2 and 5 of every decade."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def unit_square(axes: Axes, across: str, up: str) -> None:
    """Both axes from 0 to 1 on one scale, named, with the diagonal dashed."""
    axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (4, 3)))
    unit_axis(axes, "x")
    unit_axis(axes, "y")
    axes.set(aspect="equal", xlabel=across, ylabel=up)


def name_ticks(
    axes: Axes, axis: str, at: Sequence[int], names: Iterable[str], most: int = 44, **look: Any
) -> None:
    """Names from users at ticks of the x or y axis, of at most so many characters."""
    getattr(axes, f"set_{axis}ticks")(at, [cut(name, most) for name in names], **look)


def name_rows(axes: Axes, names: Sequence[str], rim: float = 0.7) -> NDArray[np.int_]:
    """Name rows from top to bottom, with so much room at either end; heights of the rows."""
    rows = np.arange(len(names))[::-1]
    name_ticks(axes, "y", rows.tolist(), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-rim, len(names) - 1 + rim)
    return rows


def beside(axes: Axes, row: float, text: str, **style: Any) -> None:
    """Write to the right of a row, outside of the axes."""
    place: dict[str, Any] = {"textcoords": "offset points", "annotation_clip": False}
    place["xycoords"] = ("axes fraction", "data")
    axes.annotate(text, (1, row), (8, 0), va="center", **place, **style)


def tile(axes: Axes, caption: str, edge: str | None = None) -> None:
    """Make of a panel an image: no ticks, a line of a colour round it, or none, and a caption."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(edge is not None)
    axes.spines[:].set(color=edge or UNSURE, linewidth=2.4)
    spec = axes.get_subplotspec()
    if spec is not None:
        # so many letters of this size fit an inch, and no caption reaches into the next one
        most = max(
            18, round(16 * axes.figure.bbox.width / axes.figure.dpi / spec.get_gridspec().ncols)
        )
        caption = "\n".join(cut(line, most) for line in caption.split("\n"))
    axes.set_xlabel(caption, size=8, color=INK, labelpad=3, linespacing=1.25)


def say(axes: Axes, text: str) -> None:
    """Write in an otherwise empty panel why there is nothing to see."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="#6B7177")


def empty(text: str, alt: str) -> Picture:
    """A small figure that says why there is nothing to draw."""
    with Sheet(4.6, 1.2) as sheet:
        sheet.axes.set_axis_off()
        say(sheet.axes, text)
        return sheet.picture(f"{alt}: {text}")
