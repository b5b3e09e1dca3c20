"""Overlay videos and stills of a movie with its heat maps.

WebM is written here (VP8 frames from Pillow, `webm`), so that no codec under another
licence is needed; MP4 is left to the system's own ``ffmpeg``.
"""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from livewell.errors import ImageContentError, MissingExtraError, OutputError
from livewell.files import whole_file
from livewell.image import Frame
from livewell.outputs.heatmaps import Map
from livewell.outputs.overlay import Look, Picture, draw
from livewell.outputs.webm import webm

OverlayFrame = tuple[Frame, Map | None, float | None, int]
"""``(frame, map01, time_s, index)``: see `livewell.outputs.overlay.draw`."""
DISPLAYED = (0.5, 99.5)
"""Percentiles of the pixels that are shown as black and as white."""


def display_range(frames: Iterable[Frame]) -> tuple[float, float]:
    """Grey levels to show as black and white in a whole movie, from a sample of its frames.

    Every third pixel in y and x counts. Refuses frames without a finite one.
    """
    pixels = np.concatenate([np.ravel(frame[::3, ::3]) for frame in frames] or [np.empty(0)])
    pixels = pixels[np.isfinite(pixels)]
    if not pixels.size:
        raise ImageContentError("no finite pixel to choose a display range from")
    low, high = np.percentile(pixels, DISPLAYED)
    return float(low), float(max(high, low + np.finfo(np.float32).eps))


def write_overlay(
    path: Path, frames: Iterable[OverlayFrame], look: Look, *, fps: float = 10.0
) -> None:
    """Write a movie with its heat maps as video, frame by frame; whole or not at all.

    Parameters
    ----------
    path
        ``.webm``, which needs nothing else, or ``.mp4``, which needs ``ffmpeg`` on the path.
    frames
        Of one size; taken one by one, only one is held.
    """
    suffix = path.suffix.lower()
    if suffix not in (".webm", ".mp4"):
        raise OutputError("not a kind of video", where=str(path), expected=".webm or .mp4")
    if suffix == ".mp4":
        _ffmpeg()
    shape: tuple[int, ...] = ()
    with whole_file(path) as temporary, ExitStack() as stack:
        for number, (frame, map01, time_s, index) in enumerate(frames):
            picture = draw(frame, map01, time_s, index, look)
            if not shape:
                shape = height, width, _ = picture.shape
                add = stack.enter_context(
                    webm(temporary, width, height, fps, path.stem)
                    if suffix == ".webm"
                    else _mp4(temporary, width, height, fps)
                )
            if picture.shape != shape:
                raise ImageContentError(
                    "a frame of another size",
                    where=f"frame {number}",
                    expected=f"{shape[1]} x {shape[0]} pixels",
                    got=f"{picture.shape[1]} x {picture.shape[0]}",
                )
            add(picture)
        if not shape:
            raise OutputError("a video without frames", where=str(path), remedy="name some frames")


def stills(folder: Path, frames: Iterable[OverlayFrame], look: Look) -> list[Path]:
    """Write frames with their heat maps as ``frame_0012.png`` (their index), each whole or not."""
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


@contextmanager
def _mp4(
    path: Path, width_px: int, height_px: int, fps: float
) -> Iterator[Callable[[Picture], object]]:
    """A function that pipes one RGB frame to the system's ffmpeg."""
    command = [_ffmpeg(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width_px}x{height_px}", "-r", f"{fps:g}", "-i", "-", "-an"]
    # H.264 in the pixel format that every player knows wants even sides.
    command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
    command += ["-movflags", "+faststart", "-f", "mp4", str(path)]
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(  # noqa: S603  # no shell, our own arguments
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=messages
        )
        pipe = process.stdin
        if pipe is None:  # pragma: no cover - it was asked for above
            raise OutputError("ffmpeg takes no frames", where=str(path))
        broken = False
        try:
            yield lambda picture: pipe.write(picture.tobytes())
        except BrokenPipeError:
            # ffmpeg has ended; why is read below
            broken = True
        except BaseException:
            process.kill()
            raise
        finally:
            with suppress(BrokenPipeError):
                pipe.close()
            process.wait()
        if broken or process.returncode:
            messages.seek(0)
            got = messages.read().decode(errors="replace").strip()
            if os.strerror(errno.ENOSPC) in got:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise OutputError(
                "ffmpeg could not write the video",
                where=str(path),
                got=got,
                remedy="name a .webm file, which needs no ffmpeg",
            )
