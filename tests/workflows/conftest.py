"""One small study and its trained run, shared by the tests of all jobs."""

from pathlib import Path

import pytest

from livewell.labels.by_dose import Dose
from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

PATTERN = "{well}_p{position:int}.ome.tif"
PROFILE = override(TINY, {"steps": 45, "steps_per_epoch": 15})
CLASSES = ("healthy", "sick")


@pytest.fixture(scope="session")
def study(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The plate indexed, labelled by dose and split by well; not to be changed."""
    made = index(
        plate / "images",
        tmp_path_factory.mktemp("study") / "study",
        pattern=PATTERN,
        metadata=plate / "plate.csv",
    )
    label(made.study, Dose(30, (0, 1800)), CLASSES)
    split(made.study, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64))
    return made.study


@pytest.fixture(scope="session")
def trained(study: Study, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A short run on that study; not to be changed."""
    return train(study, tmp_path_factory.mktemp("run") / "run", PROFILE, processes=0)


@pytest.fixture(scope="session")
def evaluated(trained: TrainingResult) -> Evaluation:
    """That run measured on its unseen wells."""
    return evaluate(trained.run.folder)


@pytest.fixture(scope="session")
def model(trained: TrainingResult, evaluated: Evaluation) -> Path:
    """Folder of the trained and measured model."""
    assert evaluated.page.is_file()
    return trained.run.model(0)


@pytest.fixture(scope="session")
def profile() -> Profile:
    """The recipe of the shared run."""
    return PROFILE
