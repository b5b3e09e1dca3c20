"""What the pages of annotating have in common: words, keys, the task that is asked for."""

from fastapi import HTTPException

from livewell.answers.settings import TaskSettings
from livewell.answers.tables import UNSURE, Task
from livewell.web.site import Site

RESERVED = frozenset("dntz")
"""Keys that mean something else on the annotating page."""
WORDS = {
    "sequence": "sequences",
    "frame": "frames",
    "patch": "patches",
    "cells": "cells in a frame",
}
"""What each kind of item is called."""


def task_of(site: Site, number: int) -> Task:
    """The task of this number; 404 where there is none."""
    task = site.answers.task(number) if 0 <= number < 2**31 else None
    if task is None:
        raise HTTPException(404, "There is no such task.")
    return task


def keys_of(task: Task) -> dict[str, str]:
    """Key of each class and of "unsure": those the owner chose, else the first free letter."""
    keys: dict[str, str] = dict(TaskSettings.model_validate(task.settings).keys)
    for name in (*task.classes, UNSURE):
        if name not in keys:
            free = [c for c in name.lower() + "abcefghijklmopqrsuvwxy" if c.isalnum()]
            taken = {*keys.values(), *RESERVED}
            keys[name] = next((c for c in free if c not in taken), "")
    return {name: keys[name] for name in (*task.classes, UNSURE)}
