"""The simulated culture is no gift: grey levels alone do not tell sick from healthy."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from livewell.simulate.culture import CultureSpec, positions, simulate_position

pytestmark = pytest.mark.long

PLATE = CultureSpec(doses_s=(0.0, 120.0), wells_per_dose=7, frames=4, frame_s=3600, seed=1)
QUANTILES = (0.5, 1, 2, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5)

Crops = list[tuple[NDArray[np.float64], bool, str]]


def _crops(spec: CultureSpec, frames: range) -> Crops:
    """Four corners of 224 px of each frame, whether it was lit, and its well."""
    found: Crops = []
    for key in positions(spec):
        movie = simulate_position(spec, key)
        for t in frames:
            for y in (0, 288):
                for x in (0, 288):
                    crop = movie.frames[t, y : y + 224, x : x + 224].astype(float)
                    found.append((crop, key.dose_s > 0, key.well))
    return found


def _auc(crops: Crops, normalised: bool) -> float:
    """Area under the ROC curve of trees on intensity statistics, every well unseen once."""
    rows = []
    for crop, _, _ in crops:
        if normalised:
            crop = (crop - crop.mean()) / crop.std()
        moments = [crop.mean(), crop.std(), (crop**3).mean(), (crop**4).mean()]
        rows.append([*moments, *np.percentile(crop, QUANTILES)])
    labels = np.array([lit for _, lit, _ in crops])
    trees = ExtraTreesClassifier(200, min_samples_leaf=3, random_state=0)
    scores = cross_val_predict(
        trees,
        np.array(rows),
        labels,
        groups=[well for _, _, well in crops],
        cv=StratifiedGroupKFold(7, shuffle=True, random_state=0),
        method="predict_proba",
    )
    return float(roc_auc_score(labels, scores[:, 1]))


@pytest.fixture(scope="module")
def early() -> Crops:
    """Crops from 1, 2 and 3 h after the light."""
    return _crops(PLATE, range(1, 4))


@pytest.mark.parametrize("normalised", [False, True], ids=["raw", "normalised"])
def test_intensity_statistics_do_not_tell_early_sickness(early: Crops, normalised: bool) -> None:
    """Trees on mean, sd and percentiles of a patch stay at or below AUC 0.70 on unseen wells."""
    assert _auc(early, normalised) <= 0.70


def test_the_same_trees_see_late_death() -> None:
    """The same statistics do tell dead cultures from living ones, so the trees are not blind."""
    spec = replace(PLATE, positions_per_well=1, frames=2, frame_s=20 * 3600)
    assert _auc(_crops(spec, range(1, 2)), normalised=True) > 0.85
