"""livewell tells from plain transmitted-light images whether living cells are well.

The names below are imported when they are first asked for, so that ``import livewell`` is free.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

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
    "budget": "livewell.workflows.budget",
    "Study": "livewell.study.study",
    "open_image": "livewell.images.opening",
    "load_model": "livewell.models.files",
    "DEADNET_2017": "livewell.models.recipes",
    "DEADNET_2017_SHORT": "livewell.models.recipes",
    "DEADNET_DENSE": "livewell.models.recipes",
    "FAST": "livewell.models.recipes",
    "FAST_DENSE": "livewell.models.recipes",
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
