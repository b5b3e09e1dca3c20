"""The main job once, on a simulated plate: from images to verdicts."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from livewell.evaluation.intervals import Estimate
from livewell.io.study import Study
from livewell.jobs.assess import assess
from livewell.jobs.evaluate import Evaluated, evaluate
from livewell.jobs.heatmap import heatmap
from livewell.jobs.index import index
from livewell.jobs.label import Dose, label
from livewell.jobs.simulate import PATTERN, simulate_culture
from livewell.jobs.split import Grid, Holdout, split
from livewell.jobs.train import train
from livewell.profiles import FAST, Profile, override
from livewell.progress import SILENT, Progress
from livewell.simulate.culture import CultureSpec, positions

CLASSES = ("healthy", "sick")
WINDOW_S = (3600.0, 9000.0)
"""Frames from one hour after the light on: before that nobody could see anything."""
SETTINGS = {
    "patch_px": 208,
    "input_px": 176,
    "stride_px": 96,
    "shift_px": 16,
    "steps": 500,
}
"""What the demo changes in `FAST`: larger patches, for they hold a few cells each, not one."""


@dataclass(frozen=True, slots=True)
class DemoSpec:
    """Size of the demo: the plate, the recipe, and how wells are dealt."""

    culture: CultureSpec = field(
        default_factory=lambda: CultureSpec(
            wells_per_dose=(18, 2, 18), positions_per_well=1, frames=10
        )
    )
    profile: Profile = field(default_factory=lambda: override(FAST, SETTINGS))
    scheme: Holdout = field(default_factory=lambda: Holdout((0.45, 0.2, 0.35)))
    window_s: tuple[float, float] = WINDOW_S


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """What the demo shows: evaluation, verdict reports and the heat map of a low-dose position."""

    evaluated: Evaluated
    auc: Estimate
    wells: dict[str, int]
    low_dose: str
    pages: dict[str, Path]
    video: Path


def demo(
    out: Path,
    *,
    spec: DemoSpec | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
    progress: Progress = SILENT,
) -> Demonstrated:
    """Simulate a plate, learn from the highest dose against none, judge the low dose.

    Parameters
    ----------
    out
        Folder for everything; each step goes on if it was stopped.
    spec
        Size of the demo.
    seed
        Of everything.
    say, progress
        Where to tell what is done.

    Returns
    -------
    Demonstrated
    """
    spec = spec or DemoSpec()
    culture = replace(spec.culture, seed=seed)
    doses = sorted(culture.doses_s)
    say("1/7  simulating a plate of phase-contrast movies")
    images = simulate_culture(culture, out / "plate", progress=progress)
    say("2/7  indexing it: wells and positions from file names, doses from the plate map")
    study: Study = index(
        images, out / "study", pattern=PATTERN, metadata=out / "plate" / "plate.csv"
    ).study
    say("3/7  labelling by dose, healthy frames matched in time")
    label(study, Dose(doses[-1], spec.window_s), CLASSES, seed=seed, progress=progress)
    say("4/7  splitting by well")
    grid = Grid(spec.profile.patch_px, spec.profile.stride_px)
    made = split(study, by="well", scheme=spec.scheme, grid=grid, seed=seed, progress=progress)
    say("5/7  training")
    run = train(study, out / "run", spec.profile, seed=seed, progress=progress).run
    evaluated = evaluate(run.folder, seed=seed, progress=progress)
    say("6/7  verdicts on positions that got a low dose, which no part of the split holds")
    middle = [key for key in positions(culture) if key.dose_s not in (doses[0], doses[-1])]
    shown = middle[0] if middle else positions(culture)[0]
    name = f"{shown.well}_p{shown.position}.ome.tif"
    verdicts = assess(
        images / name, run.folder, out / "verdicts", pattern=PATTERN, progress=progress
    )
    say("7/7  heat-map video of that movie")
    mapped = heatmap(
        images / name, run.folder, out / "heatmap", stride_px=26, edges="mirror", progress=progress
    )
    tested = made.folds.loc[made.folds["part"] == "test", "group"]
    wells = (
        made.patches[made.patches["group"].isin(tested)].groupby("label")["group"].nunique()
    ).to_dict()
    return Demonstrated(
        evaluated,
        evaluated.figures["roc_auc"],
        {str(label): int(count) for label, count in wells.items()},
        f"{name} ({shown.dose_s:g} s)",
        {"evaluation": evaluated.page, "verdicts": verdicts.page, "heat map": mapped.page},
        mapped.video,
    )
