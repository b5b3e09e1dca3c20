"""Folders of results of a study: runs, evaluations, audits, verdicts, maps, and their reports."""

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from livewell.errors import LivewellError
from livewell.images.listing import RESULTS
from livewell.names import path_of
from livewell.web.catalogue import Catalogue

MARKERS = (*sorted(RESULTS), "results.json")
"""Files that tell a folder of results; one with ``results.json`` alone is an evaluation."""
LEFT_ALONE = {"cache", "features", "thumbnails", "masks", "overlays", "stills", "positions"}
"""Folders in which no folder of results of its own is looked for."""
DEPTH, MOST_FOLDERS, LARGEST_BYTES = 3, 4_000, 4_000_000
FRESH_S = 10.0
"""How long what was found is believed."""
WORDS = {
    "roc_auc": "ROC AUC",
    "within_auc": "ROC AUC within groups",
    "f1": "F1",
}
RUN, MAPS = "training run", "maps"
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """One folder of results.

    `id` names it in addresses; `kind` as its marker file says; `name` is where it lies below the
    folder that was searched; `about` is what its marker file holds; `headline` its chief figure or
    finding in words, empty where it says none; `report` its page, ``None`` where it has none.
    """

    id: str
    kind: str
    name: str
    folder: Path
    about: Json
    made: float
    headline: str
    report: Path | None


class ResultFolders:
    """Results of a study below some folders, looked for again after `FRESH_S`."""

    def __init__(self, catalogue: Catalogue, roots: tuple[Path, ...]) -> None:
        self._catalogue = catalogue
        self._roots = roots or (catalogue.folder.absolute().parent,)
        self._lock = Lock()
        self._found: tuple[Result, ...] = ()
        self._when = -math.inf

    def all(self) -> tuple[Result, ...]:
        """All results of this study, the newest first."""
        with self._lock:
            if time.monotonic() - self._when > FRESH_S:
                self._found = tuple(sorted(self._search(), key=lambda each: -each.made))
                self._when = time.monotonic()
            return self._found

    def forget(self) -> None:
        """Look again when next asked: a run has just ended."""
        with self._lock:
            self._when = -math.inf

    def of_kind(self, *kinds: str) -> list[Result]:
        """Those of some kinds, the newest first."""
        return [each for each in self.all() if each.kind in kinds]

    def named(self, number: str) -> Result | None:
        """The results of this `Result.id`."""
        return next((each for each in self.all() if each.id == number), None)

    def _search(self) -> Iterator[Result]:
        own = self._catalogue.folder.resolve()
        found: dict[Path, Result] = {}
        for root in (*self._roots, own / "audits", own / "site" / "runs"):
            for folder, marker in _marked(root):
                if folder.resolve() not in found:
                    with suppress(OSError, ValueError, LivewellError):
                        found[folder.resolve()] = _result(root, folder, marker)
        known = [own, self._catalogue.study().root.resolve()]
        ours: dict[Path, Result] = {}
        weights: set[str] = set()
        # those that name the study first, then what its runs made
        for _ in range(2):
            for folder, result in found.items():
                inside = any(each == folder or each in folder.parents for each in (own, *ours))
                if inside or _names(result.about, [*known, *ours], weights):
                    ours[folder] = result
            runs = [each for each in ours.values() if each.kind == RUN]
            weights = {card["weights_sha256"] for run in runs for card in self.cards(run)}
        yield from ours.values()

    def cards(self, run: Result) -> list[Json]:
        """Cards of the models of a run, those that can be read."""
        paths = sorted(run.folder.glob("fold-*/model/card.json"))
        cards = [self._catalogue.kept(("card", str(p)), (p,), partial(_card, p)) for p in paths]
        return [card for card in cards if card]


def _card(path: Path) -> Json:
    with suppress(OSError, ValueError):
        card = _read(path)
        if isinstance(card.get("classes"), list) and isinstance(card.get("weights_sha256"), str):
            return card
    return {}


def _names(about: Json, folders: list[Path], weights: set[str]) -> bool:
    """Whether a marker file names one of these folders, what lies in them, or one of the models."""
    for value in about.values():
        for text in value.values() if isinstance(value, dict) else [value]:
            if not isinstance(text, str):
                continue
            if text in weights:
                return True
            if Path(text).is_absolute():
                path = path_of("", text)
                if any(path == each or each in path.parents for each in folders):
                    return True
    return False


def _marked(root: Path) -> Iterator[tuple[Path, str]]:
    """Folders of results below a folder, and the name of the file that marks each."""
    todo, seen = [(root, 0)], 0
    while todo and seen < MOST_FOLDERS:
        folder, depth = todo.pop(0)
        seen += 1
        try:
            entries = {entry.name: entry for entry in _scanned(folder)}
        except OSError:
            continue
        marker = next((name for name in MARKERS if name in entries), None)
        if marker is not None and "study.json" not in entries:
            yield folder, marker
        if depth < DEPTH and "study.json" not in entries:
            todo += [
                (folder / name, depth + 1)
                for name, entry in sorted(entries.items())
                if not name.startswith(".")
                and name not in LEFT_ALONE
                and entry.is_dir(follow_symlinks=False)
            ]


def _scanned(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _result(root: Path, folder: Path, marker: str) -> Result:
    path = folder / marker
    about = _read(path)
    report = folder / "report.html"
    name, movie = folder.relative_to(root).as_posix(), about.get("movie")
    if isinstance(movie, str):  # folders of maps that the site made have names of no meaning
        file = Path(movie).name
        name = f"of {file}" if MAPS in folder.relative_to(root).parts else f"{name} (of {file})"
    return Result(
        id=hashlib.sha256(str(folder.resolve()).encode("utf-8", "replace")).hexdigest()[:16],
        kind=str(about.get("kind", marker.removesuffix(".json"))),
        name=folder.name if name == "." else name,
        folder=folder,
        about=about,
        made=path.stat().st_mtime,
        headline=_headline(folder, about),
        report=report if report.is_file() and not report.is_symlink() else None,
    )


def _read(path: Path) -> Json:
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("too large to be a marker file")
    about = json.loads(path.read_text("utf-8"))
    if not isinstance(about, dict):
        raise ValueError("no JSON object")
    return about


def _headline(folder: Path, about: Json) -> str:
    """The chief figure with its interval, or what was found, in words."""
    if "headline" not in about and (folder / "results.json").is_file():
        with suppress(OSError, ValueError):
            about = _read(folder / "results.json")
    named, figures = about.get("headline"), about.get("figures")
    if isinstance(named, str) and isinstance(figures, dict):
        figure = figures.get(named)
        if isinstance(figure, dict) and isinstance(figure.get("value"), int | float):
            words = WORDS.get(named, named.replace("_", " "))
            text = f"{words} {figure['value']:.3f}"
            low, high = figure.get("low"), figure.get("high")
            if isinstance(low, int | float) and isinstance(high, int | float):
                text += f" (95% interval {low:.3f} to {high:.3f}, {figure.get('groups')} groups)"
            return text
        return ""
    return named if isinstance(named, str) else ""
