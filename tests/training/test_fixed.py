"""Training of a backbone's last blocks: what is fixed stays, and a broken training goes on."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from livewell.models.nets.backbones import BackboneSpec
from livewell.models.profile import Profile, override
from livewell.study.pixels import ArrayPixels
from livewell.training.data import LabelledRegions
from livewell.training.fit import FitResult, fit

FIXED = {
    "resnet18": ("conv1.", "bn1.", "layer1.", "layer2.0."),
    "lite0": ("stem.", "blocks.0.", "blocks.1.", "blocks.2."),
}
Parts = tuple[LabelledRegions, LabelledRegions]


class BrokenError(RuntimeError):
    """What a test breaks a training with."""


@pytest.mark.parametrize("kind", [pytest.param("resnet18", marks=pytest.mark.long), "lite0"])
def test_fixed_blocks_stay_and_training_goes_on(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    tmp_path: Path,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fixed tensors are those of the file, bit by bit, others are not; a break changes nothing."""
    torch.manual_seed(3)
    start = BackboneSpec.model_validate({"kind": kind}).build().state_dict()
    save_file(
        {name: value.contiguous() for name, value in start.items()}, tmp_path / "a.safetensors"
    )
    settings = {
        "net": kind,
        "weights": str(tmp_path / "a.safetensors"),
        "fixed_blocks": 4,
        "ema": 0.5,
    }
    tuned = override(recipe, settings | {"steps": 6, "steps_per_epoch": 2, "select": "last"})

    def train(name: str) -> FitResult:
        return fit(tuned, pixels, *parts, tmp_path / name, seed=1, processes=0)

    whole = train("whole")
    found = whole.module.state_dict()
    same = {name for name, value in found.items() if torch.equal(value, start[name])}
    assert same == {name for name in found if name.startswith(FIXED[kind])}
    crops = pixels.crop
    left = iter(range(2 * tuned.fit.batch * 2 + 20))

    def breaking(*where: object) -> object:
        if next(left, None) is None:
            raise BrokenError
        return crops(*where)  # type: ignore[arg-type]

    monkeypatch.setattr(pixels, "crop", breaking)
    with pytest.raises(BrokenError):
        train("broken")
    monkeypatch.undo()
    assert (tmp_path / "broken" / "last.ckpt").is_file()
    again = train("broken")
    assert all(torch.equal(value, found[name]) for name, value in again.module.state_dict().items())
    pd.testing.assert_frame_equal(
        again.log.drop(columns="seconds"), whole.log.drop(columns="seconds")
    )
