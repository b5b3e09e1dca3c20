"""Raw numbers of images for the canvas of a page, and what it must know to draw them."""

from collections.abc import Mapping, Sequence

import numpy as np
from fastapi import HTTPException
from fastapi.responses import JSONResponse, Response

from livewell.errors import ImageReadError, LivewellError
from livewell.geometry import Box
from livewell.text import sentence
from livewell.web.frames import Pixels, covered
from livewell.web.refusals import words_of
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site

UNREADABLE = "This image cannot be read."
MISSING = "The file of this image is missing."
MOVED = "The folder of the images is not where it was."


def image_name(site: Site, number: int) -> str:
    """Name of the image in a row of the fields table; 404 where there is none."""
    names = site.catalogue.listing().names
    if not 0 <= number < len(names):
        raise HTTPException(404, "There is no image of this number.")
    return names[number]


def read_boxes(
    site: Site,
    image: str,
    times: Sequence[int],
    channel: int | None,
    box: Box | None,
    step: int = 1,
) -> Pixels:
    """A box of several frames, (n, h, w), see `StudyFrames.boxes`."""
    number = site.frames.channel(image) if channel is None else channel
    return site.frames.boxes(image, times, number, box, step)


def limits(site: Site, image: str, channel: int | None = None) -> tuple[float, float]:
    """Grey levels between which to show a channel at first: one pair for all frames of a movie."""
    return site.frames.limits(image, site.frames.channel(image) if channel is None else channel)


def packed(
    frames: Pixels, *, box: Box | None = None, step: int = 1, headers: Mapping[str, str] = {}
) -> Response:
    """Frames (n, h, w) as raw little-endian numbers, frame by frame and row by row.

    Headers say how to read them: X-Shape ``n,h,w``; X-Type ``uint8``, ``uint16`` or ``float32``;
    X-Box ``y0,x0,y1,x1`` in pixels of the image; X-Step, the edge of the squares of pixels of
    which each number is the mean.
    """
    little = np.ascontiguousarray(frames, frames.dtype.newbyteorder("<"))
    said = {
        "X-Shape": ",".join(map(str, frames.shape)),
        "X-Type": frames.dtype.name,
        "X-Step": str(step),
        "Cache-Control": "private, no-store",
    }
    if box is not None:
        said["X-Box"] = ",".join(map(str, box.corners))
    return Response(little.tobytes(), 200, said | dict(headers), "application/octet-stream")


def packed_box(
    site: Site,
    person: SignedIn | None,
    image: str,
    times: Sequence[int],
    channel: int | None,
    box: Box | None,
    step: int = 1,
) -> Response:
    """`read_boxes` as `packed`; an answer of `unavailable` where they cannot be read."""
    try:
        frames = read_boxes(site, image, times, channel, box, step)
        area = site.frames.header(image).area
        return packed(frames, box=covered(box or area, area, step), step=step)
    except LivewellError as error:
        return unavailable(site, error, person)


def unavailable(site: Site, error: LivewellError, person: SignedIn | None) -> JSONResponse:
    """Why pixels cannot be shown: ``{"error": code, "message": text, "detail": text}``.

    404 for a missing file, 410 where the folder of all images is gone, 422 for all others. The
    detail, which may name files, is empty for nobody (`person` ``None``), as for who answers blind.
    """
    status, text = 422, sentence(error.what) if person is not None else UNREADABLE
    if isinstance(error, ImageReadError):
        text = UNREADABLE
        if not site.catalogue.study().root.is_dir():
            status, text = 410, MOVED
        elif isinstance(error.__cause__, FileNotFoundError):
            status, text = 404, MISSING
    detail = "" if person is None else words_of(error, site, person)
    return JSONResponse({"error": error.code, "message": text, "detail": detail}, status)
