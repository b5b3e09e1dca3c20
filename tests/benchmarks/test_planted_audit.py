"""Simulated plates with a planted shortcut: what is planted, and nothing else."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.audit import SHORTCUTS, _row, _wells, _write

DESIGNS = ("one class on one plate", "class by well column", "class by acquisition order")


def _layout(name: str, seed: int = 0):
    return _wells(SHORTCUTS[name], np.random.default_rng(seed))


@pytest.mark.parametrize("name", [name for name in SHORTCUTS if name not in DESIGNS])
def test_plates_without_a_shortcut_in_their_design_are_balanced(name):
    """Half of the wells of each plate are lit, at random."""
    wells = _layout(name)
    assert (wells.groupby("plate")["lit"].sum() == 6).all()
    assert not wells["lit"].equals(_layout(name, 1)["lit"])


def test_designs_hold_their_shortcut():
    """One plate has all lit wells; lit wells lie right; they come last."""
    one, column, order = (_layout(name) for name in DESIGNS)
    assert set(one.loc[one["lit"], "plate"]) == {2}
    assert column.loc[column["lit"], "column"].min() > column.loc[~column["lit"], "column"].max()
    means = order.groupby("lit")["order"].mean()
    assert means[True] - means[False] > 5


@pytest.mark.parametrize("name", ["one class brighter", "background texture by class"])
def test_pixels_of_lit_wells_alone_differ(name):
    """The same field is brighter, or its ground finer, where its well is lit."""
    grey = np.full((96, 96), 100, dtype=np.float32)
    plain, lit = (
        SHORTCUTS[name].pixels(grey, lit, np.random.default_rng(0)) for lit in (False, True)
    )
    steps = [np.abs(np.diff(each, axis=0)).mean() for each in (plain, lit)]
    assert lit.mean() > 1.05 * plain.mean() or steps[1] > 1.5 * steps[0]


def test_files_have_the_quality_asked_for(tmp_path):
    """JPEG of 75 has coarser tables than of 95; without a quality files are TIFF."""
    grey = np.random.default_rng(0).normal(100, 20, (64, 64)).astype(np.float32)
    coarse, fine = (_write(tmp_path, f"q{q}", grey, q) for q in (75, 95))
    with Image.open(tmp_path / coarse) as first, Image.open(tmp_path / fine) as second:
        assert sum(first.quantization[0]) > 2 * sum(second.quantization[0])
    assert _write(tmp_path, "none", grey, None) == "none.tif"


def test_a_row_counts_what_failed():
    """Plates on which the right check fails, any check fails, and each check by name."""
    found = [
        {"verdicts": {"design": "fails", "acquisition": "passes"}},
        {"verdicts": {"design": "passes", "acquisition": "fails"}},
        {"verdicts": {"design": "fails", "acquisition": "unchecked"}},
    ]
    row = _row("class by well column", found)
    assert row[3].startswith("2 of 3")
    assert row[4].startswith("3 of 3")
    assert row[5:] == ["acquisition 1, design 2", "acquisition 1"]
