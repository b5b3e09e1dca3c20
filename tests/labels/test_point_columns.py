"""Tables of points as programs write them: units, frames, names of images."""

from pathlib import Path

import pandas as pd
import pytest

from livewell.labels.point_columns import PointTable, read_points
from livewell.study.metadata import read_metadata

HEADERS = pd.DataFrame(
    {
        "image": ["plate 1/A01.tif", "plate 1/B01.tif", "movie.tif"],
        "frames": [1, 1, 5],
        "pixel_um": [0.5, 0.5, float("nan")],
    }
)


def read(folder: Path, text: str, *names: str, unit: str | None = None) -> PointTable:
    """Points of a table of this text."""
    (folder / "points.csv").write_text(text, encoding="utf-8")
    table = read_metadata(folder / "points.csv").table
    return read_points(table, HEADERS, *(names or ("y", "x")), unit)


IN_MICROMETRES = {
    "QuPath": "Image\tstate\tCentroid X µm\tCentroid Y µm\nA01.tif\tdead\t10\t20.5\n",
    "other micro": "image,state,Centroid X μm,Centroid Y μm\nA01.tif,dead,10,20.5\n",
    "um": "image,state,x_um,y_um\nA01.tif,dead,10,20.5\n",
    "brackets": "image,state,X (microns),Y (microns)\nA01.tif,dead,10,20.5\n",
    "european": "image;state;Centroid X µm;Centroid Y µm\nA01.tif;dead;10,0;20,5\n",
    "TrackMate": "image,LABEL,POSITION_X,POSITION_Y,FRAME\n,Label,X,Y,Frame\n,Label,X,Y,Frame\n"
    ",,(micron),(micron),\nA01.tif,ID1,10,20.5,0\n",
}
IN_PIXELS = {
    "plain": "image,state,x,y\nA01.tif,dead,20,41\n",
    "QuPath": "image,state,Centroid X px,Centroid Y px\nA01.tif,dead,20,41\n",
    "CellProfiler": "image,Location_Center_X,Location_Center_Y\nA01.tif,20,41\n",
    "CellProfiler, files by channel": "FileName_Phase,FileName_DNA,Nuclei_Location_Center_X,"
    "Nuclei_Location_Center_Y\nA01.tif,A01_dna.tif,20,41\n",
    "shape": "image,AreaShape_Center_X,AreaShape_Center_Y\nA01.tif,20,41\n",
    "ilastik": "image,timestep,Center of the object_0,Center of the object_1\nA01.tif,0,20,41\n",
    "TrackMate": "image,POSITION_X,POSITION_Y,FRAME\n,X,Y,Frame\n,X,Y,Frame\n,(pixel),(pixel),\n"
    "A01.tif,20,41,0\n",
}
UNSAID = {
    "ImageJ": "image,X,Y\nA01.tif,20,41\n",
    "ImageJ, label": "Label,X,Y\nA01.tif:0003-0021:1,20,41\n",
    "mass": "image,XM,YM\nA01.tif,20,41\n",
    "TrackMate": "image,POSITION_X,POSITION_Y,FRAME\nA01.tif,20,41,0\n",
    "damaged": "image,Centroid X ?m,Centroid Y ?m\nA01.tif,20,41\n",
}


@pytest.mark.parametrize("program", IN_MICROMETRES)
def test_micrometres_become_pixels(program: str, tmp_path: Path) -> None:
    """Row 10: columns in micrometres are divided by the pixel size, and a note says so."""
    read_ = read(tmp_path, IN_MICROMETRES[program])
    assert read_.faults == ()
    assert read_.table[["x", "y"]].to_numpy().tolist() == [[20, 41]]
    assert any("micrometres" in note for note in read_.notes)


@pytest.mark.parametrize("program", IN_PIXELS)
def test_pixels_stay_pixels(program: str, tmp_path: Path) -> None:
    """Row 10: columns that hold pixels are taken as they are, whatever program wrote them."""
    read_ = read(tmp_path, IN_PIXELS[program])
    assert read_.faults == ()
    assert read_.table[["x", "y"]].to_numpy().tolist() == [[20, 41]]


@pytest.mark.parametrize("program", UNSAID)
def test_columns_without_a_unit(program: str, tmp_path: Path) -> None:
    """Row 10: where nothing says the unit the table is refused, and --unit says it."""
    (fault,) = read(tmp_path, UNSAID[program]).faults
    assert fault.code == "unit"
    assert "--unit" in fault.message
    for unit, place in (("px", [20, 41]), ("um", [40, 82])):
        read_ = read(tmp_path, UNSAID[program], unit=unit)
        assert read_.faults == ()
        assert read_.table[["x", "y"]].to_numpy().tolist() == [place]


