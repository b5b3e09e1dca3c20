"""Scores of a run against a stain in another channel of the same images."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import stats

from livewell.errors import ImageContentError, SpecError
from livewell.files import read_json
from livewell.labels.by_column import Column
from livewell.models.profile import Profile
from livewell.models.recipes import TINY
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

pytestmark = pytest.mark.long

CHANNELS = ["brightfield", "PI"]


@pytest.fixture(scope="module")
def stained(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The plate's first frames with a second channel, which shines in sick wells."""
    folder = tmp_path_factory.mktemp("stained")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for path in sorted((plate / "images").iterdir()):
        seen = tifffile.imread(path)[0]
        light = 100 + 400 * path.name.startswith("B") + rng.normal(0, 20, seen.shape)
        both = np.stack([seen, light.astype(np.uint16)])
        metadata = {"axes": "CYX", "Channel": {"Name": CHANNELS}}
        tifffile.imwrite(folder / "images" / path.name, both, ome=True, metadata=metadata)
    study = index(
        folder / "images",
        folder / "study",
        pattern="{well}_p{position:int}.ome.tif",
        metadata=plate / "plate.csv",
    ).study
    looks = Column("look", {"healthy": "healthy", "sick": "sick"}, others="drop")
    label(study, looks, ("healthy", "sick"))
    split(study, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64))
    return study


def test_scores_against_a_stain(stained: Study, profile: Profile, tmp_path: Path) -> None:
    """The r of JSON, page and result is SciPy's of the table; the net told which cells shine."""
    run = train(stained, tmp_path / "run", profile, processes=0).run.folder
    made = evaluate(run, baselines=False, stain="PI")
    table = pd.read_csv(made.folder / "stain.csv")
    assert len(table) == len(made.scores)
    sick = table["label"] == "sick"
    assert table.loc[sick, "stain"].min() > 400 > table.loc[~sick, "stain"].max()
    for name in ("p", "log_odds"):
        found = made.stain.figures[f"pearson_{name}"]
        assert found.value == pytest.approx(stats.pearsonr(table["stain"], table[name])[0])
        assert f"pearson_{name}_within" in made.stain.figures
    results = read_json(made.folder / "results.json", kind="evaluation")
    assert results["stain"]["pearson_p"]["value"] == pytest.approx(
        made.stain.figures["pearson_p"].value
    )
    page = made.page.read_text("utf-8")
    assert "Against the stain PI" in page
    assert "The net sees PI" not in page
    plain = evaluate(run, baselines=False)
    assert plain.stain.regions is None
    assert not (plain.folder / "stain.csv").exists()
    with pytest.raises(ImageContentError, match="no channel 'GFP'"):
        evaluate(run, stain="GFP")


@pytest.mark.long
def test_a_net_that_sees_the_stain(stained: Study, tmp_path: Path) -> None:
    """Where the stain is one of the net's channels the page calls the correlation a problem."""
    shutil.copytree(stained.folder, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    scheme = {"by": "well", "scheme": Holdout((0.4, 0.2, 0.4)), "grid": Grid(64, 64)}
    split(study, **scheme, channels=CHANNELS, name="both")
    run = train(study, tmp_path / "run", TINY, split="both", processes=0).run.folder
    made = evaluate(run, baselines=False, stain="PI")
    assert [note.tone for note in made.stain.notes] == ["bad"]
    assert "The net sees PI" in made.page.read_text("utf-8")


def test_a_stain_needs_a_sought_class(states: Study, tmp_path: Path) -> None:
    """Of three classes without a positive one none has a probability to correlate."""
    route = Column("state", {name: name for name in ("healthy", "sick", "dead")})
    label(states, route, ("healthy", "sick", "dead"))
    split(states, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64, empty="keep"))
    run = train(states, tmp_path / "run", TINY, processes=0).run.folder
    with pytest.raises(SpecError, match=r"--stain: no class is sought"):
        evaluate(run, stain="0")
