"""Pixels of several channels: order, caches that are shared, common areas, colour pictures."""

import os
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import ImageContentError, SpecError, TableError
from livewell.files import read_json, write_json
from livewell.geometry import Box
from livewell.study.content import first_frames
from livewell.study.pixels import ArrayPixels, StudyPixels
from livewell.study.scale import channel_name, channel_names
from livewell.study.study import Study
from livewell.tables.schemas import write_table

BOX = Box.of(3, 5, 13, 25)
MOVIE = np.random.default_rng(3).integers(1, 60000, (4, 2, 40, 50), dtype=np.uint16)
COLOUR = np.random.default_rng(4).integers(1, 255, (40, 50, 3), dtype=np.uint8)
GREY = np.repeat(COLOUR[..., :1], 3, axis=2)


def study_of(folder: Path, *, channels: object = None, **images: np.ndarray) -> Study:
    """Movies of two channels, (t, c, y, x), and colour pictures, (y, x, 3)."""
    root = folder / "images"
    root.mkdir()
    names = []
    for name, pixels in images.items():
        colour = pixels.ndim == 3
        names.append(f"{name}.png" if colour else f"{name}.tif")
        if colour:
            (root / names[-1]).write_bytes(imagecodecs.png_encode(pixels))
        else:
            tifffile.imwrite(
                root / names[-1], pixels, ome=True, photometric="minisblack",
                metadata={"axes": "TCYX", "Channel": {"Name": ["PI", "Phase"]}},
            )  # fmt: skip
    table = pd.DataFrame({"image": names, "path": names})
    return Study.create(folder / "s", root, table, channels=channels)


def test_channels_come_in_the_order_asked(tmp_path: Path) -> None:
    """Crops are (c, y, x) in the order asked for; a frame is one plane, the first by default."""
    pixels = StudyPixels(study_of(tmp_path, a=MOVIE), ("phase", "PI"))
    crop = pixels.crop("a.tif", 2, BOX)
    assert crop.dtype == np.float32
    np.testing.assert_array_equal(crop, MOVIE[2, ::-1, 3:13, 5:25])
    np.testing.assert_array_equal(pixels.frame("a.tif", 1), MOVIE[1, 1])
    np.testing.assert_array_equal(pixels.frame("a.tif", 1, channel=1), MOVIE[1, 0])
    assert pixels.number_of_channels == 2
    assert pixels.shape("a.tif") == (4, 40, 50)


