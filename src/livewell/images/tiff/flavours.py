"""What the descriptions of the common flavours of TIFF say: tifffile's own, ImageJ, MetaMorph."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np

from livewell.images.tiff import scale
from livewell.images.tiff.ifd import Page, TiffBytes
from livewell.images.tiff.library import opened
from livewell.images.tiff.lsm import LSM, lsm
from livewell.images.tiff.micromanager import micro_manager, positions_in
from livewell.images.tiff.ome import ome, parsed
from livewell.images.tiff.stage import local_seconds, place_of, stage_um
from livewell.images.tiff.statement import Scale, Statement

_BY_TIFFFILE = {34361: "fluoview", 33560: "sis", 33471: "sis"}


def statements(pages: Sequence[Page]) -> list[Statement]:
    """What the file says of its pages: one statement for each image that it speaks of."""
    first = pages[0]
    text = first.text(270)
    managed = micro_manager(pages)
    # the name may have a prefix: <ome:OME>
    if text.endswith("OME>") or (text.startswith("<") and re.search("<(?:\\w+:)?OME", text[:2000])):
        return ome(text, pages, managed)
    if managed:
        return managed
    if LSM in first.tags:
        return lsm(pages)
    if not text.startswith("ImageJ=") and _shape(first):
        return _shaped(pages)
    return [_one_statement(text, pages)]


def may_be_several(file: TiffBytes) -> bool:
    """Whether a file may hold several images, by its first page and Micro-Manager's index."""
    tags = file.directory(file.first, 0)[0]
    images = re.findall(r"<(?:\w+:)?Image[\s>]", file.text(tags.get(270)))
    return len(images) > 1 or LSM in tags or positions_in(file) > 1


def _one_statement(text: str, pages: Sequence[Page]) -> Statement:
    first = pages[0]
    kind = next((kind for code, kind in _BY_TIFFFILE.items() if code in first.tags), "")
    if "scanimage" in text.lower() or first.text(305).startswith("SI."):
        kind = "scanimage"
    if text.startswith("ImageJ="):
        return _imagej(text, first, len(pages))
    if 33628 in first.tags and 33629 in first.tags:
        return _stk(first)
    if text.startswith("<MetaData"):
        return _metaseries(pages)
    return _series(first, kind) if kind else Statement(scale=scale.by_dots(first))


