"""celldeath's three steps, on small images whose names hold their label."""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner, Result
from scipy import ndimage

from livewell.cli import main
from livewell.errors import ImageContentError, LeakError, OutputError, SplitError, TableError
from livewell.files import read_json, write_json
from livewell.inference.evaluation_set import EvaluationSet
from livewell.labels.by_words import Words
from livewell.models.pretrained import IMAGENET, LITE0_PACKAGE
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.papers import celldeath
from livewell.papers.celldeath import MARKER, Celldeath, Plan, fitted, learn, words_of
from livewell.papers.slices import slices
from livewell.report.named import APART, COUNTED, named_verdicts
from livewell.splitting.schemes import Holdout, NamedFolds
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

pytestmark = pytest.mark.long

WORDS = {"ctrl": "control", "Dead": "dead"}
RECIPE = override(TINY, {"steps": 12, "steps_per_epoch": 6, "select": "last"})
PLAN = Plan(WORDS, profile=RECIPE, shares=(0.3, 0.3))


def image(path: Path, dark: bool, seed: int, shape: tuple[int, int] = (128, 160)) -> None:
    """Blobs as large as cells, brighter than the ground or darker; or brighter only."""
    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 6)
    texture = texture if dark else np.abs(texture)
    grey = (128 + 30 * texture / texture.std()).clip(1, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(grey))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images of 128 x 160 px, six a class; not to be changed."""
    found = tmp_path_factory.mktemp("celldeath") / "images"
    for number in range(12):
        word = "CTRL" if number % 2 else "dead"
        image(found / f"U2_{word}_é {number:02}.png", number % 2 == 0, number)
    return found


@pytest.fixture(scope="module")
def taught(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Celldeath:
    """A training on their tiles; not to be changed."""
    out = tmp_path_factory.mktemp("taught")
    slices(folder, out / "tiles", tiles=2)
    return learn(out / "tiles", out / "made", PLAN)


def test_one_folder_holds_everything(taught: Celldeath) -> None:
    """Study, run and page; what the audit found is the headline, on the page too."""
    for name in ("celldeath.json", "report.html", "run/evaluation/report.html", "study/study.json"):
        assert (taught.folder / name).is_file()
    page = taught.page.read_text("utf-8")
    assert taught.audit.state != "none"
    assert taught.audit.headline in taught.headline
    assert "study/audits/labels/report.html" in page
    assert "control and dead" in page
    assert "told apart" in page


def test_tiles_of_an_image_stay_together(taught: Celldeath) -> None:
    """Every picture's two tiles are in one group, of one part."""
    patches, folds, meta = Study.open(taught.folder / "study").split("split")
    assert meta.by == "picture"
    parts = patches.merge(folds, on="group")
    assert parts.groupby("group")["image"].nunique().eq(2).all()
    assert parts.groupby("group")["part"].nunique().eq(1).all()


@pytest.mark.long
def test_the_same_call_goes_on(taught: Celldeath) -> None:
    """The run is not trained anew, and the page is of the same figures."""
    card = taught.folder / "run" / "fold-00" / "model" / "weights.safetensors"
    before = card.stat().st_mtime_ns
    again = learn(taught.folder.parent / "tiles", taught.folder, PLAN)
    assert card.stat().st_mtime_ns == before
    assert again.figures == taught.figures


def test_a_finished_training_is_not_changed_by_another_call(
    taught: Celldeath, tmp_path: Path
) -> None:
    """Labels in another order, another scale and a new image are refused before anything is."""
    made, tiles = tmp_path / "made", tmp_path / "tiles"
    shutil.copytree(taught.folder, made)
    shutil.copytree(taught.folder.parent / "tiles", tiles)
    marker = read_json(made / MARKER, kind="celldeath training")
    write_json(made / MARKER, marker | {"images": str(tiles)})
    before = {path: path.read_bytes() for path in made.rglob("*.json")}
    turned = dict(reversed(WORDS.items()))
    for other in (replace(PLAN, labels=turned), replace(PLAN, pixel_um=0.5)):
        with pytest.raises(OutputError, match="begun with other settings"):
            learn(tiles, made, other)
    image(tiles / "U2_dead_new.png", dark=True, seed=99)
    with pytest.raises(OutputError, match=r"1 image new: U2_dead_new\.png"):
        learn(tiles, made, PLAN)
    assert before == {path: path.read_bytes() for path in made.rglob("*.json")}


