"""Tiny folders as microscopes of screening write them: indices and names by hand, pixels by number.

Every plane is filled with a number of its own, see `level`.
"""

import random
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import tifffile

WELLS, SITES, CHANNELS, SLICES, TIMES = ((2, 3), (12, 24)), (1, 2), (1, 2), (1, 2), (1, 2, 3)
SHAPE = (6, 8)
Plane = tuple[tuple[int, int], int, int, int, int]
"""Well (row and column from 1), site, channel, slice, time."""
PLANES: list[Plane] = list(product(WELLS, SITES, CHANNELS, SLICES, TIMES))
"""Planes of the folders, unless another list is given."""
NAMES = {1: "Brightfield", 2: "GFP"}


def level(plane: Plane) -> int:
    """The grey level of all pixels of a plane."""
    (row, column), site, channel, z, t = plane
    inner = ((site - 1) * 3 + channel - 1) * 12 + (z - 1) * 4 + t
    return (row * 25 + column) * 100 + inner


def well_of(row: int, column: int) -> str:
    return f"{chr(64 + row)}{column:02d}"


def pixels(path: Path, plane: Plane, **more: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.full(SHAPE, level(plane), np.uint16), metadata=None, **more)


def shuffled(planes: list[Plane], seed: int) -> list[Plane]:
    order = list(planes)
    random.Random(seed).shuffle(order)
    return order


def opera(folder: Path, planes: list[Plane] = PLANES, seed: int = 0, version: int = 5) -> Path:
    """Images of Harmony 5 (facts of channels in every image) or 6 (once a channel)."""
    facts = (
        '<ChannelName>{name}</ChannelName><ImageResolutionX Unit="m">5.98E-07</ImageResolutionX>'
        '<ImageResolutionY Unit="m">5.98E-07</ImageResolutionY><ImageSizeX>8</ImageSizeX>'
        "<ImageSizeY>6</ImageSizeY>"
    )
    images = []
    for plane in shuffled(planes, seed):
        (row, column), site, channel, z, t = plane
        name = f"r{row:02d}c{column:02d}f{site:02d}p{z:02d}-ch{channel}sk{t}fk1fl1.tiff"
        pixels(folder / name, plane)
        images.append(
            f'<Image Version="1"><id>x</id><State>Ok</State><URL>{name}</URL><Row>{row}</Row>'
            f"<Col>{column}</Col><FieldID>{site}</FieldID><PlaneID>{z}</PlaneID>"
            f"<TimepointID>{t - 1}</TimepointID><ChannelID>{channel}</ChannelID>"
            + facts.format(name=NAMES[channel])
            * (version == 5)
            + f'<PositionX Unit="m">{site * 1e-4}</PositionX><PositionY Unit="m">-2E-05</PositionY>'
            f'<MeasurementTimeOffset Unit="s">{(t - 1) * 600 + z * 2.5}</MeasurementTimeOffset>'
            "</Image>"
        )
    entries = "".join(
        f'<Entry ChannelID="{channel}">{facts.format(name=name)}</Entry>'
        for channel, name in NAMES.items()
    )
    maps = f"<Maps><Map>{entries}</Map></Maps>" * (version == 6)
    wells = "".join(
        f"<Well><id>x</id><Row>{row}</Row><Col>{column}</Col><Image id='x'/></Well>"
        for row, column in WELLS
    )
    (folder / "Index.idx.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?><EvaluationInputData Version="1" xmlns='
        f'"http://www.perkinelmer.com/PEHH/HarmonyV{version}"><User>x</User><Plates><Plate>'
        f"<PlateID>P7</PlateID><Name>Plate seven</Name></Plate></Plates><Wells>{wells}</Wells>"
        f"{maps}<Images>{''.join(images)}</Images></EvaluationInputData>",
        "utf-8",
    )
    return folder


def opera_6(folder: Path, planes: list[Plane] = PLANES, seed: int = 0) -> Path:
    return opera(folder, planes, seed, version=6)


def cell_voyager(folder: Path, planes: list[Plane] = PLANES, seed: int = 0) -> Path:
    """Images and records of a CV8000."""
    records = []
    for plane in shuffled(planes, seed):
        (row, column), site, channel, z, t = plane
        name = f"P7_{well_of(row, column)}_T{t:04d}F{site:03d}L01A01Z{z:02d}C{channel:02d}.tif"
        pixels(folder / name, plane)
        records.append(
            '<bts:MeasurementRecord bts:Type="IMG"'
            f' bts:Time="2023-09-18T1{t}:00:0{z}.4014935+02:00"'
            f' bts:Column="{column}" bts:Row="{row}" bts:TimePoint="{t}" bts:FieldIndex="{site}"'
            f' bts:ZIndex="{z}" bts:X="{site * 100}" bts:Y="-20" bts:Z="0" bts:Ch="{channel}">'
            f"{name}</bts:MeasurementRecord>"
        )
    schema = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
    (folder / "MeasurementData.mlf").write_text(
        f'<?xml version="1.0" encoding="utf-8"?><bts:MeasurementData {schema}>'
        + "".join(records)
        + '<bts:MeasurementRecord bts:Type="ERR" bts:Column="1" bts:Row="1">Error</bts:Measure'
        "mentRecord></bts:MeasurementData>",
        "utf-8",
    )
    channels = "".join(
        f'<bts:MeasurementChannel bts:Ch="{channel}" bts:HorizontalPixelDimension="0.598"'
        ' bts:VerticalPixelDimension="0.598"/>'
        for channel in (*CHANNELS, 3)
    )
    (folder / "MeasurementDetail.mrf").write_text(
        f'<bts:MeasurementDetail {schema} bts:MeasurementSettingFileName="a.mes">'
        f'<bts:MeasurementSamplePlate bts:Name="Plate seven"/>{channels}</bts:MeasurementDetail>'
    )
    targets = "".join(
        f'<bts:Channel bts:Ch="{channel}" bts:Target="{name}"><bts:LightSourceName>x</bts:Light'
        "SourceName></bts:Channel>"
        for channel, name in NAMES.items()
    )
    (folder / "a.mes").write_text(
        f"<bts:MeasurementSetting {schema}>{targets}</bts:MeasurementSetting>"
    )
    return folder


