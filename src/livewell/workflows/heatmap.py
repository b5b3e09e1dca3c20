"""Where in a movie cells look sick, frame by frame: map, video, stills, curve, page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from livewell.execution.frames import near_copy
from livewell.execution.results import ResultFolder
from livewell.files import AnyPath
from livewell.images.formats import SEQUENCE, frames_in, identify
from livewell.images.opening import Channels, noted_channels, open_image
from livewell.images.walking import left_out_lines
from livewell.inference.engines import AskedEngine, Edges, EngineUse, MapSettings, engine_for
from livewell.inference.frames import fit_to, gaps
from livewell.inference.model import Model
from livewell.inference.plates import need_no_plate
from livewell.inference.unseen import COPY, learnt
from livewell.models.backends import AskedBackend
from livewell.models.device import AUTO
from livewell.names import name_of
from livewell.outputs.sliding import MovieWindows, slide
from livewell.outputs.stains import PredictedStain, write_stains
from livewell.outputs.verdicts import LEARNT
from livewell.outputs.video import stills
from livewell.report.maps import stills_of
from livewell.report.model import meaning, model_summary
from livewell.report.page import Video, noted, render
from livewell.report.results import HeatmapResults
from livewell.report.style import class_colours
from livewell.report.verdicts import heatmap_page
from livewell.study.runs import versions
from livewell.tables.metadata import AuditSummary
from livewell.text import plural

MAP, STAIN, STILLS, SAMPLED = "map.ome.tif", "stain.ome.tif", 6, 5


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
    stain: PredictedStain | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    audit: AuditSummary = field(default_factory=AuditSummary)


def heatmap(
    movie: AnyPath,
    model: Model | AnyPath,
    out: AnyPath,
    *,
    stride_px: int | None = None,
    edges: Edges | None = None,
    engine: AskedEngine = "auto",
    backend: AskedBackend = "auto",
    memory_gb: float | None = None,
    stain: bool = False,
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
        Loaded, or as in `livewell.workflows.assess.assess`.
    out
        Takes ``map.ome.tif``, ``overlay.webm``, ``stills``, ``curve.csv`` and ``report.html``.
    stride_px
        From window to window, in the model's pixels; by default about a quarter of a patch, in
        whole strides of the net.
    edges
        ``drop``: windows lie wholly in the frame, and nearer than half a window to its edge
        nothing is said. ``mirror``: windows are centred up to the edge, and see the frame mirrored
        beyond it (nets of whole fields: what lies in it). By default as `MapSettings.of`.
    engine, backend, memory_gb
        As in `inference.engines.engine_for`. Which were used, and how far their answers are
        from windows one by one on this movie, stands in map and report.
    stain
        Whether to predict the stain too: ``stain.ome.tif``, and ``stain_r`` in ``curve.csv``.
    channels, pixel_um, frame_s, device
        As in `assess`.
    fps, video
        Frames a second of the video; ``webm``, or ``mp4`` where the system has ffmpeg.

    Raises
    ------
    ImageReadError, ImageContentError
        The movie cannot be read, no window fits, or no frame can be judged.
    SpecError, MissingExtraError, ModelFileError
        The engine or backend cannot do it; the model predicts no stain.
    OutputError
        `out` cannot be written, holds something else, or a map begun with other settings.
    """
    movie, out = Path(movie), Path(out)
    judge = model if isinstance(model, Model) else Model.load(model, device=device)
    card = need_no_plate(judge.need_patches()).card
    channel = noted_channels(channels)
    asked = MapSettings.of(card, stride_px, edges, engine, backend, channel, pixel_um)
    stride = asked.stride_px
    settings = {"movie": str(movie.resolve()), "model": card.weights_sha256, **asdict(asked)}
    settings |= {"stain": judge.need_stain()} if stain else {}
    film = out / f"overlay.{video}"
    with open_image(movie, pixel_um=pixel_um, frame_s=frame_s) as image:
        fit = fit_to(card, image.header, channels, str(movie))
        folder = ResultFolder.claim(out, "heat map", "heatmap.json", settings)
        margin = card.patch_px // 2 if asked.edges == "mirror" else 0
        sliding = MovieWindows(image, card, fit, stride, margin)
        samples = sliding.samples(SAMPLED)
        scorer, used = engine_for(
            judge, samples[::2], sliding.grid, engine=engine, backend=backend, memory_gb=memory_gb
        )
        folder.begin()
        look = sliding.look(samples, class_colours(len(card.classes)))
        raw = [shot.raw for shot in samples if shot.raw is not None]
        how = COPY if learnt(image, fit.channels[0], judge.learnt) else near_copy(judge, raw)
        seen = [f"{name_of(movie)}: {LEARNT[how]}"] if how else []
        notes = (*fit.notes, *seen, *judge.familiarity.notes(samples))
        del samples, raw  # whole frames, which may be large
        maps, curve = slide(sliding, scorer, used, out / MAP, film, look, fps=fps)
        shown = list(sliding.overlay(maps, sliding.spread(STILLS)))
        stills(out / "stills", shown, look)
        dyed = write_stains(judge, image, fit, out / STAIN) if stain else None
        curve = curve.assign(stain_r=dyed.r) if dyed else curve
    left_out = frames_in(movie).left_out if identify(movie)[0] == SEQUENCE else {}
    warnings = (*notes, *image.header.notes, *gaps(card.patch_px, stride), *sliding.lost)
    known = (*meaning(card), used.told(), *sliding.notes, *left_out_lines(left_out))
    results = HeatmapResults(
        title=f"Heat map of {name_of(movie)}",
        subtitle=f"{plural(len(curve), 'frame')}, windows of {card.patch_px} px every {stride} px",
        classes=card.class_names,
        curve=curve,
        threshold=card.region_rule.threshold if card.class_names.binary else None,
        video=Video.embedded(film, "All frames under their heat map."),
        stills=stills_of(shown, look),
        stain=dyed,
        of_centres=card.profile.net.reads_centre,
        card=model_summary(card),
        audits=card.audits,
        notes=noted(warnings, known),
        settings={name: settings[name] for name in ("movie", "stride_px", "edges")} | used.named,
        versions=versions(),
    )
    page = folder.write(render(heatmap_page(results)), {"curve": curve})
    last = (warnings, dyed, left_out, card.audits[0])
    return HeatMapResult(out, curve, film, out / MAP, page, used, *last)
