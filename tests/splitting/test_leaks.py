"""The same content on two sides of a split."""

import numpy as np
import pandas as pd
import pytest

from livewell.errors import LeakError
from livewell.measure.content import content_rows, table_of
from livewell.splitting import leaks

FOLDS = pd.DataFrame(
    [
        (fold, group, part)
        for fold, parts in enumerate(
            (("train", "test", "validation", "unused"), ("test", "test", "train", "validation"))
        )
        for group, part in zip("ABCD", parts, strict=True)
    ],
    columns=["fold", "group", "part"],
)


def content_table(frames, shapes):
    """The content table of frames (image, t, pixels)."""
    return table_of(row for frame in frames for row in content_rows(*frame, shapes))


def content(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    """A content table from (image, part, digest)."""
    table = pd.DataFrame(rows, columns=["image", "part", "digest"])
    return table.assign(t=0)


def test_tiles_of_one_picture_are_one_cluster_though_they_share_no_pixel():
    """Two tiles are joined through the picture that holds both; a stranger stays out."""
    clusters = leaks.same_content(
        content(
            ("whole", "whole", "p"),
            ("whole", "2x2:0,0", "a"),
            ("whole", "2x2:0,1", "b"),
            ("tile-a", "whole", "a"),
            ("tile-b", "whole", "b"),
            ("stranger", "whole", "z"),
        )
    )
    assert set(clusters["cluster"]) == {0}
    assert set(clusters["image"]) == {"whole", "tile-a", "tile-b"}


def test_empty_digests_and_repeats_within_one_image_join_nothing():
    """Pictures of one value, and a picture that repeats itself, share nothing with others."""
    table = content(
        ("x", "whole", None), ("y", "whole", None), ("x", "2x1:0,0", "q"), ("x", "2x1:1,0", "q")
    )
    assert leaks.same_content(table).empty
    assert leaks.find_leaks(leaks.same_content(table), {"x": "A", "y": "B"}, FOLDS).empty


def test_leaks_are_the_pairs_on_two_sides():
    """A pair is a leak in the folds where its groups play two used parts, and only there."""
    clusters = leaks.same_content(
        content(("a", "whole", "1"), ("b", "whole", "1"), ("c", "whole", "2"), ("d", "whole", "2"))
    )
    found = leaks.find_leaks(clusters, {"a": "A", "b": "B", "c": "C", "d": "D"}, FOLDS)
    pairs = found[["image_a", "image_b", "fold"]]
    assert pairs.to_numpy().tolist() == [["a", "b", 0], ["c", "d", 1]]
    assert found.loc[0, ["part_a", "part_b"]].tolist() == ["train", "test"]


def test_the_same_group_and_images_out_of_use_are_no_leak():
    """Twins in one group, and twins without a group, are in order."""
    clusters = leaks.same_content(content(("a", "whole", "1"), ("b", "whole", "1")))
    assert leaks.find_leaks(clusters, {"a": "A", "b": "A"}, FOLDS).empty
    assert leaks.find_leaks(clusters, {"a": "A"}, FOLDS).empty
    leaks.refuse_leaks(clusters, {"a": "A", "b": "A"}, FOLDS)


def test_refusal_lists_files_and_merging_mends_it():
    """The error names both files and the remedy, which leaves nothing to refuse."""
    clusters = leaks.same_content(
        content(("a.tif", "whole", "1"), ("b.tif", "whole", "1"), ("c.tif", "whole", "2"))
    )
    groups = {"a.tif": "A", "b.tif": "B", "c.tif": "C"}
    with pytest.raises(
        LeakError, match=r"a\.tif \(train, group A\) and b\.tif \(test.*merge-duplicates"
    ):
        leaks.refuse_leaks(clusters, groups, FOLDS)
    merged = leaks.merged_groups(clusters, groups)
    assert merged == {"a.tif": "A+B", "b.tif": "A+B", "c.tif": "C"}
    folds = FOLDS.assign(group=FOLDS["group"].replace({"A": "A+B"}))
    leaks.refuse_leaks(clusters, merged, folds[folds["group"] != "B"])


def test_merging_is_transitive_over_clusters_and_groups():
    """Groups joined by a chain of different twins become one."""
    clusters = leaks.same_content(
        content(
            ("a1", "whole", "1"),
            ("b1", "whole", "1"),
            ("b2", "whole", "2"),
            ("c1", "whole", "2"),
            ("d1", "whole", "2"),
        )
    )
    groups = {"a1": "A", "b1": "B", "b2": "B", "c1": "C", "d1": "D", "e": "E"}
    merged = leaks.merged_groups(clusters, groups)
    assert {merged[image] for image in ("a1", "b1", "b2", "c1", "d1")} == {"A+3 more"}
    assert merged["e"] == "E"


def test_a_turned_tile_of_a_real_frame_is_found():
    """A quarter of a picture, saved turned as a file of its own, is joined to the picture."""
    rng = np.random.default_rng(0)
    frame, other = rng.integers(0, 255, (2, 40, 60), dtype=np.uint8)
    tile = np.rot90(frame[20:, :30]).copy()
    frames = [("frame", 0, frame), ("other", 0, other), ("tile", 0, tile)]
    table = content_table(frames, [f.shape for _, _, f in frames])
    clusters = leaks.same_content(table)
    assert set(clusters["image"]) == {"frame", "tile"}
    groups = {"frame": "A", "tile": "B", "other": "C"}
    assert len(leaks.find_leaks(clusters, groups, FOLDS)) == 1