def test_units_that_contradict_or_cannot_be_used(tmp_path: Path) -> None:
    """Row 10: no pixel size, two units, and --unit against the heading are refused."""
    text = "image,t,Centroid X µm,Centroid Y µm\nmovie.tif,0,1,2\n"
    (fault,) = read(tmp_path, text).faults
    assert fault.code == "pixel-size"
    assert "movie.tif says no pixel size; index again with --pixel-um" in fault.message
    text = "image,Centroid X µm,Centroid Y px\nA01.tif,1,2\n"
    (fault,) = read(tmp_path, text, "Centroid Y px", "Centroid X µm").faults
    assert (fault.code, "different units" in fault.message) == ("unit", True)
    (fault,) = read(tmp_path, IN_PIXELS["QuPath"], unit="um").faults
    assert fault.message == "the table says px, --unit says um"


def test_missing_columns(tmp_path: Path) -> None:
    """Neither image nor places: both are told, with what comes near."""
    codes = [fault.where for fault in read(tmp_path, "name,ypos\nA01.tif,1\n").faults]
    assert codes == ["image", "y, x"]


def test_columns_that_could_be_meant(tmp_path: Path) -> None:
    """Two files or two places a row are refused, with the columns among which to choose."""
    text = "FileName_A,FileName_B,y,x\nA01.tif,B01.tif,1,1\n"
    (fault,) = read(tmp_path, text).faults
    assert "FileName_A, FileName_B" in fault.message
    places = ",".join(
        f"{cell}_Location_Center_{axis}" for cell in ("Nuclei", "Cells") for axis in "XY"
    )
    text = f"image,{places}\nA01.tif,1,2,3,4\n"
    (fault,) = read(tmp_path, text).faults
    assert "--y" in fault.message
    chosen = read(tmp_path, text, "Cells_Location_Center_Y", "Cells_Location_Center_X")
    assert chosen.table["Cells_Location_Center_X"].tolist() == [3]


FRAMES = {
    "t": ("image,t,y,x\nmovie.tif,4,1,1\n", [4]),
    "TrackMate": ("image,FRAME,POSITION_X (px),POSITION_Y (px)\nmovie.tif,3,1,1\n", [3]),
    "from 0": ("image,FRAME,y,x\nmovie.tif,0,1,1\nmovie.tif,4,1,1\n", [0, 4]),
    "from 1, slices": ("Label,Slice,y,x\nmovie.tif:b,1,1,1\nmovie.tif:a,5,1,1\n", [0, 4]),
    "from 1": ("image,Frame,y,x\nmovie.tif,1,1,1\nmovie.tif,5,1,1\n", [0, 4]),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_columns_of_frames(kind: str, tmp_path: Path) -> None:
    """Row 11: t, FRAME and timestep are read, from 1 only where the table cannot count from 0."""
    text, frames = FRAMES[kind]
    read_ = read(tmp_path, text)
    assert read_.faults == ()
    assert read_.table["t"].tolist() == frames
    assert any("counted from" in note for note in read_.notes) == kind.startswith("from")


NO_FRAMES = {
    "no-frame": "image,y,x\nmovie.tif,1,1\n",
    "frame-doubt": "image,frame,y,x\nmovie.tif,2,1,1\nmovie.tif,3,1,1\n",
    "outside": "image,t,y,x\nmovie.tif,5,1,1\n",
}


@pytest.mark.parametrize("code", NO_FRAMES)
def test_frames_that_cannot_be(code: str, tmp_path: Path) -> None:
    """Row 11: no frame for a movie, doubt about its beginning, or a frame beyond it are refused."""
    (fault,) = read(tmp_path, NO_FRAMES[code]).faults
    assert fault.code == code


@pytest.mark.parametrize(
    "name", ["A01.tif", "plate 1/A01.tif", r"D:\data\plate 1\A01.tif", "images/plate 1/A01.tif"]
)
def test_images_by_any_path(name: str, tmp_path: Path) -> None:
    """Row 26: absolute, prefixed and Windows paths mean the study's image."""
    assert read(tmp_path, f"image,y,x\n{name},1,1\n").table["image"].tolist() == ["plate 1/A01.tif"]
    assert read(tmp_path, "image,y,x\nplate 2/A01.tif,1,1\n").table["image"].tolist() == [
        "plate 2/A01.tif"
    ]
