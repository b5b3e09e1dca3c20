"""Where in a movie cells look sick, frame by frame: map, video, stills, curve, page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.files import claim_same, stamp, whole_file
from livewell.geometry import Box
from livewell.inference.windows import Scorer, window_boxes
from livewell.io.formats import OpenImage
from livewell.io.heatmaps import MapTransform, read_map, write_map
from livewell.io.images import open_image
from livewell.io.models import Card, load_model
from livewell.io.overlay import Look
from livewell.io.runs import versions, write_text
from livewell.io.video import OverlayFrame, display_range, stills, write_overlay
from livewell.jobs.assess import summary
from livewell.jobs.frames import Fit, fit_to, gaps, model_frame, why
from livewell.measure.occupancy import LEAST_SHARE, shares, textured
from livewell.progress import SILENT, Progress
from livewell.report.maps import still
from livewell.report.page import Note, Video, render
from livewell.report.results import HeatmapResults
from livewell.report.trust import plural
from livewell.report.verdicts import heatmap_page

Edges = Literal["drop", "mirror"]

KIND, STAMP = "heat map", "heatmap.json"
STILLS = 6
SAMPLED = 5
EMBEDDED_MB = 24
"""A video up to this size is held in the page; a larger one lies beside it."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What `heatmap` made."""

    folder: Path
    curve: pd.DataFrame
    video: Path
    map: Path
    page: Path
    warnings: tuple[str, ...]


