"""Backends agree with torch, say when they are missing, and the choice is remembered."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from livewell.inference.choice import choose, memory_file

from livewell.errors import MissingExtraError, SpecError
from livewell.geometry import Box, WindowGrid
from livewell.inference import backends, choice, dense
from livewell.inference.backends import BACKENDS, available, require, trunk_on
from livewell.inference.dense import Dense
from livewell.inference.engine import View
from livewell.models.building import build
from livewell.models.nets.dense import DenseForm
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import DEADNET_DENSE, FAST, FAST_DENSE

RESNET = override(FAST, {"net": "resnet18", "input_px": 112, "patch_px": 128, "normalise": "patch"})


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


@pytest.mark.parametrize("profile", [DEADNET_DENSE, FAST, FAST_DENSE, RESNET], ids=lambda p: p.net)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_computes_the_same_trunk(backend: str, profile: Profile) -> None:
    """To 1e-4 of the largest feature in float32 and 3% in bfloat16, for one size after another."""
    trunk = DenseForm(net_of(profile)).trunk
    ready = trunk_on(backend, trunk)
    near = 0.03 if backend.endswith("-bf16") else 1e-4
    for height, width in ((240, 272), (256, 231)):
        picture = torch.randn(1, 1, height, width)
        with torch.inference_mode():
            expected, found = trunk(picture), ready(picture)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, atol=near * float(expected.abs().max()), rtol=0)


def test_a_result_is_not_overwritten_by_the_next() -> None:
    """What a backend gave stays as it is when it computes again."""
    trunk = DenseForm(net_of(FAST_DENSE)).trunk
    for backend in ("torch", "openvino", "openvino-bf16"):
        ready = trunk_on(backend, trunk)
        with torch.inference_mode():
            first = ready(torch.ones(1, 1, 128, 128))
            kept = first.clone()
            ready(torch.randn(1, 1, 128, 128))
        torch.testing.assert_close(first, kept, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("backend", "extra"),
    [("onnxruntime", "onnx"), ("openvino", "openvino"), ("openvino-bf16", "openvino")],
)
def test_a_backend_that_is_not_installed(
    backend: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with the command that installs it, and `available` leaves it out."""
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'livewell\[{extra}\]'"):
        require(backend)
    assert [name for name in available() if not name.startswith("torch")] == []
    require("torch")


def test_a_backend_that_does_not_exist() -> None:
    """It is refused with those that do."""
    with pytest.raises(SpecError, match="torch-bf16 or onnxruntime"):
        require("tensorrt")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A net, one frame, and a memory of its own; two backends are on offer."""
    monkeypatch.setenv("LIVEWELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "available", lambda: ["torch", "torch-bf16"])
    net = net_of(FAST_DENSE)
    frame = np.random.default_rng(0).integers(900, 1100, (180, 190)).astype(np.uint16)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    view = View(frame, Box.of(0, 0, *frame.shape), np.ones(grid.shape, dtype=bool))
    options = {"weights": "abc", "frames": 1000, "memory_gb": 1.0}

    def made(**changed: object) -> choice.Choice:
        rule = changed.pop("probability", lambda logits: 1 / (1 + np.exp(-logits)))
        return choose(net, view, grid, rule, **options | changed)

    return made


def test_the_choice_is_measured_once_and_remembered(asked) -> None:
    """The first time all are timed; the second time the file is believed, the agreement checked."""
    first = asked()
    assert set(first.seconds) == {"torch", "torch-bf16"}
    assert not first.remembered
    assert memory_file().is_file()
    second = asked()
    assert second.remembered
    assert second.backend == first.backend
    assert second.seconds == pytest.approx(first.seconds)
    assert second.differences["torch"] == 0


def test_a_backend_that_does_not_agree_is_not_chosen(asked) -> None:
    """However fast: probabilities too far from torch's in float32 rule it out."""
    found = asked(probability=lambda logits: logits * 1e6)
    assert found.backend == "torch"
    assert found.differences["torch-bf16"] > choice.AGREE


def test_what_was_remembered_must_agree_on_this_movie_too(asked) -> None:
    """A remembered backend that is far off on this frame is not taken; all are measured anew."""
    asked()
    (key,) = (known := json.loads(memory_file().read_text()))["choices"]
    known["choices"][key]["backend"] = "torch-bf16"
    memory_file().write_text(json.dumps(known))
    assert asked().backend == "torch-bf16"
    assert asked(probability=lambda logits: logits * 1e6).backend == "torch"


def test_other_weights_are_measured_anew(asked) -> None:
    """What was measured for one net is not believed of another."""
    asked()
    assert not asked(weights="other").remembered


def test_short_movies_are_not_measured(asked) -> None:
    """A movie of a few frames takes torch, unless something is remembered."""
    found = asked(frames=5)
    assert (found.backend, found.seconds) == ("torch", {})
    assert not memory_file().exists()
    asked()
    assert asked(frames=5).remembered


@pytest.mark.parametrize("damage", ["", "{", '{"kind": "else"}', '{"choices": 3}'])
def test_a_damaged_memory_is_made_anew(asked, damage: str) -> None:
    """A file that is not whole costs a measurement, not the job."""
    memory_file().parent.mkdir(parents=True, exist_ok=True)
    memory_file().write_text(damage)
    assert not asked().remembered
    assert asked().remembered


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


def test_a_broken_backend_is_one_that_cannot_be_chosen(
    asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optional backend that raises is left out; torch goes on."""

    def broken(backend: str, trunk: torch.nn.Module):
        if backend != "torch":
            raise ImportError("libfoo.so")
        return trunk_on(backend, trunk)

    monkeypatch.setattr(dense, "trunk_on", broken)
    found = asked()
    assert found.backend == "torch"
    assert set(found.differences) == {"torch"}
