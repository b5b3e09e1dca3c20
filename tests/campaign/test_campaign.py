"""A part of every campaign, always the same; whole ones are `python -m tests.campaign`."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.campaign.__main__ import kind_of
from tests.campaign.cases import FAULTS, Case, Outcome, run, told
from tests.campaign.image_mutations import Mutation
from tests.campaign.images import Images, judged, read

SHORT = {"images": 250, "tables": 10}
LONG = {"images": 3000, "tables": 400, "models": 120, "studies": 120}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SHORT)
def test_a_part_of_a_campaign(name: str, tmp_path: Path) -> None:
    """Damaged inputs are read rightly, refused by name, or read with a note that says so."""
    outcomes = run(kind_of(name), range(SHORT[name]), tmp_path, seed=0)
    assert not [it for it in outcomes if it.failed], told(outcomes, name, 0)


@pytest.mark.minutes
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LONG)
def test_a_larger_part(name: str, tmp_path: Path) -> None:
    """The same of more images and tables, of models and of studies, by another seed."""
    outcomes = run(kind_of(name), range(LONG[name]), tmp_path, seed=1)
    assert not [it for it in outcomes if it.failed], told(outcomes, name, 1)


class Bad:
    """Cases that do what a campaign must notice."""

    wait_s = 6.0
    ways = ("right", "raise", "die", "hang", "eat")

    def prepare(self, folder: Path) -> None:
        """Nothing is shared."""

    def case(self, world: None, rng: object, folder: Path) -> Case:
        """One way after the other."""
        way = self.ways[int(folder.name.partition("-")[2])]

        def judge() -> tuple[str, str]:
            if way == "raise":
                raise KeyError(way)
            if way == "die":
                os._exit(3)
            if way == "hang":
                time.sleep(1000)
            return "right", str(np.zeros(1 << 30 if way == "eat" else 1)[0])

        return Case(way, judge)


@pytest.mark.long
def test_what_a_campaign_notices(tmp_path: Path) -> None:
    """A raised error, a sudden end, an endless loop and eaten memory are each their own fault."""
    outcomes = run(Bad(), range(5), tmp_path, seed=0)
    categories = ["right", "other exception", "crash", "slow", "memory"]
    assert [outcome.category for outcome in outcomes] == categories
    assert [outcome.what for outcome in outcomes] == list(Bad.ways)
    assert {outcome.category for outcome in outcomes if outcome.failed} == FAULTS & set(categories)


def test_silence_is_noticed(tmp_path: Path) -> None:
    """Another picture than was written, without a note, is right only where none can notice."""
    source, before = Images().prepare(tmp_path)[0]
    whole = read(tmp_path / source.name / source.name)
    other = type(whole)(whole.header, whole.pixels[..., ::-1])
    assert judged(before, whole, Mutation(source.data, source.name, ""))[0] == "right"
    assert judged(before, other, Mutation(source.data, source.name, ""))[0] == "silent wrong"
    assert Outcome(0, "silent wrong", "").failed
