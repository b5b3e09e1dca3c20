"""Folders of vendors: every plane is the one that was written, and what an index lacks is said."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import ImageReadError, LivewellError
from livewell.images.formats import identify, place_of, version_of
from livewell.images.listing import find_images
from livewell.images.opening import open_image, read_header
from livewell.images.vendors import incucyte, metaxpress
from tests.images import vendor_folders as made

each_vendor = pytest.mark.parametrize("write", made.WRITERS.values(), ids=made.WRITERS.keys())
Write = Callable[..., Path]


def site_of(write: Write, site: int) -> str:
    return f"{'s' if 'meta' in write.__name__ else 'f'}{site:02d}"


@each_vendor
def test_every_plane_is_the_one_that_was_written(write: Write, tmp_path: Path) -> None:
    """Images are listed by well and position; axes, channels, times, scale and pixels are right."""
    folder = write(tmp_path / "Images")
    files = find_images(tmp_path).files
    expected = [
        f"Images/{made.well_of(*well)}/{site_of(write, site)}"
        for well in made.WELLS
        for site in made.SITES
    ]
    assert list(files) == expected
    names = iter(files)
    for well in made.WELLS:
        for site in made.SITES:
            with open_image(files[next(names)]) as image:
                header = image.header
                assert header.shape == (3, 4, *made.SHAPE)
                assert [name.split(":")[1] for name in header.channels] == ["z0", "z1"] * 2
                assert header.channels[0].split(":")[0].endswith("Brightfield")
                assert (header.well, header.position) == (made.well_of(*well), site_of(write, site))
                step = 3600 if write is made.cell_voyager else 600
                assert (header.times_s, header.frame_s) == ((0, step, 2 * step), step)
                assert header.pixel_um == pytest.approx(0.598)
                assert header.stage_um == pytest.approx((-20, 100 * site))
                for t in range(3):
                    for c, (channel, z) in enumerate(((1, 1), (1, 2), (2, 1), (2, 2))):
                        frame = image.frame(t, c)
                        assert frame.dtype == np.uint16
                        assert (frame == made.level((well, site, channel, z, t + 1))).all()
    assert place_of(folder / "B03" / site_of(write, 2))[1:] == ("B03", site_of(write, 2))


@each_vendor
def test_the_order_of_index_and_files_does_not_matter(write: Write, tmp_path: Path) -> None:
    """Shuffled indices give the same headers; the listing of the folder has no order either."""
    folders = [write(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    first, second = ([read_header(p) for p in find_images(f).files.values()] for f in folders)
    assert first == second


@each_vendor
def test_a_missing_file_costs_one_frame(write: Write, tmp_path: Path) -> None:
    """A plane that is not there is noted and refused when it is read; all others are read."""
    folder = write(tmp_path / "Images")
    with open_image(folder / "B03" / site_of(write, 1)) as image:
        pass
    lost = next(file for file in sorted(folder.rglob("*.tif*")) if is_first(file))
    lost.unlink()
    with open_image(folder / "B03" / site_of(write, 1)) as image:
        assert any("1 of 12 planes missing" in note for note in image.header.notes)
        with pytest.raises(ImageReadError, match="is missing"):
            image.frame(1, 0)
        image.frame(0, 0), image.frame(2, 3)
    assert len(find_images(tmp_path).files) == 4


def is_first(file: Path) -> bool:
    """Whether a file is frame 1, channel 0, slice 0 of position 1 in well B03."""
    import tifffile

    plane = ((2, 3), 1, 1, 1, 2)
    return "thumb" not in file.name and int(tifffile.imread(file)[0, 0]) == made.level(plane)


@each_vendor
def test_an_odd_file_is_named(write: Write, tmp_path: Path) -> None:
    """A plane of another size fails by its name when it is read, and spoils no other."""
    import tifffile

    folder = write(tmp_path / "Images")
    odd = next(file for file in sorted(folder.rglob("*.tif*")) if is_first(file))
    tifffile.imwrite(odd, np.zeros((7, 8), np.uint16))
    with open_image(folder / "B03" / site_of(write, 1)) as image:
        with pytest.raises(ImageReadError, match="not like the others") as error:
            image.frame(1, 0)
        assert error.value.where == str(odd)
        image.frame(0, 0)


@pytest.mark.parametrize("write", [made.opera, made.cell_voyager, made.in_cell])
def test_files_that_the_index_does_not_name(write: Write, tmp_path: Path) -> None:
    """Files and folders beside those of the index are not read, and that is said."""
    folder = write(tmp_path / "Images")
    made.pixels(folder / "extra.tif", made.PLANES[0])
    made.pixels(folder / "other" / "more.tif", made.PLANES[0])
    header = read_header(folder / "B03" / "f01")
    assert any("extra.tif" in line for line in header.account)
    assert any("1 folder within it not read: other" in line for line in header.account)


def test_records_without_their_details(tmp_path: Path) -> None:
    """Without the file that holds the scale, planes are read and the scale is not guessed."""
    folder = made.cell_voyager(tmp_path / "Images")
    (folder / "MeasurementDetail.mrf").unlink()
    header = read_header(folder / "B03" / "f01")
    assert (header.pixel_um, header.channels[0]) == (None, "C01:z0")
    assert any("MeasurementDetail.mrf cannot be read" in note for note in header.notes)


@each_vendor
def test_damaged_folders_end_in_errors_of_ours(write: Write, tmp_path: Path) -> None:
    """Whatever is wrong in an index or a file, no error is one that says nothing to a user."""
    folder = write(tmp_path / "Images", made.PLANES[:12])
    index = [p for p in folder.iterdir() if p.is_file() and p.suffix not in (".tif", ".tiff")]
    files = index or sorted(folder.rglob("*.tif*"))
    rng = random.Random(1)
    for _ in range(25):
        path = rng.choice(files)
        data = path.read_bytes()
        spoilt = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            spoilt[rng.randrange(len(spoilt))] = rng.choice(b'0<>"/9 \xff')
        path.write_bytes(spoilt[: rng.choice((len(data), rng.randrange(len(data))))])
        for image_path in find_images(tmp_path).paths:
            with suppress(LivewellError), open_image(image_path) as image:
                for t in range(image.header.frames):
                    with suppress(LivewellError):
                        image.frame(t, 0)
        path.write_bytes(data)


@pytest.mark.parametrize("write", [made.opera, made.cell_voyager, made.in_cell])
def test_an_index_that_is_cut_off(write: Write, tmp_path: Path) -> None:
    """A damaged index is an error that names it; the folder is still listed, as one image."""
    folder = write(tmp_path / "Images")
    path = next(p for p in folder.iterdir() if p.suffix in (".xml", ".mlf", ".xdce"))
    path.write_bytes(path.read_bytes()[:-300])
    assert list(find_images(tmp_path).files) == ["Images"]
    with pytest.raises(ImageReadError, match="XML cannot be read") as error:
        read_header(folder)
    assert error.value.where == str(path)


def test_an_index_that_defines_entities_is_refused(tmp_path: Path) -> None:
    """What may make an index grow without end is refused before it is read."""
    folder = made.opera(tmp_path / "Images")
    path = folder / "Index.idx.xml"
    text = path.read_text("utf-8").replace("?>", '?><!DOCTYPE x [<!ENTITY a "b">]>', 1)
    path.write_text(text, "utf-8")
    with pytest.raises(ImageReadError, match="XML cannot be read"):
        read_header(folder / "B03" / "f01")


def test_a_plane_named_twice_spoils_its_field_alone(tmp_path: Path) -> None:
    """Two files for one plane, and one file for two, are faults of their fields, told by name."""
    folder = made.opera(tmp_path / "Images")
    path = folder / "Index.idx.xml"
    text = path.read_text("utf-8")
    first, other = "r02c03f01p01-ch1sk1fk1fl1.tiff", "r02c03f01p01-ch1sk2fk1fl1.tiff"
    path.write_text(text.replace(f"<URL>{first}", f"<URL>{other}"), "utf-8")
    with pytest.raises(ImageReadError, match="one file for several planes"):
        read_header(folder / "B03" / "f01")
    assert read_header(folder / "B03" / "f02").frames == 3
    image = f"<URL>{first}"
    at = text.index(image)
    block = text[text.rindex("<Image ", 0, at) : text.index("</Image>", at) + 8]
    twice = text.replace(block, block + block.replace(first, "copy.tiff"))
    path.write_text(twice, "utf-8")
    with pytest.raises(ImageReadError, match="two files for one plane"):
        read_header(folder / "B03" / "f01")
    assert read_header(folder / "B03" / "f02").frames == 3


def test_an_index_that_lies(tmp_path: Path) -> None:
    """Sizes that are not those of the files, and wells that no plate has, are told in notes."""
    folder = made.opera(tmp_path / "Images")
    path = folder / "Index.idx.xml"
    text = path.read_text("utf-8").replace("<ImageSizeX>8", "<ImageSizeX>2160")
    path.write_text(text.replace("<Row>12</Row>", "<Row>99</Row>"), "utf-8")
    assert list(find_images(folder).files) == ["B03/f01", "B03/f02"]
    header = read_header(folder / "B03" / "f01")
    assert header.width == 8
    assert any("6 x 2160 px" in note for note in header.notes)
    assert any("no well 99, 24" in note for note in header.notes)


def test_lengths_without_a_unit_are_not_taken(tmp_path: Path) -> None:
    """Pixel size, time and stage of an index without units are None, with notes on what stands."""
    folder = made.opera(tmp_path / "Images")
    path = folder / "Index.idx.xml"
    path.write_text(
        path.read_text("utf-8").replace(' Unit="m"', "").replace(' Unit="s"', ""), "utf-8"
    )
    header = read_header(folder / "B03" / "f01")
    assert (header.pixel_um, header.times_s, header.stage_um) == (None, None, None)
    assert any("5.98E-07" in note for note in header.notes)


def test_offsets_without_a_unit_are_not_taken(tmp_path: Path) -> None:
    """An IN Cell folder that states offsets alone has no stage position, and that is noted once."""
    folder = made.in_cell(tmp_path / "Images")
    path = folder / "run.xdce"
    path.write_text(path.read_text("utf-8").replace("PlatePosition_um", "Other"), "utf-8")
    header = read_header(folder / "B03" / "f01")
    assert header.stage_um is None
    assert sum("stage positions" in note for note in header.notes) == 1


def test_folders_of_incucyte(tmp_path: Path) -> None:
    """Files of one position are a movie with the times of their names, by clock or since start."""
    for number, start in enumerate((None, datetime(2026, 11, 30, 22, 30))):
        folder = tmp_path / str(number)
        for well in ("B3", "C11"):
            for t, minutes in enumerate((0, 120, 360)):
                name = incucyte.name_of("VID12", well, 1, minutes, start)
                made.pixels(folder / name, ((2, 3), 1, 1, 1, t))
        assert identify(folder)[0] == "Incucyte folder"
        assert list(find_images(folder).files) == ["B03/f01", "C11/f01"]
        header = read_header(folder / "B03" / "f01")
        assert header.times_s == (0, 7200, 21600)
        assert (header.plate, header.well, header.channels) == ("VID12", "B03", ("grey",))
        assert any("names alone" in note for note in header.notes)


def test_strict_names_are_all_or_none(tmp_path: Path) -> None:
    """One file of another kind of name, or one file an image, leaves a folder as it is."""
    for minutes in (0, 60):
        name = incucyte.name_of("VID12", "B3", 1, minutes)
        made.pixels(tmp_path / "a" / name, made.PLANES[0])
        made.pixels(tmp_path / "b" / name, made.PLANES[0])
    made.pixels(tmp_path / "b" / "notes.tif", made.PLANES[0])
    made.pixels(tmp_path / "c" / incucyte.name_of("VID12", "B3", 1, 0), made.PLANES[0])
    names = list(find_images(tmp_path).files)
    assert names[0] == "a/B03/f01"
    assert len(names) == 5


def test_vessels_are_no_channels(tmp_path: Path) -> None:
    """Files of two vessels in one folder are images of two plates."""
    for vessel in ("VID1", "VID2"):
        for minutes in (0, 60):
            name = incucyte.name_of(vessel, "B3", 1, minutes)
            made.pixels(tmp_path / name, made.PLANES[0])
    assert list(find_images(tmp_path).files) == ["VID1/B03/f01", "VID2/B03/f01"]


def test_projections_and_single_planes_beside_slices(tmp_path: Path) -> None:
    """A file outside the folders of slices is the projection of its channel, or its only plane."""
    for z in (1, 2):
        made.pixels(tmp_path / f"ZStep_{z}" / "P_B03_s1_w1.tif", ((2, 3), 1, 1, z, 1))
    made.pixels(tmp_path / "P_B03_s1_w1.tif", ((2, 3), 1, 1, 3, 1))
    made.pixels(tmp_path / "P_B03_s1_w2.tif", ((2, 3), 1, 2, 1, 1))
    header = read_header(tmp_path / "B03" / "s01")
    assert header.channels == ("w1:projection", "w1:z0", "w1:z1", "w2")


def test_wells_of_the_htd_without_files(tmp_path: Path) -> None:
    """Wells that were to be recorded and have no file are named."""
    folder = made.meta_xpress(tmp_path, [p for p in made.PLANES if p[0] == (2, 3)])
    header = read_header(folder / "B03" / "s01")
    assert any("no file: L24" in note for note in header.notes)


def test_the_version_of_a_field_is_that_of_its_files(tmp_path: Path) -> None:
    """A field is read again when one of its own files changes, not when another field's does."""
    folder = made.opera(tmp_path / "Images")
    before = [version_of(folder / "B03" / site) for site in ("f01", "f02")]
    file = folder / "r02c03f02p01-ch1sk1fk1fl1.tiff"
    file.write_bytes(file.read_bytes() + b"  ")
    after = [version_of(folder / "B03" / site) for site in ("f01", "f02")]
    assert after[0] == before[0]
    assert after[1] != before[1]


