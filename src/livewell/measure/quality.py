"""What looks wrong with a frame, by stable codes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import Fault, ImageContentError
from livewell.geometry import Box
from livewell.image import Frame
from livewell.measure.borders import checked_frame, valid_area

SATURATED_SHARE = 0.001
"""Share of pixels at the brightest level from which a frame counts as saturated."""
FEW_LEVELS = 16
"""Fewer distinct grey levels than this are called few."""
PLATEAU = 10
"""A plateau holds this many times as many pixels as any level shortly below it."""

FATAL = frozenset({"not-finite", "all-zero", "constant"})
"""Codes of faults that leave nothing to judge; all others are warnings."""


def faults(frame: Frame, where: str = "frame") -> list[Fault]:
    """What looks wrong with one frame in the file's own number type.

    Codes: ``not-finite`` (NaN or infinite values), ``all-zero``, ``constant``; ``saturated`` (more
    than `SATURATED_SHARE` at the type's largest value), ``plateau`` (the same at a level below it);
    ``eight-bit-content`` (a wider type whose values are all multiples of 256 or 257),
    ``eight-bit-range`` (a wider type with no value above 255: 8-bit content or very dark),
    ``spaced-levels`` (all values are multiples of some other number), ``few-levels`` (fewer than
    `FEW_LEVELS`), ``zero-border`` (registration borders).
    """
    checked_frame(frame)
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        wrong = int((~np.isfinite(frame)).sum())
        return [Fault("not-finite", where, f"{wrong} of {frame.size} pixels are NaN or infinite")]
    levels, counts = np.unique(frame, return_counts=True)
    if levels.size == 1:
        if levels[0] == 0:
            return [Fault("all-zero", where, "every pixel is zero")]
        return [Fault("constant", where, f"every pixel is {levels[0]}")]
    found = _saturation(levels, counts, where) + _depth(levels, where)
    area = valid_area(frame)
    if area != Box.of(0, 0, *frame.shape):
        message = f"zeros at the edges; image only in rows {area.y.start} to {area.y.stop}, "
        message += f"columns {area.x.start} to {area.x.stop} of {frame.shape}"
        found.append(Fault("zero-border", where, message))
    return found


def require_content(frame: Frame, where: str = "frame") -> None:
    """Let a frame pass that holds something to judge, at little cost, and refuse others."""
    checked_frame(frame)
    # Cheaper than `faults`, which counts every grey level: most frames are sound.
    sound = frame.dtype.kind != "f" or bool(np.isfinite(frame).all())
    if sound and frame.min() != frame.max():
        return
    fault = next(fault for fault in faults(frame, where) if fault.code in FATAL)
    raise ImageContentError(
        f"{fault.message} [{fault.code}]",
        where=where,
        expected="an image of finite, varying grey levels",
        remedy="export the image again, or leave it out",
    )


def _saturation(levels: NDArray[Any], counts: NDArray[Any], where: str) -> list[Fault]:
    top, share = levels[-1], counts[-1] / counts.sum()
    if share <= SATURATED_SHARE:
        return []
    kind = levels.dtype.kind
    if kind in "ui" and top == np.iinfo(levels.dtype).max:
        return [Fault("saturated", where, f"{share:.2%} of the pixels are at the limit, {top}")]
    below = counts[:-1][levels[:-1] >= top - 0.05 * (float(top) - float(levels[0]))]
    if below.size and counts[-1] >= PLATEAU * below.max():
        message = f"{share:.2%} of the pixels are at the brightest level, {top}, few just below"
        return [Fault("plateau", where, message)]
    return []


def _depth(levels: NDArray[Any], where: str) -> list[Fault]:
    found = []
    if levels.dtype.kind in "ui" and levels.dtype.itemsize > 1:
        step = int(np.gcd.reduce(levels.astype(np.int64)))
        if step % 256 == 0 or step % 257 == 0:
            message = f"all values of a {levels.dtype} image are multiples of {step}"
            found.append(Fault("eight-bit-content", where, message))
        elif levels[0] >= 0 and levels[-1] <= 255:
            message = f"a {levels.dtype} image without a value above {levels[-1]}"
            found.append(Fault("eight-bit-range", where, message))
        elif step > 1:
            message = f"all values of a {levels.dtype} image are multiples of {step}"
            found.append(Fault("spaced-levels", where, message))
    if levels.size < FEW_LEVELS:
        found.append(Fault("few-levels", where, f"only {levels.size} different grey levels"))
    return found
