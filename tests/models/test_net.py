"""What a net is given: normalised, cut to the middle, perhaps turned."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import Tensor, nn

from livewell.errors import ImageContentError
from livewell.models.building import build
from livewell.models.nets.net import Net, centre, eight_turns, normalise
from livewell.models.profile import override
from livewell.models.recipes import TINY

levels = st.integers(0, 65_535).map(np.float32)
stacks = arrays(
    np.float32, array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=9), elements=levels
)


@settings(deadline=None)
@given(stacks)
def test_every_patch_gets_mean_0_and_variance_1_by_itself(stack):
    """Each patch of a stack is normalised by itself; a constant one becomes zeros."""
    got = normalise(torch.from_numpy(stack))
    assert got.isfinite().all()
    for patch, result in zip(stack, got, strict=True):
        assert abs(result.mean().item()) < 1e-2
        if patch.max() > patch.min():
            assert result.std(correction=0).item() == pytest.approx(1, abs=2e-2)
        else:
            assert not result.any()


@settings(deadline=None)
@given(stacks, st.floats(0.1, 10), st.floats(0, 1000))
def test_gain_and_offset_do_not_matter(stack, gain, offset):
    """A brighter or stronger picture of the same scene is the same to the net."""
    patches = torch.from_numpy(stack)
    torch.testing.assert_close(
        normalise(patches * gain + offset), normalise(patches), atol=2e-2, rtol=1e-2
    )


@settings(deadline=None)
@given(stacks, st.floats(0.1, 10))
def test_contrast_against_the_background(stack, gain):
    """By the background, its level becomes 0, a fifth above it 1, and exposure does not matter."""
    patches = torch.from_numpy(stack) + 10
    got = normalise(patches, "background")
    for patch, result in zip(patches, got, strict=True):
        level = patch.median()
        torch.testing.assert_close(result, (patch - level) / (0.2 * level))
    torch.testing.assert_close(normalise(patches * gain, "background"), got, rtol=1e-3, atol=1e-3)


def test_without_a_background_there_is_no_contrast():
    """A patch whose median is not above zero is refused, and the text names the way out."""
    patches = torch.ones(2, 3, 3)
    patches[1] -= 1
    with pytest.raises(ImageContentError, match="normalise=patch"):
        normalise(patches, "background")


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_centre_is_in_the_middle(height, width, data):
    """The centre has the asked size, and as much is cut on both sides, but for one pixel."""
    size = data.draw(st.integers(1, min(height, width)))
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    for plane, edge in ((y, height), (x, width)):
        got = centre(plane, size)
        assert got.shape == (size, size)
        before, after = int(got.min()), edge - 1 - int(got.max())
        assert 0 <= after - before <= 1


@given(st.integers(2, 7))
def test_eight_turns_are_all_the_symmetries_of_a_square(size):
    """Eight different views, closed under turning and mirroring, each with the same pixels."""
    patch = torch.arange(size * size).reshape(1, size, size)
    views = eight_turns(patch)
    known = {tuple(view.flatten().tolist()) for view in views}
    assert len(known) == 8
    assert torch.equal(views[0], patch)
    for view in views:
        assert view.shape == patch.shape
        assert {tuple(each.flatten().tolist()) for each in eight_turns(view)} == known


class Corner(nn.Module):
    """Logits: 0, and what stands in the first pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) -> (n, 2)."""
        value = x[:, 0, 0, 0]
        return torch.stack([torch.zeros_like(value), value], dim=1)


@pytest.mark.parametrize("turns", [False, True])
def test_logits_are_those_of_the_normalised_centre_over_the_views(turns):
    """Logits are what the module makes of the normalised centre, averaged over views."""
    patches = torch.rand(3, 1, 8, 8) * 1000
    inputs = centre(normalise(patches), 4)
    corners = torch.stack([inputs[:, 0, y, x] for y in (0, 3) for x in (0, 3)])
    want = corners.mean(dim=0) if turns else corners[0]
    net = Net(Corner(), ("healthy", "sick"), 0.5, patch_px=8, input_px=4, turns=turns)
    torch.testing.assert_close(net.logits(patches), torch.stack([torch.zeros(3), want], dim=1))


def test_averaged_logits_do_not_depend_on_the_turn():
    """With `turns`, a patch and its turned copy get the same score."""
    torch.manual_seed(0)
    net = Net(build(TINY).eval(), ("a", "b"), None, 56, 56, turns=True)
    patch = torch.rand(1, 56, 56) * 500
    scores = net.logits(torch.stack(eight_turns(patch)))
    torch.testing.assert_close(scores, scores[:1].expand(8, 2), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["compact", "resnet18"])
@pytest.mark.parametrize("size", [32, 57])
def test_small_nets_take_any_size_from_32(name, size):
    """Both global-pooling nets give two scores a patch, for even and odd sizes."""
    net = build(override(TINY, {"net": name})).eval()
    with torch.inference_mode():
        assert net(torch.randn(2, 1, size, size)).shape == (2, 2)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 40), st.booleans())
def test_local_normalisation_is_that_of_the_square_around(context, down, right, background):
    """Each pixel is normalised by mean and variance (or mean) of the square around it."""
    rng = np.random.default_rng(context + 100 * down)
    picture = rng.integers(1, 65_535, (2 * context + 3 + down, 2 * context + 3 + right))
    how = "local_background" if background else "local"
    found = normalise(torch.from_numpy(picture.astype(np.float32)), how, context).numpy()
    assert found.shape == (3 + down, 3 + right)
    for y, x in ((0, 0), (2 + down, 2 + right), (down // 2, right // 2)):
        square = picture[y : y + 2 * context + 1, x : x + 2 * context + 1].astype(float)
        middle = square[context, context]
        expected = (
            (middle / square.mean() - 1) / 0.2
            if background
            else (middle - square.mean()) / square.std()
        )
        assert found[y, x] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_local_normalisation_of_nothing() -> None:
    """A constant surrounding gives zeros, a black one no contrast."""
    flat = torch.full((40, 40), 700.0)
    assert not normalise(flat, "local", 5).any()
    assert not normalise(flat, "local_background", 5).any()
    with pytest.raises(ImageContentError, match="not above zero"):
        normalise(torch.zeros(40, 40), "local_background", 5)


def test_only_local_normalisation_looks_around() -> None:
    """Half a patch on every side for the local ones, nothing for the others."""
    for how, around in (("patch", 0), ("background", 0), ("local", 128)):
        assert Net(nn.Identity(), ("no", "yes"), None, 256, 64, how=how).radius_px == around
