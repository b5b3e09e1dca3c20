"""Model folders: weights and card, read back as written, refused when anything is off."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from livewell.classes import ClassNames
from livewell.errors import ModelFileError
from livewell.files import sha256
from livewell.metrics.rules import ImageRule, RegionRule
from livewell.models.building import build
from livewell.models.files import (
    CARD,
    NORMALISATIONS,
    WEIGHTS,
    Card,
    find_model,
    load_model,
    read_card,
    rewrite_card,
    save_model,
)
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY

CLASSES = ("live", "dead")


def made(profile: Profile = TINY, seed: int = 0) -> tuple[Net, Card]:
    """A net that was never trained and a card that says all it can."""
    torch.manual_seed(seed)
    net = Net(
        build(profile).eval(),
        CLASSES,
        0.31,
        profile.input.patch_px,
        profile.input.input_px,
        how=profile.input.normalise,
        turns=profile.input.test_time_augmentation,
    )
    card = Card(
        classes=CLASSES,
        channels=("Phase",),
        pixel_um=0.31,
        frame_px=(1024, 1344),
        patch_px=profile.input.patch_px,
        input_px=profile.input.input_px,
        stride_px=profile.input.stride_px,
        normalisation=NORMALISATIONS[profile.input.normalise],
        profile=profile,
        precision="float32",
        seed=seed,
        data={"study": "demo", "fold": 0},
        region_rule=RegionRule(1.3, 0.4),
        image_rule=ImageRule(1.3, 2.0, -0.1, 0.5, 0.3, 0.7, CLASSES, "made up"),
        versions={"livewell": "0.1.0"},
    )
    return net, card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder."""
    save_model(tmp_path / "model", *made())
    return tmp_path / "model"


@pytest.mark.parametrize(
    "settings",
    [
        {"normalise": "patch"},
        {"normalise": "background", "test_time_augmentation": True},
        {"net": "resnet18", "weights": "/gone.safetensors"},
    ],
)
def test_a_model_comes_back_as_it_was(tmp_path: Path, settings: dict[str, object]) -> None:
    """The same log odds, the same card; files of initial weights need not be there any more."""
    profile = override(TINY, settings)
    net, card = made(override(TINY, settings | dict.fromkeys(settings.keys() & {"weights"}, "")))
    card = card.model_copy(update={"profile": profile})
    saved = save_model(tmp_path / "model", net, card)
    loaded, read = load_model(tmp_path / "model")
    patches = torch.rand(3, 1, profile.input.patch_px, profile.input.patch_px) * 1000
    assert torch.equal(loaded.logits(patches), net.logits(patches))
    assert read == saved
    assert read.model_copy(update={"weights_sha256": ""}) == card
    assert not loaded.module.training
    for name in ("classes", "pixel_um", "patch_px", "input_px", "how", "turns"):
        assert getattr(loaded, name) == getattr(net, name)


def test_the_folder_holds_two_plain_files(folder: Path) -> None:
    """Weights as safetensors and a JSON card with their hash, nothing else."""
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]
    card = json.loads((folder / CARD).read_text("utf-8"))
    assert card["kind"] == "livewell model"
    assert card["weights_sha256"] == sha256(folder / WEIGHTS)
    assert card["normalisation"] == NORMALISATIONS[card["profile"]["input"]["normalise"]]


def test_a_model_is_found_by_folder_file_or_run(folder: Path, tmp_path: Path) -> None:
    """Its folder, either of its files, and a run of one fold all mean the model."""
    for path in (folder, folder / WEIGHTS, folder / CARD):
        assert find_model(path) == folder
    run = tmp_path / "run"
    (run / "fold-00").mkdir(parents=True)
    folder.rename(run / "fold-00" / "model")
    assert find_model(run) == run / "fold-00" / "model"
    save_model(run / "fold-01" / "model", *made())
    with pytest.raises(ModelFileError, match=r"2 models.*fold-00.*fold-01"):
        find_model(run)
    with pytest.raises(ModelFileError, match="no model here"):
        load_model(tmp_path / "nowhere")


def test_results_are_added_to_the_card(folder: Path) -> None:
    """A card written anew is read back with its results; the weights stay."""
    net, card = load_model(folder)
    results = [{"what": "AUC", "value": 0.9, "low": 0.8, "high": None}]
    rewrite_card(folder, card.model_copy(update={"results": results}))
    again, read = load_model(folder)
    assert read.results == results
    assert read.weights_sha256 == card.weights_sha256
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.module.parameters(), again.module.parameters(), strict=True)
    )


def test_saving_replaces_the_whole_folder(folder: Path) -> None:
    """A model saved over another one replaces both files."""
    before = load_model(folder)[1].weights_sha256
    after = save_model(folder, *made(seed=1))
    assert load_model(folder)[1] == after
    assert after.weights_sha256 != before


def test_weights_of_another_hash_are_refused(folder: Path) -> None:
    """Weights that were changed after saving are refused with both hashes."""
    before = sha256(folder / WEIGHTS)
    state = {name: value + 1 for name, value in load_file(folder / WEIGHTS).items()}
    save_file(state, folder / WEIGHTS)
    with pytest.raises(ModelFileError, match="not the ones that the card describes") as caught:
        load_model(folder)
    assert before[:16] in caught.value.expected
    assert sha256(folder / WEIGHTS)[:16] in caught.value.got
    assert caught.value.where == str(folder / WEIGHTS)


