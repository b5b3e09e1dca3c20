"""Which pairs of images are copies, and which are near copies."""

import numpy as np
import pandas as pd
from scipy import ndimage

from livewell.measure.content import content_rows, table_of
from livewell.splitting.leaks import CONTENT, NEAR, near_copies, pairs_of_groups, same_content


def field(seed: int) -> np.ndarray:
    """A field of blobs, 16 bits."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(120, 160)), 3)
    return (2000 + 4000 * noise).astype(np.uint16)


def content_of(frames: dict[str, np.ndarray]) -> pd.DataFrame:
    """Their content table."""
    shapes = [frame.shape for frame in frames.values()]
    return table_of(row for name, f in frames.items() for row in content_rows(name, 0, f, shapes))


FRAMES = {
    "a": field(1),
    "b": (field(1) // 20).astype(np.uint8),
    "c": field(2),
    "tile": (field(2)[60:, :80] // 20).astype(np.uint8)[:, ::-1],
    "twin": field(3),
    "other": field(3)[::-1],
    "e": field(4),
}
CONTENT_TABLE = content_of(FRAMES)
APART = {name: name for name in FRAMES}


def test_kinds_of_sameness_are_told_apart() -> None:
    """Copies to the last grey level are proven; other grey levels, and a tile, are near copies."""
    clusters = same_content(CONTENT_TABLE, near_copies(CONTENT_TABLE, APART))
    pairs = pairs_of_groups(clusters, APART).set_index(["image_a", "image_b"])["same"].to_dict()
    assert pairs == {("a", "b"): NEAR, ("c", "tile"): NEAR, ("other", "twin"): CONTENT}
    parts = clusters.set_index("image")["part"]
    assert parts["c"] == "2x2:1,0"


def test_one_group_and_an_overruled_pair_are_in_order() -> None:
    """Images of one group are not compared, and a pair said to be different is left out."""
    assert near_copies(CONTENT_TABLE, dict.fromkeys(FRAMES, "one")).empty
    left = near_copies(CONTENT_TABLE, APART, [("b", "a")])
    assert set(left["image"]) == {"c", "tile", "twin", "other"}
