"""What a file says of how it was written, whatever its pixels show."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import tifffile
from PIL import Image as Pillow

from livewell.images.czi import czi_properties
from livewell.images.formats import identify
from livewell.images.lif import lif_properties
from livewell.images.nd2 import nd2_properties
from livewell.images.reference import ImageRef

_IJG = 58.0
"""Mean of the standard's table of luminance, to which quality 50 belongs."""
_ACQUIRED = re.compile(r"AcquisitionDate>\s*([0-9T:.\-+Z ]{8,32})\s*<")
_DAY = re.compile(r"(\d{4})[:\-/](\d{2})[:\-/](\d{2})")


def file_properties(path: Path) -> dict[str, str]:
    """What a file states of how it was written.

    Its ``format``, ``compression``, ``jpeg quality``, ``colour`` (or grey), the ``software`` that
    wrote it, the ``camera``, the ``objective``, ``acquired`` (time of acquisition) and its ``day``.
    What cannot be read is absent: a property is never a reason to stop.
    """
    found: dict[str, str] = {}
    with suppress(Exception):  # whatever damaged bytes lead to
        kind, _ = identify(path)
        found["format"] = kind
        if kind in _OF:
            ref = ImageRef.of(path)
            found |= _OF[kind](ref.container, ref.field)
    if day := _DAY.match(found.get("acquired", "")):
        found["day"] = "-".join(day.groups())
    return found


def _of_tiff(path: Path, field: str) -> dict[str, str]:
    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        said = {
            "compression": getattr(page.compression, "name", str(page.compression)).lower(),
            "colour": getattr(page.photometric, "name", str(page.photometric)).lower(),
        }
        for name, tag in (("software", "Software"), ("camera", "Model"), ("acquired", "DateTime")):
            if (value := page.tags.get(tag)) is not None:
                said[name] = str(value.value).strip()
        if stated := _ACQUIRED.search(page.description or ""):
            said["acquired"] = stated[1].strip()
        if (tables := page.tags.get("JPEGTables")) is not None:
            said["jpeg quality"] = f"tables {crc32(bytes(tables.value)):08x}"
    return {name: text for name, text in said.items() if text}


def _of_plain(path: Path, field: str) -> dict[str, str]:
    with Pillow.open(path) as image:
        said = {"colour": image.mode}
        quantisation = getattr(image, "quantization", None)
        if quantisation:
            said["jpeg quality"] = str(_quality(np.mean(next(iter(quantisation.values())))))
        tags = image.getexif()
        for name, tag in (("software", 0x0131), ("camera", 0x0110), ("acquired", 0x0132)):
            if tag in tags:
                said[name] = str(tags[tag]).strip()
        if "Software" in image.info:
            said["software"] = str(image.info["Software"]).strip()
    return said


def _quality(mean: float) -> int:
    """Quality on libjpeg's scale of 1 to 100, of the mean of a table of quantisation."""
    scale = 100 * mean / _IJG
    return round(100 - scale / 2) if scale <= 100 else round(5000 / scale)


_OF = {
    "TIFF": _of_tiff,
    "PNG": _of_plain,
    "JPEG": _of_plain,
    "Nikon ND2": nd2_properties,
    "Leica LIF": lif_properties,
    "Zeiss CZI": czi_properties,
}
"""What states properties, of kinds of files that do."""
