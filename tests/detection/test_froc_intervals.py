"""Interval of the mean sensitivity of a FROC: whole groups of images, honest with few."""

import math

import numpy as np
import pandas as pd
import pytest

from livewell.detection.froc import froc
from livewell.detection.intervals import froc_estimate
from livewell.detection.matching import matched
from livewell.metrics.intervals import interval
from livewell.metrics.outcomes import Outcomes
from livewell.metrics.resampling import draws

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def study(rng: np.random.Generator, groups: int, images: int = 4, digits: int = 9) -> Tables:
    """Groups of images with up to two objects each, every third group without, and noise."""
    names = [f"{g}-{i}" for g in range(groups) for i in range(images)]
    group = np.repeat([f"g{g}" for g in range(groups)], images)
    listed = pd.DataFrame({"image": names, "group": group})
    sought = np.where(np.repeat(np.arange(groups), images) % 3 == 0, 0, rng.integers(1, 3))
    objects = pd.DataFrame(
        [
            (name, "dead", 20 * k, 0)
            for name, n in zip(names, sought, strict=True)
            for k in range(n)
        ],
        columns=["image", "kind", "y0", "x0"],
    ).astype({"image": "str"})
    objects = objects.assign(y1=objects["y0"] + 10, x1=10)
    hits = pd.DataFrame({"image": objects["image"], "y": objects["y0"] + 5.0, "x": 5.0})
    hits["score"] = rng.normal(1, 1, len(hits))
    noise = pd.DataFrame({"image": np.repeat(names, 3), "y": 5.0, "x": 90.0})
    noise["score"] = rng.normal(0, 1, len(noise))
    found = pd.concat([hits.sample(frac=0.9, random_state=1), noise], ignore_index=True)
    return (
        matched(found.assign(score=found["score"].round(digits)), objects, listed),
        objects,
        listed,
    )


def repeated(tables: Tables, times: dict[str, int]) -> Tables:
    """The tables with each group so many times, every copy under names of its own."""
    group = tables[2].set_index("image")["group"]
    parts: list[list[pd.DataFrame]] = [[], [], []]
    for copy in range(max(times.values())):
        kept = group.index[group.map(times) > copy]
        for part, table in zip(parts, tables, strict=True):
            rows = table[table["image"].isin(kept)]
            part.append(rows.assign(image=rows["image"] + f"/{copy}"))
    found, truth, images = (pd.concat(part, ignore_index=True) for part in parts)
    return found, truth, images


@pytest.mark.long
@pytest.mark.parametrize("digits", [0, 9])
def test_resampling_is_repeating_images(digits):
    """Every resample is the FROC of the images drawn, equal scores or not, and so the interval."""
    tables = study(np.random.default_rng(3), 15, digits=digits)
    made = froc_estimate(*tables, seed=5, resamples=40)
    holds = tables[2].assign(y=tables[2]["image"].isin(tables[1]["image"]).astype(int))
    stratum = holds.groupby("group")["y"].max().reset_index().assign(p=0.0, called=0)
    data = Outcomes.of(stratum)
    values = [
        froc(*repeated(tables, dict(zip(data.names, row.astype(int), strict=True)))).score
        for row in draws(data.held, 5, 40)
    ]
    by_hand = interval(froc(*tables).score, np.array(values), 10, free=9)
    assert made.value == pytest.approx(froc(*tables).score)
    assert (made.low, made.high) == (pytest.approx(by_hand.low), pytest.approx(by_hand.high))
    assert made.groups == 10


def test_few_groups_and_nothing_to_find():
    """One group has no interval but 0 to 1; without any object there is no figure, and it says so;
    objects that nobody detects make 0."""
    found, objects, images = study(np.random.default_rng(0), 8)
    alone = images.assign(group="all")
    made = froc_estimate(found, objects, alone, seed=0, resamples=50)
    assert (made.low, made.high, made.method) == (0.0, 1.0, "none")
    nothing = froc_estimate(found.assign(right=False), objects[:0], images, seed=0, resamples=50)
    assert math.isnan(nothing.value)
    assert nothing.note == "no object of the kind sought"
    blind = froc_estimate(found[:0], objects, images, seed=0, resamples=50)
    assert blind.value == 0.0
    assert 0 == blind.low < blind.high < 1


def test_a_single_group_without_objects_is_drawn_with_the_others():
    """It would never vary if it were drawn from itself alone."""
    found, objects, images = study(np.random.default_rng(1), 12)
    kept = images[~images["group"].isin(["g3", "g6", "g9"])]
    rows = found[found["image"].isin(kept["image"])]
    made = froc_estimate(rows, objects, kept, seed=0, resamples=200)
    assert made.low < made.value < made.high
    assert made.groups == 8