def test_words_are_corrected_where_nothing_was_trained(folder: Path, tmp_path: Path) -> None:
    """After a typing error the same folder takes the right words; another kind is still refused."""
    wrong = replace(PLAN, labels={"ctrl": "control", "Daed": "dead"})
    with pytest.raises(TableError, match="near it: dead"):
        learn(folder, tmp_path, wrong)
    right = replace(PLAN, labels={**WORDS, "ghost": "dead"})
    with pytest.raises(TableError, match="ghost"):
        learn(folder, tmp_path, right)
    with pytest.raises(OutputError, match="not a study"):
        index(folder, tmp_path)


def test_a_run_is_not_measured_on_classes_in_another_order(
    taught: Celldeath, tmp_path: Path
) -> None:
    """Labels and split made anew with the other class to find: `evaluate` refuses, says both."""
    made = tmp_path / "made"
    shutil.copytree(taught.folder, made)
    study = Study.open(made / "study")
    meta = study.label_meta("labels")
    described = meta.model_copy(update={"classes": meta.classes[::-1], "positive": meta.classes[0]})
    study.write_labels("labels", study.labels("labels"), described)
    patches, folds, of = study.split("split")
    turned = of.model_copy(update={"classes": meta.classes[::-1], "positive": meta.classes[0]})
    study.write_split("split", patches, folds, turned)
    run = read_json(made / "run" / "run.json", kind="training run")
    write_json(made / "run" / "run.json", run | {"study": str(study.folder)})
    with pytest.raises(SplitError, match=r"another order.*to find dead.*to find control"):
        evaluate(made / "run")


def test_an_image_too_small_for_any_cell_is_refused(folder: Path, tmp_path: Path) -> None:
    """One image of 20 px does not shrink the patches of all: it is named, and nothing is learnt."""
    shutil.copytree(folder, tmp_path / "images")
    image(tmp_path / "images" / "U2_dead_tiny.png", dark=True, seed=5, shape=(20, 20))
    with pytest.raises(ImageContentError, match=r"U2_dead_tiny\.png: an image is too small"):
        learn(tmp_path / "images", tmp_path / "made", PLAN)


