"""Overlay videos and stills of a movie with its heat maps.

WebM is written here (VP8 frames from Pillow, `webm`), so that no codec under another
licence is needed; MP4 is left to the system's own ``ffmpeg``.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image as Pillow

from livewell.errors import ImageContentError, MissingExtraError, OutputError
from livewell.files import whole_file
from livewell.image import Frame
from livewell.outputs.heatmaps import Map
from livewell.outputs.overlay import Look, Picture, draw
from livewell.outputs.webm import WebmWriter
from livewell.progress import Tick

OverlayFrame = tuple[Frame, Map | None, float | None, int]
"""``(frame, map01, time_s, index)``: see `livewell.outputs.overlay.draw`."""


def display_range(
    frames: Iterable[Frame], percentiles: tuple[float, float] = (0.5, 99.5)
) -> tuple[float, float]:
    """Grey levels to show as black and white in a whole movie, from a sample of its frames.

    Parameters
    ----------
    frames
        Sampled frames, shape (y, x).
    percentiles
        Of all sampled pixels (every third in y and x).

    Raises
    ------
    ImageContentError
        There is no finite pixel.
    """
    pixels = np.concatenate([np.ravel(frame[::3, ::3]) for frame in frames] or [np.empty(0)])
    pixels = pixels[np.isfinite(pixels)]
    if not pixels.size:
        raise ImageContentError("no finite pixel to choose a display range from")
    low, high = np.percentile(pixels, percentiles)
    return float(low), float(max(high, low + np.finfo(np.float32).eps))


def write_overlay(
    path: Path,
    frames: Iterable[OverlayFrame],
    look: Look,
    *,
    fps: float = 10.0,
    tick: Tick | None = None,
) -> int:
    """Write a movie with its heat maps as video, frame by frame; whole or not at all.

    Parameters
    ----------
    path
        ``.webm``, which needs nothing else, or ``.mp4``, which needs ``ffmpeg`` on the path.
    frames
        Taken one by one; only one is held.
    look
        Geometry, display range, scale and names.
    fps
        Frames a second of the video.
    tick
        Called after every frame.

    Returns
    -------
    int
        Number of frames.

    Raises
    ------
    OutputError
        Another suffix, no frames, frames too large, or the file cannot be written.
    ImageContentError
        Frames of different sizes.
    MissingExtraError
        ``.mp4`` without ``ffmpeg``.
    """
    suffix = path.suffix.lower()
    if suffix not in (".webm", ".mp4"):
        raise OutputError("not a kind of video", where=str(path), expected=".webm or .mp4")
    if suffix == ".mp4":
        _ffmpeg()
    done = 0
    with whole_file(path) as temporary, ExitStack() as stack:
        writer: WebmWriter | _Mp4Writer | None = None
        for frame, map01, time_s, index in frames:
            picture = draw(frame, map01, time_s, index, look)
            if writer is None:
                height, width = picture.shape[:2]
                if suffix == ".webm":
                    writer = WebmWriter(temporary, width, height, fps, title=path.stem)
                else:
                    writer = _Mp4Writer(temporary, width, height, fps)
                stack.enter_context(writer)
            writer.add(picture)
            done += 1
            if tick:
                tick()
        if not done:
            raise OutputError("a video without frames", where=str(path), remedy="name some frames")
    return done


def stills(folder: Path, frames: Iterable[OverlayFrame], look: Look) -> list[Path]:
    """Write frames with their heat maps as ``frame_0012.png``, each whole or not at all.

    Parameters
    ----------
    folder
        Made where it is missing.
    frames, look
        As in `write_overlay`; the number in the name is the frame's index.
    """
    written = []
    for frame, map01, time_s, index in frames:
        path = folder / f"frame_{index:04d}.png"
        with whole_file(path) as temporary:
            Pillow.fromarray(draw(frame, map01, time_s, index, look)).save(temporary, "PNG")
        written.append(path)
    return written


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingExtraError(
            "MP4 video needs the program ffmpeg, which is not on the path",
            remedy="name a .webm file, which needs nothing, or install ffmpeg",
        )
    return program


class _Mp4Writer:
    """Pipes raw RGB frames to the system's ffmpeg."""

    def __init__(self, path: Path, width_px: int, height_px: int, fps: float) -> None:
        self._path, self._shape = path, (height_px, width_px, 3)
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  # closed in __exit__
        command = [_ffmpeg(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        command += ["-s", f"{width_px}x{height_px}", "-r", f"{fps:g}", "-i", "-", "-an"]
        # H.264 in the pixel format that every player knows wants even sides.
        command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
        command += ["-movflags", "+faststart", "-f", "mp4", str(path)]
        self._process = subprocess.Popen(  # noqa: S603  # no shell, our own arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if kind is not None:
                self._process.kill()
            self._finish(silent=kind is not None)
        finally:
            self._messages.close()

    def add(self, picture: Picture) -> None:
        """Append one RGB picture."""
        if picture.shape != self._shape:
            raise ImageContentError(
                "a frame of another size", expected=str(self._shape), got=str(picture.shape)
            )
        if self._process.stdin is None:  # pragma: no cover - it was asked for above
            raise OutputError("ffmpeg takes no frames", where=str(self._path))
        try:
            self._process.stdin.write(picture.tobytes())
        except BrokenPipeError:
            self._finish(silent=False)
            raise

    def _finish(self, *, silent: bool) -> None:
        try:
            self._process.communicate()
        except BrokenPipeError:
            self._process.wait()
        if self._process.returncode and not silent:
            self._messages.seek(0)
            raise OutputError(
                "ffmpeg could not write the video",
                where=str(self._path),
                got=self._messages.read().decode(errors="replace").strip(),
                remedy="name a .webm file, which needs no ffmpeg",
            )
