"""Backends agree with torch, and say when they are missing."""

import numpy as np
import pytest
import torch

from livewell.errors import MissingExtraError, SpecError
from livewell.geometry import Box, WindowGrid
from livewell.inference.dense import Dense
from livewell.inference.windows import View
from livewell.models import backends
from livewell.models.backends import (
    BACKEND,
    BACKENDS,
    backbone_backend,
    maps_on,
    named_backend,
    require,
    trunk_on,
)
from livewell.models.building import build
from livewell.models.nets.dense import DenseForm
from livewell.models.nets.frozen import FrozenSpec
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import DEADNET_DENSE, FAST, TINY

CPU = torch.device("cpu")
RESNET = override(TINY, {"net": "resnet18", "input_px": 112, "patch_px": 128, "normalise": "patch"})


def net_of(profile: Profile) -> Net:
    torch.manual_seed(0)
    module = build(profile).eval()
    return Net(
        module,
        ("a", "b"),
        0.5,
        profile.input.patch_px,
        profile.input.input_px,
        how=profile.input.normalise,
    )


@pytest.mark.long
@pytest.mark.parametrize("profile", [DEADNET_DENSE, FAST, TINY, RESNET], ids=lambda p: p.net)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_computes_the_same_trunk(backend: str, profile: Profile) -> None:
    """To 1e-4 of the largest feature in float32 and 3% in bfloat16, for one size after another."""
    trunk = DenseForm(net_of(profile)).trunk
    ready = trunk_on(backend, trunk, CPU)
    near = 0.03 if backend.endswith("-bf16") else 1e-4
    for height, width in ((240, 272), (256, 231)):
        image = torch.randn(1, 1, height, width)
        with torch.inference_mode():
            expected, found = trunk(image), ready(image)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, atol=near * float(expected.abs().max()), rtol=0)


def test_a_result_is_not_overwritten_by_the_next() -> None:
    """What a backend gave stays as it is when it computes again."""
    trunk = DenseForm(net_of(FAST)).trunk
    for backend in ("torch", "openvino", "openvino-bf16"):
        ready = trunk_on(backend, trunk, CPU)
        with torch.inference_mode():
            first = ready(torch.ones(1, 1, 128, 128))
            kept = first.clone()
            ready(torch.randn(1, 1, 128, 128))
        torch.testing.assert_close(first, kept, atol=0, rtol=0)


@pytest.mark.long
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backbone_with_several_maps(backend: str) -> None:
    """Every backend gives all of them, of fields of any size, compiled once."""
    torch.manual_seed(0)
    net = FrozenSpec(weights="", blocks=(2, 4)).build()
    trunk = net.trunk
    ready = maps_on(backend, trunk, CPU, any_size=True)
    near = 0.05 if backend.endswith("-bf16") else 1e-4
    for size in ((64, 96), (128, 32)):
        image = torch.randn(1, 1, *size)
        with torch.inference_mode():
            pairs = list(zip(ready(image), trunk(image), strict=True))
        assert len(pairs) == 2
        for found, expected in pairs:
            bound = near * float(expected.abs().max())
            torch.testing.assert_close(found, expected, atol=bound, rtol=0)


def test_which_backend_computes_a_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one asked for, else that of the environment, else the fastest one installed."""
    monkeypatch.delenv(BACKEND, raising=False)
    assert named_backend() is None
    assert backbone_backend("auto", CPU) == "onnxruntime"
    assert backbone_backend("auto", torch.device("cuda")) == "torch"
    monkeypatch.setenv(BACKEND, "openvino")
    assert backbone_backend("auto", CPU) == "openvino"
    assert backbone_backend("torch", CPU) == "torch"
    monkeypatch.setenv(BACKEND, "abacus")
    with pytest.raises(SpecError, match="abacus"):
        backbone_backend("auto", CPU)
    monkeypatch.delenv(BACKEND)
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    assert backbone_backend("auto", CPU) == "torch"


@pytest.mark.parametrize(
    ("backend", "extra"),
    [("onnxruntime", "onnx"), ("openvino", "openvino"), ("openvino-bf16", "openvino")],
)
def test_a_backend_that_is_not_installed(
    backend: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with the command that installs it; torch is always there."""
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'livewell\[{extra}\]'"):
        require(backend)
    require("torch")


def test_a_backend_that_does_not_exist() -> None:
    """It is refused with those that do."""
    with pytest.raises(SpecError, match="torch-bf16 or onnxruntime"):
        require("tensorrt")


def test_engines_run_on_every_backend() -> None:
    """A whole map by each backend is torch's map."""
    net = net_of(DEADNET_DENSE)
    frame = np.random.default_rng(0).integers(900, 1100, (300, 330)).astype(np.uint16)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    view = View(frame, Box.of(0, 0, *frame.shape), np.ones(grid.shape, dtype=bool))
    maps = {}
    for name in BACKENDS:
        ((_, maps[name]),) = Dense(net, backend=name).stream([view], grid)
    for name, found in maps.items():
        near = float(maps["torch"].std()) if name.endswith("-bf16") else 1e-6
        np.testing.assert_allclose(found, maps["torch"], atol=near)