def test_a_split_that_tears_tiles_is_refused_everywhere(
    taught: Celldeath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A random split of tiles: by `split`, and made by hand or long ago by `train`, `evaluate`."""
    own = shutil.copytree(taught.folder, tmp_path / "made")
    study = Study.open(own / "study")
    torn = {"by": "image", "scheme": Holdout(), "grid": Grid(64, 64)}
    with pytest.raises(LeakError, match="image tears pictures"):
        split(study, **torn)
    patches, _, meta = study.split("split")
    groups = patches.assign(group=patches["image"])
    parts = dict(zip(groups["group"].unique(), 40 * ["train", "test", "validation"], strict=False))
    hand = pd.DataFrame({"fold": 0, "group": list(parts), "part": list(parts.values())})
    study.write_split("split", groups, hand, meta, study.split_images("split"))
    with pytest.raises(LeakError, match="tears pictures"):
        train(study, tmp_path / "run", RECIPE)
    monkeypatch.setattr("livewell.inference.evaluation_set.split_hashes", lambda *_: spec)
    spec = json.loads((own / "run" / "run.json").read_text("utf-8"))
    spec["study"] = str(own / "study")
    (own / "run" / "run.json").write_text(json.dumps(spec), "utf-8")
    spec = spec["inputs"]
    with pytest.raises(LeakError, match="tears pictures"):
        evaluate(own / "run")


def test_new_images_are_held_against_their_names(taught: Celldeath, tmp_path: Path) -> None:
    """Unlabelled images, those of two labels and learnt ones count neither right nor wrong."""
    for number in range(4):
        image(tmp_path / "new" / f"ctrl_{number}.png", False, 100 + number)
        image(tmp_path / "new" / f"DEAD_{number}.png", True, 200 + number)
    image(tmp_path / "new" / "control_1.png", False, 300)
    image(tmp_path / "new" / "ctrl_dead.png", False, 301)
    study = Study.open(taught.folder / "study")
    patches, folds, _ = study.split("split")
    known = patches.merge(folds[folds["part"] == "train"], on="group")["image"].iloc[0]
    shutil.copy(study.path(known), tmp_path / "new" / "ctrl_learnt.png")
    made = assess(tmp_path / "new", taught.folder, tmp_path / "out", named=words_of(taught.folder))
    uses = made.named.table.set_index("image")["use"]
    assert uses["control_1.png"] == APART[0]
    assert uses["ctrl_dead.png"] == APART[1]
    assert uses["ctrl_learnt.png"] == APART[2]
    counted = made.named.table[made.named.table["use"] == COUNTED]
    assert len(counted) == 8
    assert int(made.named.matrix.to_numpy().sum()) == 8
    right = (counted["verdict"] == counted["label"]).mean()
    assert made.named.figures["verdicts_right"].value == pytest.approx(right)
    assert (tmp_path / "out" / "named.csv").is_file()
    assert "Against the labels in file names" in made.page.read_text("utf-8")


def test_an_image_whose_tiles_were_learnt_from_is_known(
    folder: Path, taught: Celldeath, tmp_path: Path
) -> None:
    """The whole pictures of the training part, which the model saw as tiles, are not counted."""
    made = assess(folder, taught.folder, tmp_path / "out", named=WORDS)
    uses = made.named.table.set_index("image")["use"]
    _, folds, _ = Study.open(taught.folder / "study").split("split")
    parts = folds.set_index("group")["part"]
    assert set(uses[uses == APART[2]].index) == set(parts[parts != "test"].index)


def test_whole_images_of_learnt_tiles_are_left_out(
    folder: Path, taught: Celldeath, tmp_path: Path
) -> None:
    """Labelled, the whole pictures of tiles that were learnt from are not evaluated, nor those of
    tiles that validated; as validation images they refuse a training that begins with the model."""
    whole = index(folder, tmp_path / "study").study
    label(whole, Words(WORDS), PLAN.classes)
    model = taught.folder / "run" / "fold-00" / "model"
    tested = EvaluationSet.of_study(model, whole)
    _, folds, _ = Study.open(taught.folder / "study").split("split")
    assert set(tested.patches["image"]) == set(folds.loc[folds["part"] == "test", "group"])
    assert not any("near copies" in text for text in tested.meta.warnings)
    split(whole, by="image", scheme=Holdout(), grid=Grid(64, 64))
    with pytest.raises(LeakError, match="begin with has learnt from"):
        train(whole, tmp_path / "run", RECIPE, begin_with=model, processes=0)


def test_an_image_is_known_by_its_first_frame_with_contents(
    folder: Path, taught: Celldeath, tmp_path: Path
) -> None:
    """A blank frame before the picture whose tiles were learnt from hides nothing."""
    _, folds, _ = Study.open(taught.folder / "study").split("split")
    name = folds.loc[folds["part"] == "train", "group"].iloc[0]
    seen = imagecodecs.png_decode((folder / name).read_bytes())
    movie = np.stack([np.zeros_like(seen), seen])
    tifffile.imwrite(tmp_path / "late.tif", movie, photometric="minisblack")
    made = assess(tmp_path / "late.tif", taught.folder, tmp_path / "out")
    assert made.verdicts["note"].str.contains("trained or calibrated on it").tolist() == [True]


def test_tiles_count_as_their_pictures() -> None:
    """The interval of four tiles of one picture rests on one picture."""
    names = [f"a_dead.png_0{row}_0{column}.png" for row in (1, 2) for column in (1, 2)]
    verdicts = pd.DataFrame({"image": names, "t": 0, "verdict": "dead", "note": ""})
    made = named_verdicts(verdicts, WORDS, PLAN.classes)
    assert made.figures["verdicts_right"].groups == 1
    assert "4 verdicts of 1 picture held" in made.said


def study_of(tmp_path: Path, *names: str, labels: dict[str, str]) -> Celldeath:
    """A training on images of these names."""
    for number, name in enumerate(names):
        image(tmp_path / "in" / name, number % 2 == 0, number)
    return learn(tmp_path / "in", tmp_path / "out", replace(PLAN, labels=labels))


@pytest.mark.parametrize(
    ("names", "labels", "text"),
    [
        (("a_dead.png", "a_x.png", "a_ctrl.png"), WORDS, "a_x.png.*none of the words ctrl, Dead"),
        (("a_dead_ctrl.png", "a_ctrl.png", "dead.png"), WORDS, "words of 2 classes: ctrl, Dead"),
        (("CPT2_1.png", "DMSO_1.png"), {"DMSO": "D", "CPT": "C"}, "'CPT'.*near it: cpt2"),
        (
            ("control.png", "control2.png"),
            {"control": "a", "control3": "b"},
            "'control3'.*near it: control",
        ),
        (("cpt.png", "b.png"), {"cpt": "a", "CPT": "b"}, "are one word, whatever the letter case"),
    ],
)
def test_names_that_say_no_label_or_several(
    tmp_path: Path, names: tuple[str, ...], labels: dict[str, str], text: str
) -> None:
    """Row 7: every file or word is named, and what comes near."""
    with pytest.raises(TableError, match=text):
        study_of(tmp_path, *names, labels=labels)


def test_labels_that_are_part_of_each_other_are_told_apart(tmp_path: Path) -> None:
    """`control` is not found in `control2`, whatever the letter case; one image a class is few."""
    with pytest.raises(SplitError, match="too few groups"):
        study_of(
            tmp_path,
            "x_Control 1.png",
            "x_CONTROL2 1.png",
            labels={"control": "control", "control2": "celldeath"},
        )
    table = Study.open(tmp_path / "out" / "study").labels("labels").set_index("image")["label"]
    assert table.to_dict() == {"x_Control 1.png": "control", "x_CONTROL2 1.png": "celldeath"}


def test_patches_shrink_to_the_smallest_image(taught: Celldeath) -> None:
    """Images of several sizes: none is rescaled, the smallest says how large a patch may be."""
    study = Study.open(taught.folder / "study")
    assert fitted(RECIPE, study) == (RECIPE, ())
    larger = override(RECIPE, {"patch_px": 112, "input_px": 112})
    recipe, (text,) = fitted(larger, study)
    assert (recipe.input.patch_px, recipe.input.input_px, recipe.input.stride_px) == (80, 80, 40)
    assert "patches are 80 px" in text


def test_colour_that_is_grey_goes_with_grey_and_real_colour_does_not(
    folder: Path, tmp_path: Path
) -> None:
    """Equal red, green and blue are read as grey; others are refused by name with what to do."""
    mixed = shutil.copytree(folder, tmp_path / "in")
    path = next(iter(sorted(mixed.glob("*.png"))))
    grey = imagecodecs.png_decode(path.read_bytes())
    path.write_bytes(imagecodecs.png_encode(np.stack([grey] * 3, axis=-1)))
    made = slices(mixed, tmp_path / "tiles", tiles=2)
    assert imagecodecs.png_decode((made.folder / made.tiles["image"][0]).read_bytes()).ndim == 3
    colour = np.stack([grey, grey // 2, grey], axis=-1)
    path.write_bytes(imagecodecs.png_encode(colour))
    with pytest.raises(TableError, match=f"{path.name}.*colour image"):
        learn(mixed, tmp_path / "out", PLAN)


def test_copies_under_other_names_become_one_group(
    folder: Path, taught: Celldeath, tmp_path: Path
) -> None:
    """Tiles that were renamed lie with their image: no part holds what another one shows."""
    both = shutil.copytree(folder, tmp_path / "in")
    tiles = Study.open(taught.folder / "study").fields()["path"][:2]
    for number, name in enumerate(tiles):
        shutil.copy(taught.folder.parent / "tiles" / name, both / f"dead_renamed{number}.png")
    study = index(both, tmp_path / "study").study
    label(study, Words(WORDS), PLAN.classes)
    made = split(study, by="picture", scheme=PLAN.scheme, grid=Grid(64, 64), merge_duplicates=True)
    assert any("show the same, or nearly, and became one" in w for w in made.warnings)
    assert made.patches.groupby("group")["image"].nunique().max() == 3


def invoke(*words: str | Path) -> Result:
    """The command's end."""
    return CliRunner().invoke(main, ["celldeath", *map(str, words)])


@pytest.mark.long
@pytest.mark.skipif(find_spec(LITE0_PACKAGE) is None, reason=f"{LITE0_PACKAGE} is not installed")
def test_the_three_commands(folder: Path, tmp_path: Path) -> None:
    """Slice, train and predict; `--labels` takes many words; every end is one JSON object."""
    cut = invoke("slice", folder, "--out", tmp_path / "tiles", "--tiles", "2", "--json")
    assert json.loads(cut.stdout)["tiles"] == 24
    small = ("--set", "zooms=1", "--set", "blocks=3", "--set", "radii_px=0", "--test-share", "0.3")
    words = ("--labels", "ctrl", "dead", *small)
    made = invoke("train", tmp_path / "tiles", "--out", tmp_path / "made", *words, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert told["audit"]["state"] != "none"
    assert told["audit"]["headline"] in told["headline"]
    judged = invoke(
        *("predict", folder, "--model", tmp_path / "made", "--out", tmp_path / "verdicts"), "--json"
    )
    assert judged.exit_code == 0, judged.output
    assert sum(json.loads(judged.stdout)["verdicts"].values()) == 12


def test_options_of_the_old_tool_are_settings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Net, rates, epochs, batch, dropout, decay and ImageNet's weights reach the recipe."""
    plans: list[Plan] = []

    def planned(images: Path, out: Path, plan: Plan, **_: object) -> None:
        plans.append(plan)
        raise SplitError("enough")

    monkeypatch.setattr(celldeath, "learn", planned)
    rates = ("--lr-first", "2e-5", "--lr", "2e-4", "--weight-decay", "0.1", "--dropout", "0.25")
    net = ("--model", "densenet121", "--epochs", "7", "--batch", "4", "--imagenet")
    shares = ("--test-share", "0.3", "--valid-share", "0.1", "--set", "flips=false")
    invoke("train", folder, "--out", tmp_path / "out", *net, *rates, *shares)
    (plan,) = plans
    fit, it = plan.profile.fit, plan.profile
    assert (it.name, it.net.kind, it.net.begins_with) == ("CELLDEATH_2021", "densenet121", IMAGENET)
    assert (fit.passes, fit.batch, fit.lr_first, fit.lr) == (7, 4, 2e-5, 2e-4)
    assert (fit.weight_decay, it.net.head_dropout, it.augment.flips) == (0.1, 0.25, False)
    assert plan.scheme.fractions == pytest.approx((0.63, 0.07, 0.3))
    assert plan.labels == celldeath.LABELS
    assert replace(plan, test=("N1",)).scheme == NamedFolds((("N1",),), validation=0.1)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--epochs", "3"), "need --model"),
        (("--imagenet",), "need --model"),
        (("--model", "resnet18"), "resnet18"),
        (("--labels", "ctrl"), "at least two classes"),
    ],
)
def test_options_that_go_together(folder: Path, tmp_path: Path, words: tuple, text: str) -> None:
    """What is of nets needs a net; a label alone tells nothing apart."""
    done = invoke("train", folder, "--out", tmp_path / "out", *words)
    assert done.exit_code == 2
    assert text in done.output
