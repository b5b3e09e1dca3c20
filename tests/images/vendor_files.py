"""Small ND2, LIF and CZI files of known content, written from the structure of these formats."""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

_CHUNK = struct.Struct("<4sIQ")
_FOLDER = "<Data><Collection/></Data>"
_RUNTYPES = {bool: "bool", int: "lx_uint32", float: "double", str: "CLxStringW"}


@dataclass
class Nd2Plan:
    """What an ND2 file of these tests says; pixels are (t, p, z, y, x, component)."""

    pixels: NDArray[Any]
    names: Sequence[str] = ("BF",)
    points: Sequence[tuple[str, float, float]] = ()
    times_s: Sequence[float] = ()
    um: float = 0.65
    aspect: float = 1.0
    calibrated: bool = True
    zipped: bool = False
    padding: int = 0
    lost: Sequence[int] = ()
    components: int = 1
    loops: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda loops: loops
    attributes: dict[str, Any] = field(default_factory=dict)


def write_nd2(path: Path, plan: Nd2Plan) -> None:
    """An ND2 file of version 2.1, whose descriptions are XML."""
    t, p, z, height, width, components = plan.pixels.shape
    size = plan.pixels.dtype.itemsize
    row = width * components * size + plan.padding
    chunks: dict[str, bytes] = {
        "ImageAttributes!": _variant(
            {
                "uiWidth": width, "uiWidthBytes": row, "uiHeight": height, "uiComp": components,
                "uiBpcInMemory": size * 8, "uiBpcSignificant": size * 8,
                "uiSequenceCount": t * p * z, "eCompression": 0 if plan.zipped else 2,
                **plan.attributes,
            }
        ),
        "ImageMetadataSeq|0!": _variant(
            {
                "dXPos": 11.0, "dYPos": 22.0, "dCalibration": plan.um, "dAspect": plan.aspect,
                "bCalibrated": plan.calibrated, "dTimeMSec": 0.0,
                "sPicturePlanes": {
                    "uiCount": len(plan.names),
                    "sPlaneNew": {
                        f"a{i}": {"uiCompCount": plan.components, "sDescription": name}
                        for i, name in enumerate(plan.names)
                    },
                },
            }
        ),
        "CustomDataVar|AppInfo_V1_0!": _variant(
            {"SWNameString": "NIS-Elements AR", "VersionString": "5.30"}
        ),
    }  # fmt: skip
    loops = plan.loops(_loops(t, p, z, plan))
    if loops:
        chunks["ImageMetadata!"] = _variant(_nested(loops))
    if len(plan.times_s):
        chunks["CustomData|AcqTimesCache!"] = (np.array(plan.times_s, "<f8") * 1000).tobytes()
    frames = plan.pixels.reshape(-1, height, width * components)
    for number, frame in enumerate(frames):
        if number in plan.lost:
            continue
        rows = np.zeros((height, row), np.uint8)
        rows[:, : row - plan.padding] = np.ascontiguousarray(frame).view(np.uint8)
        data = zlib.compress(rows.tobytes()) if plan.zipped else rows.tobytes()
        chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", float(number)) + data
    path.write_bytes(_filed(chunks))


def _loops(t: int, p: int, z: int, plan: Nd2Plan) -> list[dict[str, Any]]:
    time = {"uiCount": t, "dStart": 0.0, "dPeriod": 60000.0, "dDuration": 0.0}
    points = {
        f"i{i:010}": {"dPosName": name, "dPosX": x, "dPosY": y, "dPosZ": 0.0}
        for i, (name, y, x) in enumerate(plan.points)
    }
    loops: list[dict[str, Any]] = [{"eType": 1, "uLoopPars": time}] if t > 1 else []
    if plan.points:
        loops.append({"eType": 2, "uLoopPars": {"Points": points, "uiCount": p}})
    if z > 1:
        stack = {"uiCount": z, "dZStep": 1.5, "dZLow": 0.0, "dZHigh": 1.5 * (z - 1), "iType": 0}
        loops.append({"eType": 4, "uLoopPars": stack})
    return loops


