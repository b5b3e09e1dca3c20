"""Training learns, logs, stops, and goes on where it was stopped as if it had not been."""

import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from livewell.errors import ImageContentError, StudyError
from livewell.files import TEMPORARY
from livewell.geometry import Box
from livewell.inference.windows import Windows
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.region import Region
from livewell.study.pixels import ArrayPixels
from livewell.training.data import LabelledRegions
from livewell.training.fit import FitResult, WholeCheckpoints, chosen_precision, fit
from livewell.training.loading import VALIDATION_PATCHES

Parts = tuple[LabelledRegions, LabelledRegions]


class BrokenError(RuntimeError):
    """What a test breaks a training with."""


class Breaking:
    """Pixels that break off after so many crops."""

    def __init__(self, pixels: ArrayPixels, crops: int) -> None:
        self._pixels, self._left = pixels, crops

    def crop(self, image: str, t: int, box: Box) -> NDArray[np.float32]:
        """A crop, or an error."""
        self._left -= 1
        if self._left < 0:
            raise BrokenError
        return self._pixels.crop(image, t, box)


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether all weights are alike, bit by bit."""
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def trained(
    recipe: Profile, source: object, parts: Parts, folder: Path, processes: int = 0, seed: int = 1
) -> FitResult:
    return fit(recipe, source, *parts, folder, seed=seed, processes=processes)


def crops_until(recipe: Profile, parts: Parts, epoch: int, steps: int = 0) -> int:
    """How many crops are cut before this step of this epoch."""
    one = recipe.fit.batch * recipe.fit.steps_per_epoch + len(parts[1].patches)
    return epoch * one + steps * recipe.fit.batch + 1


def untimed(log: pd.DataFrame) -> pd.DataFrame:
    """The log without the one column that no two trainings share."""
    return log.drop(columns="seconds")


@pytest.fixture(scope="module")
def undisturbed(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> tuple[FitResult, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return trained(recipe, pixels, parts, folder), folder


def test_it_learns_an_easy_difference(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path
) -> None:
    """Coarse and fine texture of unseen groups are told apart without fault after some epochs."""
    longer = override(recipe, {"steps": 40, "steps_per_epoch": 10})
    fitted = trained(longer, pixels, parts, tmp_path)
    assert fitted.log["val_auc"].iloc[-1] == 1
    net = Net(fitted.module, ("coarse", "fine"), None, longer.input.patch_px, longer.input.input_px)
    logits = Windows(net).regions(pixels, parts[1].patches)
    np.testing.assert_array_equal(logits.argmax(axis=1), parts[1].codes)
    best = fitted.log.loc[fitted.log["epoch"] == fitted.epoch, "val_loss"].item()
    assert best == fitted.log["val_loss"].min() < 0.3


def test_the_log_has_a_row_an_epoch(undisturbed: tuple[FitResult, Path], recipe: Profile) -> None:
    """The CSV holds what is returned: every epoch once, with the steps done until then."""
    fitted, folder = undisturbed
    log = pd.read_csv(folder / "log.csv")
    pd.testing.assert_frame_equal(log, fitted.log.astype(log.dtypes))
    epochs = recipe.fit.steps // recipe.fit.steps_per_epoch
    assert log["epoch"].tolist() == list(range(epochs))
    assert log["step"].tolist() == [recipe.fit.steps_per_epoch * (n + 1) for n in range(epochs)]
    assert log.notna().all().all()
    assert (log["seconds"] > 0).all()
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt", "log.csv"]
    assert not fitted.module.training
    assert fitted.precision == "float32"


@pytest.mark.parametrize(("epoch", "steps"), [(0, 1), (1, 0), (1, 2), (2, 1), (3, 0), (3, 2)])
def test_a_broken_training_goes_on_as_if_it_had_not_been(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
    epoch: int,
    steps: int,
) -> None:
    """Broken off at any step and resumed, weights and log are those of an undisturbed run."""
    breaking = Breaking(pixels, crops_until(recipe, parts, epoch, steps))
    with pytest.raises(BrokenError):
        trained(recipe, breaking, parts, tmp_path)
    assert (tmp_path / "last.ckpt").is_file() == (epoch > 0)
    (tmp_path / f"{TEMPORARY}0123-last.ckpt").write_bytes(b"half of a checkpoint")
    fitted = trained(recipe, pixels, parts, tmp_path)
    assert same(fitted.module, undisturbed[0].module)
    pd.testing.assert_frame_equal(untimed(fitted.log), untimed(undisturbed[0].log))
    logs = [pd.read_csv(folder / "log.csv") for folder in (tmp_path, undisturbed[1])]
    pd.testing.assert_frame_equal(untimed(logs[0]), untimed(logs[1]))


@pytest.mark.long
@pytest.mark.parametrize("settings", [{"select": "last"}, {"ema": 0.5, "dropout": 0.3, "mixup": 1}])
def test_going_on_with_everything_that_is_random(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path, settings: dict[str, object]
) -> None:
    """Dropout, mixup and the moving average are the same through a break, with two processes."""
    random = override(recipe, settings)
    whole = trained(random, pixels, parts, tmp_path / "whole")
    breaking = Breaking(pixels, crops_until(recipe, parts, 2, 1))
    with pytest.raises(BrokenError):
        trained(random, breaking, parts, tmp_path / "broken")
    fitted = trained(random, pixels, parts, tmp_path / "broken", processes=2)
    assert same(fitted.module, whole.module)
    pd.testing.assert_frame_equal(untimed(fitted.log), untimed(whole.log))


def test_passes_over_the_set_are_counted_in_steps_and_go_on(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path
) -> None:
    """Three passes over 16 patches in batches of 5 are three epochs of 4 steps, also through a
    break, with Adam at a constant rate and draws with replacement."""
    paper = {"optimiser": "adam", "betas": "0.5,0.999", "schedule": "constant"}
    length = {"passes": 3, "steps": 0, "steps_per_epoch": 0, "batch": 5}
    passing = override(recipe, paper | length | {"balance": "class_with_replacement"})
    whole = trained(passing, pixels, parts, tmp_path / "whole")
    assert len(parts[0].patches) == 16
    assert whole.log["step"].tolist() == [4, 8, 12]
    breaking = Breaking(pixels, crops_until(passing.over(16), parts, 1, 2))
    with pytest.raises(BrokenError):
        trained(passing, breaking, parts, tmp_path / "broken")
    fitted = trained(passing, pixels, parts, tmp_path / "broken")
    assert same(fitted.module, whole.module)
    pd.testing.assert_frame_equal(untimed(fitted.log), untimed(whole.log))


@pytest.mark.long
def test_processes_do_not_change_the_weights(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
) -> None:
    """Two loading processes train to the same weights as none."""
    assert same(trained(recipe, pixels, parts, tmp_path, 2).module, undisturbed[0].module)


def test_seeds_change_the_weights(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
) -> None:
    """Another seed trains to other weights."""
    fitted = trained(recipe, pixels, parts, tmp_path, seed=2)
    assert not same(fitted.module, undisturbed[0].module)


def test_a_finished_training_is_not_trained_further(
    recipe: Profile,
    parts: Parts,
    pixels: ArrayPixels,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
) -> None:
    """Called again, also from a folder that was moved, it gives the same without one more step."""
    folder = tmp_path / "moved"
    shutil.copytree(undisturbed[1], folder)
    fitted = trained(recipe, Breaking(pixels, 0), parts, folder)
    assert same(fitted.module, undisturbed[0].module)
    pd.testing.assert_frame_equal(fitted.log, undisturbed[0].log)


def test_the_best_is_remembered_when_the_folder_moves(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
) -> None:
    """A run that is moved between break and resume still ends with its best weights."""
    with pytest.raises(BrokenError):
        trained(recipe, Breaking(pixels, crops_until(recipe, parts, 3)), parts, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    fitted = trained(recipe, pixels, parts, tmp_path / "b")
    assert fitted.epoch == undisturbed[0].epoch
    assert same(fitted.module, undisturbed[0].module)


def test_best_and_last_are_kept(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
) -> None:
    """`best` keeps the epoch of the least validation loss, `last` the last one; both stand."""
    fitted, folder = undisturbed
    assert fitted.epoch == fitted.log["val_loss"].idxmin()
    last = trained(override(recipe, {"select": "last"}), pixels, parts, tmp_path)
    assert last.epoch == len(last.log) - 1
    reader = WholeCheckpoints()
    assert reader.load_checkpoint(folder / "best.ckpt")["epoch"] == fitted.epoch
    assert reader.load_checkpoint(folder / "last.ckpt")["epoch"] == len(fitted.log) - 1


def test_early_stopping_stops_and_stays_stopped(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path
) -> None:
    """After `patience` epochs without a better one it ends, and calling again trains no further."""
    hasty = {"patience": 2, "lr": 0.02, "steps": 120, "schedule": "inverse"}
    patient = override(recipe, hasty)
    fitted = trained(patient, pixels, parts, tmp_path)
    assert len(fitted.log) < 40
    assert fitted.log["val_loss"].idxmin() == len(fitted.log) - 3 == fitted.epoch
    again = trained(patient, Breaking(pixels, 0), parts, tmp_path)
    pd.testing.assert_frame_equal(again.log, fitted.log)
    assert same(again.module, fitted.module)


class Trap:
    """Its pickle makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
