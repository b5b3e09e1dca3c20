"""livewell tells from plain transmitted-light images whether living cells are well.

The names below are imported when they are first asked for, so that ``import livewell`` is free.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "inspect": "livewell.io.inspection",
    "index": "livewell.jobs.index",
    "label": "livewell.jobs.label",
    "split": "livewell.jobs.split",
    "train": "livewell.jobs.train",
    "evaluate": "livewell.jobs.evaluate",
    "explain": "livewell.jobs.explain",
    "assess": "livewell.jobs.assess",
    "heatmap": "livewell.jobs.heatmap",
    "timelapse": "livewell.jobs.timelapse",
    "budget": "livewell.jobs.budget",
    "Study": "livewell.io.study",
    "open_image": "livewell.io.images",
    "load_model": "livewell.io.models",
    "DEADNET_2017": "livewell.profiles.recipes",
    "DEADNET_2017_SHORT": "livewell.profiles.recipes",
    "DEADNET_DENSE": "livewell.profiles.recipes",
    "FAST": "livewell.profiles.recipes",
    "FAST_DENSE": "livewell.profiles.recipes",
    "override": "livewell.profiles.profile",
    "LivewellError": "livewell.errors",
}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'livewell' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
