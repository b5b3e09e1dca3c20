"""How the cores are divided between a net and the processes that feed it."""

from collections.abc import Iterator

import pytest
import torch

from livewell.models.building import build
from livewell.models.profile import Profile
from livewell.models.recipes import DEADNET_2017, FAST, WSCNN_FAST
from livewell.training.loading import beside

FRAME_PX = (120, 120)


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    """Four threads, whatever this machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("profile", "processes", "threads"),
    [(FAST, 2, 3), (FAST, 0, 4), (DEADNET_2017, 2, 4), (WSCNN_FAST, 2, 4)],
    ids=["light", "nothing-beside", "heavy", "heavy-frames"],
)
def test_a_light_net_leaves_a_core_to_loading(
    profile: Profile, processes: int, threads: int
) -> None:
    """A net that computes much for every pixel keeps all cores; they come back afterwards."""
    net = build(profile, FRAME_PX)
    crop = (1, *(FRAME_PX if profile.sees_frames else 2 * (profile.seen_px,)))
    with beside(processes, net, crop):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 4
    assert net.training
