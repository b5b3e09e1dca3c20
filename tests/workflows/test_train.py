"""A run is written whole, goes on where it was, and never mixes two recipes."""

import json
import shutil
from pathlib import Path

import pytest
import tifffile

from livewell.errors import LeakError, OutputError, SpecError, SplitError, TableError
from livewell.models.building import build
from livewell.models.files import load_model, save_model
from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY
from livewell.study.study import Study
from livewell.training.split import TrainingSplit
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.train import TrainingResult, train


def test_card_says_what_the_model_is(
    trained: TrainingResult, study: Study, profile: Profile
) -> None:
    """The card holds classes, scale, data, profile and versions, and its hash fits the weights."""
    net, card = load_model(trained.run.model(0))
    assert card.classes == net.classes.names == ("healthy", "sick")
    assert card.class_names == net.classes
    assert card.pixel_um == pytest.approx(0.5)
    assert (card.patch_px, card.channels) == (64, ("phase contrast",))
    assert card.profile == profile
    assert card.data["study"] == study.folder.name
    dealt = study.split("split")[1].groupby("part")["group"].apply(sorted)
    assert card.data["groups"] == dealt.to_dict()
    counts = {(row["part"], row["label"]): row["groups"] for row in card.data["counts"]}
    assert counts["test", "sick"] == sum(name[0] == "B" for name in dealt["test"])
    assert {"torch", "python", "livewell"} <= set(card.versions)
    assert 0 <= card.region_rule.threshold <= 1
    files = {path.name for path in trained.run.model(0).iterdir()}
    assert files == {"weights.safetensors", "card.json", "learnt.safetensors"}


def test_repeating_the_command_trains_nothing_anew(
    trained: TrainingResult, study: Study, profile: Profile
) -> None:
    """A finished run is taken as it is: no file of it is written again."""
    folder = trained.run.fold(0)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = train(study, trained.run.folder, profile, processes=0)
    assert again.cards[0].weights_sha256 == trained.cards[0].weights_sha256
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_run_that_was_stopped_goes_on(
    trained: TrainingResult, study: Study, profile: Profile, tmp_path: Path
) -> None:
    """With checkpoints and no model, the same command goes on and ends with the same weights."""
    shutil.copytree(trained.run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "fold-00" / "model")
    again = train(study, tmp_path / "run", profile, processes=0)
    assert again.cards[0].weights_sha256 == trained.cards[0].weights_sha256
    assert (tmp_path / "run" / "fold-00" / "log.csv").read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("settings", "seed", "named"),
    [({"lr": 0.1}, 0, r"lr=0\.003.*got: lr=0\.1"), ({}, 7, "seed=0.*seed=7")],
    ids=["profile", "seed"],
)
def test_other_settings_are_refused(
    trained: TrainingResult,
    study: Study,
    profile: Profile,
    settings: dict[str, object],
    seed: int,
    named: str,
) -> None:
    """A folder with a run of other settings is refused, told which, and left as it is."""
    before = (trained.run.folder / "run.json").read_bytes()
    with pytest.raises(OutputError, match=f"(?i)other settings.*{named}.*new folder"):
        train(study, trained.run.folder, override(profile, settings), seed=seed, processes=0)
    assert (trained.run.folder / "run.json").read_bytes() == before


def test_patch_size_must_be_the_profiles(study: Study, tmp_path: Path) -> None:
    """Patches of another size than the profile's are refused, with the way out, before any work."""
    other = override(TINY, {"patch_px": 96, "input_px": 80})
    with pytest.raises(SpecError, match=r"96 px.*64 px.*--patch-px 96"):
        train(study, tmp_path / "run", other)
    assert not (tmp_path / "run").exists()


def test_no_such_fold(study: Study, profile: Profile, tmp_path: Path) -> None:
    """A fold that the split has not is refused."""
    with pytest.raises(SplitError, match=r"no such fold.*3"):
        train(study, tmp_path / "run", profile, folds=[0, 3])


