"""The stain of every frame of a study: a channel of the images, or files beside them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from livewell.errors import ImageContentError, named
from livewell.geometry import Box
from livewell.image import Frame
from livewell.images.opening import choose_channels
from livewell.measure import stain
from livewell.measure.borders import valid_area
from livewell.measure.quality import require_content
from livewell.progress import task
from livewell.study.beside import BesideFiles
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.text import few, plural


@dataclass(frozen=True, slots=True)
class StainSource:
    """Where a stain is found.

    Parameters
    ----------
    channel
        Its channel, name or number, of the images or of the files beside them; a file of one
        channel needs none.
    files
        The stain's files beside the images, as `livewell.study.beside.BesideFiles` takes them;
        ``None`` where the stain is a channel of the images.
    """

    channel: str
    files: str | None = None


@dataclass(frozen=True, slots=True)
class StainedFrame:
    """The stain of one frame, and the part of it that no registration border takes."""

    image: str
    t: int
    stain: Frame
    area: Box

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"{self.image}, frame {self.t}"


def stained_frames(
    study: Study,
    source: StainSource,
    notes: list[str],
    transmitted: StudyPixels | None = None,
) -> Iterator[StainedFrame]:
    """The stain of every frame of every image, in the order of the study; errors as in `Study`.

    Frames that cannot be used, such as blank ones, here or in the `transmitted` light, are left
    out, and `notes` says so; an image that has no other is refused.
    """
    headers = study.headers()
    beside = BesideFiles(study, source.files, "stain") if source.files else None
    pixels = StudyPixels(study, source.channel)
    lost: list[str] = []
    with task("measuring the stain", total=len(headers)) as tick:
        for image, frames in zip(headers["image"].astype(str), headers["frames"], strict=True):
            left = int(frames)
            with _reader(pixels, beside, source.channel, image) as frame_of:
                for t in range(int(frames)):
                    try:
                        if transmitted is not None:
                            transmitted.area(image, t)
                        frame, area = frame_of(t)
                    except ImageContentError as error:
                        left -= 1
                        if not left:
                            raise
                        lost.append(f"{image}, frame {t} ({error.what})")
                    else:
                        yield StainedFrame(image, t, frame, area)
            tick()
    if lost:
        notes.append(f"{plural(len(lost), 'frame')} that cannot be used left out: {few(lost)}")


@contextmanager
def _reader(
    pixels: StudyPixels, beside: BesideFiles | None, channel: str, image: str
) -> Iterator[Callable[[int], tuple[Frame, Box]]]:
    """What gives the stain of a frame of one image and its valid area."""
    if beside is None:
        yield lambda t: (pixels.frame(image, t), pixels.area(image, t))
        return
    with beside.opened(image) as opened:
        asked = channel if len(opened.header.channels) > 1 else None
        (number,) = choose_channels(opened.header, asked, opened.source)

        def read(t: int) -> tuple[Frame, Box]:
            frame = opened.frame(t, number)
            require_content(frame, f"{opened.source}, frame {t}")
            return frame, valid_area(frame)

        yield read


Threshold = Callable[[str, float, float], float]
"""From an image, the level of its background and its standard deviation, counts, to a threshold."""


def lit_shares(
    study: Study, source: StainSource, threshold: Threshold, notes: list[str]
) -> pd.DataFrame:
    """Share of every image's area that its stain lights, the mean over its frames; and `notes`.

    Columns image, ``background`` and ``threshold`` (counts, means over frames), ``lit`` (0 to 1).
    """
    rows = []
    for each in stained_frames(study, source, notes):
        with named(each.where):
            level, sd = stain.background_and_sd(each.stain[each.area.slices])
            above = threshold(each.image, level, sd)
            rows.append((each.image, level, above, stain.lit_share(each.stain, each.area, above)))
    table = pd.DataFrame(rows, columns=["image", "background", "threshold", "lit"])
    return table.groupby("image", sort=False).agg("mean").reset_index()
