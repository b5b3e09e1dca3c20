"""How long a person waits who labels, fits and looks: features once, then heads in seconds."""

import time
from pathlib import Path
from statistics import median

from benchmarks.mcf7 import CLASSES, study_of
from benchmarks.result import Result
from livewell.labels.by_stain import Stain
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.splitting.schemes import Holdout
from livewell.study.study import Study
from livewell.workflows.features import features
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

PATCH_PX, STRIDE_PX, REPEATS = 224, 36, 3
"""Patches on which the stain shows two populations, with a label some 4,000 or more; trainings that
are timed."""
PROFILE = override(FROZEN, {"patch_px": PATCH_PX, "input_px": PATCH_PX})


def table(data: Path, *, runs: Path, seed: int = 0) -> Result:
    """Seconds of features, and of `train` once these are kept, for some 4,000 regions."""
    study: Study = study_of(data, runs / "study")
    label(study, Stain("propidium iodide", PATCH_PX, STRIDE_PX, offset_counts=90), CLASSES)
    split(study, by="experiment", scheme=Holdout(), seed=seed)
    made = features(study, remove=True)
    began = time.perf_counter()
    made = features(study, profile=PROFILE)
    whole = time.perf_counter() - began
    regions, waits = len(study.split("split")[0]), []
    for repeat in range(REPEATS):
        began = time.perf_counter()
        train(study, runs / f"run-{seed}-{repeat}", PROFILE, seed=seed)
        waits.append(time.perf_counter() - began)
    images = len(study.fields())
    return Result(
        title="Interactive speed: features once, then a head in seconds",
        header="what | seconds",
        rows=[
            [f"features of {images} images of mcf7-pi, most 512 x 512 px", f"{whole:.1f}"],
            ["the same, an image", f"{whole / images:.2f}"],
            [f"`train` with kept features, {regions:,} regions", f"{median(waits):.1f}"],
        ],
        lead=f"Patches of {PATCH_PX} px every {STRIDE_PX} px, labelled by the stain, split by"
        f" experiment. `train` reads the features, fits {FROZEN.name}'s head, five more for its"
        " rules, and the distance of unlike fields, and saves the model; without the start of the"
        f" process. Median of {REPEATS}.",
        notes=[f"Features take {made.room.used_gb:.2f} GB in the study."],
        values={"features_s": whole, "train_s": waits, "regions": regions, "images": images},
    )
