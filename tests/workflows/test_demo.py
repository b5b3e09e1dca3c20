"""The whole way once, on a plate small enough for a test."""

from pathlib import Path

import av
import pandas as pd
import pytest

from livewell.metrics.intervals import Estimate
from livewell.models.recipes import TINY
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.workflows.demo import DemoSpec, demo

SPEC = DemoSpec(
    culture=CultureSpec(
        doses_s=(0.0, 120.0),
        wells_per_dose=3,
        positions_per_well=1,
        frames=5,
        height_px=192,
        width_px=256,
        cells=12.0,
    ),
    low_dose=CultureSpec(
        doses_s=(30.0,),
        wells_per_dose=1,
        positions_per_well=1,
        frames=2,
        height_px=192,
        width_px=256,
        cells=12.0,
    ),
    profile=TINY,
    scheme=Holdout((0.4, 0.3, 0.3)),
    window_s=(900.0, 4500.0),
)


@pytest.mark.long
def test_demo(tmp_path: Path) -> None:
    """From a simulated plate to verdicts and a video of a low dose; repeated, it goes on."""
    said: list[str] = []
    made = demo(tmp_path / "demo", spec=SPEC, say=said.append)
    assert [line.split("/")[0] for line in said] == [str(step) for step in range(1, 8)]
    assert isinstance(made.auc, Estimate)
    assert 0 <= made.auc.value <= 1
    assert made.wells == {"healthy": 1, "sick": 1}
    assert all(page.stat().st_size > 10_000 for page in made.pages.values())
    with av.open(str(made.video)) as file:
        assert sum(1 for _ in file.decode(video=0)) == 2
    verdicts = pd.read_csv(tmp_path / "demo" / "verdicts" / "verdicts.csv")
    assert len(verdicts) == 2
    assert len(set(verdicts["image"])) == 1
    assert (tmp_path / "demo" / "low-dose" / "images" / verdicts["image"].iloc[0]).is_file()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    again = demo(tmp_path / "demo", spec=SPEC)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == stamps
    assert str(again.auc) == str(made.auc)
