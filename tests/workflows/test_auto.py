"""Several recipes trained for one fold, of which validation groups choose one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import SpecError
from livewell.execution import folds
from livewell.models.profile import Profile, override
from livewell.models.recipes import AUTO, FROZEN
from livewell.study.study import Study
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import heatmap
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

SIZES = {"patch_px": 64, "input_px": 64, "stride_px": 64}
SMALL = override(
    FROZEN, SIZES | {"weights": "", "blocks": "2,4", "zooms": "1", "radii_px": "0,8", "steps": 500}
)


@pytest.fixture(scope="module")
def auto(
    study: Study, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> TrainingResult:
    """A run that chose between a small frozen net and the small net of crops."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "candidates", lambda _: (SMALL, profile))
        return train(study, tmp_path_factory.mktemp("auto") / "run", SMALL, processes=0)


def test_the_choice_stands_in_card_and_page(auto: TrainingResult) -> None:
    """Candidates with their losses, and a sentence; log and profile are those of the chosen one."""
    card, folder = auto.cards[0], auto.run.fold(0)
    chosen = card.data["chosen"]
    assert chosen["profile"] == card.profile.name
    assert {each["name"] for each in chosen["candidates"]} == {"FROZEN", "TINY"}
    assert all(each["loss"] > 0 for each in chosen["candidates"])
    own = pd.read_csv(folder / card.profile.name / "log.csv")
    pd.testing.assert_frame_equal(pd.read_csv(folder / "log.csv"), own)
    page = evaluate(auto.run.folder, baselines=False).page.read_text("utf-8")
    assert f"{card.profile.name} was kept" in page


def test_a_frozen_net_makes_heat_maps(study: Study, plate: Path, tmp_path: Path) -> None:
    """The whole field is seen once, and the report says by what."""
    run = train(study, tmp_path / "run", SMALL, processes=0).run
    movie = min((plate / "images").glob("*.ome.tif"))
    made = heatmap(movie, run.folder, tmp_path / "map", stride_px=32, backend="torch")
    assert "features by torch" in made.page.read_text("utf-8")
    assert np.isfinite(tifffile.imread(made.map)).any()


def test_several_recipes_take_no_settings_and_no_start(study: Study, tmp_path: Path) -> None:
    """What would be of one recipe alone is refused, with what to do."""
    with pytest.raises(SpecError, match="AUTO takes no settings"):
        train(study, tmp_path / "run", override(AUTO, SIZES | {"evenness": 1.0}))
    assert not (tmp_path / "run").exists()
    with pytest.raises(SpecError, match="cannot all begin with one model"):
        folds.start_of(tmp_path, AUTO, study.split("split")[2])
    with pytest.raises(SpecError, match="begins with nothing"):
        folds.start_of(tmp_path, FROZEN, study.split("split")[2])