wells = st.tuples(st.integers(1, 16), st.integers(1, 24)).map(lambda at: made.well_of(*at))


@given(wells, st.integers(1, 9999), st.integers(1, 99), st.booleans())
def test_names_of_meta_xpress_round_trip(well: str, site: int, wave: int, guid: bool) -> None:
    """Well, site and wavelength of any name are found in it, with and without a number behind."""
    text = "10AB51A5-3E85-4358-AE51-A465AF87386F" * guid
    match = metaxpress.NAME.fullmatch(metaxpress.name_of(well, site, wave, "my_plate_1", text))
    assert match
    assert (match["plate"], match["well"]) == ("my_plate_1", well)
    assert (int(match["site"]), int(match["wave"])) == (site, wave)


@given(
    wells,
    st.integers(1, 999),
    st.integers(0, 99 * 1440),
    st.none() | st.datetimes(datetime(2010, 1, 1), datetime(2090, 1, 1)),
)
def test_names_of_incucyte_round_trip(
    well: str, site: int, minutes: int, start: datetime | None
) -> None:
    """Well, position and time of any name are found in it."""
    start = start and start.replace(second=0, microsecond=0)
    first = incucyte.NAME.fullmatch(incucyte.name_of("a_b", well, site, 0, start))
    later = incucyte.NAME.fullmatch(incucyte.name_of("a_b", well, site, minutes, start))
    assert first
    assert later
    assert (later["vessel"], later["well"], int(later["site"])) == ("a_b", well, site)
    assert incucyte.minutes_of(later) - incucyte.minutes_of(first) == minutes


def test_whoever_says_what_names_mean_gets_files(tmp_path: Path) -> None:
    """Folders that only names tell are listed file by file where those are asked for."""
    for minutes in (0, 60):
        made.pixels(tmp_path / incucyte.name_of("VID12", "B3", 1, minutes), made.PLANES[0])
    assert list(find_images(tmp_path).files) == ["B03/f01"]
    assert len(find_images(tmp_path, by_names=False).files) == 2
