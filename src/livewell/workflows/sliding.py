"""A movie and the windows of a model on it: what is judged, where it lies, how it is drawn."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livewell.errors import GeometryError, ImageContentError
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame
from livewell.images.formats import OpenImage
from livewell.inference.engine import View
from livewell.inference.frames import Fit, read_field
from livewell.inference.windows import too_small
from livewell.measure.occupancy import LEAST_SHARE, grid_shares, textured
from livewell.models.files import Card
from livewell.outputs.heatmaps import Map, MapTransform
from livewell.outputs.overlay import Look
from livewell.outputs.video import OverlayFrame, display_range
from livewell.report.style import class_colours

WIDEST_PX = 4096
"""Larger frames are drawn smaller, by a whole number: every n-th pixel of every n-th row."""


@dataclass(frozen=True)
class Shot(View):
    """A view together with the frame as the file holds it, for drawing."""

    raw: Frame | None = None


class Sliding:
    """A movie under the windows of a model.

    Parameters
    ----------
    image, card, fit
        The movie, the model, and how one fits the other.
    stride_px
        From window to window, pixels of the model.
    margin_px
        How far windows may reach beyond the frame, pixels of the model.

    Raises
    ------
    ImageContentError
        No window fits.
    """

    def __init__(
        self, image: OpenImage, card: Card, fit: Fit, stride_px: int, margin_px: int
    ) -> None:
        self.image, self.card, self.fit = image, card, fit
        self.margin_px = margin_px
        self.failed: list[ImageContentError] = []
        header, scale = image.header, fit.scale
        self.height, self.width = round(header.height * scale), round(header.width * scale)
        whole = Box.of(0, 0, self.height, self.width).widened(margin_px)
        try:
            self.grid = WindowGrid.over(whole, card.patch_px, stride_px)
        except GeometryError as error:
            raise too_small(whole, card.patch_px, image.source) from error
        y, x = self.grid.box(0, 0).centre
        self.transform = MapTransform(stride_px / scale, (y / scale, x / scale))
        self.shrunk = -(-max(header.height, header.width) // WIDEST_PX)

    def views(self, chosen: Sequence[int] | range) -> Iterator[Shot]:
        """Frames one by one; of those that cannot be judged nothing is wanted, see `failed`."""
        for t in chosen:
            try:
                yield self._view(t)
            except ImageContentError as error:
                self.failed.append(error)
                raw = self.image.frame(t, self.fit.channels[0])
                nothing = np.zeros(self.grid.shape, dtype=bool)
                yield Shot(raw, Box.of(0, 0, *raw.shape), nothing, t, raw)

    def samples(self, number: int) -> list[Shot]:
        """Frames spread over the movie, as far as they can be judged."""
        found: list[Shot] = []
        spread = self._spread(number)
        others = [t for t in self._spread(4 * number) if t not in spread]
        for t in spread + others:
            if len(found) == number or (t in others and found):
                break
            with suppress(ImageContentError):
                found.append(self._view(t))
        return found

    def _spread(self, number: int) -> list[int]:
        last = self.image.header.frames - 1
        return sorted({round(t) for t in np.linspace(0, last, number)})

    def _view(self, t: int) -> Shot:
        field = read_field(self.image, t, self.fit, f"{self.image.source}, frame {t}")
        mask = textured(field.pixels[0], self.card.pixel_um)
        full = grid_shares(mask, self.grid) >= LEAST_SHARE
        return Shot(field.pixels, field.area, full & self._inside(field.area), t, field.raw)

    def _inside(self, area: Box) -> NDArray[np.bool_]:
        """Which windows lie in `area`, and beyond it only at the frame's own edge."""
        lines = []
        for span, length, first, count in (
            (area.y, self.height, self.grid.y0, self.grid.rows),
            (area.x, self.width, self.grid.x0, self.grid.columns),
        ):
            start = first if span.start == 0 else span.start
            stop = length + self.margin_px if span.stop == length else span.stop
            at = first + np.arange(count) * self.grid.stride_px
            lines.append((at >= start) & (at + self.grid.size_px <= stop))
        return lines[0][:, None] & lines[1][None, :]

    def look(self, samples: Sequence[Shot]) -> Look:
        """How every frame is drawn; the display range is that of `samples` in the whole movie."""
        by, pixel_um = self.shrunk, self.image.header.pixel_um
        classes = self.card.class_names
        colours = class_colours(len(classes))
        origin_y, origin_x = self.transform.origin_px
        return Look(
            MapTransform(self.transform.stride_px / by, (origin_y / by, origin_x / by)),
            display_range(shot.raw[::by, ::by] for shot in samples if shot.raw is not None)
            if samples
            else (0.0, 1.0),
            classes[-1] if classes.binary else "",
            None if pixel_um is None else pixel_um * by,
            f"livewell {self.card.profile.name} {self.card.weights_sha256[:8]}",
            classes={} if classes.binary else dict(zip(classes, colours, strict=True)),
        )

    def drawn(self, raw: Frame, values: Map, t: int) -> OverlayFrame:
        """One frame with its map, as it is drawn."""
        frame_s = self.image.header.frame_s
        # a copy where it is smaller, for a view would keep the whole frame alive
        shown = raw if self.shrunk == 1 else raw[:: self.shrunk, :: self.shrunk].copy()
        return shown, np.asarray(values), None if frame_s is None else t * frame_s, t

    def overlay(self, maps: NDArray[np.float32], chosen: Sequence[int]) -> Iterator[OverlayFrame]:
        """Some frames with their maps, read again one by one."""
        for t in chosen:
            yield self.drawn(self.image.frame(t, self.fit.channels[0]), maps[t], t)

    def drawing_note(self) -> tuple[str, ...]:
        """What is to be said of pictures that show fewer pixels than the file has."""
        if self.shrunk == 1:
            return ()
        return (
            f"Pictures show one pixel in {self.shrunk} in rows and columns; the map is of all.",
        )
