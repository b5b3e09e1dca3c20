"""The linear head of a fixed backbone, and what it is given that cannot be."""

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from torchvision.models import squeezenet1_1

from livewell.classes import ClassNames
from livewell.errors import ImageContentError, ModelFileError, SpecError, SplitError
from livewell.geometry import Box
from livewell.inference.fields import Fields
from livewell.metrics.rules import log_odds
from livewell.models.building import build, net_of
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import EMPTY_SVM, FROZEN
from livewell.region import Region
from livewell.study.pixels import ArrayPixels
from livewell.training.data import LabelledRegions
from livewell.training.features import FieldReader, reader_of
from livewell.training.frozen import fit_head

LIGHT = {"weights": "", "blocks": "0,2", "zooms": "1", "radii_px": "0,6"}
CLASSES = ClassNames(("coarse", "fine"))
Parts = tuple[LabelledRegions, LabelledRegions]


@pytest.fixture(scope="module")
def recipe() -> Profile:
    """FROZEN with few blocks and random weights."""
    return override(FROZEN, LIGHT)


def reader(recipe: Profile, pixel_um: float | None = 0.31) -> FieldReader:
    """The reader of a new net."""
    return reader_of(recipe, ArrayPixels({}), 1, 2, pixel_um)


def seen(recipe: Profile, pixels: NDArray[np.generic]) -> torch.Tensor:
    """Features at two places of an image."""
    of = reader(recipe)
    return of.places(pixels[None], np.array([(0.0, 0.0), (2.0, 1.0)]), of.module.embedded)


HEADS = {
    "logistic": {"fitted_by": "logistic"},
    "svm": {"fitted_by": "svm"},
    "hidden layer": {"hidden": "4", "weight_decay": "0.1"},
}


@pytest.mark.long
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_a_head_is_fitted_in_one_step(
    head: dict[str, str], recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path
) -> None:
    """Every kind of head tells coarse texture from fine, and the same seed fits the same."""
    one = override(recipe, head)
    made = [fit_head(one, pixels, *parts, tmp_path, seed=3) for _ in range(2)]
    assert made[0].log["val_auc"].item() == 1
    for first, second in zip(made[0].module.buffers(), made[1].module.buffers(), strict=True):
        assert torch.equal(first, second)
    for first, second in zip(made[0].module.parameters(), made[1].module.parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_recipe_for_empty_patches_is_frozen_with_a_support_vector_machine() -> None:
    """EMPTY_SVM differs from FROZEN in how the head is fitted, and in that marked points mean whole
    patches."""
    differ = {
        name for name, value in FROZEN.settings().items() if EMPTY_SVM.settings()[name] != value
    }
    assert differ == {"fitted_by", "reads"}


def test_weights_of_another_architecture_are_refused(recipe: Profile, tmp_path: Path) -> None:
    """A safetensors file of another net is an error that names the file and what is missing."""
    path = tmp_path / "squeeze.safetensors"
    save_file(dict(squeezenet1_1().state_dict()), path)
    with pytest.raises(ModelFileError, match=r"squeeze\.safetensors: .* of another net.*missing"):
        build(override(recipe, {"weights": str(path)}))


def test_a_pickle_is_not_opened(recipe: Profile, tmp_path: Path) -> None:
    """A file of unknown content that may run code is refused, whatever it is called."""

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    for name in ("lite0.pth", "lite0.safetensors"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ModelFileError, match=name):
            build(override(recipe, {"weights": str(tmp_path / name)}))
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_frozen_net_are_taken(recipe: Profile, tmp_path: Path) -> None:
    """The file of a net of the same kind gives its backbone; one of too few blocks is refused."""
    path = tmp_path / "own.safetensors"
    own = build(recipe).state_dict()
    save_file(own, path)
    again = build(override(recipe, {"weights": str(path), "blocks": "1"})).state_dict()
    backbone = [name for name in again if name.startswith("backbone.")]
    assert backbone
    assert all(torch.equal(again[name], own[name]) for name in backbone)
    with pytest.raises(ModelFileError, match="another net"):
        build(override(recipe, {"weights": str(path), "blocks": "4"}))
    two = build(override(recipe, {"weights": str(path)}), channels=2).state_dict()
    first = "backbone.stem.1.weight"
    torch.testing.assert_close(two[first], own[first].repeat(1, 2, 1, 1) / 2)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"blocks": "4,16"}, "blocks must be among 0 to 15"),
        ({"blocks": "-1"}, "blocks must be among 0 to 15"),
        ({"blocks": "4,4"}, "must differ"),
        ({"zooms": "1,1"}, "must differ"),
        ({"zooms": "0"}, "greater than 0"),
        ({"zooms": "nan"}, "greater than 0"),
        ({"zooms": ""}, "valid number"),
        ({"zooms": "inf"}, "zooms numbers"),
        ({"radii_px": "6,-3"}, "0 or more"),
        ({"radii_px": "nan"}, "0 or more"),
        ({"fitted_by": "trees"}, "svm"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(setting: dict[str, str], text: str) -> None:
    """Each is named, with what it may be."""
    with pytest.raises(SpecError, match=text):
        override(FROZEN, setting)


@pytest.mark.parametrize(
    ("setting", "pixel_um"),
    [({"zooms": "30"}, 0.31), ({"radii_px": "5000"}, 0.31), ({}, 20.0)],
    ids=str,
)
def test_a_zoom_beyond_the_memory_is_refused(
    setting: dict[str, str], pixel_um: float | None, recipe: Profile
) -> None:
    """Parts of a field that no memory holds are refused before the first image is read."""
    with pytest.raises(SpecError, match=r"too large for the memory.*--pixel-um"):
        reader(override(recipe, {"blocks": "14", "zooms": "1.75"} | setting), pixel_um)


def test_an_unknown_pixel_size_is_told(recipe: Profile, caplog: pytest.LogCaptureFixture) -> None:
    """Without a pixel size the backbone sees pixels as they are, and a warning says so."""
    with caplog.at_level(logging.WARNING, "livewell"):
        reader(recipe, 0.5)
        reader(override(recipe, {"input_um": "0"}), None)
        assert not caplog.records
        assert reader(recipe, None).scale == 1
    (record,) = caplog.records
    assert "no pixel size is known" in record.getMessage()


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (5, 200), (31, 33), (33, 31), (32, 32)], ids=str)
@pytest.mark.parametrize("zoom", ["1", "0.25", "3"])
def test_images_smaller_than_a_cell_are_seen(
    shape: tuple[int, int], zoom: str, recipe: Profile
) -> None:
    """An image of a few pixels is mirrored up to what the backbone needs."""
    pixels = np.random.default_rng(0).integers(900, 1100, shape).astype(np.uint16)
    found = seen(override(recipe, {"zooms": zoom}), pixels)
    assert torch.isfinite(found).all()


