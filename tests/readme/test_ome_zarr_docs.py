"""The commands of the document on OME-Zarr, on what a tiny demo leaves."""

import re
from pathlib import Path

import pytest
import yaozarrs

from livewell.models.recipes import TINY
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.workflows.demo import DemoSpec, demo

DOCUMENT = Path(__file__).parents[2] / "docs" / "ome-zarr.md"


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_images_and_results_in_one_store(run_document, tmp_path, monkeypatch):
    """Every command runs, the stores are valid, and the Python in it reads what they wrote."""
    monkeypatch.chdir(tmp_path)
    small = {"positions_per_well": 1, "height_px": 256, "width_px": 256, "cells": 10}
    plate = CultureSpec((0.0, 120.0), 6, frames=5, frame_s=1800.0, **small)
    movie = CultureSpec((30.0,), 1, frames=2, **small)
    demo(Path("demo"), spec=DemoSpec(plate, movie, TINY, Holdout((0.25, 0.25, 0.5))))
    assert len(run_document(DOCUMENT)) == 8
    for store in ("plate.zarr", "named.zarr", "old.zarr", "plate.zarr/B/02/1/heatmap"):
        yaozarrs.validate_zarr_store(str(Path(store).resolve()))
    (block,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.M | re.S)
    found = {}
    exec(block, found)
    assert len(found["verdicts"]) == 12 * 5
    assert found["pixels"].shape == (5, 1, 256, 256)
    assert found["called"].shape == (5, 256, 256)
    assert found["heat"].shape[:2] == (5, 1)
