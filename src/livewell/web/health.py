"""Whether a study's files are there and can be read: looked at beside the pages."""

import threading
import time
from dataclasses import dataclass, field

from livewell.errors import LivewellError
from livewell.images.headers import READING
from livewell.images.listing import fingerprint
from livewell.images.opening import read_header
from livewell.tables.schemas import HEADERS
from livewell.web.catalogue import Catalogue, Listing

AGAIN_S = 60.0
"""After how long files are looked at again."""
SLACK_NS = 2_000_000_000
"""Times of file systems are this coarse."""


@dataclass
class Health:
    """What was found so far.

    Counts of images `looked` at and in `total`; whether the `folder` of all images is there; names
    of images whose file is `missing`, is not whole (`unreadable`, with why), or `changed` after the
    study was indexed.
    """

    total: int
    looked: int = 0
    folder: bool = True
    missing: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether all files were looked at."""
        return self.looked == self.total


class HealthCheck:
    """Looks at all files of a study in a thread of its own, when somebody asks."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._found: tuple[Listing, float, Health] | None = None
        self._ended = threading.Event()
        self._closed = False

    def get(self, wait_s: float = 0.25) -> Health:
        """What is known now; a new look at the files is waited for so long."""
        listing = self._catalogue.listing()
        with self._lock:
            found = self._found
            new = found is None or found[0] is not listing
            old = found is not None and self._ended.is_set() and time.monotonic() > found[1]
            if new or old:
                health = Health(len(listing.names))
                before = found[2] if found is not None and not new else None
                self._ended = threading.Event()
                self._found = (listing, time.monotonic() + AGAIN_S, health)
                work = (listing, health, self._ended)
                threading.Thread(target=self._look, args=work, name="files", daemon=True).start()
            else:
                assert found is not None  # noqa: S101  # as `new` says
                health, before = found[2], None
            ended = self._ended
        ended.wait(wait_s)
        return health if before is None or health.whole else before

    def close(self) -> None:
        """Look no further, and wait for the end of it."""
        self._closed = True
        if self._found is not None:
            self._ended.wait(10)

    def _look(self, listing: Listing, health: Health, ended: threading.Event) -> None:
        try:
            study = listing.study
            health.folder = study.root.is_dir()
            if not health.folder:
                health.missing.extend(listing.names)
                health.looked = health.total
                return
            known = self._known(listing)
            _, indexed = fingerprint(study.folder / "fields.parquet")
            for image in listing.names:
                if self._closed:
                    return
                path = study.path(image)
                try:
                    version = fingerprint(path)
                except LivewellError:
                    health.missing.append(image)
                else:
                    if version[1] > indexed + SLACK_NS:
                        health.changed.append(image)
                    if known.get(image) != version:
                        try:
                            read_header(path)
                        except LivewellError as error:
                            health.unreadable[image] = str(error).removeprefix(f"{path}: ")
                health.looked += 1
        finally:
            ended.set()

    def _known(self, listing: Listing) -> dict[str, tuple[int, int]]:
        """Size and time of change of files whose headers could be read."""
        path = listing.study.folder / "headers.parquet"
        try:
            table = HEADERS.read(path)
        except LivewellError:
            return {}
        table = table[table["reading"] == READING] if "reading" in table else table.head(0)
        return dict(
            zip(
                table["image"].tolist(),
                zip(table["bytes"].tolist(), table["mtime_ns"].tolist(), strict=True),
                strict=True,
            )
        )
