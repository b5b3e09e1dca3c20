"""How many of the labels that were flipped on purpose does the list of suspects name."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.result import Result
from benchmarks.shapes import split_whole
from livewell.classes import ClassNames
from livewell.files import whole_file
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics.suspects import suspects
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import ShapeSpec
from livewell.splitting.schemes import KFolds
from livewell.study.study import Study
from livewell.workflows.shapes import CLASSES, simulate_shapes
from livewell.workflows.train import train

FLIPPED = 0.02
FOLDS = 3


def flipped(*, runs: Path, images: int = 4000, seed: int = 0) -> Result:
    """Flip labels of Sim 1, cross-validate, and look for them in the list of suspects."""
    folder = runs / f"mislabels-{images}-{seed}"
    study, truth = flipped_study(folder, ShapeSpec(images=images, seed=seed), seed)
    train(study, folder / "run", WSCNN_FAST, seed=seed)
    scores, _ = EvaluationSet.of_run(folder / "run").scores()
    listed = suspects(scores, ClassNames.of(CLASSES), least=0.0)
    wrong = set(truth.loc[truth["flipped"], "image"])
    ranked = listed.sort_values("sure", ascending=False, kind="stable")["image"].tolist()
    rows, found_in = [], {}
    for share in (0.01, FLIPPED, 0.03, 0.05):
        number = round(share * images)
        found_in[share] = hits = sum(name in wrong for name in ranked[:number])
        rows.append(
            [
                f"first {share:.0%}",
                str(number),
                str(hits),
                f"{hits / number:.1%}",
                f"{hits / len(wrong):.1%}",
            ]
        )
    right = truth.set_index("image")["label"]
    agreed = float(np.mean(scores["called"] == (scores["image"].map(right) == CLASSES[1])))
    return Result(
        title="WSCNN: labels flipped on purpose, and the list of suspects",
        header="list | pictures | flipped ones in it | share of the list | of all flipped",
        rows=rows,
        lead=f"Sim 1, {images:,} pictures (ellipses of ratio 0.5-0.75), {len(wrong)} labels flipped"
        f" at random; {FOLDS} folds of WSCNN_FAST, each picture judged by a net that did not learn"
        " its label; listed by how sure the net is of the other class, both directions together.",
        notes=[
            f"Held against the true labels the nets are right on {agreed:.2%} of the pictures: they"
            f" learnt with {FLIPPED:.0%} of wrong labels, and their thresholds came from such."
        ],
        values={"hits": found_in[FLIPPED], "flipped": len(wrong), "accuracy": agreed},
    )


def flipped_study(folder: Path, spec: ShapeSpec, seed: int) -> tuple[Study, pd.DataFrame]:
    """A study with flipped labels, and which ones were flipped."""
    out, told = folder / "study", folder / "labels.csv"
    images = simulate_shapes(spec, folder / "pictures")
    if not told.is_file():
        truth = pd.read_csv(folder / "pictures" / "images.csv")
        rng = np.random.default_rng([seed, 3])
        rows = rng.permutation(len(truth))[: round(FLIPPED * len(truth))]
        truth["flipped"] = np.isin(np.arange(len(truth)), rows)
        other = truth["label"].map(dict(zip(CLASSES, reversed(CLASSES), strict=True)))
        truth["told"] = truth["label"].where(~truth["flipped"], other)
        with whole_file(told) as temporary:
            truth.to_csv(temporary, index=False)
    study = split_whole(images, told, out, "told", KFolds(FOLDS, validation=0.2), seed)
    return study, pd.read_csv(told)
