"""What a Leica file says beside the axes: names of channels, times, stage, well, instrument."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from livewell.images.lif_storage import DESCRIPTION, Storage
from livewell.images.tiff.scale import LENGTH_UM, number, unit_name
from livewell.images.vendor import frame_times, named_channels, refused_axis, stage_um, well_of

_SETTING = "./Data/Image/Attachment[@Name='HardwareSetting']"
_TILES = "./Data/Image/Attachment[@Name='TileScanInfo']/Tile"
_FILETIME_0 = 116444736000000000
"""1970 as Windows counts, in steps of 100 ns."""
_PADDED = re.compile(r"[A-P]0[1-9]")


def channel_names(element: Element, count: int, notes: list[str]) -> tuple[str, ...]:
    """Names of the channels: of the dye, contrast or detector, where the file gives one to each.

    Detectors that took turns are listed turn by turn, so their order is not that of the channels.
    """
    described = element.findall(f"{DESCRIPTION}/Channels/ChannelDescription")
    properties = [_properties(each) for each in described]
    wide = element.findall(f"{_SETTING}//WideFieldChannelInfo")
    turns = element.find(".//LDM_Block_Sequential") is not None
    detectors = element.findall(f"{_SETTING}/*/DetectorList/Detector[@IsActive='1']")
    for names in (
        [each.get("DyeName", each.get("DetectorName", "")) for each in properties],
        [each.get("UserDefName", "") or each.get("ContrastingMethodName", "") for each in wide],
        [each.get("Name", "") for each in detectors if not turns],
    ):
        if len(names) == count and all(name.strip() for name in names):
            return named_channels(names)
    if count > 1:
        notes.append(
            "channels are called by the colours that they are shown in: the file has no other names"
        )
    return named_channels([each.get("LUTName", "") for each in described] if count > 1 else [""])


def _properties(channel: Element) -> dict[str, str]:
    pairs = [
        (each.findtext("Key"), each.findtext("Value")) for each in channel.iter("ChannelProperty")
    ]
    return {key: value for key, value in pairs if key and value}


def spectral_bands(storage: Storage, path: Path) -> tuple[str, ...]:
    """Each step of a sweep of wavelengths by what it is; empty where there is none."""
    bands: list[str] = []
    for axis in ("excitation", "emission"):
        sweep = storage.of(axis)
        if sweep.size == 1:
            continue
        unit = LENGTH_UM.get(unit_name(sweep.unit))
        if bands or unit is None or not np.isfinite([sweep.origin, sweep.step]).all():
            raise refused_axis(path, axis, sweep.size)
        at = [(sweep.origin + i * sweep.step) * unit * 1000 for i in range(sweep.size)]
        bands = [f"{axis} {nm:.5g} nm" for nm in at]
        if len(set(bands)) < len(bands):
            raise refused_axis(path, axis, sweep.size)
    return tuple(bands)


def frame_stamps(
    element: Element, storage: Storage, tile: int, notes: list[str]
) -> tuple[tuple[float, ...] | None, float | None]:
    """Times of the first plane of every frame, of a list with one for each plane of the file."""
    said = element.find("./Data/Image/TimeStampList")
    frames = storage.of("t").size
    if said is None or frames == 1:
        return None, None
    ticks = _ticks(said)
    stamps = [(tick - ticks[0]) / 1e7 for tick in ticks]
    steps = {
        each.axis: (each.step_bytes, each.size)
        for each in storage.dimensions
        if each.axis not in "yx"
    }
    if len(storage.channels) > 1:
        steps["channel"] = (storage.channels[1] - storage.channels[0], len(storage.channels))
    axes = sorted(steps, key=lambda axis: -steps[axis][0])
    shape = [steps[axis][1] for axis in axes]
    if len(stamps) != np.prod(shape):
        notes.append(
            f"{len(stamps)} times are in the file and {np.prod(shape)} planes; none is taken"
        )
        return None, None
    first = np.reshape(stamps, shape)
    places = [slice(None) if axis == "t" else tile if axis == "tile" else 0 for axis in axes]
    return frame_times(first[tuple(places)].tolist(), notes)


def _ticks(said: Element) -> list[int]:
    """Times in steps of 100 ns since 1601, of either way in which they are written."""
    old = said.findall("./TimeStamp")
    if not old:
        return [int(each, 16) for each in (said.text or "").split()]
    pairs = [(int(each.get(f"{end}Integer", "0")) for end in ("High", "Low")) for each in old]
    return [(high << 32) + low for high, low in pairs]


def stage_of(element: Element, tile: int, tiles: int) -> tuple[float, float] | None:
    """Position of the stage (y, x) in micrometres; files give it in metres."""
    scanned = element.findall(_TILES)
    if len(scanned) == tiles and scanned:
        found = scanned[tile].get("PosY"), scanned[tile].get("PosX")
    elif tiles == 1:
        setting = next(iter(element.findall(f"{_SETTING}/*[@StagePosX]")), Element("none"))
        found = setting.get("StagePosY"), setting.get("StagePosX")
    else:
        return None
    y, x = (number(each) for each in found)
    return None if y is None or x is None else stage_um(y * 1e6, x * 1e6)


def well_of_folders(folders: Sequence[str]) -> str | None:
    """The well among the names of an image and its folders: ``B07``, or ``B`` over ``7``."""
    for name in folders:
        if _PADDED.match(name) and (well := well_of(name)):
            return well
    for row, column in pairwise(folders):
        if re.fullmatch("[A-P]", row) and re.fullmatch(r"\d{1,2}", column):
            return well_of(row + column)
    return None


def instrument(element: Element) -> dict[str, str]:
    """Software, camera, objective and time of acquisition, as far as they are stated."""
    setting = element.find(_SETTING)
    found = {} if setting is None else {"software": setting.get("Software", "")}
    for each in [] if setting is None else setting:
        found.setdefault("objective", each.get("ObjectiveName", ""))
        found.setdefault("camera", each.get("CameraName", ""))
    said = element.find("./Data/Image/TimeStampList")
    if said is not None and (ticks := _ticks(said)):
        found["acquired"] = str(np.datetime64((ticks[0] - _FILETIME_0) // 10_000, "ms"))
    return {name: text.strip() for name, text in found.items() if text.strip()}
