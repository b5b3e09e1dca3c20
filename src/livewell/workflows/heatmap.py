"""Where in a movie cells look sick, frame by frame: map, video, stills, curve, page."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from livewell.files import AnyPath, claim_same, stamp, whole_file, write_text
from livewell.images.opening import Channels, noted_channels, open_image
from livewell.inference.backends import Backend
from livewell.inference.engines import AskedEngine, EngineUse, engine_for
from livewell.inference.frames import fit_to, gaps, why
from livewell.inference.model import Model
from livewell.models.device import AUTO
from livewell.models.files import Card
from livewell.outputs.heatmaps import read_map
from livewell.outputs.sliding import Sliding, map_curve, slide
from livewell.outputs.video import stills
from livewell.report.maps import still
from livewell.report.page import Note, Video, render
from livewell.report.results import HeatmapResults
from livewell.report.style import class_colours
from livewell.report.verdicts import heatmap_page
from livewell.study.runs import versions
from livewell.text import plural
from livewell.workflows.assess import summary

Edges = Literal["drop", "mirror"]

KIND, STAMP = "heat map", "heatmap.json"
MAP = "map.ome.tif"
STILLS, SAMPLED = 6, 5
EMBEDDED_MB = 24
"""A video up to this size is held in the page; a larger one lies beside it."""


@dataclass(frozen=True, slots=True)
class HeatMapResult:
    """What `heatmap` made; `used` says what scored it."""

    folder: Path
    curve: pd.DataFrame
    video: Path
    map: Path
    page: Path
    used: EngineUse
    warnings: tuple[str, ...]


def heatmap(
    movie: AnyPath,
    model: AnyPath,
    out: AnyPath,
    *,
    stride_px: int | None = None,
    edges: Edges = "drop",
    engine: AskedEngine = "auto",
    backend: Backend = "torch",
    memory_gb: float | None = None,
    channels: Channels = None,
    pixel_um: float | None = None,
    frame_s: float | None = None,
    fps: float = 5.0,
    video: str = "webm",
    device: str = AUTO,
) -> HeatMapResult:
    """Slide a model over every frame of a movie.

    Parameters
    ----------
    movie
        A file, or a folder of single frames.
    model
        As in `livewell.workflows.assess.assess`.
    out
        Takes ``map.ome.tif``, ``overlay.webm``, ``stills``, ``curve.csv`` and ``report.html``.
    stride_px
        From window to window, in the model's pixels; by default about a quarter of a patch, in
        whole strides of the net.
    edges
        ``drop``: windows lie wholly in the frame, and nearer than half a window to its edge
        nothing is said. ``mirror``: windows are centred up to the edge, and see the frame mirrored
        beyond it.
    engine, backend, memory_gb
        As in `inference.engines.engine_for`. Which were used, and how far their answers are
        from windows one by one on this movie, stands in map and report.
    channels, pixel_um, frame_s
        As in `assess`.
    fps
        Frames a second of the video.
    video
        ``webm``, or ``mp4`` where the system has ffmpeg.
    device
        As in `assess`.

    Returns
    -------
    HeatMapResult

    Raises
    ------
    ImageReadError, ImageContentError
        The movie cannot be read, no window fits, or no frame can be judged.
    SpecError, MissingExtraError
        The engine or backend cannot do it.
    OutputError
        `out` cannot be written, holds something else, or a map begun with other settings.
    """
    movie, model, out = Path(movie), Path(model), Path(out)
    judge = Model.load(model, device=device).need_patches()
    card = judge.card
    stride = stride_px or usual_stride(card, engine)
    said = {
        "movie": str(movie.resolve()),
        "model": card.weights_sha256,
        "stride_px": stride,
        "edges": edges,
        "channel": noted_channels(channels),
        "pixel_um": pixel_um,
        "engine": engine,
        "backend": backend,
    }
    claim_same(out, KIND, STAMP, said)
    with open_image(movie, pixel_um=pixel_um, frame_s=frame_s) as image:
        header = image.header
        fit = fit_to(card, header, channels, str(movie))
        margin = card.patch_px // 2 if edges == "mirror" else 0
        sliding = Sliding(image, card, fit, stride, margin)
        samples = sliding.samples(SAMPLED)
        scorer, used = engine_for(
            judge,
            samples[::2],
            sliding.grid,
            engine=engine,
            backend=backend,
            memory_gb=memory_gb,
        )
        stamp(out, STAMP, KIND, **said, versions=versions())
        film, look = (
            out / f"overlay.{video}",
            sliding.look(samples, class_colours(len(card.classes))),
        )
        # whole frames, which may be large
        del samples
        slide(sliding, scorer, used, out / MAP, film, look, fps=fps)
        maps, _ = read_map(out / MAP)
        curve = map_curve(maps, card.region_rule, card.class_names, header.frame_s)
        with whole_file(out / "curve.csv") as temporary:
            curve.to_csv(temporary, index=False)
        chosen = sorted({round(t) for t in np.linspace(0, header.frames - 1, STILLS)})
        shown = list(sliding.overlay(maps, chosen))
        stills(out / "stills", shown, look)
        warnings = (
            *fit.notes,
            *header.notes,
            *gaps(card.patch_px, stride),
            *(
                f"{plural(len(sliding.failed), 'frame')} not judged: {why(error)}"
                for error in sliding.failed[:1]
            ),
        )
        notes = [Note("warn", text) for text in warnings]
        notes += [Note("info", text) for text in (used.told(), *sliding.drawing_note())]
        if edges == "mirror":
            notes.append(Note("info", "Windows near the edge saw the frame mirrored beyond it."))
        results = HeatmapResults(
            title=f"Heat map of {movie.name}",
            subtitle=f"{header.frames} frames, windows of {card.patch_px} px every {stride} px",
            classes=card.class_names,
            curve=curve,
            threshold=card.region_rule.threshold if card.class_names.binary else None,
            video=_embedded(film, video),
            stills=[
                still(frame, map01, look, index=t, time_s=time_s, caption=f"Frame {t}")
                for frame, map01, time_s, t in shown
            ],
            card=summary(card),
            notes=notes,
            settings={name: said[name] for name in ("movie", "stride_px", "edges")}
            | {"engine": used.engine, "backend": used.backend, "number type": used.precision},
            versions=versions(),
        )
    write_text(out / "report.html", render(heatmap_page(results)))
    return HeatMapResult(out, curve, film, out / MAP, out / "report.html", used, tuple(warnings))


def usual_stride(card: Card, engine: AskedEngine) -> int:
    """A quarter of a patch; in whole strides of the net where frames are scored whole."""
    quarter, own = max(card.patch_px // 4, 1), card.profile.net.stride_px
    whole = engine == "dense" or card.profile.dense_is_exact
    return max(quarter // own, 1) * own if whole else quarter


def _embedded(film: Path, kind: str) -> Video | None:
    if film.stat().st_size > EMBEDDED_MB * 2**20:
        return None
    return Video(film.read_bytes(), f"video/{kind}", "The whole movie under its heat map.")
