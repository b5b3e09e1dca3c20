"""The coarser question of a column that labels were made of."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError
from livewell.metrics.multiclass import class_estimates
from livewell.report.collapse import Collapse

LINES = ClassNames(("H9 CPT", "H9 DMSO", "PC3 CPT", "PC3 DMSO"))


def lines() -> tuple[SimpleNamespace, pd.DataFrame]:
    """Scores of 4 classes of 16 images that know the treatment and guess the line."""
    fields = pd.DataFrame(
        {
            "image": [f"i{n:02}" for n in range(16)],
            "treatment": ["CPT", "DMSO"] * 8,
            "cell_line": ["H9", "H9", "PC3", "PC3"] * 4,
            "day": ["1"] * 8 + ["2"] * 8,
        }
    )
    fields["label"] = fields["cell_line"] + " " + fields["treatment"]
    rows = fields.loc[fields.index.repeat(6), ["image", "label"]].reset_index(drop=True)
    treated = rows["label"].str.endswith("CPT").to_numpy()
    line = np.random.default_rng(0).uniform(0.2, 0.8, len(rows))
    p = {"H9 CPT": 0.9 * line, "PC3 CPT": 0.9 * (1 - line)}
    p |= {"H9 DMSO": 0.1 * line, "PC3 DMSO": 0.1 * (1 - line)}
    own = {
        f"p_{name}": np.where(treated, p[name], p[other])
        for name, other in zip(LINES, ("H9 DMSO", "H9 CPT", "PC3 DMSO", "PC3 CPT"), strict=True)
    }
    scores = rows.assign(group=rows["image"], fold=0, **own)
    scores["called"] = scores[list(own)].to_numpy().argmax(axis=1)
    study = SimpleNamespace(fields=lambda: fields.drop(columns="label"))
    meta = SimpleNamespace(patch_px=8, by="image")
    made = SimpleNamespace(study=study, patches=rows, classes=LINES, meta=meta)
    return made, scores


def test_the_binary_question_of_four_classes() -> None:
    """Lines are guessed, every treatment is right, and both stand side by side."""
    run, scores = lines()
    own = class_estimates(scores, LINES, seed=0, resamples=50).together
    found = Collapse.of(run, "treatment=CPT").check(run, scores, own, seed=0, min_each=1)
    assert own["accuracy"].value < 0.8
    assert found.figures["accuracy"].value == found.figures["roc_auc"].value == 1
    assert found.into == {"H9 CPT": "CPT", "H9 DMSO": "DMSO", "PC3 CPT": "CPT", "PC3 DMSO": "DMSO"}
    (section,) = found.sections
    assert section.title == "The same answers by treatment"
    assert section.tables[0].columns == ("metric", "4 classes", "by treatment")
    assert found.as_json()["figures"]["sensitivity"]["value"] == 1


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ("treatment", SpecError, "treatment=CPT or treatment=DMSO"),
        ("treatment=XPT", SpecError, "which one is to be found"),
        ("treatmant=CPT", SpecError, "columns image, treatment"),
        ("day", LabelError, "1, 2 for class H9 CPT"),
    ],
)
def test_what_is_no_coarser_question(asked: str, error: type[Exception], said: str) -> None:
    """A column that labels were not made of, or two values without the positive one, is refused."""
    with pytest.raises(error, match=said):
        Collapse.of(lines()[0], asked)
