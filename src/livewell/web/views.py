"""What of an image is shown of an item: which window, how coarse, and its pixels.

Windows of patches have some of the image around them and lie inside the image, so that the size of
what is shown is the same for all and tells nothing of where a patch lies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from livewell.answers.tables import Item
from livewell.errors import ImageContentError, LivewellError
from livewell.geometry import Box, Span
from livewell.web.frames import STEPS, covered
from livewell.web.pixels import limits, packed, read_boxes
from livewell.web.site import Site

AROUND = 0.5
"""Of a patch's edge: how much of the image is shown on each side of it."""
MOST_NUMBERS = 2**23
"""Of all frames of an item; larger ones are shown as means of squares of pixels."""
PLACES = ("y", "x", "y1", "x1")


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of an item.

    Parameters
    ----------
    image, t, frames
        Which frames.
    window
        What is shown, in pixels of the image.
    step
        Edge of the squares of pixels of which each number shown is the mean.
    patch
        What is asked about, in pixels of the image; ``None`` where it is all that is shown.
    pixel_um
        Edge of a pixel of the image in micrometres, where known.
    """

    image: str
    t: int
    frames: int
    window: Box
    step: int
    patch: Box | None
    pixel_um: float | None

    @property
    def height(self) -> int:
        """Rows shown."""
        return -(-self.window.y.size // self.step)

    @property
    def width(self) -> int:
        """Columns shown."""
        return -(-self.window.x.size // self.step)

    def described(self) -> dict[str, Any]:
        """What the page may know: sizes in pixels as shown, nothing of where or when."""
        patch = None
        if self.patch is not None:
            top, left, _, _ = self.window.corners
            y0, x0, y1, x1 = self.patch.corners
            patch = [(v / self.step) for v in (y0 - top, x0 - left, y1 - top, x1 - left)]
        return {
            "frames": self.frames,
            "height": self.height,
            "width": self.width,
            "pixel_um": None if self.pixel_um is None else self.pixel_um * self.step,
            "patch": patch,
        }

    def kept(self, marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Marks of what is shown as marks in pixels of the image."""
        top, left, _, _ = self.window.corners
        start = {"y": top, "x": left, "y1": top, "x1": left}
        return [_of_places(mark, lambda v, n: v * self.step + start[n]) for mark in marks]

    def seen(self, marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Marks in pixels of the image as marks of what is shown."""
        top, left, _, _ = self.window.corners
        start = {"y": top, "x": left, "y1": top, "x1": left}
        return [_of_places(mark, lambda v, n: (v - start[n]) / self.step) for mark in marks]

    def pixels(self, site: Site) -> Response:
        """All frames as raw numbers, see `packed`, and X-Limits, grey levels to begin with."""
        times = range(self.t, self.t + self.frames)
        frames = read_boxes(site, self.image, times, None, self.window, self.step)
        low, high = limits(site, self.image)
        return packed(frames, headers={"X-Limits": f"{low},{high}"})


def _of_places(mark: dict[str, Any], change: Callable[[float, str], float]) -> dict[str, Any]:
    places = {name: change(mark[name], name) for name in PLACES if name in mark}
    return {"class": mark["class"]} | places


def view_of(site: Site, kind: str, item: Item) -> View:
    """What is shown of an item; an `ImageContentError` where its image lacks it."""
    header = site.frames.header(item.image)
    return _view(kind, item, header.area, header.frames, header.pixel_um)


def marked_view(site: Site, kind: str, item: Item) -> View:
    """The same for marks, which are kept although the image cannot be read for now."""
    try:
        return view_of(site, kind, item)
    except LivewellError:
        if item.height is None or item.width is None:
            raise
        whole = Box.of(0, 0, item.height, item.width)
        return _view(kind, item, whole, item.t + item.frames, None)


def _view(kind: str, item: Item, whole: Box, frames: int, pixel_um: float | None) -> View:
    height, width = whole.shape
    corners = [corner for corner in (item.y0, item.x0, item.y1, item.x1) if corner is not None]
    box = Box.of(*corners) if len(corners) == 4 else whole
    if not whole.contains(box) or item.t + item.frames > frames:
        raise ImageContentError(
            "an item that its image does not hold",
            where=item.image,
            expected=f"frames below {frames}, pixels within {height} x {width}",
            got=f"frames {item.t} to {item.t + item.frames - 1}, box {box.corners}",
        )
    window = box
    if kind == "patch":
        window = Box(_around(box.y, height), _around(box.x, width))
    step = next((s for s in STEPS if _numbers(window, s) * item.frames <= MOST_NUMBERS), STEPS[-1])
    return View(
        item.image,
        item.t,
        item.frames,
        covered(window, whole, step),
        step,
        None if window == box else box,
        pixel_um,
    )


def _numbers(box: Box, step: int) -> int:
    height, width = box.shape
    return -(-height // step) * -(-width // step)


def _around(span: Span, most: int) -> Span:
    """A longer span that lies inside the image."""
    more = round(span.size * AROUND)
    size = min(span.size + 2 * more, most)
    start = min(max(span.start - more, 0), most - size)
    return Span(start, start + size)
