"""A net that sees whole frames, measured: images, where in them, and labels that it contradicts."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import livewell.metrics.baselines as module
from livewell.classes import ClassNames
from livewell.geometry import Box
from livewell.inference.detections import Look
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.run_detections import FOUND, STEPS, found_in, models_of
from livewell.inference.wide_fields import look_over
from livewell.labels.by_boxes import Boxes
from livewell.labels.by_column import Column
from livewell.metrics.baselines import baseline_estimates
from livewell.metrics.suspects import suspect_columns
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.report.run_detections import pictured
from livewell.simulate.shapes import ShapeSpec, picture
from livewell.splitting.schemes import Holdout, KFolds
from livewell.study.regions import Whole
from livewell.study.study import Study
from livewell.tables.schemas import BOX
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

pytestmark = pytest.mark.long

CLASSES = ("ellipses", "circles")
STATES = {"ellipse": "ellipses", "circle": "circles"}
SPEC = ShapeSpec(images=32, rows=2, columns=3, objects=(2, 5), noise_sd=3.0, seed=11)
SMALLER, CUT_PX = 8, 8
"""So many images are smaller than the others, by so much on both axes."""
PROFILE = override(WSCNN_FAST, {"steps": 20, "steps_per_epoch": 10, "batch": 8})


@dataclass(frozen=True)
class Case:
    """A study of shapes with boxes, and a run of two folds."""

    study: Study
    run: Path
    made: Evaluation

    @property
    def detections(self) -> pd.DataFrame:
        return pd.read_csv(self.made.folder / "detections.csv")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small nets are faster on one core than on several that others use too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small pictures with a table of labels and one of boxes; some are smaller than others."""
    folder = tmp_path_factory.mktemp("shapes")
    (folder / "images").mkdir()
    objects, labels = [], []
    height, width = SPEC.shape
    for number in range(SPEC.images):
        made, name = picture(SPEC, number), f"{number:02d}.png"
        shape = (height - CUT_PX, width - CUT_PX) if number < SMALLER else (height, width)
        Image.fromarray(made.pixels[: shape[0], : shape[1]]).save(folder / "images" / name)
        rows = made.objects.assign(image=name)
        rows = rows[(rows["y0"] < shape[0]) & (rows["x0"] < shape[1])]
        # one cell in some pictures is of no known state
        rows.loc[rows.index[:1], "kind"] = "blurred" if number % 7 == 0 else rows["kind"].iloc[0]
        objects.append(rows)
        labels.append((name, CLASSES[int(made.positive)]))
    pd.concat(objects).to_csv(folder / "objects.csv", index=False)
    pd.DataFrame(labels, columns=["image", "said"]).to_csv(folder / "images.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def case(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Labels from boxes, two folds of pictures, trained for a few steps and measured."""
    folder = tmp_path_factory.mktemp("boxed")
    study = index(shapes / "images", folder / "study", metadata=shapes / "images.csv").study
    corners = ("y0", "x0", "y1", "x1")
    route = Boxes(shapes / "objects.csv", STATES, state="kind", corners=corners, clip=True,
                  others="drop")  # fmt: skip
    label(study, route, CLASSES)
    split(study, by="picture", scheme=KFolds(2, 0.3), grid=Whole())
    run = train(study, folder / "run", PROFILE, processes=0).run
    return Case(study, run.folder, evaluate(run.folder, random=False))


def text_of(page: Path) -> str:
    """What a reader sees of a page: no style, no settings, figures' words too."""
    html = page.read_text("utf-8").split("<body", 1)[1]
    html = re.split(r"<h2[^>]*>\s*Settings", html)[0]
    words = [
        base64.b64decode(data).decode()
        for data in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", html)
    ]
    html = re.sub(r"data:[^\"']+", "", html)
    inside = [" ".join(re.findall(r"<text[^>]*>([^<]*)<", svg)) for svg in words]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html) + " " + " ".join(inside))


def test_every_image_is_scored_and_its_places_are_measured(case: Case) -> None:
    """Figures of images and of places are written, strict JSON, each inside its interval."""
    results = json.loads((case.made.folder / "results.json").read_text())
    places = json.loads((case.made.folder / "places.json").read_text())
    labels = case.study.labels("labels")
    assert results["patches"] == len(labels) == len(case.made.scores)
    assert set(results["baselines"]) == {"this net", "trees on intensity", "trees on texture"}
    boxes = case.study.boxes("labels")
    known = boxes[boxes["image"].isin(labels["image"])]
    assert places["objects"] == (known["label"] == "circles").sum()
    assert places["other_boxes"] == (known["label"] == "ellipses").sum()
    assert places["images"] == len(labels)
    assert [row["fold"] for row in places["log_odds"]] == [0, 1]
    at = places["thresholds"]["from_labels"]
    assert at["true_positives"] + at["false_negatives"] == places["objects"]
    for figure in (places["average_precision"], places["froc_score"], at["recall"]):
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert set(places["table3"]) == {"accuracy", "precision", "recall"}


