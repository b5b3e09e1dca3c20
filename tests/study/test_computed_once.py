"""Digests of pictures and of first frames are computed once and kept until a file changes."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.measure.content import content_rows, table_of
from livewell.study.content import content, first_frames
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.workflows.index import index

SIZES = {"a": (40, 60), "b": (40, 60), "half": (40, 30), "quarter": (20, 30)}


def content_table(frames, shapes):
    """The content table of frames (image, t, pixels)."""
    return table_of(row for frame in frames for row in content_rows(*frame, shapes))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Pictures of three sizes, the smaller ones as large as tiles of the larger ones."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for name, size in SIZES.items():
        picture = rng.integers(0, 999, (2, *size), np.uint16)
        tifffile.imwrite(
            tmp_path / "images" / f"{name}.ome.tif",
            picture,
            ome=True,
            photometric="minisblack",
            metadata={"axes": "CYX", "Channel": {"Name": ["phase", "PI"]}},
        )
    return index(tmp_path / "images", tmp_path / "study").study


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images whose frames are read for a digest from now on."""
    names: list[str] = []
    original: Callable[..., object] = StudyPixels.frame

    def counting(self: StudyPixels, image: str, t: int, channel: int = 0) -> object:
        names.append(image.split(".")[0])
        return original(self, image, t, channel)

    monkeypatch.setattr(StudyPixels, "frame", counting)
    return names


def frames(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"image": [f"{name}.ome.tif" for name in names], "t": 0})


def changed(study: Study, name: str) -> None:
    """Paint an image anew."""
    path = study.path(f"{name}.ome.tif")
    picture = tifffile.imread(path)
    tifffile.imwrite(path, picture[:, ::-1] // 2, ome=True, photometric="minisblack",
                     metadata={"axes": "CYX", "Channel": {"Name": ["phase", "PI"]}})  # fmt: skip
    os.utime(path, ns=(1, 1))


def test_first_frames_are_read_once(study: Study, opened: list[str]) -> None:
    """Asked again, by a channel's name or as a new study, no file is opened; a changed one is."""
    images = study.fields()["image"]
    study.headers()
    opened.clear()
    first = first_frames(study, images)
    assert sorted(opened) == sorted(SIZES)
    assert len(set(first.values())) == 4
    opened.clear()
    assert first_frames(Study.open(study.folder), images) == first
    assert first_frames(study, images[:2], "Phase") == dict(list(first.items())[:2])
    assert opened == []
    assert set(first_frames(study, images, "PI").values()).isdisjoint(first.values())
    changed(study, "half")
    opened.clear()
    again = first_frames(study, images)
    # once for its header, once for its pixels
    assert opened == ["half", "half"]
    assert {name for name in first if first[name] != again[name]} == {"half.ome.tif"}


def test_what_cannot_be_read_has_no_digest_and_is_tried_again(study: Study) -> None:
    """A damaged file has an empty digest until it is mended; other files are not touched by it."""
    path = study.path("a.ome.tif")
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    found = first_frames(study, ["a.ome.tif", "b.ome.tif", "none.tif"])
    assert [bool(digest) for digest in found.values()] == [False, True, False]
    path.write_bytes(whole)
    assert all(first_frames(study, ["a.ome.tif", "b.ome.tif"]).values())


def test_digests_are_computed_once(study: Study, read: list[str]) -> None:
    """Whatever is compared with what, a frame is read again only for tiles of a new shape."""
    pixels = StudyPixels(study)
    pixels.prepare()
    made = content(study, pixels, frames("a", "b"))
    assert (read, set(made["part"])) == (["a", "b"], {"whole"})
    read.clear()
    every = content(study, pixels, frames(*SIZES))
    # tiles of the two large ones are as large as the small ones now
    assert sorted(read) == ["a", "b", "half", "quarter"]
    read.clear()
    pd.testing.assert_frame_equal(content(study, StudyPixels(study), frames("a", "b")), made)
    again = content(Study.open(study.folder), StudyPixels(study), frames(*SIZES))
    pd.testing.assert_frame_equal(again, every)
    assert read == []
    changed(study, "quarter")
    assert not content(study, StudyPixels(study), frames(*SIZES)).equals(every)
    assert read == ["quarter"]


def test_kept_digests_are_those_of_the_pictures(study: Study) -> None:
    """What comes from the cache is what the pictures give, in whatever order it was asked for."""
    pixels = StudyPixels(study)
    content(study, pixels, frames("quarter", "half"))
    content(study, pixels, frames("a"))
    found = content(study, pixels, frames(*SIZES))
    fresh = content_table(
        ((f"{name}.ome.tif", 0, pixels.frame(f"{name}.ome.tif", 0)) for name in SIZES),
        SIZES.values(),
    )
    by = ["image", "part"]
    pd.testing.assert_frame_equal(
        found.sort_values(by, ignore_index=True), fresh.sort_values(by, ignore_index=True)
    )
