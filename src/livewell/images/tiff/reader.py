"""TIFF in its flavours: plain, BigTIFF, OME, ImageJ, MetaMorph STK; frames are read one by one."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from livewell.errors import ImageReadError
from livewell.image import Frame, Header
from livewell.images.jpeg import NOTE
from livewell.images.plain import damaged, plane_names, slices_note
from livewell.images.tiff.checks import claims, doubts, overlap, page_faults
from livewell.images.tiff.choice import choose, fields_of
from livewell.images.tiff.flavours import may_be_several, statements
from livewell.images.tiff.ifd import Page, TiffBytes
from livewell.images.tiff.layout import Layout, lay_out
from livewell.images.tiff.lsm import mended
from livewell.images.tiff.ome import ABSENT, neighbour, uuid_of
from livewell.images.tiff.planes import JPEG, read_behind, read_page, upright
from livewell.images.tiff.samples import samples_of
from livewell.images.tiff.scale import steady
from livewell.images.tiff.stage import times_of
from livewell.images.tiff.statement import Statement
from livewell.text import plural

_MAY_HOLD_SEVERAL = re.compile(
    r"\.(?:ome\.(?:tiff?|btf|tf8)|lsm)$|_MMStack_|_NDTiffStack", re.IGNORECASE
)


class TiffImage:
    """One image of a TIFF file, its frames read one by one.

    ``began_s`` is when its first plane was taken, in seconds that files of one recording count from
    the same start; ``None`` where not said.
    """

    def __init__(self, path: Path, field: str = "") -> None:
        self.source = str(path / field)
        self._path = path
        self._file = TiffBytes(path)
        self._others: dict[str, list[Page]] = {}
        try:
            self._pages = _pages(self._file)
            chosen = choose(self._pages, statements(self._pages), field)
            chosen = replace(chosen, said=self._followed(chosen.said))
            self._layout = lay_out(self._pages, chosen)
            self._samples = samples_of(self._layout.first, self._layout.said)
            self.header = self._header()
        except BaseException:
            self.close()
            raise

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        layout, samples = self._layout, self._samples.read
        plane, z = divmod(channel, layout.slices)
        if samples:
            plane, sample = 0, samples[plane]
        name, number = layout.plane(t, plane, z)
        if layout.behind:
            page, pixels = layout.first, read_behind(layout.first, number)
        else:
            page = (self._others[name] if name else self._pages)[number]
            with page.file.reopened():
                pixels = read_page(page)
        if samples:
            pixels = pixels[sample] if page.form.planar else pixels[..., sample]
        pixels = upright(pixels, page)
        return pixels.astype("u1") if pixels.dtype.kind == "b" else pixels

    @property
    def packed(self) -> bool:
        """Whether its frames are decoded by more than reading them."""
        files = (self._pages, *self._others.values())
        return any(page.form.compression != 1 for pages in files for page in pages)

    def close(self) -> None:
        """Let go of the file."""
        self._file.handle.close()

    def _followed(self, said: Statement) -> Statement:
        """The statement with the planes that lie in other files, as far as they may be read."""
        names = sorted({name for name, _ in (said.places or {}).values() if name})
        if said.places is None or not names:
            return said
        notes, places = list(said.notes), dict(said.places)
        first = places.get((0, 0, 0), ("", 0))[0]
        if first and not neighbour(self._pages[0], first):
            raise ImageReadError(
                "part of an image that is spread over several OME-TIFF files",
                where=self.source,
                remedy=f"open {first} instead, which begins the set",
            )
        reasons = {name: neighbour(self._pages[0], name) for name in names}
        absent = [name for name, why in reasons.items() if why == ABSENT]
        if absent:
            raise ImageReadError(
                f"part of an image of which {plural(len(absent), 'file')} cannot be found",
                where=self.source,
                expected=", ".join(absent[:5]),
                remedy="put the other files of the set beside it, or export it as one file",
            )
        for name, why in reasons.items():
            pages = [] if why else self._open_other(name, said.uuids.get(name, ""))
            key = self._pages[0].form.key
            mine = [place for place, (file, _) in places.items() if file == name]
            lost = [
                place
                for place in mine
                if places[place][1] >= len(pages) or pages[places[place][1]].form.key != key
            ]
            notes.append(
                f"{len(mine)} planes lie in {name}, which is not read: {why}"
                if why
                else f"read from {name} beside this file: {plural(len(mine) - len(lost), 'plane')}"
            )
            for place in lost:
                del places[place]
        return replace(said, places=places, notes=tuple(notes))

    def _open_other(self, name: str, uuid: str) -> list[Page]:
        file = TiffBytes(self._path.parent / name)
        # sets may have more files than may be open at once
        with file.handle:
            pages = self._others[name] = file.pages()
            faults = [fault for page in pages for fault in page_faults(page)]
            own = uuid_of(pages[0]) if pages else ""
        if faults:
            raise damaged(file.path, faults[0])
        if uuid and own and uuid != own:
            raise ImageReadError(
                f"the file {name} beside it is not the one that belongs to it",
                where=self.source,
                expected=f"a file that calls itself {uuid}",
                got=own,
                remedy="put the right file there, or export the set as one file",
            )
        return pages

    def _header(self) -> Header:
        layout, samples = self._layout, self._samples
        said, first = layout.said, layout.first
        scale = said.scale
        claimed = claims(self._pages, [_behind(layout)] if layout.behind else [])
        crossing = overlap(claimed)
        if crossing:
            raise damaged(self._path, crossing)
        notes = [*layout.notes, *scale.notes, *samples.notes]
        if first.form.compression in JPEG:
            notes.append(NOTE)
        names = plane_names(samples.names or scale.named(layout.channels), layout.slices)
        notes += slices_note(layout.slices, None, names)
        notes += doubts(self._pages, claimed, first)
        firsts = [layout.plane(t, 0, 0) for t in range(layout.frames)]
        self.began_s = said.seconds.get(firsts[0])
        times = times_of(firsts, said.seconds, notes) if layout.frames > 1 else None
        return Header(
            frames=layout.frames,
            channels=names,
            height=first.form.height,
            width=first.form.width,
            dtype=first.form.name.replace("bool", "uint8"),
            pixel_um=scale.pixel_um,
            frame_s=scale.frame_s or steady(np.diff(times or ()).tolist(), notes),
            notes=tuple(dict.fromkeys(notes)),
            well=said.well,
            position=said.position,
            account=layout.account,
            times_s=times,
            stage_um=said.stage_um,
        )


def _behind(layout: Layout) -> tuple[int, int]:
    """Bytes of the planes that have no page."""
    first = layout.first
    start = first.offsets[0] + first.form.plane_bytes
    return start, start + (len(layout.planes) - 1) * first.form.plane_bytes


def fields(path: Path) -> tuple[str, ...]:
    """Names of the images of a TIFF file, in its order; none where it is read as one image.

    Only files are opened whose name says that they may hold several, so that many are soon listed.
    """
    if not _MAY_HOLD_SEVERAL.search(path.name):
        return ()
    file = TiffBytes(path)
    with file.handle:
        if not may_be_several(file):
            return ()
        pages = _pages(file)
        return fields_of(pages, statements(pages))


def _pages(file: TiffBytes) -> list[Page]:
    pages = mended(file.pages())
    if not pages:
        raise damaged(file.path, "a TIFF without an image")
    return pages
