"""A movie and the windows of a model on it: what is judged, where it lies, how it is drawn."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.errors import GeometryError, ImageContentError, why
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame
from livewell.images.formats import OpenImage
from livewell.inference.engines import Engine, EngineUse
from livewell.inference.frames import Fit, read_field
from livewell.inference.windows import View, too_small
from livewell.measure.occupancy import LEAST_SHARE, grid_shares, textured
from livewell.metrics.rules import RegionRule
from livewell.models.files import Card
from livewell.outputs.heatmaps import Map, MapTransform, read_map, write_map
from livewell.outputs.overlay import Look
from livewell.outputs.video import OverlayFrame, display_range, write_overlay
from livewell.progress import task
from livewell.text import plural
from livewell.threads import Aside, ahead

WIDEST_PX = 4096
"""Larger frames are drawn smaller, by a whole number: every n-th pixel of every n-th row."""


@dataclass(frozen=True)
class Shot(View):
    """A view together with the frame as the file holds it, for drawing."""

    raw: Frame | None = None


class MovieWindows:
    """A movie under the windows of a model, every `stride_px`, refused where no window fits.

    Windows may reach `margin_px` beyond the frame; both are pixels of the model.
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
        spread = self.spread(number)
        others = [t for t in self.spread(4 * number) if t not in spread]
        for t in spread + others:
            if len(found) == number or (t in others and found):
                break
            with suppress(ImageContentError):
                found.append(self._view(t))
        return found

    def spread(self, number: int) -> list[int]:
        """Numbers of frames spread over the movie, the first and the last among them."""
        last = self.image.header.frames - 1
        return sorted({round(t) for t in np.linspace(0, last, number)})

    def _view(self, t: int) -> Shot:
        field = read_field(self.image, t, self.fit, f"{self.image.source}, frame {t}")
        mask = textured(field.pixels[0], self.card.pixel_um)
        middles = self.grid.centred(self.card.profile.middle_px)
        full = grid_shares(mask, middles) >= LEAST_SHARE
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

    def look(self, samples: Sequence[Shot], colours: Sequence[str]) -> Look:
        """How every frame is drawn, in the colours of the classes and the range of `samples`."""
        by, pixel_um = self.shrunk, self.image.header.pixel_um
        classes = self.card.class_names
        y, x = self.transform.origin_px
        shown = [shot.raw[::by, ::by] for shot in samples if shot.raw is not None]
        return Look(
            MapTransform(self.transform.stride_px / by, (y / by, x / by)),
            display_range(shown) if shown else (0.0, 1.0),
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

    @property
    def lost(self) -> tuple[str, ...]:
        """What is to be said of frames that could not be judged."""
        count = plural(len(self.failed), "frame")
        return tuple(f"{count} not judged: {why(error)}" for error in self.failed[:1])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of drawings with fewer pixels than the file, and of mirrored edges."""
        drawn = f"Images show one pixel in {self.shrunk} in rows and columns; the map is of all."
        mirrored = "Windows near the edge saw the frame mirrored beyond it."
        beyond = self.margin_px and not self.card.profile.net.sees_fields
        return (*([drawn] if self.shrunk > 1 else []), *([mirrored] if beyond else []))


def slide(
    sliding: MovieWindows,
    engine: Engine,
    used: EngineUse,
    path: Path,
    film: Path,
    look: Look,
    *,
    fps: float,
) -> tuple[NDArray[np.float32], pd.DataFrame]:
    """Score every frame; write maps (`path`) and video as they come, while the next are read.

    Returns the maps, as `read_map`, and their `map_curve`. Where no frame can be judged this is an
    error, and nothing is written.
    """
    header, card, grid = sliding.image.header, sliding.card, sliding.grid
    binary = card.class_names.binary

    def write_maps(maps: Iterator[Map]) -> None:
        classes = () if binary else card.classes
        write_map(
            path,
            maps,
            sliding.transform,
            (header.frames, *([len(classes)] if classes else []), *grid.shape),
            pixel_um=header.pixel_um,
            frame_s=header.frame_s,
            notes={
                "model": card.profile.name,
                "model_hash": card.weights_sha256,
                "engine": json.dumps(used.noted()),
                "classes": json.dumps(list(card.classes)),
                "threshold": json.dumps(card.region_rule.threshold),
            },
            classes=classes,
        )

    def write_video(frames: Iterator[OverlayFrame]) -> None:
        write_overlay(film, frames, look, fps=fps)

    with (
        task("sliding over frames", total=header.frames) as tick,
        Aside(write_maps) as to_file,
        Aside(write_video) as to_film,
    ):
        scored = engine.stream(ahead(sliding.views(range(header.frames))), grid)
        with closing(scored):
            for view, logits in scored:
                p = np.full((len(card.classes), *grid.shape), np.nan, dtype=np.float32)
                p[:, view.wanted] = card.region_rule.probabilities(logits[:, view.wanted].T).T
                values = p[1] if binary else p
                to_file.give(values)
                if isinstance(view, Shot) and view.raw is not None:
                    to_film.give(sliding.drawn(view.raw, values, view.t))
                if view.t in engine.failed:
                    sliding.failed.append(engine.failed[view.t])
                tick()
        if len(sliding.failed) == header.frames:
            raise sliding.failed[0]
    maps, _ = read_map(path)
    return maps, map_curve(maps, card.region_rule, card.class_names, header.frame_s)


def map_curve(
    maps: NDArray[np.float32], rule: RegionRule, classes: ClassNames, frame_s: float | None
) -> pd.DataFrame:
    """One row a frame: judged windows, shares called and mean probabilities.

    Columns fraction and mean_p are of the positive class, where there is one; of three or more
    classes fraction_<class> and mean_p_<class> are of each. `maps` are as `read_map` gives them.
    """
    rows = []
    for t, values in enumerate(maps):
        p = np.asarray(values)
        p = np.stack([1 - p, p]) if p.ndim == 2 else p
        known = p[:, np.isfinite(p[0])].T
        codes = rule.called_of(known)
        time_s = np.nan if frame_s is None else t * frame_s
        row = {"t": t, "time_s": time_s, "n_windows": len(known)}
        for code, name in enumerate(classes):
            of = [""] if name == classes.positive else []
            for end in of if classes.binary else [*of, f"_{name}"]:
                row[f"fraction{end}"] = float((codes == code).mean()) if len(known) else np.nan
                row[f"mean_p{end}"] = float(known[:, code].mean()) if len(known) else np.nan
        rows.append(row)
    return pd.DataFrame(rows)
