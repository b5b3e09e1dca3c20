"""Images in grey under the detections in them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.measure import find_contours

from livewell.measure.borders import valid_area
from livewell.outputs.overlay import grey, nice_length
from livewell.report.page import Picture
from livewell.report.style import PERCENTILES, SICK, Sheet, tail, tinted
from livewell.text import chance, plural

FILL = 0.28
"""Opacity of a detection's pixels over the image."""
NARROWEST_PX, WIDEST_PX = 640, 1600
"""Overlays narrower are enlarged, longer ones reduced, both by a whole number."""
FEW = 12
"""Up to so many detections the probability stands beside each one's number."""
MOST_NUMBERED = 60
"""Of more detections none is numbered: the numbers would hide the image."""
TOO_MANY = "too many detections for numbers"
LARGEST, SMALLEST = 0.85, 0.55
"""Size of numbers, of the words above the image: where detections are far apart, and near."""
DPI, PAGE_QUALITY = 100, 88


@dataclass(frozen=True)
class Overlay:
    """One image and the detections in it.

    `pixels` (h, w) are grey levels of the file, `labels` (h, w) numbers of detections from 1 on, 0
    for none, `p` (n,) their probabilities in this order. Without `pixel_um` there is no scale bar.
    """

    pixels: NDArray[Any]
    labels: NDArray[np.integer]
    p: Sequence[float]
    headline: str
    name: str
    pixel_um: float | None = None


