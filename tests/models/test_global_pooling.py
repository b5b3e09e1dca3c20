"""Global poolings against plain formulas, and how the maximum narrows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor, nn

from livewell.models.nets.global_pooling import GlobalPool, GlobalPooling
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import WscnnSmallSpec

POOLS: tuple[GlobalPool, ...] = ("max", "average", "log_sum_exp", "noisy_or", "connected")
FRAME_PX = (72, 96)

Maps = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.just(2), st.integers(1, 5), st.integers(1, 5)),
    elements=st.floats(-6, 6),
)


def softmaxed(scores: Tensor) -> np.ndarray:
    """Probability of the positive class."""
    return torch.softmax(scores, dim=1)[:, 1].detach().numpy()


@given(maps=Maps)
def test_poolings_are_what_their_formulas_say(maps: np.ndarray) -> None:
    """Max, mean, log-sum-exp and noisy-or against plain numpy, class by class."""
    flat = maps.reshape(len(maps), 2, -1)
    found = {kind: GlobalPooling(kind).eval()(torch.from_numpy(maps)) for kind in POOLS[:4]}
    np.testing.assert_allclose(found["max"], flat.max(-1))
    np.testing.assert_allclose(found["average"], flat.mean(-1), atol=1e-12)
    np.testing.assert_allclose(
        found["log_sum_exp"], np.log(np.exp(5 * flat).mean(-1)) / 5, atol=1e-9
    )
    none = np.prod(1 - 1 / (1 + np.exp(flat[:, 0] - flat[:, 1])), axis=-1)
    np.testing.assert_allclose(softmaxed(found["noisy_or"]), 1 - none, rtol=1e-5, atol=2e-6)


@given(maps=Maps)
def test_log_sum_exp_lies_between_mean_and_max(maps: np.ndarray) -> None:
    """It is never below the mean nor above the highest place."""
    found = GlobalPooling("log_sum_exp")(torch.from_numpy(maps)).numpy()
    flat = maps.reshape(len(maps), 2, -1)
    assert (found >= flat.mean(-1) - 1e-9).all()
    assert (found <= flat.max(-1) + 1e-9).all()


def test_connected_is_one_layer_of_all_places() -> None:
    """Weights times all places of both maps, row by row, plus a bias."""
    torch.manual_seed(0)
    head, maps = GlobalPooling("connected", 12), torch.randn(3, 2, 3, 4)
    assert head.connected is not None
    weight, bias = (p.detach().numpy() for p in (head.connected.weight, head.connected.bias))
    want = maps.numpy().reshape(3, 24) @ weight.T + bias
    np.testing.assert_allclose(head(maps).detach().numpy(), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("level", [0.0, 30.0, -30.0, 2000.0, -2000.0])
def test_gradients_are_finite(kind: GlobalPool, level: float) -> None:
    """However sure the places are, score and gradient are numbers."""
    torch.manual_seed(0)
    maps = torch.randn(2, 2, 4, 5)
    maps[:, 1] += level
    maps.requires_grad_(True)
    scores = GlobalPooling(kind, 20)(maps)
    nn.functional.cross_entropy(scores, torch.tensor([0, 1])).backward()
    assert scores.isfinite().all()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


@pytest.mark.parametrize("kind", POOLS)
def test_every_pooling_learns_from_a_new_net(kind: GlobalPool) -> None:
    """From fresh weights the loss has a gradient in the first layer."""
    torch.manual_seed(0)
    net = WscnnSmallSpec(global_pool=kind).build(NetShape(frame_px=FRAME_PX))
    nn.functional.cross_entropy(net(torch.randn(2, 1, *FRAME_PX)), torch.tensor([0, 1])).backward()
    first = next(net.body.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


@given(maps=Maps, done=st.floats(-0.5, 1.5))
def test_narrowing_takes_the_mean_of_the_highest(maps: np.ndarray, done: float) -> None:
    """In training the score is the mean of the k highest places, k from all of them to one."""
    head = GlobalPooling("max").train()
    flat = np.sort(maps.reshape(len(maps), 2, -1))[..., ::-1]
    places = torch.from_numpy(maps)
    head.narrow(done)
    means = [flat[..., :k].mean(-1) for k in range(1, flat.shape[-1] + 1)]
    found = head(places).numpy()
    assert any(np.allclose(found, mean, atol=1e-9) for mean in means)
    for end, want in ((0.0, means[-1]), (1.0, means[0])):
        head.narrow(end)
        np.testing.assert_allclose(head(places).numpy(), want, atol=1e-9)
    head.narrow(done)
    np.testing.assert_allclose(head.eval()(places).numpy(), means[0])


def test_narrowing_never_widens() -> None:
    """With every step fewer places count, by a like factor; before the first, one does."""
    places = torch.zeros(1, 2, 1, 100)
    places[0, :, 0] = torch.arange(100.0).flip(0)
    head = GlobalPooling("max").train()
    assert head(places)[0, 0] == 99
    kept = []
    for done in np.linspace(0, 1, 11).tolist():
        head.narrow(done)
        # the mean of the k highest of 99, 98 ... is 99 - (k - 1) / 2
        kept.append(round(2 * (99 - float(head(places)[0, 0])) + 1))
    assert kept == [round(100 ** (1 - step / 10)) for step in range(11)]


@pytest.mark.parametrize("widest", [0.1, 0.37, 1.0])
def test_narrowing_may_begin_with_a_share(widest: float) -> None:
    """It begins with the mean of that share of the places, and ends with the highest one too."""
    places = torch.randn(2, 2, 7, 9)
    head = GlobalPooling("max", widest=widest).train()
    head.narrow(0)
    highest = places.flatten(2).sort(descending=True).values[..., : round(63 * widest)]
    torch.testing.assert_close(head(places), highest.mean(-1))
    head.narrow(1)
    torch.testing.assert_close(head(places), places.amax((2, 3)))


@given(maps=Maps, widest=st.floats(0.001, 1), done=st.floats(0, 1))
def test_one_place_is_always_left(maps: np.ndarray, widest: float, done: float) -> None:
    """However small the share or the map, narrowing takes one place at least."""
    head = GlobalPooling("max", widest=widest).train()
    head.narrow(done)
    found = head(torch.from_numpy(maps)).numpy()
    flat = maps.reshape(len(maps), 2, -1)
    assert (found <= flat.max(-1) + 1e-9).all()
    assert (found >= flat.mean(-1) - 1e-9).all()
