"""Evidence of the default net on planted sick cells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.models import split_culture
from benchmarks.planted import peaks_at, planted_fields
from livewell.explain.places import PlaceCam
from livewell.models.files import load_model
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.study.pixels import ArrayPixels
from livewell.workflows.demo import CULTURE, SETTINGS
from livewell.workflows.train import train

FIELDS = 6


@pytest.mark.long
def test_peaks_lie_on_planted_sick_cells(tmp_path: Path) -> None:
    """Learnt from doses of whole wells, maps of other plates peak at the few harmed cells."""
    profile = override(FROZEN, SETTINGS)
    spec = replace(CULTURE, wells_per_dose=6, positions_per_well=1)
    study = split_culture(spec, tmp_path, profile, (0.5, 0.25, 0.25))
    run = train(study, tmp_path / "run", profile, seed=0).run
    cam = PlaceCam(load_model(run.model(0))[0])
    hits, chances, shares = [], [], []
    for each in planted_fields(1, FIELDS):
        found, _ = cam.field(ArrayPixels({"": each.frame[None]}), "", 0, 1)
        target = each.near(cam.layer.margin_px)
        hits.append(peaks_at(found, target))
        chances.append(target.mean())
        shares.append(found[target].sum() / found.sum())
    assert len(hits) == FIELDS
    assert np.mean(chances) < 0.1
    assert sum(hits) >= FIELDS - 2
    assert np.mean(shares) > 3 * np.mean(chances)
