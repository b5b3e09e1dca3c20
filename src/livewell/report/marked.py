"""Frames in a grid with what was found in them marked."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch as Swatch
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from livewell.outputs.overlay import grey as brightness
from livewell.report.galleries import PERCENTILES
from livewell.report.overlays import levels, reduced
from livewell.report.page import Picture
from livewell.report.style import INK, UNSURE, Sheet, class_look, empty

FOUND, WRONG, MISSED, MASK = "#56B4E9", "#D55E00", "#F0E442", "#CC79A7"
"""Sky blue, vermillion, yellow and reddish purple of Okabe and Ito's palette; signs differ too."""
GROUND = "#30353A"
"""Behind the legend, dark as most frames are, so that signs look there as they do in these."""
COVER = 0.45
"""Opacity of pixels that belong to a place."""
WIDEST_PX = 480
"""Wider frames are drawn with fewer pixels."""
_HALO = [withStroke(linewidth=2.6, foreground="black", alpha=0.55)]

Boxes = NDArray[np.int64]
Peaks = NDArray[np.float64]


def _no_boxes() -> Boxes:
    return np.empty((0, 4), dtype=np.int64)


def _no_peaks() -> Peaks:
    return np.empty((0, 2))


@dataclass(frozen=True, eq=False)
class MarkedFrame:
    """A frame and what is marked in it, all in pixels of the frame.

    `grey` (h, w) is of any number type. `truth` is the number of the true class, which colours the
    edge. `places`, which nobody checked, and `right` and `wrong`, held against boxes, are (n, 2)
    rows and columns; the true boxes `found` and `missed` are (n, 4), half-open: y0, x0, y1, x1.
    `mask` (h, w): pixels of the places.
    """

    grey: NDArray[Any]
    caption: str
    truth: int | None = None
    places: Peaks = field(default_factory=_no_peaks)
    right: Peaks = field(default_factory=_no_peaks)
    wrong: Peaks = field(default_factory=_no_peaks)
    found: Boxes = field(default_factory=_no_boxes)
    missed: Boxes = field(default_factory=_no_boxes)
    mask: NDArray[np.bool_] | None = None


