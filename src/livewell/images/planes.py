"""Images whose planes lie in many files: a table of the files, and one reader for all vendors."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from livewell.errors import ImageReadError
from livewell.image import Frame, Header, Image
from livewell.images.tiff.scale import steady
from livewell.images.tiff.stage import times_of
from livewell.text import plural

GREY = "grey"
"""The one channel of an image of which nothing says what it is."""
Layer = tuple[int, int]
"""Frame and layer of a plane: a layer is a channel, or one of its slices."""


@dataclass(frozen=True, slots=True)
class PlaneTable:
    """Which file holds which plane of one image, and what is said of it beside the files.

    ``planes`` names files below the folder, ``missing`` those that should be there and are not
    (empty where none is named). Sizes are 0 where not said; times in seconds from the first frame,
    the stage (y, x) in micrometres. An image that has a ``fault``, a sentence, cannot be read.
    """

    frames: int
    layers: tuple[str, ...]
    planes: Mapping[Layer, str]
    missing: Mapping[Layer, str] = field(default_factory=dict)
    height: int = 0
    width: int = 0
    pixel_um: float | None = None
    times_s: tuple[float, ...] | None = None
    stage_um: tuple[float, float] | None = None
    plate: str | None = None
    well: str | None = None
    position: str | None = None
    notes: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    fault: str = ""


class PlanesImage:
    """An image whose planes lie in many files; a file is open only while its plane is read.

    `open_one` opens one of them. The header is that of the first plane that is there; of others
    size, number type and channels are checked when they are read.
    """

    def __init__(
        self, folder: Path, name: str, table: PlaneTable, open_one: Callable[[Path], Image]
    ) -> None:
        self.source = str(folder / name)
        self._folder, self._table, self._open = folder, table, open_one
        if table.fault or not table.planes:
            raise ImageReadError(
                table.fault or f"all of its {plural(len(table.missing), 'file')} are missing",
                where=self.source,
                expected="one file a plane",
                got=", ".join(sorted(filter(None, table.missing.values()))[:3]),
                remedy="copy the folder again from the microscope, or leave this field out",
            )
        self.first = table.planes[min(table.planes)]
        with closing(open_one(folder / self.first)) as image:
            self._one = image.header
            began = _began(image)
        if self._one.frames != 1:
            raise self._odd(self.first, self._one)
        self.header = self._header(began)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        layer, sample = divmod(channel, len(self._one.channels))
        name = self._table.planes.get((t, layer))
        if name is None:
            named = self._table.missing.get((t, layer), "")
            raise ImageReadError(
                f"frame {t} of channel {self._table.layers[layer]} is missing",
                where=self.source,
                expected=named or "a file of this frame and channel",
                remedy="copy it again from the microscope, or leave this frame or field out",
            )
        with closing(self._open(self._folder / name)) as image:
            if _form(image.header) != _form(self._one):
                raise self._odd(name, image.header)
            return image.frame(0, sample)

    def close(self) -> None:
        """Nothing stays open."""

    def _odd(self, name: str, header: Header) -> ImageReadError:
        return ImageReadError(
            "a plane that is not like the others of its image",
            where=str(self._folder / name),
            expected=_told(self._one) if name != self.first else "one frame a file",
            got=_told(header),
            remedy="copy it again from the microscope, or leave this field out",
        )

    def _header(self, began: float | None) -> Header:
        table, one, notes = self._table, self._one, list(self._table.notes)
        notes += [*one.notes, *self._contradictions(), *_missing(table)]
        times = table.times_s or (self._times(notes) if began is not None else None)
        names = table.layers if table.layers != (GREY,) else one.channels
        if len(one.channels) > 1 and names != one.channels:
            before = ("",) if len(names) == 1 else tuple(f"{name}:" for name in names)
            names = tuple(f"{name}{sample}" for name in before for sample in one.channels)
        count = len(table.planes)
        return Header(
            frames=table.frames,
            channels=names,
            height=one.height,
            width=one.width,
            dtype=one.dtype,
            pixel_um=table.pixel_um or one.pixel_um,
            frame_s=steady(np.diff(times or ()).tolist(), notes),
            notes=tuple(dict.fromkeys(notes)),
            well=table.well or one.well,
            position=table.position or one.position,
            account=(f"{plural(count, 'plane')} in as many files", *table.account),
            plate=table.plate or one.plate,
            times_s=times,
            stage_um=table.stage_um or one.stage_um,
        )

    def _contradictions(self) -> list[str]:
        table, one = self._table, self._one
        found = []
        if table.height and (table.height, table.width) != (one.height, one.width):
            found.append(
                f"the folder's index says {table.height} x {table.width} px, and the files are"
                f" {one.height} x {one.width} px (height x width): the files are right"
            )
        if table.well and one.well and table.well != one.well:
            found.append(f"{self.first} says that it is of well {one.well}, not {table.well}")
        both = table.pixel_um, one.pixel_um
        if both[0] and both[1] and abs(both[0] - both[1]) > 0.01 * both[0]:
            found.append(
                f"the folder's index says {both[0]:.4g} um a pixel, and {self.first}"
                f" {both[1]:.4g} um: the index is taken"
            )
        return found

    def _times(self, notes: list[str]) -> tuple[float, ...] | None:
        """When frames began, as their files say it."""
        firsts = [("", t) for t in range(self._table.frames)]
        began: dict[tuple[str, int], float] = {}
        for t in range(self._table.frames) if len(firsts) > 1 else ():
            if (t, 0) in self._table.planes:
                with closing(self._open(self._folder / self._table.planes[t, 0])) as image:
                    seconds = _began(image)
                if seconds is not None:
                    began["", t] = seconds
        return times_of(firsts, began, notes) if began else None


def _began(image: Image) -> float | None:
    """Seconds at which a file's first plane was taken; ``None`` where it does not say."""
    return getattr(getattr(image, "reader", image), "began_s", None)


def _form(header: Header) -> tuple[object, ...]:
    return header.frames, len(header.channels), header.height, header.width, header.dtype


def _told(header: Header) -> str:
    frames, channels, height, width, dtype = _form(header)
    return f"{frames} frames, {channels} channels, {width} x {height} px, {dtype}"


def _missing(table: PlaneTable) -> list[str]:
    """A note on planes that are missing, by frame and channel."""
    if not table.missing:
        return []
    lost = [f"frame {t} of {table.layers[layer]}" for t, layer in sorted(table.missing)[:5]]
    more = ", ..." * (len(table.missing) > 5)
    total = table.frames * len(table.layers)
    told = f"{len(table.missing)} of {plural(total, 'plane')} missing"
    return [f"{told}: {', '.join(lost)}{more}"]
