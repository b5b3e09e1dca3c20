"""Empty and blurred patches are told by a model of a few that were marked."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy import ndimage

from livewell.cli import main
from livewell.errors import ImageContentError, ModelFileError, SpecError
from livewell.inference.model import Model
from livewell.inference.occupancy import ModelOccupancy
from livewell.labels.by_column import Column
from livewell.labels.by_points import Points
from livewell.labels.by_stain import Stain
from livewell.models.profile import override
from livewell.models.recipes import EMPTY_SVM
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

pytestmark = pytest.mark.long

PATCH_PX, ACROSS, IMAGES = 64, 4, 10
RECIPE = override(
    EMPTY_SVM,
    {"weights": "", "blocks": "0,2", "zooms": "1", "radii_px": "6,24"}
    | dict.fromkeys(("patch_px", "input_px", "stride_px"), str(PATCH_PX)),
)
CLASSES = ("healthy", "sick")


class World(NamedTuple):
    """A study of images with a death stain, what each patch shows, and a run of marked ones."""

    study: Study
    shown: pd.DataFrame
    run: Path

    def shares(self, patches: pd.DataFrame) -> dict[str, float]:
        """How many of the patches of every kind stand in a table."""
        keys = ["image", "y0", "x0"]
        left = self.shown.merge(patches[keys].astype({"y0": int, "x0": int}), on=keys)
        shares = left["kind"].value_counts() / self.shown["kind"].value_counts()
        return {str(kind): float(share) for kind, share in shares.fillna(0).items()}


def painted(kinds: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.uint16]:
    """A brightfield image of patches: cells, cells out of focus, or nothing but noise."""
    image = rng.normal(1000, 6, (ACROSS * PATCH_PX,) * 2)
    inner = slice(4, PATCH_PX - 4)
    for row, column in np.ndindex(kinds.shape):
        grain = rng.normal(size=(PATCH_PX - 8,) * 2)
        grain = ndimage.gaussian_filter(grain, 1.2 if kinds[row, column] == "cells" else 5)
        patch = image[
            row * PATCH_PX : (row + 1) * PATCH_PX, column * PATCH_PX : (column + 1) * PATCH_PX
        ]
        patch[inner, inner] += (kinds[row, column] != "empty") * 120 * grain / grain.std()
    return image.clip(1).round().astype(np.uint16)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Ten images of sixteen patches; those of the first six are marked, and learnt from."""
    folder, rng = tmp_path_factory.mktemp("empty"), np.random.default_rng(0)
    (folder / "images").mkdir()
    rows, lines = [], ["image,state"]
    for number in range(IMAGES):
        name = f"e{number}.ome.tif"
        kinds = rng.choice(["cells", "cells", "blurred", "empty"], (ACROSS, ACROSS))
        stain = np.kron(rng.choice([300, 900], kinds.shape), np.ones((PATCH_PX,) * 2))
        stain = (stain + rng.normal(0, 20, stain.shape)).astype(np.uint16)
        tifffile.imwrite(
            folder / "images" / name,
            np.stack([painted(kinds, rng), stain]),
            ome=True,
            photometric="minisblack",
            metadata={"axes": "CYX", "Channel": {"Name": ["brightfield", "PI"]}},
        )
        lines.append(f"{name},{CLASSES[number % 2]}")
        for (row, column), kind in np.ndenumerate(kinds):
            rows.append((name, row * PATCH_PX, column * PATCH_PX, str(kind)))
    (folder / "table.csv").write_text("\n".join([*lines, ""]))
    shown = pd.DataFrame(rows, columns=["image", "y0", "x0", "kind"])
    marks = shown[shown["image"] < "e6"].assign(
        y=lambda t: t["y0"] + PATCH_PX // 2, x=lambda t: t["x0"] + PATCH_PX // 2
    )
    marks.to_csv(folder / "marks.csv", index=False)
    study = index(folder / "images", folder / "study", metadata=folder / "table.csv").study
    kinds_of = {"cells": "usable", "blurred": "empty", "empty": "empty"}
    points = Points(folder / "marks.csv", kinds_of, PATCH_PX, state="kind")
    label(study, points, ("empty", "usable"), name="marked")
    scheme = Holdout((0.5, 0.25, 0.25))
    split(study, by="image", scheme=scheme, labels="marked", name="marked")
    run = train(study, folder / "run", RECIPE, split="marked").run.folder
    label(study, Column("state", {name: name for name in CLASSES}), CLASSES)
    return World(study, shown, run)


def test_evaluate_tells_precision_recall_and_f1(world: World) -> None:
    """The report of a model of two classes says precision, sensitivity (recall) and F1."""
    made = evaluate(world.run, baselines=False)
    precision, recall = (made.figures[name].value for name in ("precision", "sensitivity"))
    assert made.figures["f1"].value == pytest.approx(2 * precision * recall / (precision + recall))
    assert made.figures["f1"].value > 0.9
    assert "F1" in made.page.read_text("utf-8")


