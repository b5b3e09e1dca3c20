"""Nikon ND2: each position of the stage is an image of its own; frames are read one by one."""

from pathlib import Path

from livewell.image import Frame, Header
from livewell.images.nd2_chunks import MAGIC, Nd2Chunks
from livewell.images.nd2_content import Nd2Content, nd2_content
from livewell.images.plain import damaged, plane_names, slices_note
from livewell.images.reference import one_field
from livewell.images.vendor import frame_times, stage_um

LEGACY = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
"""First bytes of ND2 files of about 2009 and before, which are JPEG 2000."""


def is_nd2(path: Path, first: bytes) -> bool:
    """Whether the first bytes are those of an ND2 file."""
    return first.startswith((MAGIC, LEGACY))


def nd2_fields(path: Path) -> tuple[str, ...]:
    """Names of the positions that the stage went to, in their order; none where it is only one."""
    names = nd2_content(path).fields
    return names if len(names) > 1 else ()


def nd2_place(path: Path, field: str) -> tuple[None, str | None, str | None]:
    """Plate (never said), well and position of a field."""
    content = nd2_content(path)
    number = one_field(content.fields, field, path)
    return None, content.wells[number], _position(content, number)


def nd2_properties(path: Path, field: str) -> dict[str, str]:
    """Software, camera, objective and time of acquisition: of all fields what the file states."""
    return dict(nd2_content(path).properties)


class Nd2Image:
    """One position of an ND2 file, its frames read one by one."""

    def __init__(self, path: Path, field: str = "") -> None:
        self.source = str(path / field)
        self._content = content = nd2_content(path)
        self._position = one_field(content.fields, field, path)
        self.packed = content.form.zipped
        self._chunks = Nd2Chunks(path, content.places)
        try:
            self.header = self._header()
        except BaseException:
            self.close()
            raise

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        component, z = divmod(channel, self._content.size("z"))
        if self._content.colour:
            component = 2 - component
        number = self._content.number(t=t, z=z, p=self._position)
        return self._chunks.frame(number, self._content.form, component)

    def close(self) -> None:
        """Let go of the file."""
        self._chunks.close()

    def _header(self) -> Header:
        content, notes = self._content, list(self._content.notes)
        frames, slices = self._recorded(notes), content.size("z")
        channels = plane_names(content.channels, slices)
        first = [content.number(t=t, p=self._position) for t in range(frames)]
        notes += slices_note(slices, content.step_um, channels)
        times, frame_s = self._times(first, notes)
        point = content.points[self._position]
        account = [f"{axis}: {size}" for axis, size in content.loops]
        loops = f" by its loops ({', '.join(account)})" if account else ""
        return Header(
            frames=frames,
            channels=channels,
            height=content.form.height,
            width=content.form.width,
            dtype=content.form.dtype,
            pixel_um=content.pixel_um,
            frame_s=frame_s,
            notes=tuple(dict.fromkeys(notes)),
            well=content.wells[self._position],
            position=_position(content, self._position),
            account=(
                f"position {self._position + 1} of {len(content.points)}; frames and slices{loops}",
            ),
            times_s=times,
            stage_um=self._stage(first[0], point),
        )

    def _recorded(self, notes: list[str]) -> int:
        """How many frames there are: what was not recorded at the end is no frame."""
        content, size = self._content, self._content.size("t")
        planes = range(content.size("z"))
        numbers = [
            [content.number(t=t, z=z, p=self._position) for z in planes] for t in range(size)
        ]
        whole = [content.recorded.issuperset(each) for each in numbers]
        if True not in whole:
            raise damaged(Path(self.source), "no whole frame of this position is in the file")
        frames = size - whole[::-1].index(True)
        if frames < size:
            notes.append(f"{size} frames were planned and {frames} are in the file")
        if lost := frames - sum(whole):
            notes.append(f"{lost} frames before the last one are not in the file")
        return frames

    def _times(
        self, first: list[int], notes: list[str]
    ) -> tuple[tuple[float, ...] | None, float | None]:
        """Times of frames by the stamps of their first planes, else the interval asked for."""
        stamps = self._chunks.numbers("CustomData|AcqTimesCache", "<f8")
        if stamps is not None and len(stamps) > max(first):
            times, frame_s = frame_times((stamps[first] / 1000).tolist(), notes)
            if times:
                return times, frame_s
        period = self._content.period_s if len(first) > 1 else None
        if period:
            notes.append("the interval is the one asked for; no times of frames are in the file")
        return None, period

    def _stage(self, first: int, point: tuple[str, float, float]) -> tuple[float, float] | None:
        """Where the stage was at the first frame, else where it was sent."""
        y, x = (self._chunks.numbers(f"CustomData|{axis}", "<f8") for axis in "YX")
        if y is not None and x is not None and min(len(y), len(x)) > first:
            return stage_um(float(y[first]), float(x[first]))
        return stage_um(point[1], point[2])


def _position(content: Nd2Content, number: int) -> str | None:
    """A position's name; none of the only one of a file, where the file gives it none."""
    names = content.fields
    return names[number] if len(names) > 1 or content.points[number][0].strip() else None
