"""Overlay videos: other programs play them, and show what was drawn."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from livewell.errors import ImageContentError, MissingExtraError, OutputError
from livewell.outputs.heatmaps import MapTransform
from livewell.outputs.overlay import Look, clock, draw, nice_length, tint
from livewell.outputs.video import OverlayFrame, display_range, stills, write_overlay
from livewell.outputs.webm import vp8_frame, webm

LOOK = Look(MapTransform(32, (64.0, 64.0)), (0.0, 4000.0), "sick", 0.65, "TINY 00aa")


def movie(count: int, height: int = 300, width: int = 701) -> Iterator[OverlayFrame]:
    y, x = np.indices((height, width))
    for i in range(count):
        frame = (2000 + 900 * np.sin(x / 40 + i) * np.cos(y / 35)).astype(np.uint16)
        map01 = np.full((6, 18), 0.1, np.float32)
        map01[:, 9:] = 0.9
        yield frame, map01, 480.0 * i, i


def decoded(path: Path) -> tuple[list[float], list[np.ndarray], float]:
    with av.open(str(path)) as file:
        seconds = file.duration / av.time_base
        frames = list(file.decode(video=0))
    return [f.time for f in frames], [f.to_ndarray(format="rgb24") for f in frames], seconds


def test_a_webm_decodes_to_the_frames_that_were_drawn(tmp_path: Path) -> None:
    """Number, size, times and content of the frames come back, with an odd width too."""
    path = tmp_path / "overlay.webm"
    write_overlay(path, movie(7), LOOK, fps=4)
    times, pictures, seconds = decoded(path)
    assert len(pictures) == 7
    assert times == pytest.approx([i / 4 for i in range(7)], abs=1e-3)
    assert seconds == pytest.approx(7 / 4, abs=2e-3)
    for picture, source in zip(pictures, movie(7), strict=True):
        drawn = draw(*source, LOOK)
        assert picture.shape == drawn.shape
        assert np.abs(picture.astype(int) - drawn).mean() < 5


def test_every_frame_can_be_sought(tmp_path: Path) -> None:
    """Every frame is a key frame, so that a player lands exactly where it is sent."""
    path = tmp_path / "overlay.webm"
    write_overlay(path, movie(12), LOOK, fps=5)
    with av.open(str(path)) as file:
        file.seek(round(1.6 * av.time_base), backward=True)
        frame = next(file.decode(video=0))
        assert frame.time == pytest.approx(1.6)
        assert frame.key_frame


def test_the_video_is_streamed(tmp_path: Path) -> None:
    """A frame is asked for only after the one before it was written."""
    written: list[int] = []

    def frames() -> Iterator[OverlayFrame]:
        for frame in movie(4):
            written.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
            yield frame

    write_overlay(tmp_path / "o.webm", frames(), LOOK)
    assert written == sorted(set(written))


def test_colour_lies_where_the_map_says() -> None:
    """Likely sick areas turn red, unlikely ones stay nearly grey, areas beyond are not coloured."""
    plain = np.full((300, 701), 2000, np.uint16)
    (_, map01, _, _), *_ = movie(1)
    picture = draw(plain, map01, None, 0, LOOK)[-300:].astype(int)
    redness = picture[..., 0] - picture[..., 2]
    assert redness[100:200, 400:600].min() > 100
    assert abs(redness[100:200, 80:300]).max() < 25
    assert abs(redness[:60]).max() == 0
    assert abs(redness[:, 650:]).max() == 0


def test_an_unjudged_frame_is_shown_without_colour() -> None:
    """Without a map, the picture stays grey and the strip says so."""
    frame = next(movie(1))[0]
    picture = draw(frame, None, None, 3, LOOK)
    assert (picture[-300:, :, 0] == picture[-300:, :, 2]).all()
    assert (
        picture[:-300] != draw(frame, np.zeros((6, 18), np.float32), None, 3, LOOK)[:-300]
    ).any()


def test_the_colour_scale_is_absolute_and_grows() -> None:
    """Opacity grows with the probability, is nothing at 0, and NaN is transparent."""
    colours = tint(np.array([0.0, 0.25, 0.5, 0.75, 1.0, np.nan]))
    assert (np.diff(colours[:5, 3]) > 0).all()
    assert colours[0, 3] == colours[5, 3] == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_any_number_type_is_drawn(dtype: type) -> None:
    """Frames of every number type give the same picture."""
    frame = np.tile(np.arange(200), (100, 4)).astype(dtype)
    look = Look(LOOK.transform, (0.0, 199.0))
    drawn = draw(frame, None, None, 0, look)
    np.testing.assert_array_equal(drawn, draw(frame.astype(np.float64), None, None, 0, look))


def test_small_frames_are_enlarged_so_that_text_fits() -> None:
    """A frame of 100 px becomes at least 640 px wide, by a whole number."""
    picture = draw(np.zeros((80, 100), np.uint8), None, 1.0, 0, LOOK)
    assert picture.shape[1] == 700
    assert picture.shape[0] > 560


def test_frames_of_another_size_leave_no_file(tmp_path: Path) -> None:
    """A movie that changes its size is refused, and nothing half-written stays."""
    frames = [*movie(2), *movie(1, height=200)]
    with pytest.raises(ImageContentError, match="another size"):
        write_overlay(tmp_path / "o.webm", frames, LOOK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["o.webm", "o.avi"])
def test_no_frames_or_an_unknown_kind_is_refused(tmp_path: Path, name: str) -> None:
    """An empty movie and an unknown suffix give errors and no file."""
    with pytest.raises(OutputError, match=name):
        write_overlay(tmp_path / name, [], LOOK)
    assert list(tmp_path.iterdir()) == []


def test_mp4_without_ffmpeg_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ffmpeg is absent, the error names .webm as the way out."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtraError, match=r"\.webm"):
        write_overlay(tmp_path / "o.mp4", movie(1), LOOK)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on the path")
def test_mp4_is_written_by_the_systems_ffmpeg(tmp_path: Path) -> None:
    """With ffmpeg, .mp4 plays; a movie that fails half-way leaves no file."""
    path = tmp_path / "o.mp4"
    write_overlay(path, movie(4), LOOK, fps=4)
    times, pictures, _ = decoded(path)
    assert len(times) == 4
    assert (
        np.abs(pictures[0][:, :701].astype(int)[:300] - draw(*next(movie(1)), LOOK)[:300]).mean()
        < 8
    )
    with pytest.raises(ImageContentError):
        write_overlay(tmp_path / "bad.mp4", [*movie(2), *movie(1, height=200)], LOOK)
    assert list(tmp_path.iterdir()) == [path]


def test_stills_are_the_drawn_frames(tmp_path: Path) -> None:
    """A still holds exactly the pixels that are drawn, under the frame's number."""
    chosen = list(movie(3))[1:]
    paths = stills(tmp_path / "stills", chosen, LOOK)
    assert [path.name for path in paths] == ["frame_0001.png", "frame_0002.png"]
    with Image.open(paths[0]) as image:
        np.testing.assert_array_equal(np.asarray(image), draw(*chosen[0], LOOK))


