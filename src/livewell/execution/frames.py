"""The frames of a new image file, one by one: one row each, whatever is wrong with the others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from livewell.errors import ImageReadError, LivewellError, OutputError, why
from livewell.execution.items import STOPPING, Item, Record
from livewell.image import Frame, Header
from livewell.images.listing import images_at
from livewell.images.opening import Channels, open_image
from livewell.images.walking import Listing
from livewell.inference.frames import Field, fit_to, read_field
from livewell.inference.model import Model
from livewell.inference.unseen import COPY, NEAR_COPY, learnt
from livewell.measure.likeness import likeness
from livewell.progress import Tick, each
from livewell.text import plural

OWN = "file in the folder of results"


def image_files(images: Path, out: Path) -> Listing:
    """Images by name: those that a path means, of a folder but for what lies in `out`."""
    inside, found = out.resolve(), images_at(images)
    if inside == images.resolve():
        raise OutputError(
            "not a folder of results: it holds the images",
            where=str(out),
            remedy="name another folder for the results",
        )
    files = {
        name: path for name, path in found.files.items() if inside not in path.resolve().parents
    }
    if not files:
        raise ImageReadError(
            "no image files here, but for those in the folder of results",
            where=str(images),
            remedy="name the folder of the images, and another one for the results",
        )
    own = {OWN: len(found.files) - len(files)} if len(files) < len(found.files) else {}
    return replace(found, files=files, left_out=found.left_out | own)


@dataclass(frozen=True, slots=True)
class OpenSettings:
    """How new files are opened: channels in the model's order, and what overrides their headers."""

    channels: Channels = None
    pixel_um: float | None = None
    frame_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FileFrame:
    """A frame as a model sees it, its file's header, and what the model has learnt from.

    `learnt` is empty, `COPY` of what it learnt from, or `NEAR_COPY`.
    """

    field: Field
    header: Header
    learnt: str
    tick: Tick


def judge_frames(
    item: Item,
    tick: Tick,
    model: Model,
    opening: OpenSettings,
    judge: Callable[[FileFrame], Record],
    which: Callable[[int], Sequence[int]] = range,
) -> Record:
    """The record of one file: rows of its frames as `judge` gives them, and failures (t, error).

    `which` says which frames of so many are judged. Where all of several fail for one reason it
    stands there once, with no frame.
    """
    rows: list[Record] = []
    failures: list[Record] = []
    with open_image(item.path, pixel_um=opening.pixel_um, frame_s=opening.frame_s) as image:
        header, name = image.header, item.name
        fit = fit_to(model.card, header, opening.channels, name)
        fit = replace(fit, notes=(*fit.notes, *header.notes))
        known = COPY if learnt(image, fit.channels[0], model.learnt) else ""
        frames = which(header.frames)
        for t, part in each(frames, tick, 1 / max(len(frames), 1)):
            tick(0, f"{name}, frame {t + 1} of {header.frames}")
            try:
                field = read_field(image, t, fit, f"{name}, frame {t}")
                how = known or near_copy(model, [field.raw])
                rows.append({"t": t} | judge(FileFrame(field, header, how, part)))
            except STOPPING:
                raise
            except LivewellError as error:
                failures.append({"t": t, "error": why(error)})
        reasons = {row["error"].replace(f"{name}, frame {row['t']}", name) for row in failures}
        if len(failures) == len(frames) > 1 and len(reasons) == 1:
            failures = [{"t": None, "error": reasons.pop()}]
    return {"rows": rows, "failures": failures}


def near_copy(model: Model, frames: Iterable[Frame]) -> str:
    """`NEAR_COPY` where one of a file's frames is of what a model has learnt from, else empty."""
    seen = [("file", likeness(frame)) for frame in frames if model.learnt_frames]
    return NEAR_COPY if model.learnt_frames.near_copies(seen) else ""


def counted(notes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Every note of pairs (image, note) once, with the number of images that have it."""
    images: dict[str, set[str]] = {}
    for image, note in notes:
        images.setdefault(note, set()).add(image)
    return tuple(f"{plural(len(found), 'image')}: {note}" for note, found in images.items())
