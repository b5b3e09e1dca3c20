"""Ties between labels and batches."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from livewell.errors import LabelError
from livewell.splitting import confounds

STUDIES = 100


@pytest.fixture
def u2os(shared_data):
    table = pd.read_csv(shared_data / "u2os-cpt" / "images.csv")
    return table[~table["image"].str.contains(".png_", regex=False)]


def test_the_confounded_set_is_warned_of(u2os):
    """Treatment and replicate of u2os-cpt are confounded, in the words of its description."""
    assert len(u2os) == 16
    for seed in range(20):
        found = confounds.confounders(u2os, "treatment", seed=seed)
        told = confounds.warnings(found)
        assert len(told) == 1
        assert told[0].startswith("treatment and replicate are confounded")
        assert "7 of 8 DMSO images are of replicate N1, but 2 of 8 CPT" in told[0]
    assert found["column"].tolist() == ["replicate"]


@pytest.mark.long
@pytest.mark.parametrize("rows", [12, 60])
def test_designs_without_a_tie_are_rarely_warned_of(rows):
    """Random designs with three batch columns are warned of in at most 5%, allowing for chance."""
    rng = np.random.default_rng(rows)
    false = 0
    for study in range(STUDIES):
        table = pd.DataFrame(
            {
                "label": rng.permutation(np.repeat(["healthy", "sick"], rows // 2)),
                "replicate": rng.integers(0, 3, rows),
                "plate": rng.integers(0, 2, rows),
                "cell_line": rng.integers(0, 4, rows),
            }
        )
        found = confounds.confounders(table, seed=study, permutations=299)
        false += bool(confounds.warnings(found))
    assert false <= stats.binom.ppf(0.99, STUDIES, 0.05)


def test_a_balanced_design_has_no_tie():
    """Every batch half healthy, half sick: Cramer's V is 0, the area 0.5, nothing is said."""
    table = pd.DataFrame({"label": ["healthy", "sick"] * 12, "plate": np.repeat(list("abc"), 8)})
    found = confounds.confounders(table)
    assert found.loc[0, ["cramers_v", "auc", "p_value"]].tolist() == [0, 0.5, 1]
    assert "not shown to be confounded" in found.loc[0, "text"]
    assert confounds.warnings(found) == []


def test_a_batch_that_is_the_label_is_a_perfect_tie():
    """One plate a class: V 1, area 1, warned of."""
    table = pd.DataFrame({"label": ["healthy"] * 10 + ["sick"] * 10, "plate": [1] * 10 + [2] * 10})
    found = confounds.confounders(table)
    assert found.loc[0, ["cramers_v", "auc"]].tolist() == [1, 1]
    assert "10 of 10" in confounds.warnings(found)[0]


def test_cramers_v_is_scipys_when_it_is_not_corrected_away():
    """On a large table the corrected V is SciPy's plain one."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 20_000)
    plate = label + rng.integers(0, 3, 20_000)
    found = confounds.confounders(pd.DataFrame({"label": label, "plate": plate}))
    plain = stats.contingency.association(pd.crosstab(plate, label).to_numpy(), method="cramer")
    assert found.loc[0, "cramers_v"] == pytest.approx(plain, abs=0.002)


def test_pictures_of_one_well_are_no_evidence_of_their_own():
    """Fifty pictures of each of two wells are two wells, not a hundred pictures."""
    table = pd.DataFrame({"label": np.repeat(["healthy", "sick"], 50)})
    table["well"] = table["plate"] = np.repeat(["w1", "w2"], 50)
    assert confounds.warnings(confounds.confounders(table, columns=["plate"]))
    assert not confounds.warnings(confounds.confounders(table, columns=["plate"], unit="well"))
    open_unit = table.assign(well=None)
    assert confounds.warnings(confounds.confounders(open_unit, columns=["plate"], unit="well"))


def test_columns_that_cannot_tell_are_left_out():
    """Constant columns and columns with another value in every row are not looked at."""
    table = pd.DataFrame({"label": ["a", "b"] * 4, "plate": 1, "position": range(8)})
    assert confounds.confounders(table).empty
    assert confounds.warnings(confounds.confounders(table)) == []


def test_three_classes_have_a_tie_but_no_area():
    """Cramer's V is there for any number of classes, the area for two only."""
    table = pd.DataFrame({"label": ["a", "b", "c"] * 8, "plate": ["x", "y", "z"] * 8})
    found = confounds.confounders(table)
    assert found.loc[0, "cramers_v"] == 1
    assert np.isnan(found.loc[0, "auc"])


def test_one_class_is_refused():
    """With fewer than two classes there is nothing to be confounded with."""
    table = pd.DataFrame({"treatment": ["a"] * 4, "plate": [1, 1, 2, 2]})
    with pytest.raises(LabelError):
        confounds.confounders(table, "treatment")


def mixed(rng: np.random.Generator, shares: list[float]) -> pd.DataFrame:
    """Ten pictures an experiment, each with forty patches of which a share around this is dead."""
    rows = []
    for number, share in enumerate(shares):
        for picture in range(10):
            dead = int(rng.binomial(40, np.clip(rng.normal(share, 0.1), 0, 1)))
            for label, count in (("dead", dead), ("live", 40 - dead)):
                rows.append((f"{number}-{picture}", f"e{number}", label, count))
    return pd.DataFrame(rows, columns=["picture", "experiment", "label", "patches"])


def test_pictures_of_both_classes_are_dealt_whole():
    """A rare class in every picture, but commoner in one experiment: the confounder is found."""
    table = mixed(np.random.default_rng(0), [0.1, 0.1, 0.35])
    found = confounds.confounders(
        table, columns=["experiment"], unit="picture", count="patches", noun="patches"
    )
    told = confounds.warnings(found)
    assert len(told) == 1
    assert "dead patches are of experiment e2" in told[0]


@pytest.mark.long
def test_patches_of_one_picture_are_no_evidence_of_their_own():
    """Experiments that differ no more than their pictures do are warned of in about 5%."""
    false = 0
    for study in range(STUDIES):
        table = mixed(np.random.default_rng(study), [0.2, 0.2, 0.2])
        found = confounds.confounders(
            table,
            columns=["experiment"],
            unit="picture",
            count="patches",
            seed=study,
            permutations=299,
        )
        false += bool(confounds.warnings(found))
    assert false <= stats.binom.ppf(0.99, STUDIES, 0.05)
