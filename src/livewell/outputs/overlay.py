"""Draws one frame of a movie with its heat map, time stamp, scale bar and colour bar."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageColor, ImageDraw, ImageFont

from livewell.classes import p_of
from livewell.image import Frame
from livewell.outputs.heatmaps import Map, MapTransform
from livewell.text import printable

Picture = NDArray[np.uint8]
"""An RGB image, shape (height, width, 3)."""

STOPS = ((0.0, (255, 214, 80)), (0.35, (255, 176, 40)), (0.65, (240, 90, 10)), (1.0, (200, 0, 0)))
"""Colour of a probability: from amber through vermillion to red."""
STRONGEST = 0.68
"""Opacity at probability 1; it falls to nothing at 0, so that healthy cells look untouched."""
GROUND = (24, 24, 26)
"""Behind the text above a frame."""
PALE = (190, 190, 190)
"""Text that is less important."""
NARROWEST_PX = 640
"""Smaller frames are enlarged by a whole number to at least this width, so that text fits."""


@dataclass(frozen=True, slots=True)
class Look:
    """How every frame of one movie is drawn.

    Parameters
    ----------
    transform
        Where the heat map lies in the frame.
    display
        Grey levels of the file shown as black and as white.
    class_name
        The positive class of two, for the colour bar's title.
    pixel_um
        ``None`` gives a scale bar in pixels.
    text_scale
        Makes text larger, for images that will be shown small.
    classes
        Of three or more classes the colour of each by its name, such as ``#0072B2``, in the order
        of their maps; every pixel is tinted by its most probable class.
    """

    transform: MapTransform
    display: tuple[float, float]
    class_name: str = "sick"
    pixel_um: float | None = None
    model: str = ""
    text_scale: float = 1.0
    classes: Mapping[str, str] = field(default_factory=dict)


def tint(p: NDArray[Any]) -> NDArray[np.float32]:
    """Colour and opacity of probabilities: RGBA, 0 to 1, shape ``p.shape + (4,)``.

    The scale is absolute. NaN is transparent.
    """
    shade = np.nan_to_num(np.asarray(p, dtype=np.float32))
    found: NDArray[np.float32] = _ramp()[np.rint(shade.clip(0, 1) * 255).astype(np.uint8)]
    return found


def class_tint(p: NDArray[Any], colours: Sequence[str]) -> NDArray[np.float32]:
    """Colour of the most probable class (RGBA, h, w, 4), the stronger the more probable, as `tint`.

    `p` is of shape (classes, h, w), NaN is transparent; colours are such as ``#0072B2``.
    """
    known = np.nan_to_num(np.asarray(p, dtype=np.float32)).clip(0, 1)
    table = np.array([ImageColor.getrgb(colour)[:3] for colour in colours], dtype=np.float32) / 255
    top = known.argmax(axis=0)
    strength = np.take_along_axis(known, top[None], axis=0)[0]
    return np.concatenate([table[top], _opacity(strength)[..., None]], axis=-1)


def _opacity(p: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(STRONGEST * p**1.3, dtype=np.float32)


@cache
def _ramp() -> NDArray[np.float32]:
    p = np.linspace(0, 1, 256)
    at = [stop for stop, _ in STOPS]
    colours = [np.interp(p, at, [rgb[i] / 255 for _, rgb in STOPS]) for i in range(3)]
    ramp = np.stack([*colours, _opacity(p)], axis=-1).astype(np.float32)
    ramp.setflags(write=False)
    return ramp


def grey(frame: Frame, display: tuple[float, float]) -> NDArray[np.float32]:
    """The frame as brightness from 0 to 1 between two grey levels of the file."""
    low, high = display
    shown = (np.nan_to_num(np.asarray(frame, dtype=np.float32)) - low) / (high - low or 1.0)
    clipped: NDArray[np.float32] = np.clip(shown, 0, 1, dtype=np.float32)
    return clipped


def draw(frame: Frame, map01: Map | None, time_s: float | None, index: int, look: Look) -> Picture:
    """One frame with its heat map over it, and a strip above that says what is seen.

    Parameters
    ----------
    frame
        Grey levels of the file, shape (y, x); small ones are enlarged, see `NARROWEST_PX`.
    map01
        Heat map, shape (my, mx), of three or more classes (classes, my, mx), or ``None`` where the
        frame was not judged. Where it says nothing (NaN, or outside the outermost window centres)
        the frame is hatched, not coloured.
    time_s
        Time stamp; ``None``: left out.
    """
    brightness = grey(frame, look.display)
    picture = np.repeat(brightness[..., None], 3, axis=2)
    hatched = False
    if map01 is not None:
        maps = np.reshape(map01, (-1, *map01.shape[-2:]))
        enlarged = np.stack([look.transform.enlarge(one, brightness.shape) for one in maps])
        chosen = list(look.classes.values())
        colour = class_tint(enlarged, chosen) if chosen else tint(enlarged[0])
        alpha = colour[..., 3:]
        picture *= 1 - alpha
        picture += colour[..., :3] * alpha
        unknown = np.asarray(np.isnan(enlarged).any(axis=0))
        hatched = bool(unknown.any())
    zoom = max(1, math.ceil(NARROWEST_PX / brightness.shape[1]))
    picture = _enlarged(picture, zoom)
    if hatched:
        picture = _hatch(picture, _enlarged(unknown, zoom))
    picture *= 255
    image = Pillow.fromarray(np.rint(picture, out=picture).astype(np.uint8))
    text_px = max(13, round(image.width / 62 * look.text_scale))
    _scale_bar(image, look.pixel_um, zoom, text_px)
    stamp = f"frame {index}" if time_s is None else f"{clock(time_s)} · frame {index}"
    notes = ["not judged"] if map01 is None else ["hatched: not judged"] if hatched else []
    notes.append(f"grey levels {look.display[0]:.5g} to {look.display[1]:.5g}")
    notes += [f"model {look.model}"] if look.model else []
    strip = _strip(image.width, text_px, stamp, " · ".join(notes), look)
    legend = [_legend(image.width, text_px, look.classes)] if look.classes else []
    return np.concatenate([strip, *legend, np.asarray(image)])


def _enlarged(values: NDArray[Any], zoom: int) -> NDArray[Any]:
    return values if zoom == 1 else values.repeat(zoom, axis=0).repeat(zoom, axis=1)


def clock(time_s: float) -> str:
    """A time for people: ``12.5 s``, ``7 min 05 s``, ``3 h 12 min``."""
    sign, time_s = ("-" if time_s < 0 else ""), abs(time_s)
    if time_s < 60:
        return f"{sign}{time_s:.4g} s"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{sign}{minutes} min {seconds:02d} s"
    return f"{sign}{hours} h {minutes:02d} min" + (f" {seconds:02d} s" if seconds else "")


def nice_length(most: float) -> float:
    """The longest of 1, 2, 5, 10, 20, 50, ... that is not above `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))


def _hatch(picture: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Thin pale diagonal lines where nothing was judged."""
    pitch = max(12, picture.shape[1] // 56)
    y, x = np.ogrid[: picture.shape[0], : picture.shape[1]]
    lines = ((y + x) % pitch < max(1, pitch // 12)) & where
    picture[lines] = picture[lines] * 0.8 + np.float32(0.2)
    return picture


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    # Pillow's own font has no micro sign; matplotlib brings DejaVu Sans along.
    import matplotlib

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size_px)


def _scale_bar(image: Pillow.Image, pixel_um: float | None, zoom: int, text_px: int) -> None:
    length = nice_length(image.width / 5 / zoom * (pixel_um or 1.0))
    length_px = round(length / (pixel_um or 1.0) * zoom)
    name = f"{length:g} {'px' if pixel_um is None else 'µm'}"
    pen = ImageDraw.Draw(image)
    left, bottom, thick = text_px, image.height - text_px, max(3, text_px // 4)
    box = (left, bottom - thick, left + length_px, bottom)
    pen.rectangle(tuple(v + d for v, d in zip(box, (-1, -1, 1, 1), strict=True)), fill="black")
    pen.rectangle(box, fill="white")
    pen.text(
        (left + length_px / 2, bottom - thick - text_px // 4),
        name,
        fill="white",
        font=_font(text_px),
        anchor="ms",
        stroke_width=max(1, text_px // 9),
        stroke_fill="black",
    )


def _strip(width: int, text_px: int, stamp: str, notes: str, look: Look) -> Picture:
    """The strip above the frame: time and notes to the left, the colour bar to the right.

    Above, because players lay their controls over a video's lower edge.
    """
    small = max(10, round(text_px * 0.8))
    height = round(text_px * (3.2 if look.classes else 4.2)) // 2 * 2
    image = Pillow.new("RGB", (width, height), GROUND)
    pen = ImageDraw.Draw(image)
    room = width - 2 * text_px if look.classes else _colour_bar(image, text_px, look.class_name)
    for text, at, colour, font in (
        (stamp, 0.28, "white", _font(text_px)),
        (notes, 0.68, PALE, _font(small)),
    ):
        pen.text((text_px, height * at), _fitted(text, font, room), colour, font, "lm")
    return np.asarray(image)


def _colour_bar(image: Pillow.Image, text_px: int, class_name: str) -> int:
    """Draws the bar at the right end of the strip; the room that is left for text, pixels."""
    small, width = max(10, round(text_px * 0.8)), image.width
    pen = ImageDraw.Draw(image)
    bar_px, right = max(120, width // 5), width - text_px * 3 // 2
    left = right - bar_px
    top = round(text_px * 1.75)
    bar = _on_grey(tint(np.linspace(0, 1, bar_px)), text_px * 2 // 3)
    image.paste(Pillow.fromarray(bar), (left, top))
    for p in (0, 0.5, 1):
        x = left + p * (bar_px - 1)
        pen.line((x, top + len(bar), x, top + len(bar) + small // 4), fill="white")
        pen.text(
            (x, top + len(bar) + small // 2), f"{p:g}", "white", font=_font(small), anchor="mt"
        )
    title = _fitted(p_of(class_name), _font(small), bar_px + text_px * 2)
    pen.text((left + bar_px / 2, top - small // 2), title, "white", _font(small), "ms")
    return left - 3 * text_px


def _on_grey(colour: NDArray[np.float32], height: int) -> Picture:
    """A bar of RGBA colours over mid grey, as they appear on the picture."""
    row = 0.55 * (1 - colour[:, 3:]) + colour[:, :3] * colour[:, 3:]
    return np.repeat(np.rint(row * 255).astype(np.uint8)[None], height, axis=0)


def _legend(width: int, text_px: int, classes: Mapping[str, str]) -> Picture:
    """A bar from probability 0 to 1 and the name of every class, in as many lines as it takes."""
    small = max(10, round(text_px * 0.8))
    bar_px, line_px = 3 * text_px, round(text_px * 1.6) // 2 * 2
    title, font = "most probable class, 0 to 1:", _font(small)
    entries, x, line = [], text_px + round(font.getlength(title)) + text_px, 0
    for name, colour in classes.items():
        said = _fitted(name, font, width - bar_px - 3 * text_px)
        wide = bar_px + small // 2 + round(font.getlength(said))
        if x + wide > width - text_px:
            x, line = text_px, line + 1
        entries.append((x, line, said, colour))
        x += wide + round(1.5 * text_px)
    image = Pillow.new("RGB", (width, line_px * (line + 1) + text_px // 2 // 2 * 2), GROUND)
    pen = ImageDraw.Draw(image)
    pen.text((text_px, line_px // 2), title, PALE, font, "lm")
    for x, line, said, colour in entries:
        middle = line * line_px + line_px // 2
        p = np.linspace(0, 1, bar_px, dtype=np.float32)[None, None]
        bar = _on_grey(class_tint(p, [colour])[0], text_px * 2 // 3)
        image.paste(Pillow.fromarray(bar), (x, middle - len(bar) // 2))
        pen.text((x + bar_px + small // 2, middle), said, "white", font, "lm")
    return np.asarray(image)


def _fitted(text: str, font: ImageFont.FreeTypeFont, room_px: float) -> str:
    text = printable(text)
    if font.getlength(text) <= room_px:
        return text
    while text and font.getlength(text + "...") > room_px:
        text = text[:-1]
    return text.rstrip(" ·,") + "..."
