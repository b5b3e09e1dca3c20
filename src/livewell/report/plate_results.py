"""What the report of plates shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from livewell.plate import Plate
from livewell.report.plate_map import Tiled
from livewell.report.results import PageResults

NO_CORRECTION, POLISH = "none", "median-polish"


@dataclass(frozen=True)
class PlateResults(PageResults):
    """What `plate_page` shows.

    `wells` are as `livewell.report.plate_map.plate_widget` takes them, with ``plate``; `hits`,
    `effects` and `controls` as `livewell.metrics` has them; `other_hits` are hits with the
    correction that was not asked for, or without the one that was. `correction` is ``none`` or
    ``median-polish``, `lines` are rows and columns of one condition, by plate. `score` says what a
    value is, `untreated` how untreated wells were named, empty: not at all.
    """

    wells: pd.DataFrame
    formats: Mapping[str, Plate]
    hits: pd.DataFrame
    other_hits: pd.DataFrame
    effects: pd.DataFrame
    controls: pd.DataFrame
    score: str
    untreated: str
    correction: str
    alpha: float
    lines: Sequence[tuple[str, str]] = ()
    tiled: Mapping[str, Tiled] = field(default_factory=dict)
    about_tiles: str = ""

    @property
    def tests(self) -> int:
        """Conditions that were tested."""
        return int(self.hits["p"].notna().sum())