def test_places_lie_in_their_images(case: Case) -> None:
    """Rows of the mirrored rim are gone; boxes, scores and calls fit the model's own rule."""
    table = case.detections
    assert set(table.columns) == {*FOUND, "right"}
    headers = case.study.headers().set_index("image")
    height, width = (table["image"].map(headers[name]) for name in ("height", "width"))
    assert ((table["y"] >= 0) & (table["y"] < height)).all()
    assert ((table["x"] >= 0) & (table["x"] < width)).all()
    assert (table[BOX].ge(0).all(axis=1) & (table["y1"] <= height) & (table["x1"] <= width)).all()
    assert ((table["relative"] >= 0) == (table["called"] == 1)).all()
    assert (table["relative"] >= -STEPS[-1] - 1e-9).all()
    tested = EvaluationSet.of_run(case.run)
    fold = dict(zip(tested.part("test")["image"], tested.part("test")["fold"], strict=True))
    assert (table["image"].map(fold) == table["fold"]).all()
    for number, model in models_of(tested).items():
        mine = table[table["fold"] == number]
        assert mine["p"].to_numpy() == pytest.approx(
            model.need_detections().probability(mine["score"])
        )


def test_called_places_are_those_that_the_net_finds_in_the_picture(case: Case) -> None:
    """Coordinates are the picture's own, also where the net saw it through a larger window."""
    tested = EvaluationSet.of_run(case.run)
    table = case.detections
    checked = 0
    for number, model in models_of(tested).items():
        for image in tested.part("test", number)["image"]:
            if int(image[:2]) % 7 == 0:
                # places on its blurred cell are neither right nor wrong, and left out
                continue
            frame = tested.pixels.frame(image, 0)
            seen = look_over(
                model.finder(Look(least=model.least())), frame, Box.of(0, 0, *frame.shape)
            )
            mine = table[(table["image"] == image) & (table["called"] == 1)]
            assert mine["score"].to_numpy() == pytest.approx(seen.score, abs=1e-4)
            assert mine[["y", "x"]].to_numpy() == pytest.approx(np.stack([seen.y, seen.x], axis=1))
            checked += len(mine)
    assert checked


def test_looking_deeper_moves_no_surer_place(case: Case) -> None:
    """Each place is taken from the look that just holds it: looks below change nothing above."""
    tested = EvaluationSet.of_run(case.run)
    model = models_of(tested)[0]
    part = tested.part("test", 0).head(4)
    boxes = case.study.boxes("labels")
    whole, shares = found_in(tested, 0, model, part, boxes)
    table = case.detections
    again = table[table["image"].isin(part["image"])].drop(columns="right")
    order = ["image", "score"]
    pd.testing.assert_frame_equal(
        whole.sort_values(order).reset_index(drop=True)[list(FOUND)],
        again.sort_values(order).reset_index(drop=True)[list(FOUND)],
        check_dtype=False, rtol=1e-4, atol=1e-4,
    )  # fmt: skip
    assert len(shares) == boxes["image"].isin(part["image"]).sum()
    assert shares["share"].between(0, 1).all()


def test_frames_are_drawn_with_their_places(case: Case) -> None:
    """Places and pixels are those of the image, at the threshold of its own fold's model."""
    tested = EvaluationSet.of_run(case.run)
    models = models_of(tested)
    rows = tested.part("test").sort_values("image").head(6)
    table = case.detections
    for name, drawn in pictured(tested, models, rows).items():
        image = rows.loc[name, "image"]
        assert drawn.mask.shape == drawn.grey.shape == tested.pixels.shape(image)[1:]
        called = table[(table["image"] == image) & (table["called"] == 1)]
        assert drawn.places == pytest.approx(called[["y", "x"]].to_numpy())
        for y, x in drawn.places.astype(int):
            assert drawn.mask[y, x]


def test_suspects_are_listed(case: Case) -> None:
    """The table and its gallery come from unseen images; with folds all of them were scored."""
    table = pd.read_csv(case.made.folder / "suspects.csv", dtype={"group": str})
    assert list(table.columns) == suspect_columns(ClassNames.of(("negative", "positive")))
    scores = case.made.scores.set_index("image")
    called = scores["p"] > 0.5
    wrong = called != (scores["label"] == "circles")
    assert set(table["image"]) == set(scores.index[wrong])
    text = text_of(case.made.page)
    assert "Nothing is relabelled" in text or table.empty
    assert f"All {len(scores)} labelled images were scored" in text


