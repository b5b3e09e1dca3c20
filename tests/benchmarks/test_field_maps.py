"""The benchmark of heat maps measures what it says."""

from benchmarks.field_maps import table
from livewell.models.profile import override
from livewell.models.recipes import FAST_FIELDS


def test_dense_maps_and_windows_agree() -> None:
    """A row a recipe, with both times and logits that differ by rounding alone."""
    small = override(FAST_FIELDS, {"patch_px": 48, "normalise_px": 48})
    result = table(profiles=[small], shape=(160, 150), repeats=1)
    ((name, *_),) = result.rows
    assert name == small.name
    assert len(result.columns) == len(result.rows[0])
    assert result.values[name]["difference"] < 1e-5
    assert min(result.values[name]["dense"] + result.values[name]["windows"]) > 0
