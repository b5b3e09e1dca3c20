"""What a random split would have shown: beside the result, never one."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.inference.random_split import HEAD, RandomSplit, random_split
from livewell.metrics.baselines import TEXTURE
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.report.random_split import TITLE, told
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

SMALL = {"patch_px": 64, "input_px": 64, "stride_px": 64}
SMALL |= {"weights": "", "blocks": "2", "zooms": "1", "radii_px": "0,8"}


def run_of_trees(patches: int) -> tuple[SimpleNamespace, pd.DataFrame, pd.DataFrame]:
    """A run on 20 dishes that differ each from each, and their classes in nothing."""
    rng = np.random.default_rng(0)
    dish = np.repeat(np.arange(20), patches)
    names = [f"d{number:02}" for number in dish]
    some = pd.DataFrame({"group": names, "label": np.where(dish % 2, "sick", "healthy")})
    texture = rng.normal(0, 1, (20, 4))[dish] + rng.normal(0, 0.1, (len(dish), 4))
    parts = ["train"] * 8 + ["validation"] * 4 + ["test"] * 8
    folds = pd.DataFrame({"fold": 0, "group": sorted(set(names)), "part": parts})
    model = SimpleNamespace(net=SimpleNamespace(module=None))
    classes = ClassNames(("healthy", "sick"))
    run = SimpleNamespace(model=lambda _: model, folds=folds, classes=classes)
    return run, some, pd.DataFrame(texture)


@pytest.mark.long
def test_dishes_that_differ_leak_though_classes_do_not() -> None:
    """Torn dishes are known again, whole ones are guessed at: the leak is told with its interval,
    and none where every group is one region."""
    found = random_split(*run_of_trees(12), seed=0)
    assert found.learner == TEXTURE
    assert found.regions == 96
    assert found.honest is not None
    assert found.random is not None
    assert found.leak is not None
    assert found.random.value > 0.95
    assert found.honest.value < 0.8
    assert found.leak.value == pytest.approx(found.random.value - found.honest.value)
    assert found.leak.low <= found.leak.value <= found.leak.high
    assert "a leak, not a result" in told(found)
    alone = random_split(*run_of_trees(1), seed=0)
    assert alone.leak is None
    assert "no split can tear it" in told(alone)


def test_it_stands_beside_the_result_and_never_in_it(
    evaluated: Evaluation, trained: TrainingResult
) -> None:
    """Trees stand in for a net of crops, as the page says; neither card nor headline hold any."""
    found = evaluated.random
    assert found.learner == TEXTURE
    page = evaluated.page.read_text("utf-8")
    assert "stand in for the net" in page
    assert page.count("not a result") == 2
    assert TITLE not in page[: page.index("Scores on unseen")]
    assert "random" not in str(trained.run.model(0).joinpath("card.json").read_text("utf-8"))
    kept = json.loads((evaluated.folder / "results.json").read_text("utf-8"))
    assert kept["random_split"]["what"] == "not a result"
    assert "random" not in str(kept["figures"])


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_a_light_head_is_fitted_anew(study: Study, tmp_path: Path) -> None:
    """On a fixed backbone the head itself learns twice, in every fold; without, nothing is told."""
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="torn")
    run = train(study, tmp_path / "run", override(FROZEN, SMALL), split="torn").run
    made = evaluate(run.folder, baselines=False)
    assert made.random.learner == HEAD
    assert made.random.regions == len(made.scores)
    assert made.random.leak is not None
    assert "stand in for" not in made.page.read_text("utf-8")
    none = evaluate(run.folder, baselines=False, random=False)
    assert none.random == RandomSplit()
    assert TITLE not in none.page.read_text("utf-8")
