"""How often a plate has any hit where no treatment does anything: the level of `hits`."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.result import Result
from livewell.metrics.hits import ALPHA, hits
from livewell.metrics.intervals import wilson
from livewell.metrics.plates import TREATED, UNTREATED

PATCHES = 200
UNTREATED_WELLS, TREATMENTS = (3, 8, 32), (20, 300)
Shares = Callable[[np.random.Generator, int], NDArray[np.float64]]
"""So many wells' shares of patches called the class."""


def _counted(middle: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    share: NDArray[np.float64] = rng.binomial(PATCHES, np.clip(middle, 0, 1)) / PATCHES
    return share


def _normal(rng: np.random.Generator, wells: int, mean: float, sd: float) -> NDArray[np.float64]:
    return _counted(rng.normal(mean, sd, wells), rng)


def _beta(rng: np.random.Generator, wells: int, mean: float, tie: float) -> NDArray[np.float64]:
    many = (1 - tie) / tie
    return _counted(rng.beta(mean * many, (1 - mean) * many, wells), rng)


def _log_normal(
    rng: np.random.Generator, wells: int, median: float, factor: float
) -> NDArray[np.float64]:
    return _counted(median * np.exp(rng.normal(0, np.log(factor), wells)), rng)


def _student(
    rng: np.random.Generator, wells: int, mean: float, scale: float, free: int
) -> NDArray[np.float64]:
    return _counted(mean + scale * rng.standard_t(free, wells), rng)


SPREADS: Mapping[str, Shares] = {
    "normal, 0.3 +- 0.05": partial(_normal, mean=0.3, sd=0.05),
    **{
        f"beta-binomial, mean {m:g}, correlation {tie:g}": partial(_beta, mean=m, tie=tie)
        for m, tie in ((0.3, 0.05), (0.05, 0.05), (0.01, 0.05), (0.05, 0.2), (0.01, 0.01))
    },
    "log-normal, median 0.1, a factor of 1.5": partial(_log_normal, median=0.1, factor=1.5),
    "0.3 + 0.03 times Student's t, 5 degrees of freedom": partial(
        _student, mean=0.3, scale=0.03, free=5
    ),
}
"""How wells that nothing was done to differ, in words and as a draw."""


def level(*, trials: int = 1000, seed: int = 0) -> Result:
    """Plates without any effect, whose share with a hit should be at most `ALPHA`."""
    rows, values = [], {}
    for number, (words, draw) in enumerate(SPREADS.items()):
        found: Mapping[tuple[int, int], float] = {
            (untreated, treatments): _any_hit(
                draw, untreated, treatments, trials, (seed, number, untreated, treatments)
            )
            for untreated in UNTREATED_WELLS
            for treatments in TREATMENTS
        }
        worst = max(found, key=lambda key: found[key])
        low, high = wilson(round(found[worst] * trials), trials)
        said = f"{worst[0]} untreated wells, {worst[1]} treatments"
        rows.append([words, f"{found[worst]:.1%} ({low:.1%} to {high:.1%})", said])
        values[words] = {f"{u} untreated, {n} treated": p for (u, n), p in found.items()}
    return Result(
        title="False hits of plates",
        header="how wells differ | plates with any hit | worst of",
        rows=rows,
        lead=f"{trials:,} plates a setting where no treatment does anything, {PATCHES} patches a"
        f" well, a treatment a well; at most {ALPHA:.0%} are wanted. With intervals of 95%.",
        notes=[
            "The last line is what no test of so few wells can see: single wells that lie far out"
            " for no reason of their treatment. A treatment in several wells is the remedy.",
            "Each line shows the worst of all its settings, to which chance has added.",
        ],
        values=values,
    )


def _any_hit(
    draw: Shares, untreated: int, treatments: int, trials: int, seed: tuple[int, ...]
) -> float:
    """Share of plates with a hit."""
    rng, wells = np.random.default_rng(seed), untreated + treatments
    table = pd.DataFrame(
        {
            "plate": "",
            "well": [f"{n}" for n in range(wells)],
            "patches": PATCHES,
            "role": [UNTREATED] * untreated + [TREATED] * treatments,
            "condition": [f"{n}" for n in range(wells)],
        }
    )
    any_hit = [hits(table.assign(value=draw(rng, wells)))["hit"].any() for _ in range(trials)]
    return float(np.mean(any_hit))
