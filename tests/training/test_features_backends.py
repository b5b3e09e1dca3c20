"""Features of fields on several backends."""

from pathlib import Path

import numpy as np
import pytest
import torch

from livewell.models.building import build, net_of
from livewell.models.nets.net import Net
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.study.features import FeatureCache
from livewell.training.features import FieldReader

SMALL = override(FROZEN, {"weights": "", "blocks": "2,4", "zooms": "1", "radii_px": "0,8"})


def small_net() -> Net:
    """A backbone of random weights."""
    torch.manual_seed(0)
    return net_of(build(SMALL).eval(), SMALL, ("healthy", "sick"), None)


@pytest.mark.long
def test_features_do_not_depend_on_the_backend(tmp_path: Path) -> None:
    """They agree to the rounding of float16, and each backend keeps its own."""
    net, cache = small_net(), FeatureCache(tmp_path)
    field = np.random.default_rng(0).normal(100, 20, (1, 100, 150)).astype(np.float32)
    places = np.array([[5.0, 5.0], [50.5, 70.2], [99.0, 149.0]])
    found = {}
    for number, backend in enumerate(("torch", "onnxruntime", "openvino")):
        reader = FieldReader(net, cache, backend)
        found[backend] = reader.places(field, places, net.module.embedded)
        assert cache.room().files == number + 1
    spread = float(found["torch"].std())
    for values in found.values():
        torch.testing.assert_close(values, found["torch"], atol=0.01 * spread, rtol=0)
