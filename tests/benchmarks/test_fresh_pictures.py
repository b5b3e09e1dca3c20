"""Nets on simulated shapes: tested on pictures that no training has seen, each thing made once."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import shapes
from benchmarks.shapes import FRESH, Model, Trial, on_fresh, scored, study_of, trained
from livewell.errors import OutputError
from livewell.inference.windows import Windows
from livewell.metrics.decisions import fit_region_rule
from livewell.metrics.rules import RegionRule, log_odds
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import Picture, ShapeSpec, picture

SMALL = partial(ShapeSpec, images=12, rows=2, columns=3, objects=(3, 5))
"""Pictures of 70 x 105 px."""
SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 2})
TRIAL = Trial(SMALL(), SHORT, "first")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that keeps pictures and models of this file."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def model(runs: Path) -> Model:
    """A net after three steps."""
    return trained(TRIAL, runs, seed=0)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "cpu_count", lambda: 1)


def refused(*_: object, **__: object) -> None:
    raise AssertionError


def bytes_of(pictures: list[Picture]) -> list[bytes]:
    return [made.pixels.tobytes() for made in pictures]


def fresh(spec: ShapeSpec, images: int) -> Iterator[bytes]:
    for part in on_fresh(bytes_of, spec, images):
        yield from part


@pytest.mark.parametrize("spec", [SMALL(), SMALL(seed=2), SMALL(circles=1), SMALL(circle_share=1)])
def test_fresh_pictures_are_none_of_any_training(spec: ShapeSpec) -> None:
    """Neither those of the same seed nor of the seeds beside it, which other trials train on."""
    trained_on = {
        picture(replace(spec, seed=seed), number).pixels.tobytes()
        for seed in range(5)
        for number in range(20)
    }
    assert len(trained_on) == 100
    assert not trained_on & set(fresh(spec, 20))


def test_fresh_pictures_are_of_the_same_kind_as_many_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of a far seed, in order, whatever number is told of together."""
    spec = SMALL(ellipses="literal", circles=2, seed=1)
    far = replace(spec, seed=1 + FRESH)
    expected = bytes_of([picture(far, number) for number in range(9)])
    assert list(fresh(spec, 9)) == expected
    monkeypatch.setattr(shapes, "TOGETHER", 4)
    assert list(fresh(spec, 9)) == expected


def test_scores_are_those_of_the_net_on_fresh_pictures(model: Model) -> None:
    """Truth and log odds, picture by picture; none of what it learnt from."""
    table = scored(model, TRIAL.spec, 8)
    made = [picture(replace(TRIAL.spec, seed=FRESH), number) for number in range(8)]
    pixels = torch.from_numpy(np.stack([each.pixels for each in made])).float()[:, None]
    assert table["y"].tolist() == [int("circle" in set(each.objects["kind"])) for each in made]
    logits = Windows(model.net).logits(pixels)
    np.testing.assert_allclose(table["logit"], log_odds(logits), atol=1e-5)


def test_pictures_are_called_by_the_cards_threshold(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the log odds of that probability on; another rule calls anew, but scores nothing."""
    logit = scored(model, TRIAL.spec, 8)["logit"].to_numpy()
    monkeypatch.setattr(shapes, "fresh_scores", refused)
    for least in np.sort(logit)[[2, 5]] - 1e-6:
        rule = RegionRule(2.0, float(1 / (1 + np.exp(-least / 2))))
        other = replace(model, card=model.card.model_copy(update={"region_rule": rule}))
        table = scored(other, TRIAL.spec, 8)
        assert table["called"].tolist() == (logit >= least).astype(int).tolist()
        np.testing.assert_array_equal(table["logit"], logit)


def test_the_threshold_is_of_validation_pictures_alone(model: Model, runs: Path) -> None:
    """The card's rule is that of the second third; the others would give another."""
    study = study_of(TRIAL.spec, runs / "data" / "flat-0.1-0")
    patches, parts, _ = study.split("split")
    table = patches.merge(parts, on="group")
    rules = {}
    for name, part in table.groupby("part"):
        made = [picture(TRIAL.spec, int(Path(image).stem)) for image in part["image"]]
        logit = Windows(model.net).logits(
            torch.from_numpy(np.stack([each.pixels for each in made])).float()[:, None]
        )
        rules[name] = fit_region_rule(logit, [each.positive for each in made], part["group"])
    own = model.card.region_rule.threshold
    assert len(table) == 12
    assert set(table["part"].value_counts()) == {4}
    assert own == pytest.approx(rules["validation"].threshold, abs=1e-6)
    assert all(abs(own - rules[name].threshold) > 1e-4 for name in ("train", "test"))


def test_scores_are_kept(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked again the net is not; it is for other pictures, more of them, or other weights."""
    first = scored(model, TRIAL.spec, 6)
    made: list[ShapeSpec] = []

    def scores(_: object, spec: ShapeSpec, images: int) -> pd.DataFrame:
        made.append(spec)
        return pd.DataFrame({"y": [0, 1], "logit": [-1.0, images]})

    monkeypatch.setattr(shapes, "fresh_scores", scores)
    pd.testing.assert_frame_equal(scored(model, TRIAL.spec, 6), first)
    assert not made
    more = SMALL(circle_share=0.2)
    weights = replace(model, card=model.card.model_copy(update={"weights_sha256": "0" * 64}))
    scored(model, more, 6)
    scored(model, SMALL(circles=2), 6)
    scored(model, TRIAL.spec, 7)
    scored(weights, TRIAL.spec, 6)
    assert made == [more, SMALL(circles=2), TRIAL.spec, TRIAL.spec]
    scored(model, more, 6)
    assert len(made) == 4


def test_what_is_trained_is_used_again(
    model: Model, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call draws no picture, trains nothing, and gives the same weights and log."""
    monkeypatch.setattr("livewell.workflows.shapes.picture", refused)
    monkeypatch.setattr("livewell.workflows.train.train_fold", refused)
    again = trained(TRIAL, runs, seed=0)
    assert again.card.weights_sha256 == model.card.weights_sha256
    pd.testing.assert_frame_equal(again.log, model.log)
    for name, values in model.net.module.state_dict().items():
        torch.testing.assert_close(again.net.module.state_dict()[name], values)


def test_trials_on_one_set_share_a_study(
    model: Model, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another recipe is trained on the same split of the same pictures."""
    for name in ("index", "label", "split"):
        monkeypatch.setattr(shapes, name, refused)
    other = trained(Trial(TRIAL.spec, override(SHORT, {"lr": 0.001}), "other"), runs, seed=0)
    assert other.card.data["groups"] == model.card.data["groups"]
    assert other.card.weights_sha256 != model.card.weights_sha256


@pytest.mark.usefixtures("model")
def test_other_pictures_or_recipes_are_not_taken_for_these(runs: Path) -> None:
    """What stands under the same name with other settings is refused."""
    with pytest.raises(OutputError):
        trained(Trial(SMALL(noise_sd=3.0), SHORT, "third"), runs, seed=0)
    with pytest.raises(OutputError):
        trained(Trial(TRIAL.spec, override(SHORT, {"lr": 0.001}), "first"), runs, seed=0)
    with pytest.raises(OutputError):
        trained(TRIAL, runs, seed=1)


def test_minutes_leave_out_what_waited(model: Model) -> None:
    """Three epochs of 60, 60 and 900 s are three minutes."""
    log = pd.DataFrame({"seconds": [60.0, 900.0, 60.0]})
    assert replace(model, log=log).minutes == 3
