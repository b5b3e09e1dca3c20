"""Class models: what each term of equation 4 does, and that the score rises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor, nn

from livewell.errors import SpecError
from livewell.explain.class_model import EQUATION_4, Ascent, class_model, climbed, laplacian
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.net import Net

CLASSES = ("healthy", "sick")


def linear(gradient: Tensor) -> Net:
    """A net whose second score is the product of the image with `gradient`."""
    edge = len(gradient)
    module = nn.Sequential(nn.Flatten(), nn.Linear(edge * edge, 2))
    nn.init.zeros_(module[1].weight)
    nn.init.zeros_(module[1].bias)
    module[1].weight.data[1] = gradient.flatten()
    return Net(module, CLASSES, None, edge, edge)


def noise(edge: int = 12, seed: int = 0) -> Tensor:
    return torch.randn(edge, edge, generator=torch.Generator().manual_seed(seed))


def test_the_papers_numbers_are_the_default() -> None:
    """Step 10, 0.01, 0.001 and 500 steps, and the sign that smooths."""
    assert Ascent(10.0, 0.01, 0.001, 500, False) == EQUATION_4


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 9))
def test_the_laplacian_is_scipys(height: int, width: int, seed: int) -> None:
    """Four neighbours less four times the pixel, mirrored at the borders; nothing flows out."""
    image = np.random.default_rng(seed).normal(size=(height, width))
    found = laplacian(torch.from_numpy(image)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, ndimage.laplace(image, mode="reflect"), atol=1e-12)
    assert found.sum() == pytest.approx(0, abs=1e-10)


def test_one_step_by_hand() -> None:
    """A step is 10 times gradient less a hundredth of the image and a thousandth of the bend."""
    image, gradient = torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3)
    image[0, 0, 1, 1], gradient[0, 0, 0, 0] = 1.0, 0.5
    smooth = climbed(image, gradient, EQUATION_4)[0, 0]
    torch.testing.assert_close(
        smooth, torch.tensor([[5.0, 0.01, 0.0], [0.01, 1 - 0.1 - 0.04, 0.01], [0.0, 0.01, 0.0]])
    )
    sharp = climbed(image, gradient, Ascent(as_printed=True))[0, 0]
    torch.testing.assert_close(
        sharp, torch.tensor([[5.0, -0.01, 0.0], [-0.01, 1 - 0.1 + 0.04, -0.01], [0.0, -0.01, 0.0]])
    )


def test_without_a_gradient_an_image_fades_and_smooths() -> None:
    """Its mean decays by a tenth a step; what differs from it faster, or slower as printed."""
    start, net = noise() + 3, linear(torch.zeros(12, 12))
    flat = class_model(net, 1, torch.full((1, 12, 12), 2.0), ascent=Ascent(steps=20)).image
    np.testing.assert_allclose(flat, 2 * 0.9**20, rtol=1e-5)
    left = {}
    for printed in (False, True):
        image = class_model(net, 1, start[None], ascent=Ascent(steps=20, as_printed=printed)).image
        assert image.mean() == pytest.approx(start.mean().item() * 0.9**20, rel=1e-4)
        left[printed] = image.std() / start.std(correction=0).item() / 0.9**20
    assert left[False] < 0.7 < 1 < left[True]


def test_smoothing_is_stable() -> None:
    """The finest pattern dies out by its factor a step and never grows."""
    board = torch.tensor([[1.0, -1.0] * 6, [-1.0, 1.0] * 6] * 6)[None, None]
    fine = climbed(board, torch.zeros_like(board), EQUATION_4)[0, 0, 2:-2, 2:-2]
    torch.testing.assert_close(fine, (1 - 0.1 - 0.08) * board[0, 0, 2:-2, 2:-2])
    net = linear(torch.zeros(12, 12))
    # the strongest smoothing that is let through
    edge = Ascent(step=10, shrink=0.01, smooth=0.19 / 8, steps=100)
    image = class_model(net, 1, noise()[None], ascent=edge).image
    assert np.abs(image).max() < 1


def test_a_linear_score_ends_at_its_smoothed_gradient() -> None:
    """Where nothing changes any more, the pulls are as strong as the gradient."""
    gradient = noise()
    model = class_model(linear(gradient), 1, torch.zeros(1, 12, 12), ascent=Ascent(steps=300))
    image = torch.from_numpy(model.image)[None, None]
    torch.testing.assert_close(
        0.01 * image - 0.001 * laplacian(image), gradient[None, None], atol=1e-4, rtol=0
    )
    assert model.scores.shape == (2, 2)
    assert model.scores[-1, 1] == pytest.approx(float((image[0, 0] * gradient).sum()), rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("spec", "edge"), [(DeadNetSpec(), 220), (CompactSpec(), 56)])
def test_the_score_of_the_class_rises(spec, edge: int, number: int) -> None:
    """From zeros and from a crop, the class score at the end is far above that at the start."""
    torch.manual_seed(0)
    module = spec.build()
    # as a trained net's: scores are strong, and an empty image is not dead to the rectifiers
    module[-1].weight.data *= 10_000
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.bias, std=0.1)
    net = Net(module, CLASSES, None, edge, edge)
    told: list[int] = []
    for start in (torch.zeros(1, edge, edge), noise(edge)[None]):
        model = class_model(
            net,
            number,
            start,
            ascent=Ascent(steps=6),
            tick=lambda n=1, note="": told.append(n),
        )
        mine, other = model.scores[:, number], model.scores[:, 1 - number]
        assert mine[-1] > mine[0]
        assert mine[-1] - other[-1] > mine[0] - other[0]
        assert model.image.shape == (edge, edge)
    assert sum(told) == 12
    assert net.module.training
    assert all(weight.requires_grad for weight in net.module.parameters())


def test_the_start_is_not_changed() -> None:
    """The given crop stays as it is, and may come from inference mode."""
    with torch.inference_mode():
        start = noise() + 0
        kept = start.clone()
        class_model(linear(noise(seed=1)), 1, start[None], ascent=Ascent(steps=2))
    torch.testing.assert_close(start, kept, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"step": 0.0}, "step above 0"),
        ({"smooth": -0.001}, "smooth of 0 or more"),
        ({"shrink": float("nan")}, "shrink nan"),
        ({"steps": 0}, "at least 1"),
        ({"step": 120.0}, "smaller step"),
        ({"smooth": 0.01, "as_printed": True}, r"factor of at most 1.*1\.7"),
    ],
)
def test_an_ascent_that_cannot_be_is_refused(wrong: dict, told: str) -> None:
    """Numbers out of range, and such as blow the image up by themselves."""
    with pytest.raises(SpecError, match=told):
        Ascent(**wrong)
