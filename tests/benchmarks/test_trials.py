"""Trials on simulated shapes: what stands is used, and the tables' nets begin where they say."""

from pathlib import Path

import pytest
import torch

from benchmarks import places
from benchmarks.places import told
from benchmarks.shapes import Model, Trial, trained
from benchmarks.table1 import NETS, trials
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import ShapeSpec
from livewell.study.runs import Run

pytestmark = pytest.mark.long

SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 2})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that keeps pictures and models of this file."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def model(runs: Path) -> Model:
    """A net after three steps."""
    return trained(Trial(ShapeSpec(images=12), SHORT, "first"), runs, seed=0)


def test_figures_of_places_are_kept(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call looks at no picture; another threshold or smoothing does."""
    spec = ShapeSpec(images=12)
    first = told(model, spec, 2, "looking")
    assert first.paper.objects > 0

    def looked(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(places, "look_at", looked)
    again = told(model, spec, 2, "looking")
    assert again.paper == first.paper
    assert again.usual == pytest.approx(first.usual, nan_ok=True)
    monkeypatch.setattr(places, "FLOOR", 7.0)
    with pytest.raises(AssertionError):
        told(model, spec, 2, "looking")


def test_a_trial_begins_with_another(model: Model, runs: Path) -> None:
    """With hardly any step its weights are those of the first trial's net, and its run says so."""
    still = override(SHORT, {"lr": 1e-12, "weight_decay": 0})
    first = Trial(ShapeSpec(images=12), SHORT, "first")
    made = trained(Trial(ShapeSpec(images=12, seed=1), still, "second", first), runs, seed=0)
    own, other = (each.net.module.state_dict() for each in (model, made))
    name = next(name for name in own if name.endswith("weight"))
    torch.testing.assert_close(other[name], own[name])
    assert Run.open(runs / "second").spec.begun_with == model.card.weights_sha256


def test_every_net_of_the_table_has_its_own_folder() -> None:
    """No two trials share a run, and those that begin with another's net name one of the table."""
    every = [one for *_, one in trials(0)]
    names = [each.name for each in every]
    assert len(set(names)) == len(names)
    begun = [each.begin for each in every if each.begin]
    assert begun
    assert all(first in every for first in begun)


def test_nets_are_trained_for_their_own_readings() -> None:
    """What begins with the net for flat ellipses is trained for literal ones only, and so on."""
    made = [(net, reading) for net, reading, *_ in trials(3)]
    assert all(reading in net.readings for net, reading in made)
    assert {net.told for net, _ in made} == {net.told for net in NETS}
    assert len(made) == sum(net.seeds * len(net.readings) for net in NETS)