def overlay(item: Overlay) -> Picture:
    """An image in grey, its detections outlined, filled lightly and numbered, as PNG.

    Source: Sailem et al., Figures 4 and 5.
    """
    by = math.ceil(max(item.pixels.shape) / WIDEST_PX)
    small = reduced(item.pixels, by)
    # a narrow strip is not enlarged beyond all measure; its words stand over white then
    zoom = max(min(math.ceil(NARROWEST_PX / small.shape[1]), WIDEST_PX // max(small.shape)), 1)
    drawn_px, high_px = small.shape[1] * zoom, small.shape[0] * zoom
    wide_px = max(drawn_px, NARROWEST_PX)
    text_px = max(wide_px / 38, 14.0)
    head_px, foot_px = 3.5 * text_px, 1.9 * text_px
    full_px = high_px + head_px + foot_px
    display = levels(item.pixels, by)
    bare = f", {TOO_MANY}" if len(item.p) > MOST_NUMBERED else ""
    with Sheet(wide_px / DPI, full_px / DPI) as sheet:
        sheet.figure.set_layout_engine("none")
        axes, pt = sheet.axes, text_px * 72 / DPI
        axes.set_position((0, foot_px / full_px, drawn_px / wide_px, high_px / full_px))
        axes.set_axis_off()
        # the last square of a row or column may reach beyond the image
        height, width = small.shape[0] * by, small.shape[1] * by
        shown = tinted(grey(small, display), FILL * reduced(item.labels > 0, by), SICK)
        axes.imshow(shown, extent=(0, width, height, 0), interpolation="nearest")
        text = by / zoom * text_px
        size = _size(item, pt, text)
        _outlined(axes, item, size / 8)
        if not bare:
            _numbered(axes, item, size, text)
        if item.pixel_um is not None:
            _scale_bar(axes, item.pixels.shape, item.pixel_um, pt)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        write = sheet.figure.text
        left = 0.4 * text_px / wide_px
        write(left, 1 - 0.45 * text_px / full_px, item.headline, size=pt, weight="bold", va="top")
        name = tail(item.name, 52)
        write(left, 1 - 1.95 * text_px / full_px, name, size=pt * 0.9, va="top")
        said = f"grey levels {display[0]:.5g} to {display[1]:.5g} shown (for display only)"
        said += f", means of {by} x {by} px{bare}" if by > 1 else bare
        # a long line shrinks to the width: a character takes 0.6 of its height
        small_pt = min(pt * 0.85, wide_px * 72 / DPI / (0.6 * len(said)))
        write(left, 0.5 * text_px / full_px, said, size=small_pt, color="#565D64")
        many = plural(len(item.p), "detection")
        return sheet.png(f"{item.name}: {item.headline}. {many} outlined{bare}.", "", DPI)


def levels(pixels: NDArray[Any], by: int = 1) -> tuple[float, float]:
    """Grey levels of a frame that are shown as black and as white.

    Percentiles of galleries, of what `reduced` makes of the frame without registration borders.
    """
    whole = pixels[valid_area(pixels).slices] if pixels.any() else pixels
    shown = reduced(whole, by)
    known = shown[np.isfinite(shown)]
    low, high = np.percentile(known, PERCENTILES) if known.size else (0.0, 1.0)
    return float(low), float(high)


def reduced(values: NDArray[Any], by: int) -> NDArray[Any]:
    """Means of squares of `by` x `by` pixels, so that no pattern arises that is not there.

    The last ones of a row or column may hold fewer. With `by` 1 the values themselves.
    """
    if by == 1:
        return values
    height, width = values.shape
    rows, columns = np.arange(0, height, by), np.arange(0, width, by)
    sums = np.add.reduceat(np.asarray(values, dtype=np.float64), rows, axis=0)
    sums = np.add.reduceat(sums, columns, axis=1)
    counts = np.outer(np.minimum(by, height - rows), np.minimum(by, width - columns))
    return np.asarray(sums / counts)


def for_page(picture: Picture) -> Picture:
    """The same as WebP, a fraction of the size."""
    buffer = BytesIO()
    Pillow.open(BytesIO(picture.data)).convert("RGB").save(buffer, "WEBP", quality=PAGE_QUALITY)
    return replace(picture, data=buffer.getvalue(), kind="webp")


def _outlined(axes: Axes, item: Overlay, line: float) -> None:
    """Outline of every detection, `line` points wide."""
    lines = []
    for number, part in _parts(item):
        rows, columns = part
        inside = np.pad(item.labels[part] == number, 1).astype(float)
        # contours run through centres of pixels, and pixel i is drawn from i to i + 1
        corner = np.array([columns.start - 0.5, rows.start - 0.5])
        found = find_contours(inside, 0.5)  # type: ignore[no-untyped-call]
        lines += [line[:, ::-1] + corner for line in found]
    axes.add_collection(LineCollection(lines, colors=SICK, linewidths=line))


def _numbered(axes: Axes, item: Overlay, size: float, text: float) -> None:
    """Number of every detection, `size` points high, none above the image.

    `text` is the height of the words above the image, pixels of the image.
    """
    width = item.labels.shape[1]
    # a wide halo makes one blob of small letters
    halo = [withStroke(linewidth=size / 6, foreground="black")]
    style: dict[str, Any] = {"size": size, "color": "white", "va": "center", "path_effects": halo}
    for number, (rows, columns) in _parts(item):
        x, away, side = columns.stop, size / 4, "left"
        if x >= 0.88 * width:
            x, away, side = columns.start, -size / 4, "right"
        said = f"{number}"
        if len(item.p) <= FEW and number <= len(item.p):
            said += f" ({chance(item.p[number - 1], 2)})"
        at, offset = (x, max(rows.start, 0.6 * text)), (away, 0)
        axes.annotate(said, at, offset, textcoords="offset points", ha=side, **style)


def _size(item: Overlay, pt: float, text: float) -> float:
    """Size of numbers in points, by which lines go too: half the distance of neighbours.

    `pt` points are `text` pixels of the image.
    """
    corners = np.array([(part[0].start, part[1].stop) for _, part in _parts(item)], dtype=float)
    if len(corners) < 2:
        return LARGEST * pt
    apart, _ = KDTree(corners).query(corners, k=2)
    share = 0.5 * float(np.median(np.asarray(apart)[:, 1])) / text
    return pt * min(max(share, SMALLEST), LARGEST)


def _parts(item: Overlay) -> list[tuple[int, tuple[slice, slice]]]:
    """Number of every detection and its part of the image."""
    parts: Sequence[Any] = ndimage.find_objects(item.labels)
    return [(number, part) for number, part in enumerate(parts, 1) if part is not None]


def _scale_bar(axes: Axes, shape: tuple[int, ...], pixel_um: float, pt: float) -> None:
    """Lower left, over a fifth of the image at most."""
    height, width = shape
    length_um = nice_length(width / 5 * pixel_um)
    left, thick, length = 0.025 * width, 0.011 * width, length_um / pixel_um
    top = height - left - thick
    axes.add_patch(Rectangle((left, top), length, thick, fc="white", ec="black"))
    halo = [withStroke(linewidth=pt / 5, foreground="black")]
    style: dict[str, Any] = {"size": pt * 0.9, "color": "white", "path_effects": halo}
    style |= {"textcoords": "offset points", "ha": "center", "va": "bottom"}
    axes.annotate(f"{length_um:g} µm", (left + length / 2, top), (0, pt / 4), **style)
