"""livewell tells from plain transmitted-light images whether living cells are well.

The names below are imported when they are first asked for, so that ``import livewell`` is free.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from livewell.classes import ClassNames as ClassNames
    from livewell.errors import LivewellError as LivewellError
    from livewell.images.inspection import inspect as inspect
    from livewell.images.opening import open_image as open_image
    from livewell.inference.model import Model as Model
    from livewell.inference.prediction import Prediction as Prediction
    from livewell.models.files import load_model as load_model
    from livewell.models.profile import override as override
    from livewell.models.recipes import DEADNET_2017 as DEADNET_2017
    from livewell.models.recipes import DEADNET_2017_SHORT as DEADNET_2017_SHORT
    from livewell.models.recipes import DEADNET_DENSE as DEADNET_DENSE
    from livewell.models.recipes import FAST as FAST
    from livewell.models.recipes import FAST_DENSE as FAST_DENSE
    from livewell.models.recipes import FAST_FIELDS as FAST_FIELDS
    from livewell.models.recipes import WSCNN_FAST as WSCNN_FAST
    from livewell.models.recipes import WSCNN_FAST_CELLS as WSCNN_FAST_CELLS
    from livewell.region import Region as Region
    from livewell.study.regions import Grid as Grid
    from livewell.study.regions import Whole as Whole
    from livewell.study.study import Study as Study
    from livewell.workflows.assess import assess as assess
    from livewell.workflows.budget import budget as budget
    from livewell.workflows.evaluate import evaluate as evaluate
    from livewell.workflows.explain import explain as explain
    from livewell.workflows.heatmap import heatmap as heatmap
    from livewell.workflows.index import index as index
    from livewell.workflows.label import label as label
    from livewell.workflows.localise import localise as localise
    from livewell.workflows.split import split as split
    from livewell.workflows.timelapse import timelapse as timelapse
    from livewell.workflows.train import train as train

_WHERE = {
    "inspect": "livewell.images.inspection",
    "index": "livewell.workflows.index",
    "label": "livewell.workflows.label",
    "split": "livewell.workflows.split",
    "train": "livewell.workflows.train",
    "evaluate": "livewell.workflows.evaluate",
    "explain": "livewell.workflows.explain",
    "assess": "livewell.workflows.assess",
    "heatmap": "livewell.workflows.heatmap",
    "timelapse": "livewell.workflows.timelapse",
    "localise": "livewell.workflows.localise",
    "budget": "livewell.workflows.budget",
    "Study": "livewell.study.study",
    "Model": "livewell.inference.model",
    "Prediction": "livewell.inference.prediction",
    "ClassNames": "livewell.classes",
    "Region": "livewell.region",
    "open_image": "livewell.images.opening",
    "load_model": "livewell.models.files",
    "Grid": "livewell.study.regions",
    "Whole": "livewell.study.regions",
    "Column": "livewell.labels.by_column",
    "Words": "livewell.labels.by_words",
    "Dose": "livewell.labels.by_dose",
    "Points": "livewell.labels.by_points",
    "Stain": "livewell.labels.by_stain",
    "Boxes": "livewell.labels.by_boxes",
    "Merge": "livewell.labels.by_merging",
    **dict.fromkeys(
        ("Holdout", "KFolds", "LeaveOneOut", "Named", "Parts", "Stratified"),
        "livewell.splitting.schemes",
    ),
    "Plan": "livewell.inference.dosed",
    **dict.fromkeys(
        (
            "DEADNET_2017",
            "DEADNET_2017_SHORT",
            "DEADNET_DENSE",
            "FAST",
            "FAST_DENSE",
            "FAST_FIELDS",
            "WSCNN_FAST",
            "WSCNN_FAST_CELLS",
        ),
        "livewell.models.recipes",
    ),
    "override": "livewell.models.profile",
    "LivewellError": "livewell.errors",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'livewell' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
