"""Small studies of painted cells, with or without a planted shortcut."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from livewell.labels.by_column import Column
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label

STATES = ("healthy", "sick")
WELLS = [f"{row}{column:02}" for row in "BC" for column in range(2, 10)]
Painted = Callable[[int, int], np.ndarray]
"""From the number of a well and of its class to an image."""


def cells(well: int, state: int, level: float = 120.0) -> np.ndarray:
    """A field with two textured cells on smooth ground, whose class shows in their grain alone."""
    rng = np.random.default_rng([7, well])
    grey = np.full((160, 160), level) + rng.normal(0, 1.2, (160, 160))
    for y, x in ((30, 40), (40, 110)):
        spot = np.s_[y - 14 : y + 14, x - 14 : x + 14]
        grey[spot] += rng.normal(0, 12 + 10 * state, (28, 28))
    return np.clip(grey, 0, 255).astype(np.uint8)


def study(
    folder: Path,
    painted: Painted = cells,
    write: Callable[[Path, np.ndarray, int], Path] | None = None,
    states: list[int] | None = None,
    **columns: list[str] | list[int],
) -> Study:
    """One image a well; wells are healthy and sick in turn but where `states` says otherwise."""
    (folder / "images").mkdir(parents=True)
    states = states or [(n + n // 8) % 2 for n in range(16)]
    rows = []
    for number, (well, state) in enumerate(zip(WELLS, states, strict=True)):
        path, grey = folder / "images" / f"{well}.tif", painted(number, state)
        if write is None:
            tifffile.imwrite(path, grey)
        else:
            path = write(path, grey, state)
        rows.append({"image": path.name, "well": well, "state": STATES[state]})
    table = pd.DataFrame(rows).assign(**columns)
    table.to_csv(folder / "wells.csv", index=False)
    made = index(folder / "images", folder / "study", metadata=folder / "wells.csv").study
    label(made, Column("state", {name: name for name in STATES}), STATES)
    return made
