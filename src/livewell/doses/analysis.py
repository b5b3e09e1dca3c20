"""All that is asked of the wells of a light budget: tests dose by dose, the curve, the levels."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from livewell.doses.dose_response import DoseResponse, fit_dose_response
from livewell.doses.equivalence import Budget, light_budget
from livewell.doses.wells import by_dose, check_wells
from livewell.progress import task


@dataclass(frozen=True, slots=True)
class DoseAnalysis:
    """Wells, the tests, the curve of dose and response, and one row a dose."""

    wells: pd.DataFrame
    budget: Budget
    response: DoseResponse
    levels: pd.DataFrame

    @classmethod
    def of(
        cls,
        wells: pd.DataFrame,
        margin: float,
        alpha: float,
        lost: Mapping[float, int],
        seed: int,
    ) -> "DoseAnalysis":
        """The analysis of some wells; for the rest as `light_budget` and `by_dose`."""
        wells = check_wells(wells)
        with task("testing dose by dose", total=3) as tick:
            found = light_budget(wells, margin, alpha=alpha, lost=lost)
            tick()
            response = fit_dose_response(wells)
            tick()
            levels = by_dose(wells, seed=seed)
            tick()
        return cls(wells, found, response, levels)


def analysis_json(
    found: Budget, response: DoseResponse, unit: str, positive: str
) -> dict[str, Any]:
    """Tests and curve as plain values, doses in `unit`, of patches called `positive`."""
    return {
        "verdict": found.verdict,
        "budget": found.dose,
        "unit": unit,
        "told": found.told(unit, positive),
        "test": asdict(found),
        "effective_doses": {
            f"ED{100 * share:g}": {"value": each.value, "low": each.low, "high": each.high}
            for share, each in response.doses.items()
        },
    }
