"""The audit's questions that learn, on a small study with two images a well, before and after."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage

from livewell.labels.by_column import Column
from livewell.study.study import Study
from livewell.workflows.audit import audit
from livewell.workflows.index import index
from livewell.workflows.label import label

EDGE_PX, WELLS = 120, 8
STATES = ("healthy", "sick")


def _study(folder: Path, differs: set[str]) -> Study:
    """Two plates of eight wells; the grain of half of them is other at the times in `differs`."""
    images, rng, rows = folder / "images", np.random.default_rng(0), []
    images.mkdir(parents=True)
    for plate in ("P1", "P2"):
        for well in range(WELLS):
            for when, time_s in (("before", 0), ("after", 3600)):
                sick = well % 2
                grain = 3.0 if sick and when in differs else 1.5
                noise = ndimage.gaussian_filter(rng.standard_normal((EDGE_PX, EDGE_PX)), grain)
                pixels = 2000 + 200 * noise / noise.std() + rng.normal(0, 5, noise.shape)
                name = f"{plate}-{well}-{when}.tif"
                tifffile.imwrite(images / name, pixels.astype(np.uint16))
                state = STATES[sick] if when == "after" else "before"
                rows.append((name, plate, f"B{well + 1:02}", time_s, state))
    table = pd.DataFrame(rows, columns=["image", "plate", "well", "time_s", "state"])
    table.to_csv(folder / "table.csv", index=False)
    study = index(images, folder / "study", metadata=folder / "table.csv", pixel_um=0.65).study
    label(study, Column("state", {name: name for name in STATES}, others="drop"), STATES)
    return study


@pytest.mark.long
def test_an_effect_of_the_treatment_holds_on_a_plate_left_out(tmp_path: Path):
    """What differs after the treatment alone is learnt, holds, and was not there before."""
    made = audit(_study(tmp_path, {"after"}))
    verdicts = {check.name: check.verdict for check in made.meta.checks}
    assert verdicts["replicates"] == "passes"
    assert verdicts["shuffled"] == "passes"
    assert verdicts["before treatment"] == "passes"
    assert verdicts["attribution"] == "unchecked"
    page = made.page.read_text("utf-8")
    assert "labels as they are" in page
    assert "each plate left out" in page


@pytest.mark.long
def test_wells_that_differed_before_the_treatment_fail(tmp_path: Path):
    """What differs at time 0 too is no effect; without any time nobody can tell."""
    study = _study(tmp_path, {"before", "after"})
    made = audit(study)
    found = {check.name: check for check in made.meta.checks}
    assert found["before treatment"].verdict == "fails"
    assert "before anything was done" in found["before treatment"].answer
    later = audit(study, treated_s=-1.0)
    unchecked = {check.name: check for check in later.meta.checks}["before treatment"]
    assert unchecked.verdict == "unchecked"
    assert "before the treatment" in unchecked.answer
