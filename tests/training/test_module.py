"""Schedules and the rules of one step."""

import pytest
import torch
from torch import nn

from livewell.errors import SpecError
from livewell.models.building import build
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.profile import override
from livewell.models.recipes import (
    CELLDEATH_2021,
    DEADNET_2017,
    DEADNET_2017_PUBLISHED,
    PATTARONE_2021,
    TINY,
)
from livewell.training.module import Classifier
from livewell.training.rates import inverse_decay, parameter_groups

RATES = [(0, 0.0003), (100_000, 0.0003 * 2**-0.75), (500_000, 0.0003 * 6**-0.75)]


@pytest.mark.parametrize(("iteration", "rate"), RATES)
def test_inverse_decay(iteration: int, rate: float) -> None:
    """0.0003 x (1 + 1e-5 i)^-0.75: whole at 0, 59% at 100,000, 26% at 500,000 iterations."""
    assert DEADNET_2017.fit.lr * inverse_decay(iteration) == pytest.approx(rate)


def classifier(**settings: object) -> Classifier:
    torch.manual_seed(0)
    profile = override(TINY, settings)
    return Classifier(build(profile), profile, seed=1)


def stepped(module: Classifier, steps: int) -> list[float]:
    """Learning rates of the first steps."""
    (optimiser,), (schedule,) = module.configure_optimizers()
    assert schedule["interval"] == "step"
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule["scheduler"].step()
    return rates


def test_the_inverse_schedule_is_stepped_by_iteration() -> None:
    """The optimiser's rates are those of the formula, iteration by iteration."""
    rates = stepped(classifier(optimiser="nesterov", schedule="inverse", lr=0.0003), 5)
    assert rates == pytest.approx([0.0003 * (1 + 1e-5 * i) ** -0.75 for i in range(5)])


def test_one_cycle_rises_to_the_rate_and_falls() -> None:
    """One cycle peaks at `lr` within the training and ends far below its start."""
    rates = stepped(classifier(schedule="one_cycle", lr=0.01, steps=40, steps_per_epoch=40), 40)
    assert max(rates) == pytest.approx(0.01, rel=0.02)
    assert 0 < rates.index(max(rates)) < 39
    assert rates[-1] < rates[0] < max(rates)


def test_a_cycle_of_the_last_layer_comes_before_that_of_all() -> None:
    """It peaks at `head_lr`; then every rate goes through one cycle of its own height."""
    settings = {"net": "resnet18", "lr_first": 1e-4, "lr": 1e-3, "head_lr": 1e-2, "head_epochs": 1}
    settings |= {"schedule": "one_cycle", "optimiser": "adamw", "weights": "a file"}
    recipe = override(TINY, settings | {"steps": 40, "steps_per_epoch": 10})
    module = Classifier(BackboneSpec().build(), recipe, seed=1)
    (optimiser,), (schedule,) = module.configure_optimizers()
    rows = []
    for _ in range(50):
        rows.append([group["lr"] for group in optimiser.param_groups])
        optimiser.step()
        schedule["scheduler"].step()
    assert max(row[-1] for row in rows[:10]) == pytest.approx(1e-2, rel=0.1)
    peaks = [max(column) for column in zip(*rows[10:], strict=True)]
    assert sorted(set(peaks)) == pytest.approx([1e-4, 1e-3 * 10**-0.5, 1e-3], rel=0.02)


@pytest.mark.parametrize("kind", ["resnet18", "lite0"])
def test_rates_rise_from_the_pixels_to_the_last_layer(kind: str) -> None:
    """Every parameter has one rate: the lowest in the first blocks, lr in the last layer alone."""
    net = BackboneSpec.model_validate({"kind": kind}).build()
    fit = override(CELLDEATH_2021, {"net": kind}).fit
    rate = {id(p): g["lr"] for g in parameter_groups(net, fit) for p in g["params"]}
    rates = [rate[id(part)] for part in net.parameters()]
    assert rates == sorted(rates)
    assert len(rate) == len(rates)
    assert {name for name, p in net.named_parameters() if rate[id(p)] == 1e-3} == {
        "fc.weight",
        "fc.bias",
    }


def test_nesterov_as_the_paper_says() -> None:
    """DeadNet's optimiser is Nesterov's with momentum 0.9; all weights decay by 0.001."""
    module = Classifier(build(TINY), DEADNET_2017, seed=1)
    ((optimiser,), _) = module.configure_optimizers()
    (group,) = optimiser.param_groups
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 0.001)
    assert len(group["params"]) == len(list(module.net.parameters()))