@pytest.mark.parametrize("how", ["torch", "pickle", "half", "empty"])
def test_checkpoints_are_never_unpickled(
    recipe: Profile,
    pixels: ArrayPixels,
    parts: Parts,
    undisturbed: tuple[FitResult, Path],
    tmp_path: Path,
    name: str,
    how: str,
) -> None:
    """A checkpoint with an object in it, or a damaged one, is refused by name and runs nothing."""
    folder, sprung = tmp_path / "run", tmp_path / "sprung"
    shutil.copytree(undisturbed[1], folder)
    path = folder / name
    if how == "torch":
        torch.save({"state_dict": {}, "trap": Trap(sprung)}, path)
    else:
        whole = path.read_bytes()
        content = {
            "pickle": pickle.dumps(Trap(sprung), protocol=2),
            "half": whole[: len(whole) // 2],
        }
        path.write_bytes(content.get(how, b""))
    with pytest.raises(StudyError, match="checkpoint that cannot be read") as caught:
        trained(recipe, pixels, parts, folder)
    assert caught.value.where == str(path)
    assert not sprung.exists()


def test_the_trap_works(tmp_path: Path) -> None:
    """The trap of the test above does make its file where somebody unpickles it."""
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


def test_many_validation_patches_are_thinned_group_by_group(
    recipe: Profile, parts: Parts, pixels: ArrayPixels, tmp_path: Path
) -> None:
    """Of very many validation patches a fixed number is scored, from all groups alike."""
    seen: list[str] = []
    size = recipe.input.patch_px

    class Counting:
        def crop(self, image: str, t: int, box: Box) -> NDArray[np.float32]:
            seen.append(image)
            return np.full((1, *box.shape), 5, np.float32)

    groups = ["big"] * 3000 + ["small"] * 900
    patches = [Region(name, t, Box.of(0, 0, size, size)) for t, name in enumerate(groups)]
    many = LabelledRegions(patches, np.arange(len(groups)) % 2, groups)
    short = override(recipe, {"steps": 3, "steps_per_epoch": 3})
    fit(short, Counting(), parts[0], many, tmp_path, seed=1, processes=0)
    assert len(seen) - 3 * short.fit.batch == VALIDATION_PATCHES
    assert (seen.count("small"), seen.count("big")) == (900, VALIDATION_PATCHES - 900)


def test_lightnings_voice_comes_back(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path
) -> None:
    """Lightning's logger is as loud after a training that broke as it was before."""
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    with pytest.raises(BrokenError):
        trained(recipe, Breaking(pixels, 3), parts, tmp_path)
    assert logger.level == before != logging.ERROR


def test_precision_is_as_asked(recipe: Profile) -> None:
    """A named precision is kept; the automatic one is one of the two."""
    assert chosen_precision(override(recipe, {"precision": "bfloat16"})) == "bfloat16"
    auto = chosen_precision(override(recipe, {"precision": "auto"}))
    assert auto in ("float32", "bfloat16")


def test_bfloat16_trains(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path
) -> None:
    """Mixed precision trains on any machine and leaves float32 weights."""
    half = override(recipe, {"precision": "bfloat16", "steps": 3, "steps_per_epoch": 3})
    fitted = trained(half, pixels, parts, tmp_path)
    assert fitted.precision == "bfloat16"
    assert {part.dtype for part in fitted.module.parameters()} == {torch.float32}
    assert np.isfinite(fitted.log["val_loss"]).all()


def test_an_error_of_a_loading_process_keeps_its_kind(
    recipe: Profile, parts: Parts, tmp_path: Path
) -> None:
    """What is wrong with a picture is told as such also where another process reads it."""
    size = 2 * recipe.input.patch_px
    dark = ArrayPixels(
        {patch.image: np.eye(size, dtype=np.uint16)[None] for patch in parts[0].patches}
    )
    against = override(recipe, {"normalise": "background"})
    with pytest.raises(ImageContentError, match="grey level is not above zero"):
        trained(against, dark, parts, tmp_path, processes=1)


@pytest.mark.parametrize("steps", [3, 4, 5, 6])
def test_the_shortest_trainings(
    recipe: Profile, pixels: ArrayPixels, parts: Parts, tmp_path: Path, steps: int
) -> None:
    """One cycle of very few steps trains as well."""
    short = override(recipe, {"steps": steps, "steps_per_epoch": steps, "schedule": "one_cycle"})
    assert trained(short, pixels, parts, tmp_path).log["step"].tolist() == [steps]


def test_training_begins_with_given_weights(recipe, pixels, parts, tmp_path: Path) -> None:
    """With hardly any step it ends where it began, whatever its seed would have drawn."""
    learnt = trained(recipe, pixels, parts, tmp_path / "learnt").module.state_dict()
    still = override(recipe, {"lr": 1e-12, "weight_decay": 0, "steps": 3})
    made = fit(still, pixels, *parts, tmp_path / "on", seed=9, processes=0, begin=learnt)
    other = fit(still, pixels, *parts, tmp_path / "anew", seed=9, processes=0)
    name = next(name for name in learnt if name.endswith("weight"))
    ends = [each.module.state_dict()[name] for each in (made, other)]
    torch.testing.assert_close(ends[0], learnt[name])
    assert not torch.allclose(ends[1], learnt[name], atol=1e-3)