def marked_frames(
    frames: Sequence[MarkedFrame], *, columns: int = 3, title: str = "Example frames"
) -> Picture:
    """Frames in a grid, each with its marks and a caption below, and one legend for all.

    Each is stretched by itself between the percentiles of galleries.
    """
    if not frames:
        return empty("None.", title)
    lines = max(frame.caption.count("\n") + 1 for frame in frames)
    tall = max(frame.grey.shape[0] / frame.grey.shape[1] for frame in frames)
    rows = -(-len(frames) // columns)
    signs = _signs(frames)
    height_in = rows * (tall * 8.8 / columns + 0.17 * lines + 0.1) + (0.42 if signs else 0)
    with Sheet(9.0, height_in, rows=rows, columns=columns, gap_in=0.03) as sheet:
        for axes in sheet.panels[len(frames) :]:
            axes.set_axis_off()
        for axes, frame in zip(sheet.panels, frames, strict=False):
            _draw(axes, frame)
        if signs:
            sheet.figure.legend(
                handles=signs,
                loc="outside lower center",
                ncols=len(signs),
                handletextpad=0.5,
                borderaxespad=0.0,
                frameon=True,
                facecolor=GROUND,
                edgecolor="none",
                labelcolor="white",
            )
        by = max(_step(frame.grey.shape) for frame in frames)
        drawn = f" Means of up to {by} x {by} pixels are drawn." if by > 1 else ""
        told = "; ".join(_told(frame) for frame in frames)
        picture = sheet.picture(
            f"{title}: {len(frames)}. {told}",
            f"Each is shown from its {PERCENTILES[0]}th to its {PERCENTILES[1]}th percentile of"
            f" grey levels, registration borders aside.{drawn}",
        )
        return replace(picture, wide=True)


def _told(frame: MarkedFrame) -> str:
    counts = {
        "places marked": len(frame.places),
        "right": len(frame.right),
        "wrong": len(frame.wrong),
        "missed": len(frame.missed),
    }
    said = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return frame.caption.replace("\n", ", ") + (f": {said}" if said else "")


def _step(shape: tuple[int, ...]) -> int:
    return -(-shape[1] // WIDEST_PX)


def _draw(axes: Axes, frame: MarkedFrame) -> None:
    height, width = frame.grey.shape
    by = _step(frame.grey.shape)
    shown = _coloured(frame.grey, frame.mask, by)
    # pixel i covers [i, i + 1), as in the tables; the last squares may reach beyond the frame
    extent = (0, shown.shape[1] * by, shown.shape[0] * by, 0)
    axes.imshow(shown, extent=extent, interpolation="none")
    styles = ((frame.found, FOUND, "-"), (frame.missed, MISSED, (0, (2.2, 1.4))))
    for boxes, colour, line in styles:
        for y0, x0, y1, x1 in boxes.tolist():
            corners = (x0, y0), x1 - x0, y1 - y0
            axes.add_patch(
                Rectangle(*corners, fill=False, ec=colour, lw=1.3, ls=line, path_effects=_HALO)
            )
    marks = ((frame.right, FOUND, "+"), (frame.wrong, WRONG, "x"), (frame.places, MISSED, "o"))
    for peaks, colour, mark in marks:
        if len(peaks):
            for under in (True, False):
                axes.plot(peaks[:, 1], peaks[:, 0], mark, **_sign(colour, mark, under=under))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(frame.truth is not None)
    edge = UNSURE if frame.truth is None else class_look(frame.truth).colour
    axes.spines[:].set(color=edge, linewidth=2.4)
    axes.set_xlabel(frame.caption, size=8, color=INK, labelpad=3, linespacing=1.25)


def _sign(colour: str, mark: str, *, under: bool = False) -> dict[str, Any]:
    """Style of a mark, or of the dark rim under it."""
    colour, width = ("black", 3.0) if under else (colour, 1.7)
    size = 9.0 if mark == "o" else 7.0
    return {"mec": colour, "mfc": "none", "mew": width, "ms": size + (1.0 if under else 0.0)}


def _signs(frames: Sequence[MarkedFrame]) -> list[Line2D | Swatch]:
    """The legend of what is in the frames."""
    there = {
        name: any(len(getattr(frame, name)) for frame in frames)
        for name in ("right", "wrong", "places", "found", "missed")
    }
    kinds = {
        "right": ("right place", FOUND, "+", "none"),
        "wrong": ("wrong place", WRONG, "x", "none"),
        "places": ("place", MISSED, "o", "none"),
        "found": ("true box, found", FOUND, "", "-"),
        "missed": ("true box, missed", MISSED, "", (0, (2.2, 1.4))),
    }
    signs: list[Line2D | Swatch] = [
        Line2D([], [], color=colour, ls=line, lw=1.8, label=name)
        if not mark
        else Line2D([], [], marker=mark, ls="none", label=name, **_sign(colour, mark))
        for kind, (name, colour, mark, line) in kinds.items()
        if there[kind]
    ]
    if any(frame.mask is not None and frame.mask.any() for frame in frames):
        signs.append(Swatch(fc=MASK, alpha=0.8, label="pixels of a place"))
    return signs


def _coloured(grey: NDArray[Any], mask: NDArray[np.bool_] | None, by: int = 1) -> NDArray[np.uint8]:
    """(h, w, 3): grey levels stretched, pixels of places tinted; means of `by` x `by` pixels."""
    shown = np.repeat(brightness(reduced(grey, by), levels(grey, by))[..., None], 3, axis=2)
    if mask is not None:
        cover = COVER * np.asarray(reduced(mask, by), dtype=np.float32)[..., None]
        shown = (1 - cover) * shown + cover * np.array(to_rgb(MASK))
    return np.asarray(np.rint(255 * shown), dtype=np.uint8)
