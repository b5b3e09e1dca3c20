"""What is listed of a folder, and what is left out for which reason."""

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from livewell.errors import ImageReadError
from livewell.files import folder_names
from livewell.images import walking
from livewell.images.formats import frames_in
from livewell.images.listing import find_images
from livewell.images.walking import left_out_lines

UNREAD = walking.UNREAD
posix = pytest.mark.skipif(os.name != "posix", reason="links and names of other systems")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    return root


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("._a.tif", walking.HIDDEN),
        (".AppleDouble/a.tif", walking.HIDDEN),
        (".snapshot/hourly/a.tif", walking.HIDDEN),
        (".@__thumb/a.jpg", walking.HIDDEN),
        ("@eaDir/a.tif/SYNOPHOTO_THUMB_XL.jpg", walking.SYSTEM),
        ("__MACOSX/a.tif", walking.SYSTEM),
        ("#recycle/a.tif", walking.SYSTEM),
        ("$RECYCLE.BIN/a.tif", walking.SYSTEM),
        ("lost+found/a.tif", walking.SYSTEM),
        ("System Volume Information/a.tif", walking.SYSTEM),
        ("SYNOPHOTO_THUMB_XL.jpg", walking.THUMBNAIL),
        ("p_A01_s1_w1_thumb3F2504E0-4F89-41D3-9A0C.tif", walking.THUMBNAIL),
        ("p_A01_s1_w1_thumb.tif", walking.THUMBNAIL),
        ("Thumbs.db", walking.THUMBNAIL),
        ("thumbnails/a.png", walking.THUMBNAIL),
        ("notes.txt", f"{UNREAD} .txt"),
        ("scan.OIB", f"{UNREAD} .oib"),
        ("notes", f"{UNREAD} (other)"),
        ("a.001", f"{UNREAD} (other)"),
        ("old/run.json", walking.OURS),
    ],
)
def test_left_out_and_counted(tmp_path: Path, name: str, reason: str) -> None:
    """Row 12: what is no image of the user's is left out, once, under its reason."""
    listing = find_images(touch(tmp_path, "thumb_cells_1.tif", name))
    assert list(listing.files) == ["thumb_cells_1.tif"]
    assert listing.left_out == {reason: 1}


@posix
def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    """Row 12: a linked plate folder is listed; loops, and what is there already, are not."""
    touch(tmp_path, "far/plate/a.tif", "images/b.tif", "images/z/c.tif")
    images = tmp_path / "images"
    (images / "plate").symlink_to(tmp_path / "far" / "plate")
    (images / "again").symlink_to(tmp_path / "far" / "plate")
    (images / "loop").symlink_to(images)
    (images / "up").symlink_to(tmp_path)
    (images / "a_z").symlink_to(images / "z")
    (images / "gone").symlink_to(tmp_path / "gone")
    (images / "self").symlink_to(images / "self")
    (images / "b2.tif").symlink_to(images / "b.tif")
    (images / "d.tif").symlink_to(touch(tmp_path, "far/d.tif") / "far" / "d.tif")
    os.mkfifo(images / "pipe.tif")
    listing = find_images(images)
    assert list(listing.files) == ["again/a.tif", "b.tif", "d.tif", "z/c.tif"]
    assert listing.left_out == {walking.SEEN: 5, walking.BROKEN: 2, walking.ODD: 1}


def test_a_folder_of_other_kinds(tmp_path: Path) -> None:
    """Row 12: of a folder of .oib alone it is said that they are there and cannot be read."""
    touch(tmp_path, "a.oib", "b.oib", "c.txt")
    with pytest.raises(ImageReadError, match=r"\.oib 2, \.txt 1.*export the images as OME-TIFF"):
        find_images(tmp_path)
    with pytest.raises(ImageReadError, match=r"\.oib 2"):
        frames_in(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read everything")
def test_folders_that_may_not_be_read(tmp_path: Path) -> None:
    """A folder without permission is counted."""
    touch(tmp_path, "a.tif", "shut/b.tif")
    (tmp_path / "shut").chmod(0)
    assert find_images(tmp_path).left_out == {walking.DENIED: 1}
    (tmp_path / "shut").chmod(0o700)


def test_one_line_for_people() -> None:
    """Reasons in one line, kinds together, nothing where nothing was left out."""
    left = {f"{UNREAD} .oib": 12, walking.HIDDEN: 2, f"{UNREAD} .txt": 1}
    assert left_out_lines(left) == [f"left out: hidden (2); {UNREAD} (.oib 12, .txt 1)"]
    assert left_out_lines({}) == []


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_names_of_bytes(tmp_path: Path) -> None:
    r"""Row 18: names that are not UTF-8 are listed; one that reads like another is left out."""
    raw = [os.fsdecode(b"gr\xf6.tif"), "gr\\xf6.tif", os.fsdecode(b"\xff.tif"), "e\u0301.tif"]
    listing = find_images(touch(tmp_path, *raw, "\u00e9.tif"))
    assert list(listing.files) == ["\\xff.tif", "e\u0301.tif", "gr\\xf6.tif", "\u00e9.tif"]
    assert listing.left_out == {walking.TWIN: 1}
    assert all(path.read_text() == "x" for path in listing.paths)


def test_folder_names_fit_every_system() -> None:
    """Row 19: names of result folders are short in bytes, differ in more than case, no devices."""
    names = ["\u7d30" * 80 + f"{n}.tif" for n in range(3)] + ["A.tif", "a.tif", "CON.tif", "nul"]
    names += ["\u00e9.tif", unicodedata.normalize("NFD", "\u00e9.tif"), "x. .tif", "com1.ome.tif"]
    names += ["b.tif", "b/.tif", "stra\u00dfe.tif", "strasse.tif", "\u212a.tif", "k.tif"]
    made = folder_names(names)
    assert len({name.casefold() for name in made.values()}) == len(names)
    assert all(len(name.encode()) <= 89 for name in made.values())
    assert not {"con", "nul", "com1"} & {name.casefold() for name in made.values()}
    assert not [name for name in made.values() if name[-1:] in " ." or not name.isprintable()]