def test_split_leaves_out_what_the_model_calls_empty(world: World) -> None:
    """Texture takes blurred patches for cells; a model of marked ones leaves them out."""
    given: dict[str, Any] = {
        "by": "image",
        "scheme": Holdout((0.4, 0.3, 0.3)),
        "grid": Grid(PATCH_PX, PATCH_PX),
    }
    by_texture = world.shares(split(world.study, **given, name="texture").patches)
    by_model = world.shares(
        split(world.study, **given, name="model", occupied_by=world.run).patches
    )
    assert by_texture["cells"] == by_texture["blurred"] == 1
    assert by_model["cells"] > 0.9
    assert by_model.get("blurred", 0) < 0.1
    assert by_model.get("empty", 0) < 0.1
    meta = world.study.split("model")[2]
    assert meta.occupied_by == Model.load(world.run).card.weights_sha256
    assert world.study.split("texture")[2].occupied_by == ""


def test_patches_of_any_size_are_told(world: World) -> None:
    """Marks on patches of one size tell those of another, by what lies at their centres."""
    given: dict[str, Any] = {
        "by": "image",
        "scheme": Holdout((0.4, 0.3, 0.3)),
        "grid": Grid(32, PATCH_PX),
    }
    made = split(world.study, **given, name="small", occupied_by=world.run)
    assert 0 < len(made.patches) < IMAGES * ACROSS**2


def test_labels_by_a_stain_leave_out_what_the_model_calls_empty(world: World) -> None:
    """Patches that the model calls empty get no label by a stain, and are counted."""
    route = Stain("PI", PATCH_PX, PATCH_PX, "mean")
    by_texture = label(world.study, route, ("live", "dead"), name="pi")
    made = label(world.study, route, ("live", "dead"), name="pi-model", occupied_by=world.run)
    assert world.shares(by_texture.labelled.table)["blurred"] > 0.8
    shares = world.shares(made.labelled.table)
    assert shares["cells"] > 0.8
    assert shares.get("blurred", 0) < 0.1
    assert "occupied_by" in made.meta.settings
    assert "occupied_by" not in by_texture.meta.settings


def test_assess_judges_what_the_model_does_not_call_empty(world: World, tmp_path: Path) -> None:
    """Verdicts rest on patches that the model does not call empty; another one is another call."""
    images = world.study.root
    usual = assess(images, world.run, tmp_path / "usual").verdicts
    made = assess(images, world.run, tmp_path / "out", occupied_by=world.run).verdicts
    cells = world.shown[world.shown["kind"] == "cells"].groupby("image").size()
    assert made.set_index("image")["n_patches"].sub(cells).abs().mean() < 1
    assert (usual["n_patches"].to_numpy() > made["n_patches"].to_numpy()).any()
    assert (made["sick_fraction"] == 1).all()


def test_the_commands_take_a_model(world: World, tmp_path: Path) -> None:
    """``--occupied-by`` of split, label stain and assess names a model or run."""
    told = ("--occupied-by", str(world.run), "--json")
    study, images = str(world.study.folder), str(world.study.root)
    classes = ("--negative", "live", "--positive", "dead")
    grid = ("--patch-px", "64", "--stride-px", "64")
    for words in (
        ("split", study, "--by", "image", "--patch-px", "64", "--name", "cli"),
        (
            "label",
            "stain",
            study,
            "--channel",
            "PI",
            "--on",
            "mean",
            "--name",
            "cli",
            *classes,
            *grid,
        ),
        ("assess", images, "--model", str(world.run), "--out", str(tmp_path / "out")),
    ):
        done = CliRunner().invoke(main, [*words, *told])
        assert done.exit_code == 0, done.output
        json.loads(done.stdout)
    assert world.study.split("cli")[2].occupied_by


def test_what_cannot_tell_is_refused(world: World, model: Path) -> None:
    """Nets of crops, other channels and another magnification are errors before any patch."""
    given: dict[str, Any] = {"by": "image", "scheme": Holdout((0.4, 0.3, 0.3)), "name": "refused"}
    grid = Grid(PATCH_PX, PATCH_PX)
    with pytest.raises(ModelFileError, match="EMPTY_SVM"):
        split(world.study, **given, grid=grid, occupied_by=model)
    told = Model.load(world.run)
    with pytest.raises(ImageContentError, match="number of channels"):
        ModelOccupancy(told, ("red", "green"), None)
    with pytest.raises(SpecError, match="none is left out"):
        split(
            world.study,
            **given,
            grid=Grid(PATCH_PX, PATCH_PX, empty="keep"),
            occupied_by=world.run,
        )
    with pytest.raises(SpecError, match="none is left out"):
        label(
            world.study,
            Column("state", {name: name for name in CLASSES}),
            CLASSES,
            name="refused",
            occupied_by=world.run,
        )