def _nested(loops: list[dict[str, Any]]) -> dict[str, Any]:
    first, *rest = loops
    return {**first, "ppNextLevelEx": {"a0": _nested(rest)}} if rest else first


def _variant(values: Mapping[str, Any]) -> bytes:
    return f"<variant>{_xml(values)}</variant>".encode()


def _xml(values: Mapping[str, Any]) -> str:
    parts = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            parts.append(f"<{name}>{_xml(value)}</{name}>")
        else:
            kind = _RUNTYPES[type(value)]
            parts.append(f"<{name} runtype='{kind}' value={quoteattr(str(value))}/>")
    return "".join(parts)


def _filed(chunks: Mapping[str, bytes]) -> bytes:
    """The chunks, and the map of where they are, which ends the file."""
    file = bytearray(_chunk(b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver2.1".ljust(64, b"\0")))
    places = bytearray()
    for name, data in chunks.items():
        places += name.encode() + struct.pack("<QQ", len(file), len(data))
        # the reader `nd2` expects pixels 4096 bytes after the start of a chunk
        reserve = 4072 if name.startswith("ImageDataSeq") else 0
        file += _chunk(name.encode().ljust(reserve, b"\0"), data)
    end = b"ND2 CHUNK MAP SIGNATURE 0000001!"
    start = len(file)
    file += _chunk(
        b"ND2 FILEMAP SIGNATURE NAME 0001!", bytes(places) + end + struct.pack("<Q", start)
    )
    return bytes(file + end + struct.pack("<Q", start))


def _chunk(name: bytes, data: bytes) -> bytes:
    return _CHUNK.pack(b"\xda\xce\xbe\x0a", len(name), len(data)) + name + data


@dataclass
class LifPlan:
    """One image of a LIF file: `axes` are (DimID, size, length in m or s, bytes of a step).

    Pixels are in the order of bytes in the file; `channels` are (bytes of a step, tag, dye).
    """

    folders: Sequence[str]
    axes: Sequence[tuple[int, int, float, int]]
    channels: Sequence[tuple[int, int, str]]
    pixels: NDArray[Any]
    bits: int = 16
    extra: str = ""
    memory: bool = True


def write_lif(path: Path, plans: Sequence[LifPlan], *, cut: int = 0) -> None:
    """A LIF file of version 2; the last `cut` bytes are left away."""
    elements = ""
    for number, plan in enumerate(plans):
        *folders, name = plan.folders
        before = "".join(f"<Element Name={quoteattr(each)}>{_FOLDER}<Children>" for each in folders)
        after = "</Children></Element>" * len(folders)
        elements += before + _element(name, number, plan) + after
    root = f"<Element Name='Project'><Children>{elements}</Children></Element>"
    xml = f"<LMSDataContainerHeader Version='2'>{root}</LMSDataContainerHeader>"
    file = _header(xml)
    for number, plan in enumerate(plans):
        if plan.memory:
            name, data = f"MemBlock_{number}", plan.pixels.tobytes()
            file += struct.pack("<IIBQBI", 0x70, 0, 0x2A, len(data), 0x2A, len(name))
            file += name.encode("utf-16-le") + data
    path.write_bytes(file[: len(file) - cut])


def write_lof(path: Path, plan: LifPlan) -> None:
    """A LOF file, which holds one image."""
    data = plan.pixels.tobytes()
    name = "LMS_Object_File".encode("utf-16-le")
    start = struct.pack("<IIBI", 0x70, len(name) + 5, 0x2A, len(name) // 2) + name
    start += struct.pack("<BIBI", 0x2A, 2, 0x2A, 0) + struct.pack("<BQ", 0x2A, len(data))
    xml = f"<LMSDataContainerHeader Version='2'>{_element(plan.folders[-1], 0, plan)}"
    path.write_bytes(start + data + _header(xml + "</LMSDataContainerHeader>"))


def _header(xml: str) -> bytes:
    text = xml.encode("utf-16-le")
    return struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(text) // 2) + text


def _element(name: str, number: int, plan: LifPlan) -> str:
    kind = 1 if plan.pixels.dtype.kind == "f" else 0
    channels = "".join(
        f"<ChannelDescription DataType='{kind}' ChannelTag='{tag}' Resolution='{plan.bits}'"
        " NameOfMeasuredQuantity='' Min='0' Max='1' Unit='' LUTName='Gray' IsLUTInverted='0'"
        f" BytesInc='{step}' BitInc='0'>{_dye(dye)}</ChannelDescription>"
        for step, tag, dye in plan.channels
    )
    units = {4: "s"}
    axes = "".join(
        f"<DimensionDescription DimID='{axis}' NumberOfElements='{size}' Origin='0'"
        f" Length='{length}' Unit='{units.get(axis, 'm')}' BytesInc='{step}' BitInc='0'/>"
        for axis, size, length, step in plan.axes
    )
    return (
        f"<Element Name={quoteattr(name)}><Data><Image><ImageDescription><Channels>{channels}"
        f"</Channels><Dimensions>{axes}</Dimensions></ImageDescription>{plan.extra}</Image></Data>"
        f"<Memory Size='{plan.pixels.nbytes}' MemoryBlockID='MemBlock_{number}'/></Element>"
    )


def _dye(name: str) -> str:
    said = f"<Key>DyeName</Key><Value>{name}</Value>"
    return f"<ChannelProperty>{said}</ChannelProperty>" if name else ""


@dataclass
class CziPlane:
    """One plane of a CZI file: stored bytes or pixels (y, x[, blue green red]), and its place."""

    pixels: NDArray[Any]
    start: Mapping[str, int]
    tags: Mapping[str, str] = field(default_factory=dict)
    pixel_type: int = 1
    compression: int = 0
    data: bytes | None = None
    shrunk: int = 1


def write_czi(path: Path, planes: Sequence[CziPlane], xml: str, **head: int) -> None:
    """A CZI file; `head` may say a ``part`` or that an update is ``pending``."""
    file = bytearray(32 + 512)
    entries = b""
    for plane in planes:
        entry = _entry(plane, len(file))
        entries += entry
        tags = "".join(f"<{name}>{value}</{name}>" for name, value in plane.tags.items())
        text = f"<METADATA><Tags>{tags}</Tags></METADATA>".encode()
        data = plane.pixels.tobytes() if plane.data is None else plane.data
        start = struct.pack("<iiq", len(text), 0, len(data)) + entry
        file += _segment(b"ZISRAWSUBBLOCK", start.ljust(256, b"\0") + text + data)
    directory = len(file)
    listed = struct.pack("<i", len(planes)).ljust(128, b"\0") + entries
    file += _segment(b"ZISRAWDIRECTORY", listed)
    metadata = len(file)
    text = xml.encode()
    file += _segment(b"ZISRAWMETADATA", struct.pack("<ii", len(text), 0).ljust(256, b"\0") + text)
    said = struct.pack(
        "<iiii16s16siqqiq", 1, 0, 0, 0, bytes(16), bytes(16), head.get("part", 0), directory,
        metadata, head.get("pending", 0), 0,
    )  # fmt: skip
    file[:544] = _segment(b"ZISRAWFILE", said.ljust(512, b"\0"))
    path.write_bytes(file)


def _segment(name: bytes, data: bytes) -> bytes:
    size = -len(data) % 32 + len(data)
    return struct.pack("<16sQQ", name, size, len(data)) + data.ljust(size, b"\0")


def _entry(plane: CziPlane, at: int) -> bytes:
    height, width = plane.pixels.shape[:2]
    axes = {"X": width, "Y": height}
    places = {"X": 0, "Y": 0, **plane.start}
    said = b""
    for axis, start in places.items():
        size = axes.get(axis, 1)
        stored = size if axis in axes else 1
        said += struct.pack("<4siifi", axis.encode(), start, size * plane.shrunk, 0.0, stored)
    return (
        struct.pack(
            "<2siqii6si", b"DV", plane.pixel_type, at, 0, plane.compression, bytes(6), len(places)
        )
        + said
    )
