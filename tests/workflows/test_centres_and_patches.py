"""What of a patch a fixed backbone's head reads: as labels were made, so maps are coloured."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from livewell.inference.model import Model
from livewell.labels.by_points import Points
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN
from livewell.splitting.schemes import Holdout
from livewell.study.study import Study
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

SMALL = {"weights": "", "blocks": "2,4", "zooms": 1, "radii_px": "0,6"}
PROFILE = override(FROZEN, SMALL | {"patch_px": 64, "input_px": 64, "stride_px": 64})
CLASSES = ("live", "dead")


@pytest.fixture(scope="module")
def centred(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The shared study with a split of patches around points, named cells."""
    folder = tmp_path_factory.mktemp("centred")
    shutil.copytree(study.folder, folder / "study")
    copy = Study.open(folder / "study")
    rows = [
        f"{image},0,{y},{x},{state}"
        for image in sorted(set(copy.split("split")[0]["image"]))
        for y, x, state in ((40, 40, "live"), (40, 100, "dead"), (90, 90, "live"))
    ]
    (folder / "cells.csv").write_text("\n".join(["image,t,y,x,state", *rows]))
    label(copy, Points(folder / "cells.csv", {n: n for n in CLASSES}, 64), CLASSES, name="cells")
    split(copy, by="well", scheme=Holdout((0.4, 0.2, 0.4)), labels="cells", name="cells")
    return copy


def model(study: Study, folder: Path, split: str, profile: Profile = PROFILE) -> Model:
    """A model of a split."""
    return Model.load(train(study, folder / "run", profile, split=split, processes=0).run.model(0))


@pytest.mark.long
def test_labels_decide_what_is_read(study: Study, centred: Study, tmp_path: Path) -> None:
    """Labels of points are of centres, those of wells of whole patches, unless one says which."""
    found = {
        "points": model(centred, tmp_path / "a", "cells"),
        "wells": model(study, tmp_path / "b", "split"),
        "asked": model(centred, tmp_path / "c", "cells", override(PROFILE, {"reads": "patch"})),
    }
    assert {name: each.card.profile.settings()["reads"] for name, each in found.items()} == {
        "points": "centre",
        "wells": "patch",
        "asked": "patch",
    }


@pytest.mark.long
def test_a_model_of_centres_judges_where_cells_are(
    study: Study, centred: Study, tmp_path: Path
) -> None:
    """One lone cell colours the map at itself; of a model of patches all around it."""
    rng = np.random.default_rng(0)
    image = rng.normal(2000, 10, (256, 256))
    image[120:136, 120:136] += rng.normal(0, 400, (16, 16))
    spreads = {}
    for name, of in (("cells", centred), ("split", study)):
        found = model(of, tmp_path / name, name).predict(image.astype(np.uint16), stride_px=4)
        known = np.argwhere(np.isfinite(found.class_map.logits[0]))
        spread = np.abs(known - known.mean(axis=0)).max() * found.class_map.stride_px
        spreads[name] = float(spread)
        for box in found.boxes:
            assert np.abs(np.array(box.centre) - 128).max() <= spread + 4
    assert spreads["cells"] < 30 < 40 < spreads["split"]
