"""A model says the same of an array, a file and an open image, and so do the workflows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from blobs import FRAME_PX, detector, scene
from numpy.typing import NDArray
from torch import nn

from livewell.classes import UNSURE, ClassNames
from livewell.errors import ImageContentError, ModelFileError, SpecError
from livewell.geometry import Box
from livewell.images.opening import open_image
from livewell.inference.model import Model
from livewell.inference.prediction import NOTHING, Prediction
from livewell.metrics.rules import ImageRule, RegionRule
from livewell.models.building import build
from livewell.models.files import NORMALISATIONS, Card, save_model
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.models.recipes import TINY, WSCNN_FAST
from livewell.outputs.heatmaps import read_map
from livewell.region import Region
from livewell.study.pixels import ArrayPixels
from livewell.workflows.assess import assess
from livewell.workflows.heatmap import heatmap

TWO, THREE = ("healthy", "sick"), ("healthy", "sick", "dead")
STRIDE_PX = 32
MOST_HTML = 50_000
Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]


def card_of(classes: tuple[str, ...], profile: Profile = TINY, **more: object) -> Card:
    """A card with made-up rules."""
    values = {
        "classes": classes,
        "channels": ("phase contrast",),
        "pixel_um": 0.5,
        "patch_px": profile.input.patch_px,
        "input_px": profile.input.input_px,
        "stride_px": profile.input.stride_px,
        "normalisation": NORMALISATIONS[profile.input.normalise],
        "profile": profile,
        "precision": "float32",
        "seed": 0,
        "data": {},
        "region_rule": RegionRule(1.3, 0.45),
        "image_rule": ImageRule(1.3, 2.0, -0.1, 0.5, 0.45, 0.55, classes, "made up"),
        "versions": {},
    }
    return Card(**values | more)


def saved(folder: Path, classes: tuple[str, ...] = TWO) -> Path:
    """A model of patches with random weights whose logits differ from patch to patch."""
    torch.manual_seed(0)
    module = build(TINY, classes=len(classes)).eval()
    *_, last = (part for part in module.modules() if isinstance(part, nn.Linear))
    nn.init.normal_(last.weight, std=3.0)
    net = Net(
        module, classes, 0.5, TINY.input.patch_px, TINY.input.input_px, how=TINY.input.normalise
    )
    save_model(folder, net, card_of(classes))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("two") / "model")


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory, paint: Painter, write_movie: Writer) -> Path:
    """Two frames of coarse texture."""
    frames = paint("healthy", 3, (2, 128, 192))
    return write_movie(tmp_path_factory.mktemp("movie") / "A01.ome.tif", frames)


@pytest.fixture(scope="module")
def found(folder: Path, movie: Path) -> Prediction:
    """What the model of two classes says of the second frame."""
    return Model.load(folder, device="cpu").predict(movie, t=1, stride_px=STRIDE_PX)


def three(folder: Path, positive: str | None) -> Model:
    """A model of three classes."""
    model = Model.load(saved(folder, THREE), device="cpu")
    return Model(model.net, model.card.model_copy(update={"positive": positive}), device="cpu")


def frames_model() -> Model:
    """A net that knows blobs, as a model of whole frames."""
    net = detector()
    rules = {"detection_rule": RegionRule(2.0, 0.9), "frame_px": FRAME_PX}
    image_rule = ImageRule(1.0, 1.0, 0.0, 0.5, 0.2, 0.8, tuple(net.classes), "made up")
    more = {"image_rule": image_rule, "pixel_um": None, **rules}
    return Model(net, card_of(tuple(net.classes), WSCNN_FAST, **more), device="cpu")


def test_array_file_and_open_image_are_one(folder: Path, movie: Path, found: Prediction) -> None:
    """The same regions, logits, verdict and class map, whatever holds the pixels."""
    model = Model.load(str(folder), device="cpu")
    with open_image(movie) as image:
        frame = np.array(image.frame(1, 0))
        others = [model.predict(image, t=1, stride_px=STRIDE_PX)]
        assert others[0].notes == ()
    for array in (frame, frame[None], frame.astype(np.float32)):
        others.append(model.predict(array, pixel_um=0.5, stride_px=STRIDE_PX))
    others.append(model.predict(str(movie), t=1, stride_px=STRIDE_PX))
    assert len(found.boxes) > 6
    for other in others:
        pd.testing.assert_frame_equal(other.table(), found.table())
        assert other.verdict == found.verdict
        np.testing.assert_array_equal(other.image_probabilities, found.image_probabilities)
        np.testing.assert_array_equal(other.class_map.logits, found.class_map.logits)


def test_assess_says_what_predict_says(folder: Path, movie: Path, tmp_path: Path) -> None:
    """Number of patches, share and probability of the positive class, and verdict."""
    table = assess(movie, folder, tmp_path / "out", device="cpu").verdicts
    model = Model.load(folder, device="cpu")
    assert len(table) == 2
    for row in table.itertuples():
        one = model.predict(movie, t=row.t)
        assert row.n_patches == len(one.boxes) == 6
        assert row.p_sick == pytest.approx(one.image_probabilities[1], abs=1e-12)
        assert row.sick_fraction == pytest.approx(one.shares[1], abs=1e-12)
        assert row.verdict == one.verdict


def test_the_class_map_is_the_heat_map(
    folder: Path, movie: Path, found: Prediction, tmp_path: Path
) -> None:
    """Its probabilities and where its cells lie are those that `heatmap` writes."""
    made = heatmap(movie, folder, tmp_path / "map", stride_px=STRIDE_PX, engine="windows")
    maps, transform = read_map(made.map)
    seen = found.class_map
    p = found.rule.probabilities(np.moveaxis(seen.logits, 0, -1))[..., 1]
    np.testing.assert_allclose(p, maps[1], atol=1e-6)
    assert np.isfinite(p).any()
    assert transform.stride_px == seen.stride_px
    assert transform.origin_px == seen.origin_px


def test_regions_that_are_asked_for(folder: Path, movie: Path, found: Prediction) -> None:
    """Only they are scored, in their order, and score as they do among others."""
    model = Model.load(folder, device="cpu")
    wanted = list(found.boxes)[::-2]
    some = model.predict(movie, wanted, t=1)
    assert some.boxes == wanted
    np.testing.assert_allclose(some.logits, found.logits[::-2], atol=1e-4)
    np.testing.assert_allclose(some.image_logits, some.logits.mean(axis=0))


def test_the_table_of_regions(found: Prediction) -> None:
    """A row a region: its corners, the class called, and probabilities that sum up to 1."""
    table = found.table()
    assert table.columns.tolist() == ["y0", "x0", "y1", "x1", "called", "p_healthy", "p_sick"]
    assert [tuple(row) for row in table.iloc[:, :4].to_numpy()] == [b.corners for b in found.boxes]
    np.testing.assert_allclose(table["p_healthy"] + table["p_sick"], 1)
    assert table["called"].tolist() == found.called
    assert ((table["p_sick"] >= 0.45) == (table["called"] == "sick")).all()
    assert found.shares[1] == pytest.approx((table["called"] == "sick").mean())


def test_detections_of_a_model_of_patches(found: Prediction) -> None:
    """Cells of the class map that reach the threshold, none beside a surer one, surest first."""
    table = found.detections()
    seen = found.class_map
    p = found.rule.probabilities(np.moveaxis(seen.logits, 0, -1))[..., 1]
    assert (table["p"] >= found.rule.threshold).all()
    assert table["p"].is_monotonic_decreasing
    assert table["p"].iloc[0] == np.nanmax(p)
    cells = ((table[["y", "x"]].to_numpy() - seen.origin_px) / seen.stride_px).astype(int)
    for number, cell in enumerate(cells):
        np.testing.assert_allclose(seen.centres(cell), table[["y", "x"]].iloc[number])
        others = np.abs(cells - cell).max(axis=1)
        assert (others[others > 0] > 1).all()
    assert len(found.detections(0.0)) >= len(table) > 0
    assert found.detections(1.0).empty


def test_detections_of_a_model_of_frames() -> None:
    """Each blob once, at its place; asked for less sure ones, those are found too."""
    spots = [(20.3, 71.8), (44.9, 30.2)]
    frame = scene(FRAME_PX, spots) + 0.65 * scene(FRAME_PX, [(70.5, 60.0)], noise=0.0)
    model = frames_model()
    one = model.predict(frame)
    table = one.detections()
    assert one.verdict == "blob"
    assert len(table) == 2
    for y, x in spots:
        assert np.hypot(table["y"] - y, table["x"] - x).min() < 1
    more = one.detections(0.5)
    assert len(more) == 3
    pd.testing.assert_frame_equal(more.head(2), table, atol=1.5)
    assert 0.5 <= more["p"].iloc[2] < 0.9
    rule = model.need_detections()
    logits = one.class_map.logits
    assert logits.shape == (2, 12, 12)
    highest = float(rule.probability((logits[1] - logits[0].max()).max()))
    assert highest == pytest.approx(float(table["p"].iloc[0]))


@pytest.mark.parametrize("shape", [FRAME_PX, (150, 240)])
@pytest.mark.parametrize("positive", ["sick", None])
def test_a_model_of_frames_of_three_classes(shape: tuple[int, int], positive: str | None) -> None:
    """It gives a class map and a verdict, by the surest of windows or all; no detections."""
    net = detector()
    last = nn.Conv2d(1, 3, 1)
    with torch.no_grad():
        last.weight.copy_(torch.tensor([0.0, 0.1, -0.1])[:, None, None, None])
        last.bias.copy_(torch.tensor([1.0, -1.0, 0.0]))
    net.module.body[-1] = last
    rule = ImageRule(1.0, 1.0, 0.0, 0.5, 0.2, 0.8, THREE, "made up")
    card = card_of(THREE, WSCNN_FAST, image_rule=rule, pixel_um=None, frame_px=FRAME_PX)
    card = card.model_copy(update={"positive": positive})
    net = replace(net, classes=ClassNames(THREE, positive))
    model = Model(net, card, device="cpu")
    frame = scene(shape, [(40.0, 50.0)])
    one = model.predict(frame)
    assert len(one.boxes) == (1 if positive or shape == FRAME_PX else 6)
    assert one.verdict == ("sick" if len(one.boxes) == 1 else UNSURE)
    crops = torch.stack([torch.from_numpy(frame[box.slices])[None] for box in one.boxes])
    logits = net.logits(crops).numpy()
    np.testing.assert_allclose(one.logits, logits, atol=1e-5)
    np.testing.assert_allclose(one.image_logits, logits.mean(axis=0), atol=1e-5)
    seen = one.class_map
    assert seen.logits.shape == (3, 12, 12)
    if positive:
        cell = np.array(np.unravel_index(seen.logits[1].argmax(), (12, 12)))
        assert np.abs(seen.centres(cell) - (40.0, 50.0)).max() <= 4
        with pytest.raises(ModelFileError, match=r"against another.*livewell label merge"):
            one.detections()


@pytest.mark.parametrize("frames", [False, True])
def test_where_there_is_nothing(folder: Path, frames: bool) -> None:
    """Noise alone has no region, no verdict and no detection, and says so."""
    model = frames_model() if frames else Model.load(folder, device="cpu")
    noise = np.random.default_rng(0).normal(1000, 6, (128, 128)).astype(np.float32)
    one = model.predict(noise if not frames else noise[:96, :96], pixel_um=0.5)
    assert one.verdict == NOTHING
    assert one.table().empty
    assert one.detections().empty
    assert np.isnan(one.image_probabilities).all()
    assert np.isnan(one.shares).all()
    assert NOTHING in one._repr_html_()


def test_three_classes(movie: Path, tmp_path: Path) -> None:
    """Every class has its column, its share and its map; a region is called the most probable."""
    one = three(tmp_path / "model", "sick").predict(movie, stride_px=STRIDE_PX)
    table = one.table()
    p = table[[f"p_{name}" for name in THREE]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    named = [THREE[row.argmax()] if row.max() >= 0.45 else UNSURE for row in p]
    assert table["called"].tolist() == named
    assert one.verdict in (*THREE, UNSURE)
    assert one.class_map.logits.shape[0] == 3
    seen = np.moveaxis(one.class_map.logits, 0, -1)
    called = one.rule.codes(seen) == 1
    assert len(one.detections()) <= called.sum()
    assert called.any() == (not one.detections().empty)


def test_classes_that_go_together(movie: Path, tmp_path: Path) -> None:
    """Probabilities of merged classes are the sums of those that went into them."""
    one = three(tmp_path / "model", None).predict(movie, stride_px=STRIDE_PX)
    into = {"healthy": "well", "sick": "unwell", "dead": "unwell"}
    classes, p = one.merged(into, "unwell")
    assert classes == ClassNames(("well", "unwell"))
    np.testing.assert_allclose(p[:, 0], one.probabilities[:, 0])
    np.testing.assert_allclose(p[:, 1], one.probabilities[:, 1:].sum(axis=1))
    classes, turned = one.merged(into, "well")
    assert classes.pair == ("unwell", "well")
    np.testing.assert_allclose(turned, p[:, ::-1])


def test_without_a_class_that_is_sought_there_are_no_detections(
    movie: Path, tmp_path: Path
) -> None:
    """The error says which classes there are and how to name one."""
    one = three(tmp_path / "model", None).predict(movie, stride_px=STRIDE_PX)
    with pytest.raises(SpecError, match=r"no class is sought.*healthy, sick, dead.*--positive"):
        one.detections()


def test_what_a_notebook_shows(folder: Path, movie: Path, tmp_path: Path) -> None:
    """Small, of every class, and nothing in it is taken for a tag."""
    model = Model.load(folder, device="cpu")
    one = model.predict(movie, stride_px=8)
    assert len(one.boxes) > 100
    for shown in (one._repr_html_(), model._repr_html_()):
        assert len(shown.encode()) <= MOST_HTML
        assert all(name in shown for name in TWO)
    evil = replace(one, classes=ClassNames(("<b>healthy", "<script>sick")))
    assert "<script>" not in evil._repr_html_()


def test_embeddings_are_what_the_last_layer_sees(folder: Path, movie: Path) -> None:
    """One row a region; the last layer makes the region's logits of it."""
    model = Model.load(folder, device="cpu")
    with open_image(movie) as image:
        source = ArrayPixels({"a": np.stack([image.frame(t, 0) for t in range(2)])})
    edge = TINY.input.patch_px
    regions = [Region("a", t, Box.of(y, y, y + edge, y + edge)) for t in (0, 1) for y in (0, 30)]
    features = model.embed(source, regions)
    assert features.dtype == np.float32
    assert len(features) == len(regions)
    *_, last = (part for part in model.net.module.modules() if isinstance(part, nn.Linear))
    with torch.no_grad():
        logits = last(torch.from_numpy(features)).numpy()
    np.testing.assert_allclose(logits, model.engine.regions(source, regions), atol=1e-4)
    with pytest.raises(SpecError, match="no features of these regions"):
        model.embed(source, [])
    turning = Model(replace(model.net, turns=True), model.card, device="cpu")
    with pytest.raises(SpecError, match="without test_time_augmentation"):
        turning.embed(source, regions)


