"""Files that lie beside images: masks of nuclei, a stain that was saved apart."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from livewell.errors import Fault, LivewellError, SpecError, TableError
from livewell.images.formats import OpenImage
from livewell.images.opening import open_image, read_header
from livewell.images.tiff.samples import ZERO_IS_WHITE
from livewell.names import name_of, path_of
from livewell.study.study import Study
from livewell.text import plural

STEM = "{stem}"
_ENDING = re.compile(r"(\.ome)?\.\w+$", re.IGNORECASE)


class BesideFiles:
    """One file an image, of the same size and with as many frames.

    Parameters
    ----------
    study
        Its images.
    named
        Column of the fields table that holds each file's path from the study's image root; or a
        path with ``{stem}``, the image's name without its ending, from the image's own folder, such
        as ``{stem}_nuclei.tif``.
    noun
        What such a file is called in errors, such as mask.

    Raises
    ------
    SpecError
        `named` is neither.
    TableError
        Files that are not named, not there, or do not fit their image; every fault.
    """

    def __init__(self, study: Study, named: str, noun: str) -> None:
        self._noun = noun
        self._paths, faults = _paths(study, named, noun)
        headers = study.headers()[["image", "frames", "height", "width"]].astype({"image": "str"})
        for image, *sizes in headers.itertuples(index=False):
            if image in self._paths:
                faults += _header_faults(self._paths[image], image, sizes, noun)
        if faults:
            raise TableError(
                f"the {noun} of some images cannot be used",
                faults,
                where=str(study.root),
                remedy=f"give every image a {noun} of its own size and number of frames, or leave"
                " images without one out when indexing",
            )

    @contextmanager
    def opened(self, image: str) -> Iterator[OpenImage]:
        """The file of an image, open within the block."""
        with open_image(self._paths[image]) as opened:
            yield opened


def _header_faults(path: Path, image: str, sizes: Sequence[int], noun: str) -> list[Fault]:
    """A fault where a file cannot be read, is a negative mask, or has other sizes (t, y, x)."""
    try:
        header = read_header(path)
    except LivewellError as error:
        return [Fault.of(error, image)]
    wanted, got = (
        f"{plural(int(frames), 'frame')} of {height} x {width} px"
        for frames, height, width in (sizes, (header.frames, header.height, header.width))
    )
    if noun == "mask" and any(note.startswith(ZERO_IS_WHITE) for note in header.notes):
        text = f"{name_of(path)} says that 0 is white, so its background may be what is marked"
        return [Fault("zero-is-white", image, f"{text}; save it with 0 as black")]
    text = f"{name_of(path)} has {got}, the image {wanted}"
    return [] if wanted == got else [Fault("other-size", image, text)]


def _paths(study: Study, named: str, noun: str) -> tuple[dict[str, Path], list[Fault]]:
    """Path of each image's file, and a fault for each image of which none is named."""
    fields = study.fields()
    images = fields["image"].tolist()
    if STEM in named:
        paths = {image: study.path(image) for image in images}
        return {
            image: path_of(path.parent, named.replace(STEM, _ENDING.sub("", name_of(path))))
            for image, path in paths.items()
        }, []
    if named not in fields:
        raise SpecError(
            f"neither a column nor a file name with {STEM}",
            where=f"{noun}: {named}",
            expected=f"one of {', '.join(fields.columns)}; or such as {STEM}_{noun}.tif",
        )
    files = fields.set_index("image")[named]
    faults = [
        Fault("empty-value", str(image), f"{named} names no {noun}")
        for image in files.index[files.isna()]
    ]
    known = files.dropna().astype("str")
    # tables of Windows write folders with backslashes
    paths = {image: path_of(study.root, path) for image, path in known.items()}
    return {
        str(image): path if path.exists() else path_of(study.root, known[image].replace("\\", "/"))
        for image, path in paths.items()
    }, faults