def test_the_display_range_comes_from_percentiles() -> None:
    """Single hot pixels do not darken the movie; a movie without finite pixels is refused."""
    frame = np.tile(np.linspace(100, 200, 300), (300, 1))
    frame[0, 0] = 60000
    low, high = display_range([frame, frame])
    assert 100 <= low < 102
    assert 198 < high <= 200
    for hopeless in ([], [np.full((9, 9), np.nan)]):
        with pytest.raises(ImageContentError):
            display_range(hopeless)


def test_a_constant_movie_has_a_display_range() -> None:
    """Where all pixels are alike, black and white still differ."""
    low, high = display_range([np.full((9, 9), 500, np.uint16)])
    assert high > low


def test_only_lossy_webp_is_taken(tmp_path: Path) -> None:
    """A lossless still has no VP8 frame and is refused."""
    path = tmp_path / "lossless.webp"
    Image.new("RGB", (8, 8)).save(path, lossless=True)
    for data in (path.read_bytes(), b"no picture"):
        with pytest.raises(ImageContentError, match="VP8"):
            vp8_frame(data)


def test_frames_beyond_what_vp8_holds_are_refused(tmp_path: Path) -> None:
    """The error names the limit before anything is written."""
    with pytest.raises(OutputError, match="16383"), webm(tmp_path / "o.webm", 20000, 10, 5, "o"):
        pass
    assert not (tmp_path / "o.webm").exists()


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [
        (0, "0 s"),
        (12.5, "12.5 s"),
        (59.99999, "60 s"),
        (425, "7 min 05 s"),
        (11520, "3 h 12 min"),
        (3750, "1 h 02 min 30 s"),
        (-90, "-1 min 30 s"),
    ],
)
def test_times_are_written_for_people(time_s: float, shown: str) -> None:
    """Seconds, minutes and hours as a person would say them."""
    assert clock(time_s) == shown


@given(st.floats(1e-3, 1e6))
def test_scale_bars_have_round_lengths(most: float) -> None:
    """A scale bar is 1, 2 or 5 times a power of ten, and fills at least two fifths of its room."""
    length = nice_length(most)
    assert 0.39 * most <= length <= most * (1 + 1e-6)
    digits = f"{length:.6e}".split("e")[0].rstrip("0").rstrip(".")
    assert digits in {"1", "2", "5"}


def test_a_real_movie_becomes_a_video(tmp_path: Path, shared_data: Path) -> None:
    """Frames of a real phase-contrast movie keep their detail in the video."""
    import tifffile

    files = sorted((shared_data / "t98g-movie").glob("*.tif"))[:3]
    frames = [tifffile.imread(file) for file in files]
    look = Look(MapTransform(32, (128.0, 128.0)), display_range(frames))
    path = tmp_path / "real.webm"
    write_overlay(path, ((frame, None, None, i) for i, frame in enumerate(frames)), look)
    _, pictures, _ = decoded(path)
    for picture, frame in zip(pictures, frames, strict=True):
        drawn = draw(frame, None, None, 0, look)[-1022:].astype(float)
        shown = picture[-1022:].astype(float)
        assert np.corrcoef(shown[..., 1].ravel(), drawn[..., 1].ravel())[0, 1] > 0.98