def test_what_a_model_can_do(folder: Path) -> None:
    """A model says whether it scores patches and tells places, and refuses the rest in words."""
    patches, frames = Model.load(folder, device="cpu"), frames_model()
    assert (patches.scores_patches, patches.gives_map) == (True, False)
    assert (frames.scores_patches, frames.gives_map, frames.takes_any_size) == (False, True, True)
    assert patches.need_patches() is patches
    assert frames.need_detections() == RegionRule(2.0, 0.9)
    with pytest.raises(ModelFileError, match=r"whole frames.*livewell localise"):
        frames.need_patches()
    with pytest.raises(ModelFileError, match=r"judges patches.*livewell assess"):
        patches.need_detections()


def test_a_field_smaller_than_a_patch(folder: Path, movie: Path) -> None:
    """The error names the image and what would do, whatever holds the pixels."""
    model = Model.load(folder, device="cpu")
    with open_image(movie) as image:
        frame = np.array(image.frame(0, 0))
    with pytest.raises(ImageContentError, match=r"array.*at least 64 x 64 px.*40 x 50 px"):
        model.predict(frame[:40, :50], pixel_um=0.5)
    with pytest.raises(ImageContentError, match=r"A01\.ome\.tif, frame 1: .*at least 64 x 64 px"):
        model.predict(movie, t=1, pixel_um=0.2)


def test_a_device_that_is_not_there(folder: Path) -> None:
    """A model is not loaded to a device that this machine has not."""
    with pytest.raises(SpecError, match=r"no such device.*cuda:99"):
        Model.load(folder, device="cuda:99")
