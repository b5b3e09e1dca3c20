"""The audit's question to a model: does it look at the cells."""

from livewell.explain.attribution import attribution
from livewell.explain.background import Background
from livewell.metrics.intervals import Estimate


def _background(evidence: float, area: float) -> Background:
    def estimate(value: float) -> Estimate:
        return Estimate(value, value - 0.05, value + 0.05, 12, "percentile")

    return Background(estimate(evidence), estimate(area), 40, 0, 0.0)


def test_a_model_that_looks_beside_the_cells_fails():
    """More of the evidence than of the area off cells is worse than looking anywhere."""
    found = attribution({"sick": _background(0.8, 0.5), "healthy": _background(0.1, 0.5)})
    assert found.found == "fails"
    assert "80%" in found.fails
    assert found.table["patches"].tolist() == [40, 40]


def test_a_model_that_looks_at_the_ground_too_is_shown():
    """A third of the evidence off cells asks for attention, a tenth passes."""
    assert attribution({"sick": _background(0.4, 0.6)}).found == "attention"
    assert attribution({"sick": _background(0.1, 0.6)}).found == "passes"


def test_without_a_model_or_ground_nobody_can_tell():
    """No model, or cells all over, is unchecked with its reason."""
    assert attribution({}, "no model is given").unchecked == "no model is given"
    assert "ground" in attribution({"sick": _background(0.01, 0.02)}).unchecked
