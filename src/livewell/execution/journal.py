"""A journal of what a job over many files has done, so that one that was killed goes on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livewell.errors import ImageReadError
from livewell.images.listing import fingerprint

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Journal:
    """One line of JSON a file that is done.

    Parameters
    ----------
    path
        Where it lies; made with the first entry.
    asked
        Settings that every entry depends on.
    """

    path: Path
    asked: Mapping[str, Any]

    def entries(self) -> dict[str, dict[str, Any]]:
        """Entries by image that were made with these settings; a line that is not whole is none."""
        found: dict[str, dict[str, Any]] = {}
        if not self.path.is_file():
            return found
        for line in self.path.read_text("utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if entry.get("asked") == self.asked:
                found[entry["image"]] = entry
        return found

    def add(self, entry: Mapping[str, Any]) -> None:
        """Keep what came of one file; its name stands under ``image``."""
        with self.path.open("a", encoding="utf-8") as file:
            # a line that was cut off by a kill must not swallow this one
            file.write("\n" + json.dumps({**entry, "asked": self.asked}) + "\n")

    def end(self) -> None:
        """The job is done: nothing is to go on with."""
        self.path.unlink(missing_ok=True)


def version_of(path: Path) -> list[int]:
    """What changes with a file's content: size and time of change; zeros where it is not there."""
    try:
        return list(fingerprint(path))
    except ImageReadError:
        return [0, 0]