def test_the_page_speaks_of_images(case: Case) -> None:
    """No word of patches is left; detections, what used boxes, the paper's measure are said."""
    text = text_of(case.made.page)
    assert not re.search(r"\bpatch(es)?\b", text, re.IGNORECASE)
    for said in (
        "On unseen pictures, images labelled circles and ellipses",
        "Detections of class circles",
        "Detections held against boxes",
        "Labels that the net contradicts",
        "neither right nor wrong" if "unknown" in text else "Surest",
        "true box",
        "As Table 3 of Sailem et al.",
        "images_circles",
    ):
        assert said in text, said
    assert "virtual batches" not in text


def test_without_boxes_places_are_not_checked(shapes: Path, tmp_path: Path) -> None:
    """Labels from a table say nothing of where: no figures of places, and how to get them; with
    one test part only its images are judged, and the page says so."""
    study = index(shapes / "images", tmp_path / "study", metadata=shapes / "images.csv").study
    label(study, Column("said", {name: name for name in CLASSES}), CLASSES, name="said")
    split(study, by="picture", scheme=Holdout(), grid=Whole(), labels="said")
    run = train(study, tmp_path / "run", PROFILE, processes=0).run
    made = evaluate(run.folder, baselines=False)
    assert {path.name for path in made.folder.iterdir()} == {
        "results.json",
        "scores.parquet",
        "report.html",
        "suspects.csv",
    }
    text = text_of(made.page)
    assert "Detections of class circles are not checked" in text
    assert "livewell label boxes" in text
    assert f"Only {len(made.scores)} of the {SPEC.images} labelled images were scored" in text
    assert "A detection is right where its peak" not in text
    assert made.places.detections is None
    assert not made.places.figures


def test_boxes_made_anew_check_nothing(case: Case, shapes: Path, tmp_path: Path) -> None:
    """Boxes that came after the split are not those that its labels were made from."""
    shutil.copytree(case.study.folder, tmp_path / "study")
    shutil.copytree(case.run, tmp_path / "run")
    spec = json.loads((tmp_path / "run" / "run.json").read_text())
    spec["study"] = str(tmp_path / "study")
    (tmp_path / "run" / "run.json").write_text(json.dumps(spec))
    route = Boxes(shapes / "objects.csv", STATES | {"blurred": "ellipses"}, state="kind",
                  corners=("y0", "x0", "y1", "x1"), clip=True)  # fmt: skip
    label(Study.open(tmp_path / "study"), route, CLASSES)
    made = evaluate(tmp_path / "run", baselines=False)
    assert "were made anew after the split" in text_of(made.page)
    assert not (made.folder / "places.json").exists()


def test_baselines_take_few_large_frames_at_once(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large frames are, the trees' figures are the same and memory holds a few."""
    tested = EvaluationSet.of_run(case.run)
    sizes = []

    def measured(stack: np.ndarray) -> pd.DataFrame:
        sizes.append(len(stack))
        return pd.DataFrame({"mean": stack.mean(axis=(1, 2))})

    monkeypatch.setattr(module, "BASELINES", {"mean": measured})
    found = []
    for at_once in (module.AT_ONCE_PX, 3 * 70 * 105):
        monkeypatch.setattr(module, "AT_ONCE_PX", at_once)
        args = (tested.patches, tested.folds, tested.classes, tested.pixels)
        found.append(baseline_estimates(*args, min_each=1, seed=0)["mean"]["roc_auc"])
    assert str(found[0]) == str(found[1])
    assert max(sizes[1:]) == 3


def test_suspects_of_patches(evaluated: Evaluation) -> None:
    """Runs of patches have the list too: images by the mean of their patches, none of places."""
    table = pd.read_csv(evaluated.folder / "suspects.csv")
    assert list(table.columns) == suspect_columns(ClassNames.of(("negative", "positive")))
    scores = evaluated.scores
    means = scores.groupby("image")["p"].mean()
    wrong = (means > 0.5) != (scores.groupby("image")["label"].first() == "sick")
    assert set(table["image"]) == set(means.index[wrong])
    counts = scores.groupby("image").size()
    assert (table["image"].map(counts) == table["patches"]).all()
    text = text_of(evaluated.page)
    assert "Labels that the net contradicts" in text
    assert re.search(r"Only \d+ of the \d+ labelled images were scored", text)
    assert "not checked" not in text
    assert not (evaluated.folder / "places.json").exists()
