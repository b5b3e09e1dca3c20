"""The simulated plate is a valid OME-Zarr whose fields are all different."""

from itertools import pairwise

import numpy as np
import pytest
import yaozarrs
import zarr

from benchmarks.plate_store import plate_store
from livewell.outputs.zarr_levels import mean_of_four
from livewell.plate import PLATES


@pytest.mark.parametrize(("frames", "size_px"), [(1, 64), (3, 256)])
def test_a_plate_is_valid_and_its_fields_differ(tmp_path, frames, size_px):
    """Every field that the table names is there, valid, unlike the others, with levels of means."""
    settings = {"plate": PLATES[6], "fields": 2, "cultures": 1}
    fields = plate_store(tmp_path / "p.zarr", frames=frames, size_px=size_px, **settings)
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))
    assert fields["image"].tolist()[:3] == ["A/01/0", "A/01/1", "A/02/0"]
    seen = set()
    for image in fields["image"]:
        group = zarr.open_group(tmp_path / "p.zarr" / image, mode="r")
        levels = [group[name][:] for name in sorted(group.array_keys())]
        assert levels[0].shape == (frames, 1, size_px, size_px)
        assert all(np.array_equal(mean_of_four(a), b) for a, b in pairwise(levels))
        seen.add(levels[0].tobytes())
    assert len(seen) == len(fields) == 12


def test_the_seed_decides_the_plate(tmp_path):
    """One seed, the same bytes."""
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        plate_store(tmp_path / name, plate=PLATES[6], fields=1, size_px=64, cultures=1, seed=seed)
        made.append((tmp_path / name / "A/02/0/0/c/0/0/0/0").read_bytes())
    assert made[0] == made[1] != made[2]
