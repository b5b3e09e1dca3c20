"""What the pages for looking share: tables, pixels, thumbnails, results, and who may look."""

from pathlib import Path

from livewell.study.study import Study
from livewell.web.catalogue import Catalogue
from livewell.web.conditions import Conditions
from livewell.web.frames import StudyFrames
from livewell.web.health import HealthCheck
from livewell.web.overlays import Overlays
from livewell.web.results import ResultFolders
from livewell.web.thumbnails import Thumbnails


class Look:
    """A study as it is shown; every part keeps in memory what it read.

    Parameters
    ----------
    study
        What is shown.
    runs
        Folders in which its runs and other results are looked for; the folder around the study
        where there are none.
    """

    def __init__(self, study: Study, runs: tuple[Path, ...] = ()) -> None:
        self.catalogue = Catalogue(study)
        self.frames = StudyFrames(self.catalogue.study)
        self.results = ResultFolders(self.catalogue, runs)
        self.overlays = Overlays(self.catalogue, self.results)
        self.conditions = Conditions(self.catalogue, self.results)
        self.thumbnails = Thumbnails(self.catalogue, self.frames)
        self.health = HealthCheck(self.catalogue)

    def close(self) -> None:
        """Let go of files and threads."""
        self.health.close()
        self.thumbnails.close()
        self.frames.close()
