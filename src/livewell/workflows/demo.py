"""The main job once, on a simulated plate: from images to verdicts."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from livewell.images.listing import find_images
from livewell.labels.by_dose import Dose
from livewell.metrics.intervals import Estimate
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.audit import audit
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import heatmap
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.simulate import PATTERN, simulate_culture
from livewell.workflows.split import split
from livewell.workflows.train import train

CLASSES = ("healthy", "sick")
CULTURE = CultureSpec(
    doses_s=(0.0, 120.0), wells_per_dose=30, positions_per_well=2, frames=5, frame_s=1800.0
)
LOW_DOSE = replace(CULTURE, doses_s=(30.0,), wells_per_dose=1, positions_per_well=1, frames=20)
SCHEME = Holdout((0.45, 0.2, 0.35))
WINDOW_S = (3600.0, 7200.0)
"""Frames from one hour after the light on: before that nobody could see anything."""
SETTINGS = {"patch_px": 208, "input_px": 208, "stride_px": 152}
"""What the demo changes in `FROZEN`: larger patches, for they hold a few cells each, not one."""


@dataclass(frozen=True, slots=True)
class DemoSpec:
    """Size of the demo: plate and low-dose movie, recipe, and how wells are divided."""

    culture: CultureSpec = CULTURE
    low_dose: CultureSpec = LOW_DOSE
    profile: Profile = field(default_factory=lambda: override(FROZEN, SETTINGS))
    scheme: Holdout = SCHEME
    window_s: tuple[float, float] = WINDOW_S


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo shows: evaluation, verdict reports and the heat map of a low-dose position."""

    auc: Estimate
    wells: dict[str, int]
    pages: dict[str, Path]
    video: Path


def demo(
    out: Path,
    *,
    spec: DemoSpec | None = None,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> DemoResult:
    """Simulate a plate, learn from the highest dose against none, judge the low dose.

    Each step goes on if it was stopped; `say` takes what is done.
    """
    spec = spec or DemoSpec()
    culture = replace(spec.culture, seed=seed)
    doses = sorted(culture.doses_s)
    say("1/7  simulating a plate of phase-contrast movies")
    images = simulate_culture(culture, out / "plate")
    say("2/7  indexing it: wells and positions from file names, doses from the plate map")
    study: Study = index(
        images, out / "study", pattern=PATTERN, metadata=out / "plate" / "plate.csv"
    ).study
    say("3/7  labelling by dose, healthy frames matched in time")
    label(study, Dose(doses[-1], spec.window_s), CLASSES, seed=seed)
    say("4/7  splitting by well, and an audit of the labels")
    grid = Grid(spec.profile.input.patch_px, spec.profile.input.stride_px)
    made = split(study, by="well", scheme=spec.scheme, grid=grid, seed=seed)
    audited = audit(study, learning=False, seed=seed)
    say("5/7  training")
    run = train(study, out / "run", spec.profile, seed=seed).run
    evaluated = evaluate(run.folder, seed=seed)
    say("6/7  verdicts on a movie of cells that got a low dose, of a plate that was never seen")
    low = replace(spec.low_dose, seed=seed + 1, plate="low dose")
    movies = simulate_culture(low, out / "low-dose")
    verdicts = assess(movies, run.folder, out / "verdicts", pattern=PATTERN)
    say("7/7  heat-map video of that movie")
    mapped = heatmap(
        find_images(movies).paths[0],
        run.folder,
        out / "heatmap",
        stride_px=spec.profile.net.stride_px,
        edges="mirror",
    )
    (tested,) = made.balance[made.balance["part"] == "test"].to_dict("records")
    return DemoResult(
        evaluated.figures["roc_auc"],
        {name: int(tested[f"groups_{name}"]) for name in CLASSES},
        {
            "evaluation": evaluated.page,
            "audit": audited.page,
            "verdicts": verdicts.page,
            "heat map": mapped.page,
        },
        mapped.video,
    )
