"""What every page needs: the study, its database, and where runs lie."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import Request

from livewell.answers.database import Database
from livewell.answers.store import AnswerStore
from livewell.study.study import Study
from livewell.web.catalogue import Catalogue
from livewell.web.fitting import Fitting
from livewell.web.frames import StudyFrames
from livewell.web.looking import Look
from livewell.web.mapping import Mapping
from livewell.web.sign_ins import SignIns

FOLDER = "site"
"""Within the study: what the site keeps for itself."""


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
    address
        Where browsers find it, such as ``https://cells.example.org``.
    owner
        Name of who gets the site by the link that `serve` prints.
    key
        What that link holds; empty where there is no such link.
    """

    study: Study
    database: Database
    runs: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "::1")
    local: bool = True
    experts_look: bool = False
    address: str = "http://127.0.0.1"
    owner: str = "owner"
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    answers: AnswerStore = field(init=False)
    sign_ins: SignIns = field(init=False)
    look: Look = field(init=False)
    fitting: Fitting = field(init=False)
    mapping: Mapping = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", AnswerStore(self.database))
        object.__setattr__(self, "sign_ins", SignIns(self.database))
        object.__setattr__(self, "look", Look(self.study, self.runs))
        object.__setattr__(self, "fitting", Fitting(self.study, self.folder, self.answers))
        object.__setattr__(self, "mapping", Mapping(self, self.fitting.jobs))

    @property
    def catalogue(self) -> Catalogue:
        """The study's tables."""
        return self.look.catalogue

    @property
    def frames(self) -> StudyFrames:
        """The study's pixels."""
        return self.look.frames

    @property
    def folder(self) -> Path:
        """Where the site keeps its own files, in the study."""
        return self.study.folder / FOLDER

    @property
    def link(self) -> str:
        """The address that signs its owner in, as long as this process lives; else its own."""
        return f"{self.address}/open/{self.key}" if self.key else self.address

    @property
    def encrypted(self) -> bool:
        """Whether browsers reach it through https."""
        return self.address.startswith("https:")

    @property
    def cookie(self) -> str:
        """Name of the sign-in's cookie: browsers send cookies of a host to all its ports."""
        name = f"livewell-{urlsplit(self.address).port or 0}"
        return f"__Host-{name}" if self.encrypted else name

    def close(self) -> None:
        """End what goes on beside the pages, write answers that wait, let go of the rest."""
        self.fitting.jobs.close()
        self.answers.close()
        self.look.close()
        self.database.close()


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    site: Site = request.app.state.site
    return site
