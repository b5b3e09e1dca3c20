"""Parts of a localisation by themselves: pixels of the file, names, what is drawn."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from discs import SHAPE, blobs, save_by_hand
from hypothesis import given
from hypothesis import strategies as st

from livewell.geometry import Box
from livewell.inference.detections import Detections
from livewell.metrics.rules import RegionRule
from livewell.outputs.located import in_file
from livewell.report import localisation_figures as places_shown
from livewell.report.class_maps import ClassMaps, class_maps
from livewell.report.localisation_figures import chosen, three
from livewell.study.naming import file_names
from livewell.tables.schemas import BOX
from livewell.workflows.localise import localise

CLASSES = ("dim", "bright")


def test_names_of_masks_are_each_once() -> None:
    """A picture named like a frame of another image's movie gets a name of its own."""
    names = file_names(["a.tif", "A_t0001.tif", "sub/b c.tif", "b_t0002.tif"])
    assert names["a.tif"] == "a"
    assert names["A_t0001.tif"].startswith("A_t0001-")
    assert names["sub/b c.tif"] == "sub_b_c"
    assert names["b_t0002.tif"] == "b_t0002"
    assert len({name.lower() for name in names.values()}) == 4


@given(st.floats(0.001, 0.999), st.floats(0.05, 20))
def test_log_odds_give_back_their_probability(p: float, temperature: float) -> None:
    """The threshold in log odds is the one that the rule's probability reaches."""
    rule = RegionRule(temperature, 0.5)
    assert rule.probability(rule.log_odds(p)) == pytest.approx(p)
    assert np.isfinite([rule.log_odds(0), rule.log_odds(1)]).all()


@given(
    st.tuples(st.integers(8, 60), st.integers(8, 60)),
    st.tuples(st.integers(4, 120), st.integers(4, 120)),
    st.lists(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)), max_size=6, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_places_in_the_file_agree_with_its_mask(seen, shape, at, seed) -> None:
    """Whatever the two sizes, boxes hold their labels, lie inside, and peaks scale with the frame.

    No place gets lost: where no pixel is nearest to any of its own it has one at least, unless
    another one stands within 2 px.
    """
    centres = np.array(at).reshape(-1, 2) * seen
    rng = np.random.default_rng(seed)
    labels = np.zeros(seen, dtype=np.int32)
    for number, (y, x) in enumerate(centres.astype(int), 1):
        reach = int(rng.integers(0, 4))
        labels[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = number
    blank = np.zeros(seen, dtype=np.float32)
    places = Detections(
        0.0, np.zeros((2, 1, 1), np.float32), blank[:1, :1], blank, centres[:, 0], centres[:, 1],
        np.zeros(len(centres)), labels, np.zeros((len(centres), 4), np.int64), Box.of(0, 0, *seen),
    )  # fmt: skip
    found, table = in_file(places, shape, Box.of(0, 0, *shape))
    at_file, boxes = table[["y", "x"]].to_numpy(), table[BOX].to_numpy()
    assert found.shape == shape
    np.testing.assert_allclose(at_file * seen, centres * shape, rtol=1e-9)
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= shape).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    for number, (y0, x0, y1, x1) in enumerate(boxes, 1):
        there = found == number
        assert there.sum() == there[y0:y1, x0:x1].sum()
        near = (np.abs(at_file - at_file[number - 1]) <= 2).all(axis=1).sum()
        assert there.any() or near > 1


def table(**verdicts: Sequence[float]) -> pd.DataFrame:
    """Pictures of the given p, by verdict."""
    rows = [
        (f"{name}{i}", 0, p, name)
        for name, values in verdicts.items()
        for i, p in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["image", "t", "p", "verdict"])


def test_which_pictures_are_drawn() -> None:
    """The surest positives first, then unsure ones, then a few of the surest negatives."""
    many = np.linspace(0, 1, 60)
    pictures = table(bright=many[50:], unsure=many[30:40], dim=many[:30])
    found = chosen(pictures, CLASSES, 12)
    assert found["verdict"].tolist() == ["bright"] * 7 + ["unsure"] * 3 + ["dim"] * 2
    assert found["p"].tolist()[:2] == [many[59], many[58]]
    assert found["p"].tolist()[-2:] == [many[0], many[1]]
    assert chosen(pictures, CLASSES, 0).empty
    assert len(chosen(pictures, CLASSES, 60)) == 30
    assert chosen(table(dim=many[:30]), CLASSES, 24)["verdict"].tolist() == ["dim"] * 4
    assert len(chosen(table(bright=[0.9], unsure=[0.5], dim=[0.1]), CLASSES, 24)) == 3
    nothing = table(bright=[0.9]).assign(p=np.nan)
    assert chosen(nothing, CLASSES, 24).empty


def test_which_three_make_figure_3() -> None:
    """Surest positive, least sure, surest negative; a verdict that is missing is not claimed."""
    pictures = table(bright=[0.9, 0.99], unsure=[0.52], dim=[0.2, 0.01])
    assert [(name, row["p"]) for name, row in three(pictures, CLASSES, 0.5)] == [
        ("surest bright", 0.99),
        ("least sure", 0.52),
        ("surest dim", 0.01),
    ]
    assert [name for name, _ in three(table(dim=[0.1, 0.05]), CLASSES, 0.5)] == [
        "highest p, dim",
        "surest dim",
    ]
    assert three(table(dim=[]), CLASSES, 0.5) == []


def test_figure_3_says_what_part_of_a_picture_it_shows(
    tmp_path: Path, write_movie: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One window of a large picture is called a part; of a small one the edge and no more."""
    shown: list[ClassMaps] = []

    def caught(items: Sequence[ClassMaps], *others: object) -> object:
        shown.extend(items)
        return class_maps(items, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(places_shown, "class_maps", caught)
    height, width = SHAPE
    large = blobs([(30, 40)], shape=(height, 2 * width))
    small = blobs([], [(20, 30)], shape=(height - 20, width - 40), seed=1)
    write_movie(tmp_path / "images" / "large.ome.tif", large[None])
    write_movie(tmp_path / "images" / "small.ome.tif", small[None])
    made = localise(tmp_path / "images", save_by_hand(tmp_path / "m"), tmp_path / "o", figures=1)
    of = {item.title.split("\n")[-1]: item for item in shown}
    assert list(of) == ["part of large.ome.tif", "small.ome.tif"]
    part, mirrored = of.values()
    assert part.title.startswith("surest bright\np ")
    assert part.inside == (0, 0, *SHAPE)
    assert part.counted.all()
    assert not part.mirrored
    assert mirrored.inside == (10, 20, height - 10, width - 20)
    assert mirrored.mirrored
    assert 0 < mirrored.counted.sum() < mirrored.counted.size
    assert made.figure3 is not None
