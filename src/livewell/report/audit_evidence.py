"""The audit's look into a model: how much of its evidence lies off cells."""

from pathlib import Path

from livewell.errors import LeakError, SpecError
from livewell.explain.attribution import attribution
from livewell.explain.background import background
from livewell.files import AnyPath
from livewell.inference.evaluation_set import EvaluationSet
from livewell.report.inside import Inside, Look, cams_of
from livewell.splitting.audit import Check
from livewell.splitting.checks.data import AuditData


def looks_at_cells(model: AnyPath | None, labels: str, data: AuditData) -> Check:
    """The check of `livewell.explain.attribution`, of regions that a model has not learnt from."""
    if model is None:
        return attribution({}, "no model is given (livewell audit STUDY --model MODEL)")
    try:
        tested = EvaluationSet.of_study(Path(model), data.study, labels=labels)
        if not tested.meta.patch_px:
            return attribution({}, "this model sees whole frames, and here patches are looked into")
        look = Look(weights="crop")
        cams = cams_of(tested, sorted(int(fold) for fold in tested.folds["fold"].unique()), look)
        scores, _ = tested.scores()
    except (LeakError, SpecError) as error:
        return attribution({}, error.what)
    measured, *_ = Inside(tested, cams, look, data.seed).off_cells(
        scores, range(len(tested.classes))
    )
    return attribution(
        {
            tested.classes[number]: background(each, groups, seed=data.seed)
            for number, (each, groups) in measured.items()
        }
    )
