"""Zeiss CZI: each scene, and each tile of a scene, is an image of its own."""

from pathlib import Path

from livewell.image import Frame, Header
from livewell.images import czi_content as said
from livewell.images.czi_content import CziContent, CziField, czi_content
from livewell.images.czi_pixels import JPEG_XR, RAW, READ, TYPES, decoded
from livewell.images.czi_segments import MAGIC, Segments
from livewell.images.plain import RGB, RGB_NOTE, damaged, plane_names, slices_note
from livewell.images.reference import one_field
from livewell.images.vendor import frame_times, refused_axis
from livewell.text import plural

XR_NOTE = "JPEG XR compression: whether it loses detail is not told by the file"


def is_czi(path: Path, first: bytes) -> bool:
    """Whether the first bytes are those of a CZI file."""
    return first.startswith(MAGIC)


def czi_fields(path: Path) -> tuple[str, ...]:
    """Names of the scenes, and numbers of their tiles, in their order; none where it is one."""
    names = _names(czi_content(path))
    return names if len(names) > 1 else ()


def czi_place(path: Path, field: str) -> tuple[None, str | None, str | None]:
    """Plate (never said), well and position of a field."""
    content = czi_content(path)
    found = content.fields[one_field(_names(content), field, path)]
    return None, said.well(content.xml, found.scene), _position(content, found)


def czi_properties(path: Path, field: str) -> dict[str, str]:
    """Software, camera, objective and time of acquisition, as far as the file states them."""
    xml = czi_content(path).xml
    information = "./Metadata/Information/"
    program = [xml.findtext(f"{information}Application/{part}", "") for part in ("Name", "Version")]
    cameras = xml.findall(f"{information}Instrument/Detectors/Detector")
    objective = xml.find(f"{information}Instrument/Objectives/Objective")
    found = {
        "software": " ".join(program),
        "camera": cameras[0].findtext("Manufacturer/Model", "") if cameras else "",
        "objective": "" if objective is None else objective.get("Name", ""),
        "acquired": xml.findtext(f"{information}Image/AcquisitionDateAndTime", ""),
    }
    return {name: text.strip() for name, text in found.items() if text.strip()}


class CziImage:
    """One scene or tile of a CZI file, its frames read one by one."""

    def __init__(self, path: Path, field: str = "") -> None:
        self.source = str(path / field)
        content = czi_content(path)
        self._path = path
        self._field = content.fields[one_field(_names(content), field, path)]
        self.packed = any(plane.compression != RAW for plane in self._field.planes.values())
        self._file = path.open("rb")
        try:
            self._segments = Segments(path, self._file)
            self.header = self._header(content)
        except BaseException:
            self.close()
            raise

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        channel, z = divmod(channel, self._field.sizes[2])
        samples = TYPES[self._field.first.pixel_type][1]
        c, sample = divmod(channel, samples)
        plane = self._field.planes.get((t, c, z))
        if plane is None:
            raise damaged(self._path, f"frame {t}, channel {c}, slice {z} is not in the file")
        pixels: Frame = decoded(self._path, plane, self._segments.block(plane, pixels=True))
        return pixels[..., sample]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _header(self, content: CziContent) -> Header:
        field, xml, notes = self._field, content.xml, list[str]()
        frames, count, slices = field.sizes
        dtype, samples = TYPES[field.first.pixel_type]
        if samples > 1 and count > 1:
            raise refused_axis(self._path, "channels of colour images", count)
        names = RGB if samples > 1 else said.channels(xml, count)
        notes += [RGB_NOTE] if samples > 1 else []
        channels = plane_names(names, slices)
        if field.tile:
            notes.append("a tile of a larger scene: tiles are images of their own, not joined")
        notes += slices_note(slices, said.step_um(xml), channels)
        if lost := frames * count * slices - len(field.planes):
            notes.append(f"{lost} planes between the first and the last are not in the file")
        stored = {plane.compression for plane in field.planes.values()}
        notes += [XR_NOTE] if JPEG_XR in stored else []
        times, frame_s = frame_times(said.stamps(self._segments, field), notes)
        if times is None and frames > 1 and (frame_s := said.interval_s(xml)):
            notes.append("the interval is that of the whole series; no times of frames are taken")
        compression = ", ".join(sorted(READ[each] for each in stored if each in READ))
        return Header(
            frames=frames,
            channels=channels,
            height=field.first.size["Y"],
            width=field.first.size["X"],
            dtype=dtype,
            pixel_um=said.pixel_um(xml, notes),
            frame_s=frame_s,
            notes=tuple(dict.fromkeys(notes)),
            well=said.well(xml, field.scene),
            position=_position(content, field),
            account=(
                f"field {content.fields.index(field) + 1} of {len(content.fields)};"
                f" {plural(len(field.planes), 'plane')}, compression: {compression}",
            ),
            times_s=times,
            stage_um=said.stage(self._segments, field, xml),
        )


def _names(content: CziContent) -> tuple[str, ...]:
    return tuple(field.name for field in content.fields)


def _position(content: CziContent, field: CziField) -> str | None:
    """The name of a field; none of the only one of a file that gives it none."""
    return field.name if len(content.fields) > 1 or field.named else None