def in_cell(folder: Path, planes: list[Plane] = PLANES, seed: int = 0) -> Path:
    """Images and the ``.xdce`` file of an IN Cell Analyzer."""
    images = []
    for plane in shuffled(planes, seed):
        (row, column), site, channel, z, t = plane
        well = f"{chr(64 + row)} - {column}"
        name = f"{well}(fld {site} wv TL - {NAMES[channel]} time {t} z {z}).tif"
        pixels(folder / name, plane)
        images.append(
            f'<Image acquisition_time_ms="{t * 600_000 + z * 10}" filename="{name}" thumbnail="x">'
            f'<Well label="{well}"><Row number="{row}"/><Column number="{column}"/></Well>'
            f'<Identifier field_index="{site - 1}" time_index="{t - 1}" wave_index="{channel - 1}"'
            f' z_index="{z - 1}"/><OffsetFromWellCenter x="{site}" y="2"/>'
            f'<PlatePosition_um x="{site * 100}" y="-20"/></Image>'
        )
    waves = "".join(
        f'<Wavelength fusion_wave="false" index="{channel - 1}"><ExcitationFilter name="TL"/>'
        f'<EmissionFilter name="{name}"/></Wavelength>'
        for channel, name in NAMES.items()
    )
    folder.mkdir(exist_ok=True)
    (folder / "run.xdce").write_text(
        '<?xml version="1.0"?><ImageStack><AutoLeadAcquisitionProtocol><Plate name="Plate seven"'
        ' rows="16" columns="24"/><ObjectiveCalibration pixel_height="0.598" pixel_width="0.598"/>'
        f"<Wavelengths>{waves}</Wavelengths></AutoLeadAcquisitionProtocol>"
        f'<Images number="{len(images)}">{"".join(images)}</Images></ImageStack>'
    )
    return folder


META = (
    '<MetaData><PlaneInfo><prop id="spatial-calibration-state" value="on"/><prop id="spatial-cal'
    'ibration-x" value="0.598"/><prop id="spatial-calibration-y" value="0.598"/><prop id="spatial-'
    'calibration-units" value="um"/><prop id="stage-label" value="{well} : Site {site}"/><prop id='
    '"acquisition-time-local" value="20240422 09:{t}0:00.000"/><prop id="stage-position-x" value='
    '"{x}"/><prop id="stage-position-y" value="-20"/><prop id="OffsetFromWellCenterUmX" value="0"/'
    '><prop id="_IllumSetting_" value="{name}"/></PlaneInfo></MetaData>'
)


def meta_xpress(
    folder: Path, planes: list[Plane] = PLANES, seed: int = 0, htd: bool = True
) -> Path:
    """Images in folders of time points and slices, thumbnails, and the HTD file."""
    for plane in shuffled(planes, seed):
        (row, column), site, channel, z, t = plane
        well, guid = well_of(row, column), f"{level(plane):08X}-4358-AE51-A465-1B34B3B5DCA0"
        text = META.format(well=well, site=site, t=t, x=100 * site, name=NAMES[channel])
        within = folder / f"TimePoint_{t}" / f"ZStep_{z}"
        pixels(within / f"P7_{well}_s{site}_w{channel}{guid}.tif", plane, description=text)
        pixels(within / f"P7_{well}_s{site}_w{channel}_thumb{guid}.tif", plane)
    if htd:
        rows = "".join(
            f'"WellsSelection{row}", '
            + ", ".join(str((row, column) in WELLS).upper() for column in range(1, 25))
            + "\n"
            for row in range(1, 17)
        )
        (folder / "P7.HTD").write_text(
            f'"HTSInfoFile", Version 1.0\n"XWells", 24\n"YWells", 16\n{rows}"NWavelengths", 2\n'
            + "".join(f'"WaveName{channel}", "{name}"\n' for channel, name in NAMES.items())
            + '"EndFile"\n'
        )
    return folder


def meta_xpress_names(folder: Path, planes: list[Plane] = PLANES, seed: int = 0) -> Path:
    return meta_xpress(folder, planes, seed, htd=False)


WRITERS: dict[str, Callable[..., Path]] = {
    "opera": opera,
    "opera 6": opera_6,
    "CellVoyager": cell_voyager,
    "IN Cell": in_cell,
    "MetaXpress": meta_xpress,
    "MetaXpress names": meta_xpress_names,
}
"""Writers of folders, by what they write."""