def test_image_gone_since_the_split(study: Study, profile: Profile, tmp_path: Path) -> None:
    """An image that has gone is named before training begins."""
    shutil.copytree(study.root, tmp_path / "images")
    shutil.copytree(study.folder, tmp_path / "study")
    stamp = tmp_path / "study" / "study.json"
    said = json.loads(stamp.read_text())
    stamp.write_text(json.dumps(said | {"root": str(tmp_path / "images")}))
    (tmp_path / "images" / "A02_p1.ome.tif").unlink()
    with pytest.raises(TableError, match=r"A02_p1\.ome\.tif"):
        train(Study.open(tmp_path / "study"), tmp_path / "run", profile, processes=0)


@pytest.fixture
def own(study: Study, tmp_path: Path) -> Study:
    """A copy of the study and its images, which a test may change."""
    shutil.copytree(study.root, tmp_path / "images")
    shutil.copytree(study.folder, tmp_path / "study")
    stamp = tmp_path / "study" / "study.json"
    said = json.loads(stamp.read_text())
    stamp.write_text(json.dumps(said | {"root": str(tmp_path / "images")}))
    return Study.open(tmp_path / "study")


def test_an_image_changed_since_the_split(own: Study, profile: Profile, tmp_path: Path) -> None:
    """Row M10: another picture of the same name, or a smaller one, is refused with its name."""
    one, other = own.root / "A02_p1.ome.tif", own.root / "A03_p1.ome.tif"
    shutil.copyfile(own.root / "B01_p1.ome.tif", one)
    frames = tifffile.imread(other)[:, :50, :50]
    tifffile.imwrite(other, frames, ome=True, photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(SplitError, match=r"2 images changed.*A02_p1\.ome\.tif, A03_p1") as caught:
        train(own, tmp_path / "run", profile, processes=0)
    assert "split again" in str(caught.value)


def test_a_run_is_not_measured_on_other_images(
    own: Study, profile: Profile, tmp_path: Path
) -> None:
    """Row M10: a test image that changed after training is refused by evaluate too."""
    short = override(profile, {"steps": 15})
    train(own, tmp_path / "run", short, processes=0)
    patches, parts, _ = own.split("split")
    tested = patches.merge(parts[parts["part"] == "test"], on="group")["image"].unique()
    shutil.copyfile(own.root / tested[1], own.root / tested[0])
    with pytest.raises(SplitError, match=f"1 image changed.*{tested[0]}"):
        evaluate(tmp_path / "run")


def test_images_that_were_only_copied(own: Study, profile: Profile, tmp_path: Path) -> None:
    """Row M10: another time of change, and the same frames, are no change; nor are older splits."""
    for path in own.root.iterdir():
        path.touch()
    data = TrainingSplit.of(own, "split", profile)
    data.prepare()
    (own.folder / "splits" / "split" / "images.parquet").unlink()
    (own.root / "A02_p1.ome.tif").write_bytes((own.root / "B01_p1.ome.tif").read_bytes())
    data.prepare()


def test_training_learnt(evaluated: Evaluation) -> None:
    """On wells that it never saw, the net tells coarse texture from fine."""
    assert evaluated.figures["roc_auc"].value > 0.9


@pytest.mark.long
def test_weights_of_a_model_bring_what_it_learnt_from(
    trained: TrainingResult, study: Study, profile: Profile, tmp_path: Path
) -> None:
    """A net may begin with a model's weights, but for one that knows what it is tested on."""
    card = trained.cards[0]
    used = override(profile, {"net": "squeezenet1_1", "steps": 3, "steps_per_epoch": 3})
    net = card.model_copy(update={"profile": used}).net(build(used))
    for name, digests in {"same": card.data["learnt"], "other": ["a-digest"]}.items():
        data = card.data | {"learnt": digests}
        save_model(tmp_path / name, net, card.model_copy(update={"profile": used, "data": data}))
    with pytest.raises(LeakError, match="begin with has learnt from"):
        train(study, tmp_path / "a", override(used, {"weights": str(tmp_path / "same")}))
    recipe = override(used, {"weights": str(tmp_path / "other"), "lr": 1e-30, "weight_decay": 0})
    made = train(study, tmp_path / "b", recipe, processes=0)
    assert set(made.cards[0].data["learnt"]) == {"a-digest", *card.data["learnt"]}
    ours, theirs = load_model(made.run.model(0))[0].module, net.module
    assert (ours.features[3].squeeze.weight == theirs.features[3].squeeze.weight).all()
    assert (ours.classifier.weight != theirs.classifier.weight).any()
