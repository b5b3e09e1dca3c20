"""Whether a light budget keeps its promise, and which interval of accuracy holds the truth."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from benchmarks.plates import KINDS, PlateSpec, at_margin, simulate_plate
from benchmarks.result import Result
from livewell.doses.dose_response import EffectiveDose, fit_dose_response
from livewell.doses.equivalence import light_budget
from livewell.metrics.intervals import cluster_interval, exact_binomial
from livewell.metrics.virtual_batches import paper_interval
from livewell.progress import Tick, task

MARGIN = 0.1
WORST_PLATES = 2_000
MANY_WELLS, WIDE_MARGIN = 12, 0.15
PROCESSES = 2
TITLES = {
    "threshold": "threshold",
    "smooth": "smooth",
    "none": "no effect",
    "too few": "smooth, two wells a dose",
}
WELLS = (10, 20, 40)
SPREADS = {"none": 0.0, "moderate": 0.05, "strong": 0.2}
"""Correlation, within a well, of whether patches are judged right."""
ACCURACY = (0.92, 0.84)
"""True share of healthy and of sick patches judged right."""
PAPER_RESAMPLES = 20_000
_CHUNK = 25


@dataclass(frozen=True, slots=True)
class _Plate:
    """What was found on one plate; ED10 and ED50 as held or not and ratio of the ends."""

    unsafe: bool
    verdict: str
    doses: tuple[tuple[bool, float] | None, ...]


def tables(*, seed: int, plates: int = 100) -> Result:
    """Harmful doses named safe, verdicts, and intervals of ED10 and ED50 that hold the truth."""
    specs = [(TITLES[name], spec, plates, True, MARGIN) for name, spec in KINDS.items()]
    many = replace(KINDS["none"], wells=MANY_WELLS)
    title = f"no effect, {MANY_WELLS} wells a dose, margin {WIDE_MARGIN:g}"
    specs.append((title, many, plates, True, WIDE_MARGIN))
    worst = at_margin(MARGIN)
    specs.append(("a dose exactly at the margin", worst, WORST_PLATES, False, MARGIN))
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    with task("plates", sum(each[2] for each in specs)) as tick:
        for place, (title, spec, number, curves, margin) in enumerate(specs):
            some = _Simulations(seed, place, number, title)
            made: list[_Plate] = some.of(tick, _plate, spec, curves, margin)
            rows.append([title, *_row(made)])
            values[title] = {
                "unsafe": sum(each.unsafe for each in made),
                "plates": len(made),
                "verdicts": dict(Counter(each.verdict for each in made)),
            }
    spec = KINDS["smooth"]
    return Result(
        title="Light budget on simulated plates with a known truth",
        header="effect of light | plates | a harmful dose named safe (95% interval) | verdicts"
        " | ED50's interval holds it; median high / low"
        " | ED10's interval holds it; median high / low",
        rows=rows,
        lead=f"Beta-binomial wells: {spec.wells} a dose, {spec.patches[0]}-{spec.patches[1]}"
        f" patches each, correlation {spec.correlation:g}, {spec.lower:.0%} called sick without"
        f" light, doses {', '.join(f'{dose:g}' for dose in spec.doses_s)} s; margin {MARGIN:g},"
        " alpha 0.05; other wells and margins where a row says so. Harmful is a dose whose true"
        " difference is the margin or more. The last row has one dose, whose true difference is"
        " the margin: as hard as it can be.",
        notes=[
            "'budget, unknown above': no harm up to a dose, and nothing shown at the next;"
            " 'budget, harm above': the next is shown to be worse.",
            "ED10 and ED50 are counted among plates where a rise is shown and a true dose exists.",
            "The threshold's true curve is not log-logistic: its ED10 and ED50 are the doses at"
            " which 10% and 50% of the harm is really done.",
        ],
        values=values,
    )


def coverage(*, seed: int, repetitions: int = 1000) -> Result:
    """How often the paper's interval and the one over groups hold the true accuracy."""
    rows: list[list[str]] = []
    values: dict[str, Any] = {}
    settings = [(wells, name) for name in SPREADS for wells in WELLS]
    with task("test sets", len(settings) * repetitions) as tick:
        for place, (wells, name) in enumerate(settings):
            some = _Simulations(seed, place, repetitions, f"{wells} wells, spread {name}")
            found: list[list[float]] = some.of(tick, _intervals, wells, SPREADS[name])
            paper, paper_width, groups, groups_width = np.array(found).T
            rows.append(
                [
                    name,
                    str(wells),
                    f"{paper.mean():.1%}",
                    f"{np.median(paper_width):.3f}",
                    f"{groups.mean():.1%}",
                    f"{np.median(groups_width):.3f}",
                ]
            )
            shares = {"paper": float(paper.mean()), "groups": float(groups.mean())}
            values[f"{name}, {wells}"] = shares
    truth = float(np.mean(ACCURACY))
    return Result(
        title="How often a 95% interval of accuracy holds the true accuracy on new wells",
        header="spread between wells | wells | virtual batches hold it | median width"
        " | groups hold it | median width",
        rows=rows,
        lead=f"{repetitions} simulated test sets a row: half of the wells healthy, half sick, 20-50"
        f" patches each, true accuracy {truth:g} ({ACCURACY[0]:g} of healthy, {ACCURACY[1]:g} of"
        " sick patches). Spread: correlation within a well of being judged right, "
        + ", ".join(f"{name} {value:g}" for name, value in SPREADS.items())
        + ". Virtual batches: the interval of Richmond et al. 2017, 100 batches of 10 and 10; "
        "groups: livewell's, which resamples wells.",
        notes=[
            f"The paper's interval with {PAPER_RESAMPLES:,} instead of 100,000 resamples, which"
            " moved its ends by 2% of its width at most.",
            "More virtual batches of the same patches make the paper's interval narrower still.",
        ],
        values=values,
    )