def heatmap(
    movie: Path,
    model: Path,
    out: Path,
    *,
    stride_px: int | None = None,
    edges: Edges = "drop",
    channel: str | None = None,
    pixel_um: float | None = None,
    frame_s: float | None = None,
    fps: float = 5.0,
    video: str = "webm",
    progress: Progress = SILENT,
) -> Mapped:
    """Slide a model over every frame of a movie.

    Parameters
    ----------
    movie
        A file, or a folder of single frames.
    model
        As in `livewell.jobs.assess.assess`.
    out
        Takes ``map.ome.tif``, ``overlay.webm``, ``stills``, ``curve.csv`` and ``report.html``.
    stride_px
        From window to window, in the model's pixels; by default a quarter of a patch.
    edges
        ``drop``: windows lie wholly in the frame, and nearer than half a window to its edge
        nothing is said. ``mirror``: windows are centred up to the edge, and see the frame mirrored
        beyond it.
    channel, pixel_um, frame_s
        As in `assess`.
    fps
        Frames a second of the video.
    video
        ``webm``, or ``mp4`` where the system has ffmpeg.
    progress
        Where to report.

    Returns
    -------
    Mapped

    Raises
    ------
    ImageReadError, ImageContentError
        The movie cannot be read, no window fits, or no frame can be judged.
    OutputError
        `out` cannot be written, holds something else, or a map begun with other settings.
    """
    net, card = load_model(model)
    stride = stride_px or max(net.patch_px // 4, 1)
    said = {
        "movie": str(movie.resolve()),
        "model": card.weights_sha256,
        "stride_px": stride,
        "edges": edges,
        "channel": channel,
        "pixel_um": pixel_um,
        "engine": "windows",
    }
    claim_same(out, KIND, STAMP, said)
    with open_image(movie, pixel_um=pixel_um, frame_s=frame_s) as image:
        fit = fit_to(card, image.header, channel, str(movie))
        sliding = _Sliding(image, card, fit, stride, edges)
        stamp(out, STAMP, KIND, **said, versions=versions())
        header = image.header
        my, mx = sliding.shape
        with progress.task("sliding over frames", total=header.frames) as tick:
            write_map(
                out / "map.ome.tif",
                sliding.maps(Scorer(net)),
                t=header.frames,
                my=my,
                mx=mx,
                stride_px=sliding.transform.stride_px,
                origin_px=sliding.transform.origin_px,
                pixel_um=header.pixel_um,
                frame_s=header.frame_s,
                model=card.profile.name,
                model_hash=card.weights_sha256,
                engine="windows",
                tick=tick,
            )
        if len(sliding.failed) == header.frames:
            (out / "map.ome.tif").unlink()
            raise sliding.failed[0]
        maps, _ = read_map(out / "map.ome.tif")
        curve = _curve(maps, card.patch_rule.threshold, header.frame_s)
        with whole_file(out / "curve.csv") as temporary:
            curve.to_csv(temporary, index=False)
        look = sliding.look()
        film = out / f"overlay.{video}"
        with progress.task("writing the video", total=header.frames) as tick:
            write_overlay(
                film, sliding.overlay(maps, range(header.frames)), look, fps=fps, tick=tick
            )
        chosen = sorted({round(t) for t in np.linspace(0, header.frames - 1, STILLS)})
        stills(out / "stills", sliding.overlay(maps, chosen), look)
        warnings = (
            *sliding.fit.notes,
            *header.notes,
            *gaps(card.patch_px, stride),
            *(
                f"{plural(len(sliding.failed), 'frame')} not judged: {why(error)}"
                for error in sliding.failed[:1]
            ),
        )
        notes = [Note("warn", text) for text in warnings]
        if edges == "mirror":
            notes.append(Note("info", "Windows near the edge saw the frame mirrored beyond it."))
        results = HeatmapResults(
            title=f"Heat map of {movie.name}",
            subtitle=f"{header.frames} frames, windows of {net.patch_px} px every {stride} px",
            classes=card.classes,
            curve=curve,
            threshold=card.patch_rule.threshold,
            video=_embedded(film, video),
            stills=[
                still(frame, map01, look, index=t, time_s=time_s, caption=f"Frame {t}")
                for frame, map01, time_s, t in sliding.overlay(maps, chosen)
            ],
            card=summary(card),
            notes=notes,
            settings={name: said[name] for name in ("movie", "stride_px", "edges", "engine")},
            versions=versions(),
        )
    write_text(out / "report.html", render(heatmap_page(results)))
    return Mapped(out, curve, film, out / "map.ome.tif", out / "report.html", tuple(warnings))


class _Sliding:
    """A movie and the windows of a model on it; boxes lie in the frame with its margin."""

    def __init__(
        self, image: OpenImage, card: Card, fit: Fit, stride_px: int, edges: Edges
    ) -> None:
        self.image, self.card, self.fit = image, card, fit
        self.failed: list[ImageContentError] = []
        header, scale = image.header, fit.scale
        self.margin_px = card.patch_px // 2 if edges == "mirror" else 0
        height, width = round(header.height * scale), round(header.width * scale)
        around = 2 * self.margin_px
        whole = Box.of(0, 0, height + around, width + around)
        self.boxes = window_boxes(whole, card.patch_px, stride_px, where=image.source)
        rows, columns = {box.y for box in self.boxes}, {box.x for box in self.boxes}
        self.shape = len(rows), len(columns)
        y, x = (place - self.margin_px for place in self.boxes[0].centre)
        self.transform = MapTransform(stride_px / scale, (y / scale, x / scale))

    def maps(self, scorer: Scorer) -> Iterator[NDArray[np.float32]]:
        """Frame by frame the calibrated probabilities; NaN where nothing is to judge."""
        for t in range(self.image.header.frames):
            values = np.full(len(self.boxes), np.nan, dtype=np.float32)
            try:
                where = f"{self.image.source}, frame {t}"
                frame, area = model_frame(self.image, t, self.fit, where)
            except ImageContentError as error:
                self.failed.append(error)
                yield values.reshape(self.shape)
                continue
            mask = np.pad(textured(frame, self.card.pixel_um), self.margin_px, mode="reflect")
            full = shares(mask, self.boxes) >= LEAST_SHARE
            usable = self._with_margin(area, frame.shape)
            inside = np.array([usable.contains(box) for box in self.boxes])
            judged = np.flatnonzero(full & inside)
            padded = np.pad(frame, self.margin_px, mode="reflect")
            scored = scorer.frame(padded, [self.boxes[index] for index in judged])
            logits = np.array([logit for _, logit in scored])
            values[judged] = self.card.patch_rule.probability(logits)
            yield values.reshape(self.shape)

    def _with_margin(self, area: Box, shape: tuple[int, ...]) -> Box:
        """`area` in the frame with its margin; it reaches into the margin at the frame's edge."""
        m = self.margin_px
        ends = []
        for span, length in zip((area.y, area.x), shape, strict=True):
            start = 0 if span.start == 0 else span.start + m
            ends.append((start, length + 2 * m if span.stop == length else span.stop + m))
        return Box.of(ends[0][0], ends[1][0], ends[0][1], ends[1][1])

    def look(self) -> Look:
        """How every frame is drawn; the display range comes from a few frames over the movie."""
        frames = self.image.header.frames
        sampled = sorted({round(t) for t in np.linspace(0, frames - 1, SAMPLED)})
        return Look(
            self.transform,
            display_range(self.image.frame(t, self.fit.channel) for t in sampled),
            self.card.classes[1],
            self.image.header.pixel_um,
            f"livewell {self.card.profile.name} {self.card.weights_sha256[:8]}",
        )

    def overlay(
        self, maps: NDArray[np.float32], chosen: range | list[int]
    ) -> Iterator[OverlayFrame]:
        """Frames with their maps and times, one by one."""
        frame_s = self.image.header.frame_s
        for t in chosen:
            time_s = None if frame_s is None else t * frame_s
            yield self.image.frame(t, self.fit.channel), np.asarray(maps[t]), time_s, t


def _curve(maps: NDArray[np.float32], threshold: float, frame_s: float | None) -> pd.DataFrame:
    """One row a frame: judged windows, share over the threshold, mean probability."""
    rows = []
    for t, values in enumerate(maps):
        known = np.asarray(values)[np.isfinite(values)]
        rows.append(
            {
                "t": t,
                "time_s": np.nan if frame_s is None else t * frame_s,
                "n_windows": known.size,
                "fraction": float((known >= threshold).mean()) if known.size else np.nan,
                "mean_p": float(known.mean()) if known.size else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _embedded(film: Path, kind: str) -> Video | None:
    if film.stat().st_size > EMBEDDED_MB * 2**20:
        return None
    return Video(film.read_bytes(), f"video/{kind}", "The whole movie under its heat map.")
