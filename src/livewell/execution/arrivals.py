"""Image files that arrive in a folder: which are new, which still change, which may be read.

A folder is looked at again and again, for network folders tell nobody what is written in them. A
file rests that had the same size and time of change in two looks; only then is it read, but for a
movie that never rests, of which all frames but the last are. Times are seconds of one clock, which
the caller reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from livewell.errors import ImageReadError
from livewell.images.listing import STAMP, find_files, find_images, fingerprint
from livewell.names import natural_key

RESTLESS = 4
"""After so many looks in a row that found it larger, a file is read though it does not rest."""
FRESH_S, RETRY_S = 60.0, 30.0
"""How long a file that is done is looked at each time; longest time between two attempts."""
OLDER = 200
"""Files that were done long ago of which each look sees whether they changed."""
Version = tuple[int, int]
"""Size in bytes and time of change in nanoseconds."""
Failure = tuple[str, int | None, str]
"""An image, its frame (``None``: all of them), and why it has no verdict."""


@dataclass(slots=True, eq=False)
class Arrival:
    """One file of the folder, or a folder in it that is a kind of its own.

    `since_s` is when a look first saw it as it is now, `gone_s` when one first missed it, `failed`
    what the last attempt could not judge. `taken` is a digest of each frame (image, t) that has a
    verdict, `frames` how many each image has, `done` the version of which every frame has one.
    `identity` stays where a file is renamed.
    """

    name: str
    path: Path
    seen_s: float
    identity: tuple[int, int] | None = None
    version: Version | None = None
    since_s: float = 0.0
    same: int = 0
    grown: int = 0
    gone_s: float | None = None
    tried: Version | None = None
    tried_s: float = 0.0
    tries: int = 0
    failed: tuple[Failure, ...] = ()
    done: Version | None = None
    given_up: bool = False
    taken: dict[tuple[str, int], str] = field(default_factory=dict)
    frames: dict[str, int] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether every frame of the file as it is has a verdict."""
        return self.done is not None and self.done == self.version

    @property
    def rests(self) -> bool:
        """Whether two looks have found it the same."""
        return self.same > 0

    @property
    def still_s(self) -> float:
        """Since when it has not changed, or is gone."""
        return self.since_s if self.gone_s is None else self.gone_s

    def ready(self, now_s: float, interval_s: float) -> bool:
        """Whether it is time to read it."""
        if self.settled or self.version is None or self.gone_s is not None:
            return False
        if self.tried == self.version:
            wait_s = min(interval_s * 2**self.tries, RETRY_S)
            return self.rests and not self.given_up and now_s - self.tried_s >= wait_s
        return self.rests or self.grown >= RESTLESS

    def attempt(self, now_s: float) -> None:
        """It is read now."""
        self.tries = self.tries + 1 if self.tried == self.version else 0
        self.tried, self.tried_s, self.grown = self.version, now_s, 0

    def see(self, version: Version, now_s: float) -> bool:
        """Note what a look found; whether that is another version than before."""
        was, self.gone_s = self.version, None
        if version == was:
            self.same, self.grown = self.same + 1, 0
            return False
        larger = was is not None and version[0] > was[0]
        self.version, self.since_s, self.same = version, now_s, 0
        self.grown = self.grown + 1 if larger else 0
        return True


@dataclass(eq=False)
class Arrivals:
    """The image files of a folder, in which they come, grow, change and vanish.

    `there` says whether the last look found the folder; `changed_s` is when one last saw anything
    new.
    """

    folder: Path
    interval_s: float
    files: dict[str, Arrival] = field(default_factory=dict)
    there: bool = False
    changed_s: float = 0.0
    _turn: int = 0

    def look(self, now_s: float) -> None:
        """See what is there now.

        Raises
        ------
        ImageReadError
            The folder is a study.
        """
        listed = self._listed()
        self.there = listed is not None
        if listed is None:
            return
        new = {}
        for name, path in listed.items():
            if name not in self.files:
                new[name] = Arrival(name, path, now_s, _identity(path))
                self.changed_s = now_s
        self.files |= new
        for arrival in self._looked_at(now_s):
            present = arrival.name in listed
            try:
                version = fingerprint(arrival.path) if present else None
            except ImageReadError:  # it has just vanished
                version = None
            if version is None:
                arrival.gone_s = now_s if arrival.gone_s is None else arrival.gone_s
            elif arrival.see(version, now_s):
                self.changed_s = now_s
        self._forget_renamed({each.identity for each in new.values()} - {None})

    def ready(self, now_s: float) -> list[Arrival]:
        """Files to read now: those that were seen first, then by name."""
        found = [each for each in self.files.values() if each.ready(now_s, self.interval_s)]
        return sorted(found, key=lambda each: (each.seen_s, natural_key(each.name)))

    def open(self) -> list[Arrival]:
        """Files of which some frame has no verdict yet, and that nobody has given up."""
        return [e for e in self.files.values() if not (e.settled or e.given_up)]

    def overdue(self, now_s: float, after_s: float) -> list[Arrival]:
        """Open files that were read in vain and have not changed, or are gone, for so long.

        There are none where the folder itself is gone.
        """
        tried = [e for e in self.open() if e.gone_s is not None or e.tried == e.version]
        return [e for e in tried if now_s - e.still_s >= after_s] if self.there else []

    def _forget_renamed(self, identities: set[tuple[int, int] | None]) -> None:
        """Drop files that never had a verdict and now have another name."""
        for arrival in self.open() if identities else []:
            if arrival.gone_s is not None and arrival.identity in identities and not arrival.taken:
                del self.files[arrival.name]

    def _listed(self) -> Mapping[str, Path] | None:
        """Files of images by name; ``None`` where the folder is not there."""
        if (self.folder / STAMP).exists():
            return find_images(self.folder).files
        return find_files(self.folder, by_names=False).files if self.folder.is_dir() else None

    def _looked_at(self, now_s: float) -> list[Arrival]:
        """Files that are new or fresh, and in turn some of the others."""
        every = list(self.files.values())
        old = [e for e in every if e.settled and now_s - e.since_s > FRESH_S]
        fresh = [e for e in every if not (e.settled and now_s - e.since_s > FRESH_S)]
        start = self._turn % max(len(old), 1)
        self._turn = start + OLDER
        return fresh + (old[start:] + old[:start])[:OLDER]


def _identity(path: Path) -> tuple[int, int] | None:
    """What stays the same where a file is renamed; ``None`` where nothing does."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino) if stat.st_ino else None
