"""From a study to its scored images every file is opened three times, and never again."""

from collections import Counter

from livewell.inference.unseen import candidates
from livewell.labels.by_column import Column
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

SETTINGS = {"patch_px": 32, "input_px": 32, "steps": 3, "steps_per_epoch": 3}


def test_every_file_is_opened_once_for_header_pixels_and_digest(
    states: Study, opened: list[str]
) -> None:
    """Splits, folds and models share what is known of a file; doing it again opens none."""
    into = {"healthy": "well", "sick": "unwell", "dead": "unwell"}
    profile = override(TINY, SETTINGS)
    for name in ("first", "second"):
        study = Study.open(states.folder)
        label(study, Column("state", into), ("well", "unwell"), name=name)
        grid = Grid(32, 32, empty="keep")
        split(study, by="well", scheme=KFolds(2, 0.3), grid=grid, labels=name, name=name)
        out = study.folder.parent / name
        train(study, out, profile, split=name, processes=0)
        candidates(out, study)
        counts = Counter(opened)
        if name == "first":
            assert len(counts) == 15
            assert set(counts.values()) == {3}
        else:
            assert not counts
        opened.clear()