def test_missing_weights_are_told(folder: Path) -> None:
    """A card without weights is no model."""
    (folder / WEIGHTS).unlink()
    with pytest.raises(ModelFileError, match="no weights"):
        load_model(folder)


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """The card with a change, hash and all."""
    card = json.loads((folder / CARD).read_text("utf-8"))
    change(card)
    (folder / CARD).write_text(json.dumps(card), "utf-8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda card: card.update(licence="none"), "licence"),
        (lambda card: card["profile"].update(speed=3), "profile.speed"),
        (lambda card: card["region_rule"].update(mood="good"), "region_rule.mood"),
        (lambda card: card.pop("classes"), "classes"),
        (lambda card: card.update(patch_px="wide"), "patch_px"),
        (lambda card: card.update(kind="recipe"), "kind"),
        (lambda card: card.update(format=3), "format"),
        (lambda card: card["profile"]["fit"].update(lr=-1), "profile.fit.lr"),
    ],
)
def test_a_card_that_is_not_whole_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    """Unknown, missing and wrong fields of the card are told by name."""
    changed(folder, change)
    with pytest.raises(ModelFileError, match="not a model card of this version") as caught:
        load_model(folder)
    assert says in caught.value.got
    assert caught.value.where == str(folder / CARD)


def test_cards_of_version_0_1_are_read(folder: Path) -> None:
    """A card of format 1, with its old names of rules and its one channel, means the same."""
    card = load_model(folder)[1]
    rewrite_card(folder, card.model_copy(update={"detection_rule": RegionRule(2.0, 0.7)}))
    card = load_model(folder)[1]

    def older(values: dict[str, Any]) -> None:
        values["format"] = 1
        for old, new in (("patch", "region"), ("picture", "image"), ("place", "detection")):
            values[f"{old}_rule"] = values.pop(f"{new}_rule")
        (values["channel"],) = values.pop("channels")
        del values["positive"]

    changed(folder, older)
    assert read_card(folder) == card
    assert read_card(folder).class_names == ClassNames(CLASSES, "dead")
    changed(folder, lambda values: values.pop("place_rule"))
    assert read_card(folder) == card.model_copy(update={"detection_rule": None})


def test_cards_of_several_classes_come_back(tmp_path: Path) -> None:
    """Three classes in two channels: names, positive one, rules and logits are kept."""
    names = ("healthy", "sick", "dead")
    net, card = made()
    net = replace(net, module=build(TINY, channels=2, classes=3).eval(), classes=names)
    rule = replace(card.image_rule, classes=names)
    three = {"classes": names, "positive": "sick", "channels": ("Phase", "DIC"), "image_rule": rule}
    save_model(tmp_path / "model", net, card.model_copy(update=three))
    loaded, read = load_model(tmp_path / "model")
    assert read.class_names == loaded.classes == ClassNames(names, "sick")
    assert read.channels == ("Phase", "DIC")
    assert read.image_rule == rule
    crops = torch.rand(2, 2, TINY.input.patch_px, TINY.input.patch_px)
    assert torch.equal(loaded.logits(crops), net.logits(crops))


def test_a_card_that_is_no_json_is_refused(folder: Path) -> None:
    """Half a card is told as such."""
    content = (folder / CARD).read_text("utf-8")
    (folder / CARD).write_text(content[: len(content) // 2], "utf-8")
    with pytest.raises(ModelFileError, match="card cannot be read"):
        load_model(folder)


def test_weights_that_do_not_fit_the_card_are_refused(folder: Path) -> None:
    """Weights of another net, their hash put into the card, are refused by the net's name."""
    changed(folder, lambda card: card["profile"].update(net={"kind": "resnet18"}))
    with pytest.raises(ModelFileError, match=r"do not fit.*net resnet18"):
        load_model(folder)


class Trap:
    """Its pickle makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.pt", "last.ckpt", "model.bin", "weights.pth", WEIGHTS])
@pytest.mark.parametrize("how", ["torch", "legacy", "pickle", "text"])
def test_pickles_are_refused_unread(folder: Path, tmp_path: Path, name: str, how: str) -> None:
    """Pickles of any name are refused, also as the weights of a card, and never unpickled."""
    sprung, path = tmp_path / "sprung", tmp_path / name
    inside = name == WEIGHTS
    if inside:
        path = folder / name
    if how in ("torch", "legacy"):
        torch.save({"w": Trap(sprung)}, path, _use_new_zipfile_serialization=how == "torch")
    else:
        path.write_bytes(pickle.dumps(Trap(sprung), protocol=0 if how == "text" else 5))
    if inside:
        changed(folder, lambda card: card.update(weights_sha256=sha256(path)))
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert caught.value.where == str(path)
    assert not sprung.exists()
    if not inside and (how != "text" or name != "model.bin"):
        assert "pickle" in caught.value.what
    if how == "pickle":
        pickle.loads(path.read_bytes())
        assert sprung.exists(), "the trap itself does not work"
