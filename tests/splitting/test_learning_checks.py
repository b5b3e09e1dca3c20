"""Checks of an audit that learn: replicates, shuffled labels, images before the treatment."""

import numpy as np

from livewell.classes import ClassNames
from livewell.splitting.checks.before import before_treatment
from livewell.splitting.checks.replicates import replicates
from livewell.splitting.checks.sample import Sample
from livewell.splitting.checks.shuffled import shuffled

CLASSES = ClassNames(("healthy", "sick"), "sick")
PLATES = np.repeat(["P1", "P2"], 12)


def _sample(effect: float, seed: int = 0, **changed: np.ndarray) -> Sample:
    """Two plates of twelve wells, half of them sick in turn; features 0 to 2 know it."""
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % 2
    features = rng.normal(size=(24, 20))
    features[:, :3] += effect * labels[:, None]
    wells = np.array([f"W{n}" for n in range(24)])
    known = {"features": features, "labels": labels, "units": wells, "groups": wells}
    return Sample(**known | {"classes": CLASSES, "batches": PLATES} | changed)


def test_an_effect_that_all_plates_share_holds_in_a_plate_left_out():
    """What the classes differ by on both plates is found on either from the other."""
    found = replicates(_sample(2.5), {"plate": PLATES})
    assert found.found == "passes"
    assert not found.unchecked
    assert (found.table["auc"] > 0.8).all()


def test_what_differs_on_each_plate_in_another_way_fails_on_a_plate_left_out():
    """Features that know the label on one plate, and the opposite on the other, hold on neither."""
    sample = _sample(0.0)
    opposite = np.where(PLATES == "P1", 1, -1) * (2 * sample.labels - 1)
    sample.features[:, :3] += 3 * opposite[:, None]
    # what tells the plates is what a learner needs to know which way it is
    sample.features[:, 3:6] += 3 * (2 * sample.labels - 1)[:, None] * (PLATES == "P1")[:, None]
    found = replicates(sample, {"plate": PLATES})
    assert found.found == "fails"
    assert "plate" in found.fails
    assert found.associations[0].value > 0.3


def test_a_coarser_replicate_is_left_out_first():
    """Of experiments and plates whole experiments are left out, where two hold both classes."""
    experiment = np.tile(np.repeat(["E1", "E2"], 2), 6)
    found = replicates(_sample(2.5), {"plate": PLATES, "experiment": experiment})
    assert "experiment" in found.passes
    alone = np.where(np.arange(24) % 2, "E1", "E2")
    assert "plate" in replicates(_sample(2.5), {"experiment": alone, "plate": PLATES}).passes


def test_replicates_that_cannot_be_left_out_are_said():
    """One plate only, and plates of one class each, are unchecked, each with its reason."""
    one = replicates(_sample(2.5), {"plate": np.full(24, "P1")})
    assert "one replicate" in one.unchecked
    apart = replicates(_sample(2.5), {"plate": np.where(np.arange(24) % 2, "P1", "P2")})
    assert "no two plates" in apart.unchecked


def test_shuffled_labels_are_told_by_chance_only():
    """An effect lies beyond shuffled labels; without one the check says that nothing differs."""
    assert shuffled(_sample(2.5)).found == "passes"
    nothing = shuffled(_sample(0.0, seed=3))
    assert nothing.found == "attention"
    assert "not tell the classes better" in nothing.fails
    assert len(nothing.table) == 1000


def test_groups_that_tear_wells_are_told_from_shuffled_labels():
    """Two images a well in two groups: even shuffled labels are told, which is a leak."""
    sample, rng = _sample(0.0), np.random.default_rng(1)
    twice = np.repeat(np.arange(24), 2)
    torn = Sample(
        sample.features[twice] + 0.1 * rng.normal(size=(48, 20)),
        sample.labels[twice],
        CLASSES,
        sample.units[twice],
        sample.units[twice],
        PLATES[twice],
    )
    found = shuffled(torn, np.arange(48))
    assert found.found == "fails"
    assert "both sides" in found.fails
    assert shuffled(torn).found == "attention"


def test_classes_that_differ_before_the_treatment_have_a_low_p_value():
    """Wells that differed at time 0 are told; wells alike are not."""
    assert before_treatment(_sample(2.5)).p_value <= 0.002
    assert before_treatment(_sample(0.0, seed=3)).p_value > 0.05


def test_without_images_before_the_treatment_nobody_can_tell():
    """No time 0, or three wells of each class, is unchecked with its reason."""
    assert before_treatment(None, "no time is known").unchecked == "no time is known"
    few = _sample(2.5).only(np.arange(24) < 6)
    assert "too few" in before_treatment(few).unchecked
