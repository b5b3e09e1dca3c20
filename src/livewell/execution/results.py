"""The folder that a workflow fills: a marker file with its settings, tables, a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.files import claim_same, stamp, write_text
from livewell.study.runs import versions
from livewell.tables.results import write_csv


@dataclass(frozen=True, slots=True)
class ResultFolder:
    """A folder of results of one kind, which the same settings go on with."""

    path: Path
    kind: str
    marker: str
    settings: Mapping[str, Any]

    @classmethod
    def claim(
        cls,
        path: Path,
        kind: str,
        marker: str,
        settings: Mapping[str, Any],
        *,
        anew: bool = False,
    ) -> "ResultFolder":
        """The folder, new or begun with these settings, see `livewell.files.claim_same`.

        `anew`: also with others, where nothing rests on these yet.
        """
        claim_same(path, kind, marker, {} if anew else settings)
        return cls(path, kind, marker, settings)

    def begin(self) -> "ResultFolder":
        """The folder, its marker file written."""
        stamp(self.path, self.marker, self.kind, **self.settings, versions=versions())
        return self

    def write(self, page: str, tables: Mapping[str, pd.DataFrame]) -> Path:
        """Write tables as ``NAME.csv``, then the page, whose path is returned."""
        for name, table in tables.items():
            write_csv(self.path / f"{name}.csv", table)
        write_text(self.path / "report.html", page)
        return self.path / "report.html"
