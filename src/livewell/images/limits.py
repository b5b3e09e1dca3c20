"""How large a frame may be, and how much of it a file can hold: asked before pixels are decoded."""

import math
import os
from pathlib import Path

from livewell.errors import ImageReadError, SpecError
from livewell.image import Header
from livewell.images.plain import damaged

LIMIT = "LIVEWELL_MAX_MEGAPIXELS"
"""Environment variable: how many million pixels a frame may have."""
LIMIT_MP = 256.0
"""How many it may have by default: 16,000 x 16,000, a well of 1 cm stitched at 0.65 um a pixel."""


def check_size(header: Header, path: Path, most_a_byte: float = math.inf) -> None:
    """Refuse an image before it is decoded, where no camera or no file of this size can hold it.

    Raises
    ------
    ImageReadError
        A frame without pixels, of more than `LIMIT` allows, or of more than the file's bytes can
        stand for, `most_a_byte` pixels each.
    SpecError
        The environment variable `LIMIT` is no number above 0.
    """
    size = f"{header.width} x {header.height} px"
    if not (header.width > 0 and header.height > 0 and header.frames > 0 and header.channels):
        raise damaged(path, "an image without pixels", got=size)
    pixels, limit = header.width * header.height, limit_mp()
    if pixels > limit * 1e6:
        raise ImageReadError(
            "the file says that a frame is larger than livewell decodes",
            where=str(path),
            expected=f"at most {limit:g} million pixels",
            got=f"{size}, which is {pixels / 1e6:.4g} million",
            remedy="copy it again where this is not its size; where it is, cut it into fields, or"
            f" set the environment variable {LIMIT} above {pixels / 1e6:.4g}",
        )
    if most_a_byte < math.inf and pixels > most_a_byte * path.stat().st_size:
        raise damaged(
            path,
            "the file says that its frame is larger than its bytes can hold",
            got=f"{size} in {path.stat().st_size} bytes",
        )


def limit_mp() -> float:
    """How many million pixels a frame may have, by the environment or by default."""
    asked = os.environ.get(LIMIT, "")
    try:
        limit = float(asked or LIMIT_MP)
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise SpecError(f"{LIMIT} is no size", expected="million pixels, above 0", got=asked)
    return limit