def _plate(spec: PlateSpec, curves: bool, margin: float, seed: int) -> _Plate:
    wells = simulate_plate(spec, seed)
    found = light_budget(wells, margin)
    harmful = [
        dose
        for dose, mean in wells.attrs["means"].items()
        if dose > 0 and mean - spec.lower >= margin - 1e-9
    ]
    unsafe = found.dose is not None and any(dose <= found.dose for dose in harmful)
    doses: tuple[tuple[bool, float] | None, ...] = (None, None)
    if curves and not math.isnan(wells.attrs["ed50"]):
        ed10, ed50 = fit_dose_response(wells, shares=(0.1, 0.5)).effective
        doses = _held(ed10, wells.attrs["ed10"]), _held(ed50, wells.attrs["ed50"])
    verdict = str(found.verdict)
    if found.verdict == "budget":
        stop = next(test for test in found.tests if test.dose == found.stopped_at)
        verdict += ", harm above" if stop.decision == "worse" else ", unknown above"
    return _Plate(unsafe, verdict, doses)


def _held(found: EffectiveDose, truth: float) -> tuple[bool, float] | None:
    if math.isnan(found.value):
        return None
    ratio = found.high / found.low if found.low > 0 else math.inf
    return found.low <= truth <= found.high, ratio


def _row(made: Sequence[_Plate]) -> list[str]:
    unsafe = sum(each.unsafe for each in made)
    low, high = exact_binomial(unsafe, len(made))
    verdicts = Counter(each.verdict for each in made)
    said = "; ".join(f"{name} {number}" for name, number in verdicts.most_common())
    cells = []
    for place in (1, 0):
        known = [each.doses[place] for each in made if each.doses[place] is not None]
        held = [pair for pair in known if pair is not None]
        if not held:
            cells.append("")
            continue
        ratio = float(np.median([pair[1] for pair in held]))
        wide = "open" if math.isinf(ratio) else f"{ratio:.2f}"
        cells.append(f"{sum(pair[0] for pair in held)} of {len(held)}; {wide}")
    share = f"{unsafe} = {unsafe / len(made):.1%} ({low:.1%}-{high:.1%})"
    return [str(len(made)), share, said, *cells]


def _intervals(wells: int, spread: float, seed: int) -> list[float]:
    """Whether the paper's interval and ours hold the truth, each with its width."""
    truth = float(np.mean(ACCURACY))
    scores = _scores(wells, spread, seed)
    paper = paper_interval(scores["y"], scores["called"], seed=seed, resamples=PAPER_RESAMPLES)
    groups = cluster_interval(scores, "accuracy", seed=seed)
    return [
        number
        for each in (paper, groups)
        for number in (float(each.low <= truth <= each.high), each.high - each.low)
    ]


def _scores(wells: int, spread: float, seed: int) -> pd.DataFrame:
    """Patches of wells that are each healthy or sick, judged right with a share of the well's."""
    rng = np.random.default_rng(seed)
    y = np.arange(wells) % 2
    mean = np.array(ACCURACY)[y]
    scale = 1 / spread - 1 if spread > 0 else math.inf
    share = rng.beta(mean * scale, (1 - mean) * scale) if spread > 0 else mean
    code = np.repeat(np.arange(wells), rng.integers(20, 51, wells))
    called = np.where(rng.random(len(code)) < share[code], y[code], 1 - y[code])
    return pd.DataFrame(
        {
            "group": pd.Series(code).map("w{:03d}".format),
            "y": y[code],
            "p": called.astype(float),
            "called": called,
        }
    )


@dataclass(frozen=True, slots=True)
class _Simulations:
    """So many simulations of one row of a table, each with a seed of its own."""

    seed: int
    row: int
    count: int
    note: str

    def of(self, tick: Tick, work: Callable[..., Any], *settings: Any) -> list[Any]:
        """What `work` finds in each, in order, some at a time in several processes."""
        seeds = np.random.SeedSequence([self.seed, self.row]).generate_state(self.count).tolist()
        chunks = [seeds[start : start + _CHUNK] for start in range(0, self.count, _CHUNK)]
        made: list[Any] = []
        pool = Parallel(n_jobs=PROCESSES, return_as="generator")
        for part in pool(delayed(_each)(work, settings, chunk) for chunk in chunks):
            made += part
            tick(len(part), self.note)
        return made


def _each(work: Callable[..., Any], settings: Sequence[Any], seeds: Sequence[int]) -> list[Any]:
    return [work(*settings, seed) for seed in seeds]
