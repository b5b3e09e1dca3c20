"""Example patches side by side, and frames with what was found in them marked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch as Swatch
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from livewell.outputs.overlay import grey as brightness
from livewell.report.overlays import levels, reduced
from livewell.report.page import Picture
from livewell.report.style import PERCENTILES, Sheet, class_look, empty, tile, tinted

PATCH_COLUMNS, FRAME_COLUMNS = 6, 3
"""Patches and frames in a row."""
FOUND, WRONG, MISSED, MASK = "#56B4E9", "#D55E00", "#F0E442", "#CC79A7"
"""Sky blue, vermillion, yellow and reddish purple of Okabe and Ito's palette; signs differ too."""
SIGNS: dict[str, tuple[str, str, str, Any]] = {
    "right": ("right detection", FOUND, "+", "none"),
    "wrong": ("wrong detection", WRONG, "x", "none"),
    "places": ("detection", MISSED, "o", "none"),
    "found": ("true box, found", FOUND, "", "-"),
    "missed": ("true box, missed", MISSED, "", (0, (2.2, 1.4))),
}
"""Name, colour, mark and line of what is marked in frames."""
GROUND = "#30353A"
"""Behind the legend, dark as most frames are, so that signs look there as they do in these."""
COVER = 0.45
"""Opacity of pixels that belong to a detection."""
WIDEST_PX = 480
"""Wider frames are drawn with fewer pixels."""
_HALO = [withStroke(linewidth=2.6, foreground="black", alpha=0.55)]
Boxes = NDArray[np.int64]
Peaks = NDArray[np.float64]
NO_BOXES: Any = partial(np.empty, (0, 4), np.int64)
NO_PEAKS: Any = partial(np.empty, (0, 2))


def patch_gallery(
    stack: Sequence[NDArray[Any]] | NDArray[Any],
    captions: Sequence[str],
    *,
    tones: Sequence[str | None] | None = None,
    title: str = "Example patches",
) -> Picture:
    """Patches (y, x) in a grid on the page's full width, each with a caption below.

    `tones` are colours of the lines around patches. Every patch is stretched by itself between its
    `PERCENTILES`; the SVG holds its pixels unchanged in size.
    """
    patches = list(stack)
    edges = list(tones) if tones is not None else [None] * len(patches)
    if not patches:
        return empty("None.", title)
    with Sheet.tiled(captions, PATCH_COLUMNS, 9.0 / PATCH_COLUMNS + 0.04, 0.0) as sheet:
        panels = sheet.panels[: len(patches)]
        for axes, patch, caption, edge in zip(panels, patches, captions, edges, strict=True):
            shown = np.rint(255 * stretched(patch)).astype(np.uint8)
            axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="none")
            tile(axes, caption, edge)
        low, high = PERCENTILES
        said = "; ".join(caption.replace("\n", ", ") for caption in captions)
        return sheet.picture(
            f"{title}: {len(patches)} patches. {said}",
            f"Each patch is shown from its {low}th to its {high}th percentile of grey levels.",
            wide=True,
        )


def stretched(patch: NDArray[Any]) -> NDArray[np.float32]:
    """Grey levels from 0 to 1 between percentiles of the patch itself."""
    grey = np.asarray(patch, dtype=np.float32)
    known = grey[np.isfinite(grey)]
    if not known.size:
        return np.zeros_like(grey)
    low, high = np.percentile(known, PERCENTILES)
    filled = np.nan_to_num(grey, nan=float(low))
    return np.asarray(np.clip((filled - low) / ((high - low) or 1.0), 0, 1))


@dataclass(frozen=True, eq=False)
class MarkedFrame:
    """A frame and what is marked in it, all in pixels of the frame.

    `grey` (h, w) is of any number type. `truth` is the number of the true class, which colours the
    edge. `places`, which nobody checked, and `right` and `wrong`, held against boxes, are (n, 2)
    rows and columns; the true boxes `found` and `missed` are (n, 4), half-open: y0, x0, y1, x1.
    `mask` (h, w): pixels of the detections.
    """

    grey: NDArray[Any]
    caption: str
    truth: int | None = None
    places: Peaks = field(default_factory=NO_PEAKS)
    right: Peaks = field(default_factory=NO_PEAKS)
    wrong: Peaks = field(default_factory=NO_PEAKS)
    found: Boxes = field(default_factory=NO_BOXES)
    missed: Boxes = field(default_factory=NO_BOXES)
    mask: NDArray[np.bool_] | None = None


