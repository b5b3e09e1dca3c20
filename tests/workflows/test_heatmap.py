"""A heat map of a movie: map, transform, video, stills, curve and page."""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from livewell.errors import ImageContentError, ImageReadError, OutputError, SpecError
from livewell.inference.engines import NEAR, usual_stride
from livewell.models.files import load_model
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.outputs.heatmaps import read_map
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import HeatMapResult, heatmap
from livewell.workflows.split import split
from livewell.workflows.train import train

Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory, paint: Painter, write_movie: Writer) -> Path:
    """A movie with sick cells on the left and nothing but noise on the right; frame 2 is blank."""
    frames = np.concatenate([paint("sick", 50, (4, 128, 96)), paint("empty", 51, (4, 128, 160))], 2)
    frames[2] = 0
    return write_movie(tmp_path_factory.mktemp("movie") / "E01.ome.tif", frames)


@pytest.fixture(scope="module")
def mapped(movie: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> HeatMapResult:
    """Its heat map at the default stride."""
    return heatmap(movie, model, tmp_path_factory.mktemp("heat") / "out", fps=4)


def test_map(mapped: HeatMapResult) -> None:
    """The map lies in 0-1 where cells are and is NaN where nothing is to judge."""
    maps, transform = read_map(mapped.map)
    assert maps.shape == (4, 5, 13)
    assert transform.to_frame(0, 0) == (32, 32)
    assert transform.to_frame(4, 12) == (96, 224)
    judged = np.isfinite(maps[[0, 1, 3]])
    assert judged[:, :, :4].all()
    assert not judged[:, :, 8:].any()
    assert np.isnan(maps[2]).all()
    known = maps[np.isfinite(maps)]
    assert 0 <= known.min() <= known.max() <= 1
    with tifffile.TiffFile(mapped.map) as file:
        assert file.is_ome
        assert 'PhysicalSizeX="8.0"' in (file.ome_metadata or "")


def test_map_is_what_the_windows_say(
    mapped: HeatMapResult, movie: Path, model: Path, tmp_path: Path
) -> None:
    """A cell of the map is the probability of the window round it, whatever the stride."""
    maps, transform = read_map(mapped.map)
    other = heatmap(movie, model, tmp_path / "out", stride_px=32)
    coarse, shift = read_map(other.map)
    assert shift.origin_px == transform.origin_px
    np.testing.assert_allclose(coarse, maps[:, ::2, ::2], atol=1e-5)


def test_curve(mapped: HeatMapResult) -> None:
    """The curve has one row a frame, with times, and no share where nothing was judged."""
    curve = pd.read_csv(mapped.folder / "curve.csv")
    assert curve["t"].tolist() == [0, 1, 2, 3]
    assert curve["time_s"].tolist() == [0, 600, 1200, 1800]
    assert curve["n_windows"].iloc[2] == 0
    assert curve[["fraction", "mean_p"]].isna().all(axis=1).tolist() == [False, False, True, False]
    maps, _ = read_map(mapped.map)
    assert curve["mean_p"].iloc[0] == pytest.approx(np.nanmean(maps[0]), abs=1e-6)
    assert curve["fraction"].dropna().between(0, 1).all()


def test_video_decodes(mapped: HeatMapResult) -> None:
    """Another program decodes every frame of the video, at the rate asked for."""
    with av.open(str(mapped.video)) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        seconds = (file.duration or 0) / av.time_base
    assert len(frames) == 4
    assert seconds == pytest.approx(1.0, abs=0.3)
    assert frames[0].shape[0] >= 128
    assert frames[0].shape[1] >= 256
    assert frames[0].std() > 5
    assert not np.array_equal(frames[0], frames[1])


def test_stills_and_page(mapped: HeatMapResult) -> None:
    """Stills can be opened; the page holds the video and pictures and fetches nothing."""
    stills = sorted((mapped.folder / "stills").iterdir())
    assert [path.name for path in stills] == [f"frame_{t:04}.png" for t in range(4)]
    with Image.open(stills[0]) as still:
        assert still.size[0] >= 256
    page = mapped.page.read_text("utf-8")
    assert "data:video/webm;base64," in page
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)
    (warning,) = mapped.warnings
    assert re.search(r"not judged: .*frame 2", warning)


