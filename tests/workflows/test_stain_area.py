"""``livewell stain-area``: from images to the check that the treatment kills."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

import livewell
from livewell.cli import main
from livewell.errors import LabelError, OutputError, SpecError, TableError
from livewell.study.study import Study

DAYS = (3, 4, 5)
LIT = {"none": (0.01, 0.01, 0.02), "doxo": (0.01, 0.08, 0.25)}
"""Share that is lit, the mean over wells."""


def painted(treatment: str, day: int, well: int) -> float:
    """Share of a well's images that is lit: from 75% to 125% of the mean."""
    return LIT[treatment][DAYS.index(day)] * (0.75 + 0.1 * (well - 1))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Twelve wells on three days, half treated: a known share of each image is lit."""
    folder = tmp_path_factory.mktemp("kill")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for row, treatment in (("A", "none"), ("B", "doxo")):
        for well in range(1, 7):
            for day in DAYS:
                stain = rng.normal(300, 10, (64, 64))
                number = int(painted(treatment, day, well) * stain.size)
                lit = rng.choice(stain.size, number, replace=False)
                stain.reshape(-1)[lit] += 900
                bright = rng.normal(1000, 60, stain.shape)
                names = {"axes": "CYX", "Channel": {"Name": ["brightfield", "PI"]}}
                tifffile.imwrite(
                    folder / "images" / f"{row}0{well}_{treatment}_d{day}.ome.tif",
                    np.stack([bright, stain]).astype(np.uint16),
                    ome=True,
                    photometric="minisblack",
                    metadata=names,
                )
    pattern = "{well}_{treatment}_d{day:int}.ome.tif"
    return livewell.index(folder / "images", folder / "study", pattern=pattern).study


def test_lit_areas_are_those_that_were_painted(study: Study, tmp_path: Path) -> None:
    """Every well's share is the painted one, and at day 5 treated wells lie above controls."""
    made = livewell.stain_area(study, tmp_path / "out", channel="PI", control="none", time="day")
    wells = pd.read_csv(tmp_path / "out" / "wells.csv")
    wanted = [painted(row.by, row.time, int(row.group[1:])) for row in wells.itertuples()]
    np.testing.assert_allclose(wells["lit"], wanted, atol=2e-3)
    rows = pd.read_csv(tmp_path / "out" / "treatments.csv").set_index(["by", "time"])
    assert rows.loc[("doxo", 5), "above_control"] == pytest.approx(0.23, abs=5e-3)
    assert rows.loc[("doxo", 5), "above_low"] > 0.1
    assert len(pd.read_csv(tmp_path / "out" / "images.csv")) == 36
    page = made.page.read_text("utf-8")
    assert "At day 5, PI lights 25.0% of the area with doxo" in page
    assert "points more than the control) and 2.0% with none." in page
    assert any("rough: doxo has 6, none has 6" in text for text in made.warnings)


@pytest.mark.long
def test_thresholds_of_three_kinds(study: Study, tmp_path: Path) -> None:
    """Counts, standard deviations and labels' dead threshold agree where cells shine brightly."""
    common = {"channel": "PI", "control": "none", "time": "day"}
    route = livewell.Stain("PI", 16, 16, "mean", empty="keep")
    livewell.label(study, route, ("live", "dead"), name="patches")
    dead = study.label_meta("patches").mixtures[""]["dead_above"]
    ways = {"sds": {"sds": 8.0}, "above": {"above": 600.0}, "labels": {"labels": "patches"}}
    found = {
        name: livewell.stain_area(study, tmp_path / name, **common, **way).images
        for name, way in ways.items()
    }
    assert (found["labels"]["threshold"] == dead).all()
    np.testing.assert_allclose(found["sds"]["lit"], found["above"]["lit"], atol=1e-3)
    with pytest.raises(SpecError, match="several thresholds"):
        livewell.stain_area(study, tmp_path / "two", **common, sds=3.0, above=500.0)
    with pytest.raises(OutputError, match="other settings"):
        livewell.stain_area(study, tmp_path / "sds", **common, above=500.0)


def test_labels_without_a_threshold_are_refused(study: Study, tmp_path: Path) -> None:
    """Labels by a column have no threshold in counts."""
    column = livewell.Column("treatment", {"none": "live", "doxo": "dead"})
    livewell.label(study, column, ("live", "dead"), name="column")
    with pytest.raises(LabelError, match="labels without a threshold"):
        livewell.stain_area(study, tmp_path / "out", channel="PI", control="none", labels="column")


@pytest.mark.long
def test_a_ratio_becomes_counts_by_each_frames_background(study: Study, tmp_path: Path) -> None:
    """The dead threshold of labels by the ratio is as many times each image's own background."""
    for on in ("ratio", "log-ratio"):
        route = livewell.Stain("PI", 16, 16, on, 100.0, empty="keep")
        livewell.label(study, route, ("live", "dead"), name=on)
        common = {"channel": "PI", "control": "none", "labels": on}
        images = livewell.stain_area(study, tmp_path / on, **common).images
        dead = study.label_meta(on).mixtures[""]["dead_above"]
        times = np.exp(dead) if on == "log-ratio" else dead
        np.testing.assert_allclose(
            images["threshold"], 100 + times * (images["background"] - 100), rtol=1e-9
        )


def test_the_command(study: Study, tmp_path: Path) -> None:
    """It names its report; a control that is none is refused before anything is written."""
    words = ["stain-area", str(study.folder), "--channel", "PI", "--time", "day"]
    out = tmp_path / "out"
    done = CliRunner().invoke(main, [*words, "--control", "none", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert f"report: {out / 'report.html'}" in done.output
    other = tmp_path / "other"
    done = CliRunner().invoke(main, [*words, "--control", "vehicle", "--out", str(other)])
    assert done.exit_code == 2
    assert "no image is vehicle; there are doxo, none" in done.output
    assert not other.exists()
    with pytest.raises(TableError, match="no such column"):
        livewell.stain_area(study, other, channel="PI", control="none", group="slide")
