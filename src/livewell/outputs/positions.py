"""The maps of many positions as curves over time and as a table."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from livewell.doses.over_time import Curves, curves_of, frame_rows
from livewell.execution.items import ItemResults
from livewell.study.study import Study


def position_results(
    batch: ItemResults,
    study: Study,
    fields: pd.DataFrame,
    folders: Mapping[str, Path],
    scored: pd.DataFrame,
) -> tuple[Curves, pd.DataFrame]:
    """Curves over time of mapped positions, and one row each: where it stands, what scored it."""
    # always from the file, so that a table does not depend on when a position was made
    read = {image: pd.read_csv(folders[image] / "curve.csv") for image in batch.records}
    headers, _ = study.read_headers()
    mapped = scored.set_index("image").loc[list(read), ["name", "group", "seen"]]
    curves = curves_of(frame_rows(fields, headers, read, dict(mapped["seen"])))
    used = [record["engine"] for record in batch.records.values()]
    mapped = mapped.rename(columns={"name": "scorer"}).assign(
        engine=[f"{each['engine']}, {each['backend']}" for each in used],
        folder=[f"positions/{folders[image].name}" for image in batch.records],
    )
    about = fields.reindex(columns=["image", "plate", "well", "position", "dose", "dose_unit"])
    return curves, about.merge(mapped, on="image")
