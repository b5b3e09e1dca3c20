"""Devices are named, and those that are not there are refused."""

import pytest
import torch

from livewell.errors import SpecError
from livewell.models.device import chosen_device, device_of, placed


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A machine with so many GPUs, and perhaps Apple's."""

    def made(gpus: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return made


@pytest.mark.parametrize("asked", ["auto", "cpu", torch.device("cpu")])
def test_the_processor_is_always_there(machine, asked: str | torch.device) -> None:
    """Without a GPU the automatic choice is the processor."""
    machine()
    assert chosen_device(asked) == torch.device("cpu")


def test_the_first_gpu_is_taken_unasked(machine) -> None:
    """With GPUs the automatic choice is the first; each may be named."""
    machine(gpus=2)
    assert chosen_device() == torch.device("cuda")
    assert chosen_device("cuda:1") == torch.device("cuda:1")
    assert chosen_device("cpu") == torch.device("cpu")
    machine(mps=True)
    assert chosen_device("mps") == torch.device("mps")
    assert chosen_device() == torch.device("cpu")


@pytest.mark.parametrize(
    ("gpus", "asked", "there"),
    [
        (0, "cuda", "auto or cpu"),
        (0, "mps", "auto or cpu"),
        (0, "gpu", "auto or cpu"),
        (2, "cuda:2", "auto or cpu or cuda or cuda:0 or cuda:1"),
    ],
)
def test_a_device_that_is_not_there(machine, gpus: int, asked: str, there: str) -> None:
    """The error names the option, what was asked for, and what there is."""
    machine(gpus)
    with pytest.raises(SpecError, match="no such device here") as caught:
        chosen_device(asked)
    assert (caught.value.where, caught.value.got) == ("--device", asked)
    assert caught.value.expected == there


def test_a_module_is_placed_to_be_used() -> None:
    """In evaluation mode, on the device, its weights as they were."""
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Dropout())
    before = module[0].weight.detach().clone()
    made = placed(module, "cpu")
    assert not any(part.training for part in made.modules())
    assert device_of(made) == torch.device("cpu")
    assert torch.equal(made[0].weight, before)
