"""livewell tells from plain transmitted-light images whether living cells are well.

The names below are imported when they are first asked for, so that ``import livewell`` is free.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from livewell.classes import ClassNames as ClassNames
    from livewell.errors import LivewellError as LivewellError
    from livewell.execution.executors import Executor as Executor
    from livewell.images.inspection import inspect as inspect
    from livewell.images.opening import open_image as open_image
    from livewell.inference.dosed import Plan as Plan
    from livewell.inference.model import Model as Model
    from livewell.inference.prediction import Prediction as Prediction
    from livewell.labels.by_boxes import Boxes as Boxes
    from livewell.labels.by_column import Column as Column
    from livewell.labels.by_dose import Dose as Dose
    from livewell.labels.by_merging import Merge as Merge
    from livewell.labels.by_points import Points as Points
    from livewell.labels.by_stain import Stain as Stain
    from livewell.labels.by_votes import Votes as Votes
    from livewell.labels.by_words import Words as Words
    from livewell.models.files import load_model as load_model
    from livewell.models.profile import override as override
    from livewell.models.recipes import DEADNET_2017 as DEADNET_2017
    from livewell.models.recipes import DEADNET_2017_SHORT as DEADNET_2017_SHORT
    from livewell.models.recipes import DEADNET_DENSE as DEADNET_DENSE
    from livewell.models.recipes import FAST as FAST
    from livewell.models.recipes import FAST_FIELDS as FAST_FIELDS
    from livewell.models.recipes import FINE_TUNED as FINE_TUNED
    from livewell.models.recipes import FROZEN as FROZEN
    from livewell.models.recipes import PATTARONE_2021 as PATTARONE_2021
    from livewell.models.recipes import STAIN_UNET as STAIN_UNET
    from livewell.models.recipes import WSCNN_FAST as WSCNN_FAST
    from livewell.models.recipes import WSCNN_FAST_CELLS as WSCNN_FAST_CELLS
    from livewell.region import Region as Region
    from livewell.splitting.design_rows import DesignPlan as DesignPlan
    from livewell.splitting.quiz_parts import QuizSizes as QuizSizes
    from livewell.splitting.schemes import Holdout as Holdout
    from livewell.splitting.schemes import KFolds as KFolds
    from livewell.splitting.schemes import LeaveOneOut as LeaveOneOut
    from livewell.splitting.schemes import Named as Named
    from livewell.splitting.schemes import Parts as Parts
    from livewell.splitting.schemes import Stratified as Stratified
    from livewell.study.regions import Grid as Grid
    from livewell.study.regions import Whole as Whole
    from livewell.study.study import Study as Study
    from livewell.workflows.agreement import agreement as agreement
    from livewell.workflows.assess import assess as assess
    from livewell.workflows.audit import audit as audit
    from livewell.workflows.budget import budget as budget
    from livewell.workflows.compare import compare as compare
    from livewell.workflows.convert import convert as convert
    from livewell.workflows.convert_results import convert_results as convert_results
    from livewell.workflows.design import design as design
    from livewell.workflows.design_items import DesignSettings as DesignSettings
    from livewell.workflows.evaluate import evaluate as evaluate
    from livewell.workflows.explain import explain as explain
    from livewell.workflows.features import features as features
    from livewell.workflows.heatmap import heatmap as heatmap
    from livewell.workflows.index import index as index
    from livewell.workflows.label import label as label
    from livewell.workflows.localise import localise as localise
    from livewell.workflows.plate import plate as plate
    from livewell.workflows.quiz import quiz as quiz
    from livewell.workflows.quiz import quiz_results as quiz_results
    from livewell.workflows.split import split as split
    from livewell.workflows.stain_area import stain_area as stain_area
    from livewell.workflows.timelapse import timelapse as timelapse
    from livewell.workflows.train import train as train
    from livewell.workflows.watch import watch as watch

_NAMES = {
    "classes": "ClassNames",
    "errors": "LivewellError",
    "execution.executors": "Executor",
    "images.inspection": "inspect",
    "images.opening": "open_image",
    "inference.dosed": "Plan",
    "inference.model": "Model",
    "inference.prediction": "Prediction",
    "labels.by_boxes": "Boxes",
    "labels.by_column": "Column",
    "labels.by_dose": "Dose",
    "labels.by_merging": "Merge",
    "labels.by_points": "Points",
    "labels.by_stain": "Stain",
    "labels.by_votes": "Votes",
    "labels.by_words": "Words",
    "models.files": "load_model",
    "models.profile": "override",
    "models.recipes": "DEADNET_2017 DEADNET_2017_SHORT DEADNET_DENSE FAST FAST_FIELDS FINE_TUNED"
    " FROZEN PATTARONE_2021 STAIN_UNET WSCNN_FAST WSCNN_FAST_CELLS",
    "region": "Region",
    "splitting.design_rows": "DesignPlan",
    "splitting.quiz_parts": "QuizSizes",
    "splitting.schemes": "Holdout KFolds LeaveOneOut Named Parts Stratified",
    "study.regions": "Grid Whole",
    "study.study": "Study",
    "workflows.agreement": "agreement",
    "workflows.assess": "assess",
    "workflows.audit": "audit",
    "workflows.budget": "budget",
    "workflows.compare": "compare",
    "workflows.convert": "convert",
    "workflows.convert_results": "convert_results",
    "workflows.design": "design",
    "workflows.design_items": "DesignSettings",
    "workflows.evaluate": "evaluate",
    "workflows.explain": "explain",
    "workflows.features": "features",
    "workflows.heatmap": "heatmap",
    "workflows.index": "index",
    "workflows.label": "label",
    "workflows.localise": "localise",
    "workflows.plate": "plate",
    "workflows.quiz": "quiz quiz_results",
    "workflows.split": "split",
    "workflows.stain_area": "stain_area",
    "workflows.timelapse": "timelapse",
    "workflows.train": "train",
    "workflows.watch": "watch",
}
"""What each module offers here."""
_WHERE = {name: f"livewell.{module}" for module, names in _NAMES.items() for name in names.split()}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'livewell' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