def _imagej(text: str, first: Page, pages: int) -> Statement:
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        found = {key: int(said.get(key, 1)) for key in ("frames", "slices", "channels", "images")}
    except ValueError:
        return Statement("the ImageJ description", broken="its sizes are not numbers")
    if min(found.values()) < 1:
        return Statement("the ImageJ description", broken="it speaks of less than one image")
    order = said.get("order", "czt").lower()
    if sorted(order) != ["c", "t", "z"]:
        order = "czt"
    names = {"c": "channels", "z": "slices", "t": "frames"}
    sizes = [(letter.upper(), found[names[letter]]) for letter in reversed(order)]
    planes = math.prod(size for _, size in sizes)
    if found["images"] > planes and found["images"] % planes == 0:
        sizes.insert(0, ("Q", found["images"] // planes))
    labels: list[str] = []
    if 50839 in first.tags and 50838 in first.tags:
        with suppress(ValueError, KeyError, IndexError), opened(first.file.path) as file:
            labels = list((file.imagej_metadata or {}).get("Labels") or [])
    return Statement(
        "the ImageJ description",
        tuple(sizes),
        behind=pages == 1,
        scale=scale.by_imagej(said, labels, found["channels"], first),
    )


def _stk(first: Page) -> Statement:
    with opened(first.file.path) as file:
        said = file.stk_metadata or {}
    planes = int(said.get("NumberPlanes", 0))
    source = "the MetaMorph stack"
    if planes != first.tags[33629].many or planes < 1:
        return Statement(source, broken="its tags do not fit each other")
    letter = "Q"
    if np.all(np.asarray(said.get("ZDistance", 0)) != 0):
        letter = "Z"
    elif np.all(np.diff(said.get("TimeCreated", np.zeros(2))) != 0):
        letter = "T"
    sizes = ((letter, planes),)
    created = np.asarray(said.get("DatetimeCreated", ()), "M8[us]").ravel().astype(float) / 1e6
    times = _timed(created.tolist())
    return Statement(source, sizes, behind=planes > 1, scale=scale.by_stk(said), seconds=times)


def _shape(page: Page) -> str:
    texts = (page.text(270), page.text(-270))
    return next((text for text in texts if text.startswith(('{"shape":', "shape=("))), "")


def _shaped(pages: Sequence[Page]) -> list[Statement]:
    """A statement for every page that begins a series: pages up to the next are of it."""
    begins = [i for i, page in enumerate(pages) if _shape(page)]
    found = []
    for start, stop in zip(begins, [*begins[1:], len(pages)], strict=True):
        numbers = tuple(page.number for page in pages[start:stop])
        found.append(_one_shape(pages[start], numbers if len(begins) > 1 else None))
    return found


def _one_shape(page: Page, numbers: tuple[int, ...] | None) -> Statement:
    source, text = "the description by tifffile", _shape(page)
    dots = scale.by_dots(page)
    try:
        if text.startswith("shape"):
            said = {"shape": [int(n) for n in re.findall(r"\d+", text)]}
        else:
            said = json.loads(text)
        shape = [int(n) for n in said["shape"]]
        axes = str(said.get("axes") or "Q" * len(shape)).upper()
    except (ValueError, KeyError, TypeError, RecursionError):
        return Statement(source, pages=numbers, broken="it is damaged", scale=dots)
    inner = [n for n in page.form.shape if n > 1]
    sizes = [(letter, n) for letter, n in zip(axes, shape, strict=False) if n > 1]
    split = len(sizes) - len(inner)
    if len(axes) != len(shape) or split < 0 or [n for _, n in sizes[split:]] != inner:
        broken = f"it speaks of shape {tuple(shape)}, and a page has {page.form.shape}"
        return Statement(source, pages=numbers, broken=broken, scale=dots)
    behind = bool(said.get("truncated"))
    return Statement(source, tuple(sizes[:split]), pages=numbers, behind=behind, scale=dots)


def _metaseries(pages: Sequence[Page]) -> Statement:
    source = "the MetaXpress description"
    try:
        planes = [_properties(page.text(270)) for page in pages]
    except ValueError as error:
        return Statement(source, broken=str(error))
    first = planes[0]
    well, position = place_of(first.get("stage-label", ""))
    notes: list[str] = []
    # ImageXpress counts in micrometres, as the names of its own offsets say; MetaMorph may not
    unit = "um" if "OffsetFromWellCenterUmX" in first else None
    stage = stage_um(first.get("stage-position-y"), first.get("stage-position-x"), unit, notes)
    times = [local_seconds(plane.get("acquisition-time-local", "")) for plane in planes]
    sizes: tuple[tuple[str, int], ...] = ()
    if len(pages) > 1:
        differing = [
            letter
            for letter, key in (("P", "stage-label"), ("Z", "z-position"), ("C", "wavelength"))
            if len({plane.get(key) for plane in planes}) == len(pages)
        ]
        sizes = ((differing[0] if len(differing) == 1 else "Q", len(pages)),)
    return Statement(
        source,
        sizes,
        scale=scale.by_metaseries(first),
        well=well,
        position=position,
        notes=tuple(notes),
        seconds=_timed(times),
        stage_um=stage,
    )


def _timed(times: Iterable[float | None]) -> dict[tuple[str, int], float]:
    """When planes were taken, of those that say so, in the order of the pages."""
    return {("", page): at for page, at in enumerate(times) if at is not None}


def _properties(text: str) -> dict[str, str]:
    root = parsed(text or "<a/>")
    if root is None:
        raise ValueError("its XML is damaged, or defines entities")
    return {prop.get("id", ""): prop.get("value", "") for prop in root.iter() if prop.get("id")}


def _series(first: Page, kind: str) -> Statement:
    """Axes as tifffile reads them out of a flavour's own tags."""
    with opened(first.file.path) as file:
        series = file.series[0]
        sizes = tuple(
            (letter, int(size))
            for letter, size in zip(series.axes, series.shape, strict=True)
            if letter not in "YXS"
        )
    return Statement(f"the {kind} description", sizes, scale=Scale())