def marked_frames(frames: Sequence[MarkedFrame], *, title: str = "Example frames") -> Picture:
    """Frames in a grid, each with its marks and a caption below, and one legend for all.

    Each is stretched by itself between the percentiles of galleries.
    """
    if not frames:
        return empty("None.", title)
    tall = max(frame.grey.shape[0] / frame.grey.shape[1] for frame in frames)
    signs = _signs(frames)
    tile_in = tall * 8.8 / FRAME_COLUMNS + 0.1
    captions = [frame.caption for frame in frames]
    with Sheet.tiled(captions, FRAME_COLUMNS, tile_in, 0.42 if signs else 0.0) as sheet:
        for axes, frame in zip(sheet.panels, frames, strict=False):
            _draw(axes, frame)
        if signs:
            ground: dict[str, Any] = {"facecolor": GROUND, "edgecolor": "none", "frameon": True}
            place: dict[str, Any] = {"loc": "outside lower center", "borderaxespad": 0.0}
            text: dict[str, Any] = {"handletextpad": 0.5, "labelcolor": "white"}
            sheet.figure.legend(handles=signs, ncols=len(signs), **ground, **place, **text)
        by = max(_step(frame.grey.shape) for frame in frames)
        drawn = f" Means of up to {by} x {by} pixels are drawn." if by > 1 else ""
        told = "; ".join(_told(frame) for frame in frames)
        low, high = PERCENTILES
        return sheet.picture(
            f"{title}: {len(frames)}. {told}",
            f"Each is shown from its {low}th to its {high}th percentile of grey levels,"
            f" registration borders aside.{drawn}",
            wide=True,
        )


def _told(frame: MarkedFrame) -> str:
    names = {"places": "detections marked", "right": "right", "wrong": "wrong", "missed": "missed"}
    counts = {said: len(getattr(frame, name)) for name, said in names.items()}
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
    for name in ("found", "missed"):
        _, colour, _, line = SIGNS[name]
        style: dict[str, Any] = {"ec": colour, "lw": 1.3, "ls": line, "path_effects": _HALO}
        for y0, x0, y1, x1 in getattr(frame, name).tolist():
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **style))
    for name in ("right", "wrong", "places"):
        peaks, (_, colour, mark, _) = getattr(frame, name), SIGNS[name]
        for under in (True, False) if len(peaks) else ():
            axes.plot(peaks[:, 1], peaks[:, 0], mark, **_sign(colour, mark, under=under))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    tile(axes, frame.caption, None if frame.truth is None else class_look(frame.truth).colour)


def _sign(colour: str, mark: str, *, under: bool = False) -> dict[str, Any]:
    """Style of a mark, or of the dark rim under it."""
    colour, width = ("black", 3.0) if under else (colour, 1.7)
    size = 9.0 if mark == "o" else 7.0
    return {"mec": colour, "mfc": "none", "mew": width, "ms": size + (1.0 if under else 0.0)}


def _signs(frames: Sequence[MarkedFrame]) -> list[Line2D | Swatch]:
    """The legend of what is in the frames."""
    signs: list[Line2D | Swatch] = [
        Line2D([], [], color=colour, ls=line, lw=1.8, label=name)
        if not mark
        else Line2D([], [], marker=mark, ls="none", label=name, **_sign(colour, mark))
        for kind, (name, colour, mark, line) in SIGNS.items()
        if any(len(getattr(frame, kind)) for frame in frames)
    ]
    if any(frame.mask is not None and frame.mask.any() for frame in frames):
        signs.append(Swatch(fc=MASK, alpha=0.8, label="pixels of a detection"))
    return signs


def _coloured(grey: NDArray[Any], mask: NDArray[np.bool_] | None, by: int) -> NDArray[np.uint8]:
    """(h, w, 3): grey levels stretched, detections tinted; means of `by` x `by` pixels."""
    shown = brightness(reduced(grey, by), levels(grey, by))
    cover = np.zeros_like(shown) if mask is None else COVER * reduced(mask, by)
    return np.asarray(np.rint(255 * tinted(shown, cover, MASK)), dtype=np.uint8)
