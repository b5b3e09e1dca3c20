"""What state the cells of a simulated movie are in, as one class a movie."""

from collections.abc import Iterable

import pandas as pd

from livewell.simulate.dose import State

CLASS_OF: dict[State, str] = {
    "healthy": "healthy",
    "dividing": "healthy",
    "retracting": "sick",
    "rounded": "sick",
    "blebbing": "sick",
    "recovering": "sick",
    "dead": "dead",
}
"""Class of every state of a cell."""
CLASSES = ("healthy", "sick", "dead")
LEAST = 0.75
"""A movie has a class where at least so many of its cells have it, in every frame."""


def movie_states(truth: pd.DataFrame, images: Iterable[str]) -> pd.DataFrame:
    """The class of each movie, from the truth of its cells.

    Parameters
    ----------
    truth
        One row a cell and frame: image, t, state, inside (see `livewell.simulate.culture.Movie`).
    images
        Names of all movies, also of those without a cell.

    Returns
    -------
    DataFrame
        One row a movie: ``image``; ``cells`` (cells in a frame, mean); the share of each of
        `CLASSES` among all cells and frames, 0 to 1; ``state``, the class of at least `LEAST` of
        the cells in every frame, missing where there is none, as in movies in which cells change.
    """
    names = list(images)
    seen = truth[truth["inside"]]
    counts = pd.crosstab(
        [seen["image"], seen["t"]], seen["state"].astype("str").map({**CLASS_OF})
    ).reindex(columns=list(CLASSES), fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0)
    least = shares.groupby("image").min().reindex(names)
    summed = counts.groupby("image").sum().reindex(names)
    mean = counts.sum(axis=1).groupby("image").mean().reindex(names)
    table = summed.div(summed.sum(axis=1).where(lambda total: total > 0), axis=0)
    table.insert(0, "cells", mean.fillna(0.0))
    surest = least.fillna(0.0).idxmax(axis=1)
    table["state"] = surest.where(least.max(axis=1) >= LEAST).astype("str")
    table.columns.name = None
    return table.rename_axis("image").reset_index()
