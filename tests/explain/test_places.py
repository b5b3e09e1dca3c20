"""Evidence on a fixed backbone: it adds up to scores, it is twice gradients times maps."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.explain.places import PlaceCam
from livewell.geometry import Box
from livewell.models.building import build, net_of
from livewell.models.nets.field_maps import FieldMap
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.net import Net
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.region import Region
from livewell.study.pixels import ArrayPixels
from livewell.training import features
from livewell.training.features import FieldReader

LIGHT = {"weights": "", "blocks": "2,4", "zooms": "0.5,1", "radii_px": "0,6,12"}
SHAPE = (200, 260)
FRAME = np.random.default_rng(1).uniform(500, 1500, (1, *SHAPE)).astype(np.float32)
AROUND = Box.of(-100, -100, SHAPE[0] + 100, SHAPE[1] + 100)
"""All of the frame, and what cells at its rim are drawn over."""
PLACES = [(90.0, 130.5), (0.5, 0.5), (199.0, 31.0)]
Read = Callable[[PlaceCam, Sequence[FieldMap], Tensor], Tensor]


@pytest.fixture(scope="module", params=[pytest.param("centre", marks=pytest.mark.long), "patch"])
def net(request: pytest.FixtureRequest) -> Net:
    """A net of random backbone and head, three classes; it reads centres, or whole patches."""
    torch.manual_seed(0)
    recipe = override(FROZEN, LIGHT | {"reads": request.param})
    module = build(recipe, channels=1, classes=3)
    assert isinstance(module, FrozenNet)
    module.weight.copy_(torch.randn(module.weight.shape))
    module.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    return net_of(module, recipe, ClassNames(("live", "dead", "other"), None), 0.31)


def read(cam: PlaceCam, of: Read, frame: np.ndarray = FRAME) -> Tensor:
    """What is read of `PLACES`, one row each."""
    places = np.array(PLACES)
    return FieldReader(cam.net).places(frame, places, lambda maps, at: of(cam, maps, at))


def summed(cam: PlaceCam, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
    """Evidence for every class, added up, (places, classes)."""
    each = [
        [cam.evidence(maps, place[None], number, AROUND).sum() for number in range(3)]
        for place in places
    ]
    return torch.tensor(each)


def test_evidence_adds_up_to_the_score_but_for_the_bias(net: Net) -> None:
    """Over all cells, blocks and zooms, wherever the place lies; roots need the factor two."""
    module = net.module
    assert isinstance(module, FrozenNet)
    cam = PlaceCam(net)
    scores = read(cam, lambda _, maps, at: module.logits(maps, at) - module.bias)
    torch.testing.assert_close(read(cam, summed).to(scores), scores, atol=2e-3, rtol=2e-3)
    assert scores.std() > 0.1


def test_grad_cam_differs_from_the_exact_map_by_where_alone(net: Net) -> None:
    """By mean slopes maps that are everywhere alike have the same evidence in all; others have it
    elsewhere."""
    cam = PlaceCam(net)

    def both(cam: PlaceCam, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        flat = [
            each._replace(values=each.values.mean(dim=(1, 2), keepdim=True).expand_as(each.values))
            for each in maps
        ]
        found = [
            cam.evidence(of, places[:1], 0, AROUND, averaged=averaged)
            for of in (flat, maps)
            for averaged in (False, True)
        ]
        sums = [each.sum() for each in found[:2]]
        return torch.stack([*sums, (found[2] - found[3]).abs().max()]).expand(len(places), 3)

    exact, averaged, apart = read(cam, both)[0]
    torch.testing.assert_close(averaged, exact, rtol=1e-3, atol=1e-4)
    assert apart > 0


def test_evidence_is_beside_the_mean_of_training_fields(net: Net) -> None:
    """With a reference it adds up to the score less that of the reference's mean features."""
    module = copy.deepcopy(net.module)
    assert isinstance(module, FrozenNet)
    torch.manual_seed(2)
    module.reference.mean = torch.randn(module.features)
    usual = module.weight @ module.reference.mean + module.bias
    cam = PlaceCam(replace(net, module=module))
    scores = read(cam, lambda _, maps, at: module.logits(maps, at) - usual)
    torch.testing.assert_close(read(cam, summed).to(scores), scores, atol=2e-3, rtol=2e-3)


def drawn(at: FieldMap, cells: Tensor) -> Tensor:
    """Cells spread evenly over `AROUND`, each over twice its distance, as a tent."""
    stride = at.layer.stride_px / at.zoom
    tents = [
        torch.tensor(
            [
                [
                    max(1 - abs((i + 0.5 - at.layer.first_px / at.zoom) / stride - j), 0) / stride
                    for j in range(number)
                ]
                for i in range(*span)
            ],
            dtype=torch.float64,
        )
        for number, span in zip(cells.shape, ((-100, 300), (-100, 360)), strict=True)
    ]
    return tents[0] @ cells @ tents[1].T


