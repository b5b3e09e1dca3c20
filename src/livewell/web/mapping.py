"""Class maps that people ask for while they look, made beside the pages."""

import hashlib
from pathlib import Path
from typing import Protocol

from livewell.answers.tables import Job
from livewell.web.jobs import OPEN, JobKind, Jobs
from livewell.web.looking import Look
from livewell.web.results import RUN, Result

MAP = "map"
"""Kind of these jobs."""
TARGET = "livewell.workflows.image_map:map_image"


class _Site(Protocol):
    @property
    def look(self) -> Look: ...
    @property
    def folder(self) -> Path: ...


class Mapping:
    """Maps of images by runs of the study, each made once."""

    def __init__(self, site: _Site, jobs: Jobs) -> None:
        self._look, self._folder, self._jobs = site.look, site.folder, jobs
        jobs.kinds[MAP] = JobKind(TARGET, ended=lambda _: self._look.results.forget())

    def runs(self) -> list[Result]:
        """Runs whose models are there."""
        results = self._look.results
        return [run for run in results.of_kind(RUN) if results.cards(run)]

    def ask(self, image: str, run: Result, person: int) -> int:
        """Ask for the map of an image; the job that makes it already, where one does."""
        known = self.latest(image)
        if known is not None and known.state in OPEN:
            return known.id
        name = hashlib.sha256(f"{run.id}|{image}".encode("utf-8", "replace")).hexdigest()[:20]
        out = self._folder / "runs" / "maps" / name
        arguments = {
            "study": str(self._look.catalogue.folder.resolve()),
            "run": str(run.folder.resolve()),
            "image": image,
            "out": str(out.resolve()),
        }
        return self._jobs.ask(MAP, arguments, person)

    def latest(self, image: str) -> Job | None:
        """The newest job for an image."""
        return next(iter(self._jobs.of(MAP, image=image)), None)
