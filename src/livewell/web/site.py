"""What every page needs: the study, its database, and where runs lie."""

from dataclasses import dataclass, field
from pathlib import Path

from fastapi import Request

from livewell.answers.database import Database
from livewell.answers.store import AnswerStore
from livewell.study.study import Study
from livewell.web.catalogue import Catalogue
from livewell.web.frames import StudyFrames


@dataclass(frozen=True)
class Site:
    """One study, served.

    Parameters
    ----------
    study, database
        What is shown, and where people and answers are kept.
    runs
        Folders in which runs of the study are looked for.
    hosts
        Names under which browsers may ask for it (header ``Host``), without port.
    local
        Whether it listens to this machine alone, where its owner needs no account.
    experts_look
        Whether experts, who answer blind, may also look at images with their names and wells.
    """

    study: Study
    database: Database
    runs: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    local: bool = True
    experts_look: bool = False
    answers: AnswerStore = field(init=False)
    catalogue: Catalogue = field(init=False)
    frames: StudyFrames = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", AnswerStore(self.database))
        object.__setattr__(self, "catalogue", Catalogue(self.study))
        object.__setattr__(self, "frames", StudyFrames(self.catalogue.study))

    @property
    def folder(self) -> Path:
        """Where the site keeps its own files, in the study."""
        return self.study.folder / "site"

    def close(self) -> None:
        """Let go of images and of the database."""
        self.frames.close()
        self.database.close()


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    site: Site = request.app.state.site
    return site