def test_a_constant_image_has_features(recipe: Profile) -> None:
    """Constant grey is contrast 0 everywhere; black has no background to be measured against."""
    found = seen(recipe, np.full((64, 64), 700, np.uint16))
    assert torch.equal(found[0], found[0])
    assert torch.isfinite(found).all()
    with pytest.raises(ImageContentError, match="not above zero"):
        seen(recipe, np.zeros((64, 64), np.uint16))


def test_pixels_that_are_no_numbers_are_refused(recipe: Profile) -> None:
    """One NaN would spoil every feature in reach of it, and the background with it."""
    pixels = np.full((64, 64), 700, np.float32)
    pixels[5, 5] = np.nan
    with pytest.raises(ImageContentError, match="finite"):
        seen(recipe, pixels)


def test_a_model_reads_a_field_of_any_size(recipe: Profile) -> None:
    """A model's boxes may be larger than the image: what counts is their centre."""
    net: Net = net_of(build(recipe), recipe, CLASSES, 0.31)
    frame = np.random.default_rng(0).integers(900, 1100, (1, 20, 24)).astype(np.uint16)
    boxes = [Box.of(-40, -40, 60, 64), Box.of(0, 0, 4, 4)]
    logits = Fields(net).boxes(frame, Box.of(0, 0, 20, 24), boxes)
    assert logits.shape == (2, 2)
    assert np.isfinite(logits).all()


def noise(groups: int, each: int, seed: int) -> tuple[ArrayPixels, LabelledRegions]:
    """Images of noise, one a group, with labels that nothing in them tells."""
    rng = np.random.default_rng(seed)
    names = [f"group {number}" for number in range(groups)]
    arrays = {name: rng.normal(1000, 100, (1, 96, 96)).astype(np.float32) for name in names}
    corners = rng.integers(0, 64, (groups * each, 2))
    regions = [
        Region(names[number % groups], 0, Box.of(y, x, y + 32, x + 32))
        for number, (y, x) in enumerate(corners.tolist())
    ]
    codes = (rng.random(len(regions)) < 0.25).astype(np.int64)
    return ArrayPixels(arrays), LabelledRegions(regions, codes, [each.image for each in regions])


def test_rules_come_from_heads_that_have_not_seen_the_group(
    recipe: Profile, tmp_path: Path
) -> None:
    """Where labels are noise the final head fits them, and cross-fitted logits say nothing."""
    source, train = noise(8, 12, seed=0)
    none = LabelledRegions([], np.empty(0, dtype=np.int64), [])
    free = override(recipe, {"weight_decay": 1e-6})
    fitted = fit_head(free, source, train, none, tmp_path, seed=0, pixel_um=0.31)
    assert fitted.crossfitted is not None
    held = fitted.crossfitted[:, 1] - fitted.crossfitted[:, 0]
    net = net_of(fitted.module, free, CLASSES, 0.31)
    seen = log_odds(Fields(net).regions(source, train.patches))
    assert roc_auc_score(train.codes, seen) > 0.9
    assert 0.2 < roc_auc_score(train.codes, held) < 0.75


def test_probabilities_are_those_of_regions_like_these(recipe: Profile, tmp_path: Path) -> None:
    """Classes weigh alike in fitting, but a head that knows nothing says the share of each."""
    source, train = noise(6, 40, seed=1)
    none = LabelledRegions([], np.empty(0, dtype=np.int64), [])
    dull = override(recipe, {"weight_decay": 1e6})
    fitted = fit_head(dull, source, train, none, tmp_path, seed=0, pixel_um=0.31)
    net = net_of(fitted.module, dull, CLASSES, 0.31)
    p = 1 / (1 + np.exp(-log_odds(Fields(net).regions(source, train.patches))))
    np.testing.assert_allclose(p, train.codes.mean(), atol=0.01)


def test_one_group_of_a_class_is_too_few(recipe: Profile, tmp_path: Path) -> None:
    """A class that lies in one group cannot be cross-fitted: the error says what to do."""
    source, train = noise(4, 10, seed=2)
    codes = np.array([name == "group 0" for name in train.groups]).astype(np.int64)
    lone = LabelledRegions(train.patches, codes, train.groups)
    none = LabelledRegions([], np.empty(0, dtype=np.int64), [])
    with pytest.raises(SplitError, match="label more groups"):
        fit_head(recipe, source, lone, none, tmp_path, seed=0, pixel_um=0.31)