def test_the_published_files_rates() -> None:
    """Convolution biases learn twice as fast and do not decay; batch norms and fc biases decay."""
    module = Classifier(build(DEADNET_2017_PUBLISHED), DEADNET_2017_PUBLISHED, seed=1)
    ((optimiser,), (schedule,)) = module.configure_optimizers()
    rest, biases = optimiser.param_groups
    assert (rest["lr"], rest["weight_decay"]) == (0.0003, 0.0001)
    assert (biases["lr"], biases["weight_decay"]) == (0.0006, 0.0)
    assert [p.numel() for p in biases["params"]] == [16, 16, 32, 32, 64, 64, 128, 128]
    kept = {id(p) for p in rest["params"]}
    assert {id(module.net.bn1_1.weight), id(module.net.fc1.bias)} <= kept
    assert len(kept) + 8 == len(list(module.net.parameters()))
    optimiser.step()
    schedule["scheduler"].step()
    assert biases["lr"] == pytest.approx(2 * rest["lr"])
    assert rest["lr"] == pytest.approx(0.0003 * (1 + 1e-5) ** -0.75)


def test_adamw_decays_weights_only() -> None:
    """Norms and biases are not decayed, and no parameter is forgotten."""
    module = classifier(optimiser="adamw", weight_decay=0.05)
    ((optimiser,), _) = module.configure_optimizers()
    weights, rest = optimiser.param_groups
    assert (weights["weight_decay"], rest["weight_decay"]) == (0.05, 0)
    assert {p.ndim for p in rest["params"]} == {1}
    assert len(weights["params"]) + len(rest["params"]) == len(list(module.net.parameters()))


def test_adam_as_pattarone_says() -> None:
    """Adam with betas 0.5 and 0.999 at a rate that stays 1e-5; every parameter decays by 1e-5."""
    recipe = override(PATTARONE_2021, {"steps": 8, "steps_per_epoch": 8, "passes": 0})
    module = Classifier(build(TINY), recipe, seed=1)
    ((optimiser,), _) = module.configure_optimizers()
    assert type(optimiser) is torch.optim.Adam
    (group,) = optimiser.param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.5, 0.999), 1e-5)
    assert len(group["params"]) == len(list(module.net.parameters()))
    assert stepped(module, 8) == [1e-5] * 8


def test_the_moving_average_follows_slowly() -> None:
    """With `ema` the kept net is the average, moved by 1 - ema of the way at every step."""
    module = classifier(ema=0.9)
    module.on_train_batch_end(None, None, 0)
    (kept, *_), (now, *_) = module.kept.parameters(), module.net.parameters()
    before = kept.detach().clone()
    with torch.no_grad():
        now += 1
    module.on_train_batch_end(None, None, 1)
    torch.testing.assert_close(kept, before + 0.1)


def test_without_average_the_net_itself_is_kept() -> None:
    """With `ema` 0 what is trained is what is kept."""
    module = classifier(ema=0)
    assert module.kept is module.net


@pytest.mark.parametrize("settings", [{}, {"mixup": 0.4}, {"label_smoothing": 0.1}])
def test_a_step_costs_what_cross_entropy_says(settings: dict[str, object]) -> None:
    """The loss is finite, its gradient reaches the net, and the same seed gives the same loss."""
    module = classifier(ema=0, dropout=0.0, mixup=0.0, label_smoothing=0.0)
    module.profile = override(module.profile, settings)
    batch = (
        torch.randn(4, 1, TINY.input.input_px, TINY.input.input_px),
        torch.tensor([0, 1, 0, 1]),
    )
    losses = []
    for _ in range(2):
        torch.manual_seed(3)
        losses.append(module.training_step(batch, 0))
    assert losses[0].item() == losses[1].item()
    losses[0].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.net.parameters())
    if not settings:
        module.net.train()
        want = nn.functional.cross_entropy(module.net(batch[0]), batch[1])
        assert losses[0].item() == pytest.approx(want.item())


def test_diverged_scores_are_told() -> None:
    """Scores that are no numbers stop training with the rate and what to do."""
    module = classifier(ema=0)
    module.eval()
    with torch.no_grad():
        next(iter(module.net.parameters())).fill_(float("nan"))
    module.on_validation_epoch_start()
    patches = torch.rand(2, 1, TINY.input.patch_px, TINY.input.patch_px)
    module.validation_step((patches, torch.tensor([0, 1])), 0)
    with pytest.raises(SpecError, match=f"diverged.*lr below {module.profile.fit.lr}"):
        module.on_validation_epoch_end()