def test_one_copy_serves_one_and_several_channels(tmp_path: Path) -> None:
    """What was copied for one channel alone is used with others, and the reverse."""
    study = study_of(tmp_path, a=MOVIE)
    assert StudyPixels(study, "phase").prepare() == {}
    made = {file: file.stat().st_mtime_ns for file in (study.folder / "cache").rglob("*.npy")}
    assert len(made) == 2
    assert StudyPixels(study, ("PI", "phase")).prepare() == {}
    copies = list((study.folder / "cache").rglob("*.npy"))
    assert len(copies) == 4
    assert all(file.stat().st_mtime_ns == mtime for file, mtime in made.items())
    path = study.path("a.tif")
    stat = path.stat()
    path.write_bytes(b"\0" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    for asked in ("PI", ("phase", "PI")):
        assert StudyPixels(study, asked).prepare() == {}


def test_the_studys_own_channels(tmp_path: Path) -> None:
    """A study may name several channels once; version 0.1 named one, and it is read still."""
    study = study_of(tmp_path, channels=["phase", 0], a=MOVIE)
    again = Study.open(study.folder)
    assert again.channels == ("phase", 0)
    np.testing.assert_array_equal(
        StudyPixels(again).crop("a.tif", 0, BOX), MOVIE[0, ::-1, 3:13, 5:25]
    )
    assert channel_names(again, ["a.tif"]) == ("Phase", "PI")
    with pytest.raises(SpecError, match=r"2 channels.*phase, 0.*--channel"):
        channel_name(again, ["a.tif"], None)
    assert channel_name(again, ["a.tif"], "PI") == "PI"
    kept = ("kind", "root", "pixel_um", "frame_s", "sources", "versions")
    said = read_json(study.folder / "study.json", kind="study")
    said = {name: said[name] for name in kept}
    for channel, asked in (("PI", ("PI",)), (None, ())):
        write_json(study.folder / "study.json", said | {"channel": channel})
        assert Study.open(study.folder).channels == asked


def test_the_valid_area_is_what_channels_share() -> None:
    """A registration border of either channel is mirrored over in both."""
    movie = np.random.default_rng(0).integers(100, 200, (1, 2, 60, 60)).astype(np.uint16)
    movie[0, 0, :10] = 0
    movie[0, 1, :, 50:] = 0
    pixels = ArrayPixels({"m": movie})
    assert pixels.area("m", 0) == Box.of(10, 0, 60, 50)
    crop = pixels.crop("m", 0, Box.of(0, 30, 21, 60))
    assert crop.shape == (2, 21, 30)
    assert crop.min() >= 100
    np.testing.assert_array_equal(crop[:, :10], crop[:, 20:10:-1])


def test_an_empty_channel_is_told_by_name(tmp_path: Path) -> None:
    """A frame of which one channel is empty cannot be used, and the channel is named."""
    holes = MOVIE.copy()
    holes[1, 0] = 0
    study = study_of(tmp_path, a=holes)
    assert StudyPixels(study, "phase").prepare() == {}
    pixels = StudyPixels(study, ("phase", "PI"))
    (fault,) = pixels.prepare().values()
    assert (fault.code, fault.where) == ("image-content", "a.tif, frame 1")
    with pytest.raises(ImageContentError, match=r"a\.tif, frame 1, channel 'PI'"):
        pixels.crop("a.tif", 1, BOX)


def test_channels_that_do_not_fit_are_told_for_every_image(tmp_path: Path) -> None:
    """All faults of all images at once: a channel that is missing, or asked for twice."""
    study = study_of(tmp_path, a=MOVIE, b=COLOUR)
    with pytest.raises(TableError) as caught:
        StudyPixels(study, ("phase", "GFP")).prepare()
    told = [(fault.where, fault.message.split(". ")[0]) for fault in caught.value.faults]
    assert told == [
        ("a.tif", "no channel 'GFP'"),
        ("b.png", "no channel 'phase'; no channel 'GFP'"),
    ]
    with pytest.raises(ImageContentError, match="asked for 2 times"):
        StudyPixels(study, ("phase", "1")).crop("a.tif", 0, BOX)


def test_a_colour_study(tmp_path: Path) -> None:
    """Named, all three channels are read; unnamed, a colour picture is refused."""
    study = study_of(tmp_path, a=COLOUR)
    rgb = ("red", "green", "blue")
    np.testing.assert_array_equal(
        StudyPixels(study, rgb).crop("a.png", 0, BOX), COLOUR[3:13, 5:25].transpose(2, 0, 1)
    )
    assert channel_names(study, ["a.png"], rgb) == rgb
    np.testing.assert_array_equal(StudyPixels(study, "blue").frame("a.png", 0), COLOUR[..., 2])
    with pytest.raises(TableError, match="colour image"):
        StudyPixels(study).prepare()
    with pytest.raises(ImageContentError, match="--channel green"):
        channel_names(study, ["a.png"])


def test_a_grey_study_stored_as_colour(tmp_path: Path) -> None:
    """It is looked at as before, without a channel being named, and its channel is called grey."""
    study = study_of(tmp_path, a=GREY)
    pixels = StudyPixels(study)
    assert pixels.prepare() == {}
    np.testing.assert_array_equal(pixels.frame("a.png", 0), GREY[..., 0])
    assert channel_names(study, ["a.png"]) == ("grey",)
    assert first_frames(study, ["a.png"])["a.png"]


def test_headers_that_an_older_way_of_reading_made_are_read_again(tmp_path: Path) -> None:
    """Kept headers serve as long as files are read alike; those of version 0.1 are made anew."""
    study = study_of(tmp_path, a=GREY, b=MOVIE)
    kept = study.folder / "headers.parquet"
    sound = study.headers()
    write_table(kept, sound.assign(width=7))
    assert study.headers()["width"].tolist() == [7, 7]
    write_table(kept, sound.drop(columns=["colourless", "reading"]).assign(width=7))
    pd.testing.assert_frame_equal(study.headers(), sound)
    assert channel_names(study, ["a.png"]) == ("grey",)


def test_planes_of_a_z_stack_as_channels(tmp_path: Path) -> None:
    """Planes that are named are channels of the crops; unnamed, the stack is refused."""
    root = tmp_path / "images"
    root.mkdir()
    tifffile.imwrite(root / "a.tif", MOVIE[:, 0], imagej=True, metadata={"axes": "ZYX"})
    table = pd.DataFrame({"image": ["a.tif"], "path": ["a.tif"]})
    study = Study.create(tmp_path / "s", root, table)
    found = StudyPixels(study, ("z2", "z0")).crop("a.tif", 0, BOX)
    np.testing.assert_array_equal(found, MOVIE[[2, 0], 0, 3:13, 5:25])
    with pytest.raises(TableError, match="z stack of 4 slices"):
        StudyPixels(study).prepare()