@pytest.mark.long
def test_a_movie_that_was_learnt_from_is_told(
    study: Study, model: Path, tmp_path: Path, write_movie: Writer
) -> None:
    """The map of a training movie, or of a near copy of one, is no evidence, as the page says."""
    known = {*load_model(model)[1].data["groups"]["train"]}
    name = next(image for image in study.fields()["image"] if image[:3] in known)
    frames = tifffile.imread(study.path(name))
    near = write_movie(tmp_path / "near.ome.tif", (frames[:, 2:, 2:] // 8).astype(np.uint8))
    for path, text in ((study.path(name), "it, so"), (near, "a near copy")):
        made = heatmap(path, model, tmp_path / f"out {path.name}")
        assert any(text in each and "no evidence" in each for each in made.warnings)
        assert "no evidence" in made.page.read_text("utf-8")


def test_other_pixel_size(movie: Path, model: Path, tmp_path: Path, write_movie: Writer) -> None:
    """At half the model's pixel size the map is the same, its transform in the movie's pixels."""
    frames = tifffile.imread(movie)[:1]
    fine = write_movie(tmp_path / "fine.ome.tif", frames.repeat(2, 1).repeat(2, 2), pixel_um=0.25)
    made = heatmap(fine, model, tmp_path / "out")
    maps, transform = read_map(made.map)
    assert maps.shape == (1, 5, 13)
    assert (transform.stride_px, transform.origin_px) == (32, (64, 64))
    assert "rescaled by 0.500" in made.warnings[0]


def test_no_pixel_size_and_no_interval(movie: Path, model: Path, tmp_path: Path) -> None:
    """Without scale and interval the movie is mapped, the curve has frames only, and it is said."""
    tifffile.imwrite(tmp_path / "plain.tif", tifffile.imread(movie)[:2], photometric="minisblack")
    made = heatmap(tmp_path / "plain.tif", model, tmp_path / "out")
    assert made.curve["time_s"].isna().all()
    assert any("no pixel size is known" in warning for warning in made.warnings)


def test_folder_of_frames(movie: Path, model: Path, tmp_path: Path, mapped: HeatMapResult) -> None:
    """A folder of single frames is one movie."""
    (tmp_path / "frames").mkdir()
    for t, frame in enumerate(tifffile.imread(movie)[:2]):
        tifffile.imwrite(tmp_path / "frames" / f"t{t}.tif", frame)
    made = heatmap(tmp_path / "frames", model, tmp_path / "out", pixel_um=0.5, frame_s=600)
    assert made.curve["mean_p"].to_numpy() == pytest.approx(mapped.curve["mean_p"][:2].to_numpy())


def test_frames_smaller_than_a_patch(model: Path, tmp_path: Path, write_movie: Writer) -> None:
    """A movie that no window fits into is refused with its size."""
    frames = np.random.default_rng(0).integers(0, 999, (2, 40, 90)).astype(np.uint16)
    small = write_movie(tmp_path / "small.ome.tif", frames)
    with pytest.raises(ImageContentError, match=r"small\.ome\.tif.*64 x 64 px.*40 x 90 px"):
        heatmap(small, model, tmp_path / "out")


def test_nothing_but_blank_frames(model: Path, tmp_path: Path, write_movie: Writer) -> None:
    """A movie without one frame to judge is refused like a picture, and leaves no map."""
    blank = write_movie(tmp_path / "blank.ome.tif", np.zeros((2, 128, 128), np.uint16))
    with pytest.raises(ImageContentError, match=r"blank\.ome\.tif, frame 0"):
        heatmap(blank, model, tmp_path / "out")
    assert not (tmp_path / "out" / "map.ome.tif").exists()


def test_windows_that_leave_gaps(movie: Path, model: Path, tmp_path: Path) -> None:
    """A stride above the window's edge is warned of."""
    made = heatmap(movie, model, tmp_path / "out", stride_px=96)
    assert any("96 px from patch to patch leave gaps" in text for text in made.warnings)


def test_truncated_movie_keeps_the_older_map(movie: Path, model: Path, tmp_path: Path) -> None:
    """A movie that breaks off is refused, and what an older run wrote stays whole."""
    data = movie.read_bytes()
    bad = tmp_path / "cut.ome.tif"
    bad.write_bytes(data[: len(data) // 2])
    heatmap(movie, model, tmp_path / "out", stride_px=64)
    names = ("map.ome.tif", "heatmap.json", "curve.csv")
    before = [(tmp_path / "out" / name).read_bytes() for name in names]
    with pytest.raises(ImageReadError, match=r"cut\.ome\.tif"):
        heatmap(bad, model, tmp_path / "other")
    with pytest.raises(OutputError, match="other settings"):
        heatmap(movie, model, tmp_path / "out", stride_px=32)
    assert [(tmp_path / "out" / name).read_bytes() for name in names] == before
    assert not list((tmp_path / "out").glob(".livewell-tmp*"))


@pytest.mark.long
def test_engines_say_the_same_and_what_they_are(
    mapped: HeatMapResult, movie: Path, model: Path, tmp_path: Path
) -> None:
    """The engine, its backend and the measured deviation stand in map, result and report."""
    forced = heatmap(movie, model, tmp_path / "dense", engine="dense", backend="torch")
    windows = heatmap(movie, model, tmp_path / "windows", engine="windows")
    assert (forced.used.engine, forced.used.backend, forced.used.exact) == ("dense", "torch", False)
    assert forced.used.compared > 0
    assert windows.used.engine == "windows"
    for made in (forced, windows, mapped):
        maps, transform = read_map(made.map)
        assert maps.shape == (4, 5, 13)
        assert transform.stride_px == 16
        with tifffile.TiffFile(made.map) as file:
            noted = re.search(r'"engine">(\{.*?\})<', html.unescape(file.ome_metadata or ""))
            assert noted is not None
            assert json.loads(noted[1]) == made.used.noted()
        assert html.escape(made.used.told(), quote=False)[:40] in made.page.read_text("utf-8")
    near, plain = (read_map(made.map)[0] for made in (forced, windows))
    assert np.array_equal(np.isnan(near), np.isnan(plain))
    difference = np.abs(near - plain)[np.isfinite(near)]
    assert np.percentile(difference, 95) <= max(3 * forced.used.p95, 1e-3)


def test_auto_takes_windows_where_dense_would_differ(
    mapped: HeatMapResult, movie: Path, model: Path, tmp_path: Path
) -> None:
    """Without being asked, a dense form that is not exact is taken only where it is near enough."""
    forced = heatmap(movie, model, tmp_path / "dense", engine="dense", backend="torch")
    if forced.used.p95 > NEAR:
        assert mapped.used.engine == "windows"
        assert "--engine dense" in mapped.used.because
    else:
        assert mapped.used.engine == "dense"


@pytest.mark.long
def test_a_net_for_whole_frames(movie: Path, study: Study, tmp_path: Path) -> None:
    """A profile without padding and with local normalisation trains, and its maps are exact."""
    changes = {"input_px": 105, "patch_px": 112, "padding": "valid", "normalise": "local"}
    profile = override(TINY, changes | {"select": "last"})
    split(study, by="well", grid=Grid(112, 40), scheme=Holdout((0.4, 0.2, 0.4)), name="large")
    run = train(study, tmp_path / "run", profile, split="large", processes=0).run
    made = heatmap(movie, run.folder, tmp_path / "dense")
    windows = heatmap(movie, run.folder, tmp_path / "windows", engine="windows")
    assert made.used.engine == "dense"
    assert made.used.exact
    assert made.used.p95 < 1e-5
    pair = [read_map(each.map)[0] for each in (made, windows)]
    np.testing.assert_allclose(pair[0], pair[1], atol=1e-5)
    assert evaluate(run.folder, baselines=False).page.is_file()
    verdicts = assess(movie, run.folder, tmp_path / "verdicts").verdicts
    assert verdicts["p_sick"].notna().any()


def test_what_dense_cannot_do(movie: Path, model: Path, tmp_path: Path) -> None:
    """Strides and memory that do not fit are refused when dense is asked for, else told."""
    with pytest.raises(SpecError, match="a stride of 9 px"):
        heatmap(movie, model, tmp_path / "a", stride_px=9, engine="dense")
    with pytest.raises(SpecError, match="too little memory"):
        heatmap(movie, model, tmp_path / "b", engine="dense", memory_gb=0.001)
    made = heatmap(movie, model, tmp_path / "c", stride_px=24)
    assert made.used.engine == "windows"
    assert "a stride of 24 px" in made.used.because


def test_large_frames_are_drawn_smaller(
    movie: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames wider than a video can be are drawn at every n-th pixel; the map stays whole."""
    monkeypatch.setattr("livewell.outputs.sliding.WIDEST_PX", 100)
    made = heatmap(movie, model, tmp_path / "out")
    maps, transform = read_map(made.map)
    assert maps.shape == (4, 5, 13)
    assert transform.origin_px == (32, 32)
    assert "one pixel in 3" in made.page.read_text("utf-8")


@pytest.mark.long
def test_samples_that_cannot_be_judged_are_replaced(
    movie: Path, model: Path, tmp_path: Path, write_movie: Writer
) -> None:
    """A movie whose first, middle and last frames are blank is measured on others."""
    frames = tifffile.imread(movie)[[2, 0, 1, 2, 3, 0, 2]]
    blinking = write_movie(tmp_path / "blinking.ome.tif", frames)
    made = heatmap(blinking, model, tmp_path / "out", engine="dense")
    assert made.used.compared > 0
    assert made.curve["n_windows"].gt(0).tolist() == [False, True, True, False, True, True, False]


def test_the_stride_of_a_quarter_patch_is_made_to_fit(movie: Path, model: Path) -> None:
    """Where dense is asked for and no stride is named, the nearest that fits is taken."""
    _, card = load_model(model)
    other = card.model_copy(update={"patch_px": 112})
    assert usual_stride(other, "windows") == 28
    assert usual_stride(other, "auto") == 28
    assert usual_stride(other, "dense") == 16