def test_evidence_is_twice_the_gradient_times_the_map(net: Net) -> None:
    """Taken by autograd from the logits that the net gives, cell by cell, maps are the same."""
    module = net.module
    assert isinstance(module, FrozenNet)

    def by_hand(_: PlaceCam, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            leaves = [
                at._replace(values=at.values.clone().double().requires_grad_()) for at in maps
            ]
            score = module.logits(leaves, places.clone())[:, 1].sum()
            values = [leaf.values for leaf in leaves]
            slopes = torch.autograd.grad(score, values)
        pairs = zip(leaves, slopes, strict=True)
        found = [drawn(at, 2 * (slope * at.values).sum(dim=0).detach()) for at, slope in pairs]
        return torch.stack(found).sum(dim=0).flatten().expand(len(places), -1)

    def own(cam: PlaceCam, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        return cam.evidence(maps, places, 1, AROUND).flatten().expand(len(places), -1)

    cam = PlaceCam(net)
    expected = read(cam, by_hand)
    most = float(expected.abs().max())
    torch.testing.assert_close(read(cam, own), expected, atol=1e-4 * most, rtol=0)


def test_blocks_share_the_evidence(net: Net) -> None:
    """What one block says and what the other says make up the whole."""

    def own(cam: PlaceCam, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        return cam.evidence(maps, places, 2, AROUND).flatten().expand(len(places), -1)

    near, far = PlaceCam(net, "block2"), PlaceCam(net, "block4")
    parts = read(near, own) + read(far, own)
    torch.testing.assert_close(parts, read(PlaceCam(net), own))
    assert near.layer.margin_px < far.layer.margin_px
    assert near.layer.field_px < far.layer.field_px
    with pytest.raises(SpecError, match="block4") as caught:
        PlaceCam(net, "conv4_2")
    assert "one of block2, block4" in str(caught.value)


def test_maps_that_are_zero_hold_no_evidence(net: Net) -> None:
    """Roots have no slope at zero; nothing is infinite or unknown there."""

    def dark(cam: PlaceCam, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        none = [at._replace(values=torch.zeros_like(at.values)) for at in maps]
        return cam.evidence(none, places, 1, AROUND).flatten().expand(len(places), -1)

    assert not read(PlaceCam(net), dark).any()


def test_patches_of_a_study(net: Net) -> None:
    """Each comes in order, with the patch, or with the largest square read if larger."""
    cam, source = PlaceCam(net), ArrayPixels({"a": FRAME[None], "b": FRAME[None, :, ::-1]})
    boxes = [Box.of(20, 40, 132, 152), Box.of(100, 90, 211, 201)]
    patches = [Region(name, 0, box) for box in boxes for name in ("a", "b")]
    small = PlaceCam(replace(net, patch_px=16))
    assert (cam.seen_px, small.seen_px) == (net.patch_px, small.layer.squares_px)
    for each in (cam, small):
        found = list(each.patch_maps(source, patches, 1))
        assert [one.patch for one in found] == patches
        for one in found:
            assert one.grey.shape == one.map.shape == one.box.shape == (each.seen_px,) * 2
            off = np.subtract(one.box.centre, one.patch.box.centre)
            assert np.abs(off).max() <= 0.5
            assert one.map.min() >= 0
            inside = Box.of(0, 0, *SHAPE).common(one.box)
            assert inside is not None
            within = inside.seen_in(one.box).slices
            grey = source.crop(one.patch.image, 0, inside)[0]
            np.testing.assert_array_equal(one.grey[within], grey)
            beyond = one.grey.copy()
            beyond[within] = np.median(grey)
            assert np.ptp(beyond) == 0
    (whole,) = (one.map for one in list(cam.patch_maps(source, patches[:1], 1)))
    (inner,) = (one.map for one in list(small.patch_maps(source, patches[:1], 1)))
    rim = (len(whole) - len(inner)) // 2
    np.testing.assert_allclose(whole[rim:-rim, rim:-rim], inner, atol=1e-6)


@pytest.mark.long
def test_a_field_is_the_evidence_of_its_places(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """The map is the sum over places; in parts it is what it is in one piece; NaN off the image."""
    rough = np.random.default_rng(3).uniform(500, 1500, (1, 1, 460, 500)).astype(np.float32)
    rough[..., :30] = 0
    source = ArrayPixels({"a": rough})
    area = source.area("a", 0)
    cam = PlaceCam(net, stride_px=32)
    whole, apart = cam.field(source, "a", 0, 1)
    assert apart is None
    assert np.isnan(whole[:, : area.x.start]).all()
    assert np.isfinite(whole[area.slices]).all()
    rows, columns = (np.arange(16, size, 32) for size in area.shape)
    places = np.array([(y, x) for y in rows for x in columns], dtype=float)
    inner = Box.of(0, 0, *area.shape)

    def each(maps: Sequence[FieldMap], at: Tensor) -> Tensor:
        return torch.stack([cam.evidence(maps, one[None], 1, inner).flatten() for one in at])

    pixels = source.crop("a", 0, area)
    total = FieldReader(net).places(pixels, places, each).sum(dim=0).clamp_min(0) * 32**2
    expected = total.reshape(area.shape).numpy()
    np.testing.assert_allclose(whole[area.slices], expected, atol=1e-4 * expected.max())
    monkeypatch.setattr(features, "PART_PX", 128)
    parts, _ = PlaceCam(net, stride_px=32).field(source, "a", 0, 1)
    np.testing.assert_allclose(parts, whole, atol=1e-2 * expected.max())


def test_a_hidden_layer_is_refused() -> None:
    """Only of a linear head evidence is exact, so another one is refused, with what to do."""
    recipe = override(FROZEN, LIGHT | {"hidden": 4})
    net = net_of(build(recipe), recipe, ClassNames(("live", "dead")), 0.31)
    with pytest.raises(SpecError, match="hidden=0"):
        PlaceCam(net)
