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
from livewell.training.module import Classifier

FIXED = {
    "resnet18": ("conv1.", "bn1.", "layer1.", "layer2.0."),
    "lite0": ("stem.", "blocks.0.", "blocks.1.", "blocks.2."),
}
Parts = tuple[LabelledRegions, LabelledRegions]


class BrokenError(RuntimeError):
    """What a test breaks a training with."""


SETTINGS: dict[str, dict[str, object]] = {
    "fixed": {"fixed_blocks": 4},
    "head first": {"lr_first": 1e-4, "lr": 1e-3, "schedule": "one_cycle", "head_epochs": 2},
}


@pytest.mark.long
@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("kind", ["resnet18", "lite0"])
def test_fixed_blocks_stay_and_training_goes_on(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    tmp_path: Path,
    kind: str,
    how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fixed tensors are those of the file, bit by bit, others are not; a break changes nothing.

    Nor does it where the last layer learns alone at first: the break is then in its last epoch.
    """
    torch.manual_seed(3)
    start = BackboneSpec.model_validate({"kind": kind}).build().state_dict()
    save_file(
        {name: value.contiguous() for name, value in start.items()}, tmp_path / "a.safetensors"
    )
    settings = {
        "net": kind,
        "weights": str(tmp_path / "a.safetensors"),
        "ema": 0.5,
    } | SETTINGS[how]
    tuned = override(recipe, settings | {"steps": 6, "steps_per_epoch": 2, "select": "last"})

    def train(name: str) -> FitResult:
        return fit(tuned, pixels, *parts, tmp_path / name, seed=1, processes=0)

    whole = train("whole")
    found = whole.module.state_dict()
    same = {name for name, value in found.items() if torch.equal(value, start[name])}
    fixed = FIXED[kind] if how == "fixed" else ("none.",)
    assert same == {name for name in found if name.startswith(fixed)}
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


def test_the_last_layer_learns_alone_before_all_others(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After its epoch all but the last layer is as it began, statistics too; then all learn."""
    torch.manual_seed(3)
    start = BackboneSpec(kind="lite0").build().state_dict()
    path = tmp_path / "a.safetensors"
    save_file({name: value.contiguous() for name, value in start.items()}, path)
    settings = {"net": "lite0", "weights": str(path), "head_epochs": 1, "lr_first": 1e-4}
    settings |= {"schedule": "one_cycle", "select": "last", "optimiser": "adamw"}
    tuned = override(recipe, settings | {"steps": 4, "steps_per_epoch": 2})
    begin, differ = Classifier.on_train_epoch_start, []

    def begun(module: Classifier) -> None:
        now = module.net.state_dict()
        differ.append({name for name in start if not torch.equal(now[name], start[name])})
        begin(module)

    monkeypatch.setattr(Classifier, "on_train_epoch_start", begun)
    fitted = fit(tuned, pixels, *parts, tmp_path / "run", seed=1, processes=0)
    assert fitted.log["step"].tolist() == [2, 4, 6]
    assert differ[1] == {"fc.weight", "fc.bias"}
    assert len(differ[2]) == len(start)
