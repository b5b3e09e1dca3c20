"""How rare may circles be: accuracy and localisation, for max and average pooling."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.places import told, with_interval
from benchmarks.result import Result, percent
from benchmarks.shapes import Model, Trial, scored, trained
from benchmarks.table1 import figures
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import ShapeSpec

CIRCLES = (8, 4, 2, 1)
POOLS: dict[str, dict[str, object]] = {
    "max": {},
    "average": {"global_pool": "average", "narrowing": (0, 0)},
}
SELDOM_WATCHED = {"steps_per_epoch": 500}
"""Nothing is chosen on validation while these nets learn, and looking takes a fifth of the time."""
OBJECTS = 48
IMAGES = 2_000


def trials(seed: int) -> Iterator[tuple[str, int, Trial]]:
    """Every training of the curve: pooling, circles among the objects, and trial."""
    for pool, changed in POOLS.items():
        profile = override(WSCNN_FAST, changed | SELDOM_WATCHED)
        for circles in CIRCLES:
            spec = ShapeSpec(circles=circles, objects=(OBJECTS, OBJECTS), seed=seed)
            yield pool, circles, Trial(spec, profile, f"rare-{pool}-{circles}-{seed}")


def curve(*, runs: Path, images: int = IMAGES, seed: int = 0) -> Result:
    """Train nets on pictures with 1, 2, 4 and 8 circles among 48 objects, and test them."""
    rows, values, notes = [], [], []
    for pool, circles, one in trials(seed):
        model = trained(one, runs, seed=seed)
        found = figures(scored(model, one.spec, images))
        what = f"finding circles, {pool}, {circles}"
        places = told(model, one.spec, images, what)
        usual, counts = places.usual, places.paper
        rows.append(
            [
                pool,
                f"{circles} of {OBJECTS}",
                f"{percent(found['accuracy'], 1)} ({percent(found['low'], 1)}-"
                f"{percent(found['high'], 1)})",
                f"{found['auc']:.4f}",
                *(with_interval(usual, name, 1) for name in ("precision", "recall", "f1")),
                f"{usual['average_precision']:.3f}",
                percent(counts.precision, 1),
                percent(counts.recall, 1),
            ]
        )
        paper = {"precision": counts.precision, "recall": counts.recall}
        values.append(
            {"pool": pool, "circles": circles} | found | {"places": usual, "paper": paper}
        )
        if circles == max(CIRCLES):
            notes.append(_on_rarer(pool, model, one.spec, images))
    return Result(
        title="WSCNN: how rare may circles be",
        header="pooling | circles | accuracy (95% interval) | AUC"
        " | peaks: precision (95% interval) | recall | F1 | average precision"
        " | paper's measure: precision | recall",
        rows=rows,
        lead=f"Ellipses of ratio 0.5-0.75; each net learnt from a third of 4,000 pictures of"
        f" {OBJECTS} objects with so many circles, half of the pictures with none, and is tested on"
        f" {images:,} fresh ones of the same kind. Percent, but for AUC and average precision.",
        notes=notes,
        values={"rows": values},
    )


def _on_rarer(pool: str, model: Model, spec: ShapeSpec, images: int) -> str:
    """What a net that learnt with many circles says of fewer: whether it counts them."""
    tables = {circles: scored(model, replace(spec, circles=circles), images) for circles in CIRCLES}
    shares = [f"{figures(table)['accuracy']:.1%}" for table in tables.values()]
    none = next(iter(tables.values()))
    logits = {0: none.loc[none["y"] == 0, "logit"]}
    logits |= {circles: table.loc[table["y"] == 1, "logit"] for circles, table in tables.items()}
    medians = {circles: float(logits[circles].median()) for circles in sorted(logits)}
    straight = np.corrcoef(list(medians), list(medians.values()))[0, 1]
    shown = ", ".join(f"{circles}: {median:.1f}" for circles, median in medians.items())
    return (
        f"The net of {pool} pooling that learnt with {max(CIRCLES)} circles is right on"
        f" {', '.join(shares)} of pictures with {', '.join(map(str, CIRCLES))} or none; its median"
        f" log odds by number of circles are {shown} (correlation {straight:.3f}; a net that counts"
        " has 1)."
    )
