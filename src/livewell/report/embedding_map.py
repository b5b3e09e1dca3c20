"""The map of features that the reader works with, and the same in print."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.explain.embedding import METHODS, Embedding
from livewell.files import strict
from livewell.report.overlays import for_page
from livewell.report.page import Picture, Widget, cell
from livewell.report.style import UNSURE, ClassLook, Sheet, class_look, cut, edges
from livewell.report.thumbnails import Tiles, atlas, thumbnail_map
from livewell.report.vocabulary import Vocabulary
from livewell.tables.schemas import score_columns
from livewell.text import chance, listed

MOST_LEVELS = 12
"""A column of the study with more values than this is not offered as a colour."""
MOST_NAMED = 8
"""With more colours than this a figure in print names none."""
UNTOLD = ("image", "path", "picture", "t0")
"""Columns of the study that say which image it is, not what it is of."""
NOTHING = "(empty)"
DPI = 110


@dataclass(frozen=True, eq=False)
class Colouring:
    """One way to colour regions: `levels` by name, and `codes`, the level of every region, (n,)."""

    name: str
    levels: Sequence[str]
    looks: Sequence[ClassLook]
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, name: str, values: "pd.Series[Any]", levels: Sequence[str] = ()) -> "Colouring":
        """By the values of a column, in the order of `levels`; unsure and missing ones are grey."""
        texts = values.map(cell).where(lambda text: text != "", NOTHING)
        known = values.dropna().drop_duplicates().sort_values().map(cell)
        names = list(dict.fromkeys([*levels, *known, *texts]))
        plain = [class_look(number) for number in range(len(names))]
        grey = {"unsure", NOTHING}.difference(levels)
        looks = [
            replace(look, colour=UNSURE, said="grey") if text in grey else look
            for text, look in zip(names, plain, strict=True)
        ]
        return cls(name, names, looks, pd.Index(names).get_indexer(texts))

    @property
    def counts(self) -> NDArray[np.intp]:
        """How many regions are of each level."""
        return np.bincount(self.codes, minlength=len(self.levels))

    def plain(self) -> Mapping[str, Any]:
        """As the page's script takes it."""
        parts = zip(self.levels, self.looks, self.counts.tolist(), strict=True)
        levels = [
            {"name": name, "colour": look.colour, "mark": look.mark, "count": count}
            for name, look, count in parts
        ]
        return {"name": self.name, "levels": levels, "codes": self.codes.tolist()}


def called(regions: pd.DataFrame, classes: ClassNames) -> "pd.Series[str]":
    """Name of the class that every region was called."""
    return regions["called"].map(lambda code: classes[int(code)] if code >= 0 else "unsure")


def colourings(
    regions: pd.DataFrame, fields: pd.DataFrame, classes: ClassNames, by: str
) -> list[Colouring]:
    """By label, call and group, by part where there are two, and by columns of the study."""
    made = [
        Colouring.of("label", regions["label"], classes.names),
        Colouring.of("called", called(regions, classes), classes.names),
        Colouring.of(by.replace("_", " "), regions["group"]),
    ]
    part = Colouring.of("part", regions["part"])
    if len(part.levels) > 1:
        made.append(part)
    of_image = fields.set_index("image")
    for name in of_image.columns.difference([*UNTOLD, by], sort=False):
        values = regions["image"].map(of_image[name])
        if 1 < values.nunique() + values.hasnans <= MOST_LEVELS:
            made.append(Colouring.of(str(name).replace("_", " "), values))
    return made


def embedding_widget(
    embeddings: Sequence[Embedding],
    tiles: Sequence[Tiles],
    colours: Sequence[Sequence[Colouring]],
    classes: ClassNames,
    words: Vocabulary,
) -> Widget:
    """The map of one model or several, with everything in it that it shows."""
    columns = ["image", "frame", "box (y, x)", "part", words.group, "label", "called"]
    columns += [f"p of {classes.positive}"] if classes.binary else ["p of the called class"]
    models = []
    for each, small, ways in zip(embeddings, tiles, colours, strict=True):
        picture, in_a_row = atlas(small)
        height, width = small.shape[1:]
        models.append(
            {
                "name": model_name(each),
                "methods": list(_methods(each)),
                "colourings": [way.plain() for way in ways],
                "cells": _cells(each.regions, classes),
                "atlas": {
                    "uri": picture.uri,
                    "width": width,
                    "height": height,
                    "columns": in_a_row,
                },
            }
        )
    label = f"Map of {words.regions} by features; arrow keys step from one to the next"
    data = {"label": label, "columns": columns, "models": models}
    return Widget("embedding.html", strict(data))


def model_name(embedding: Embedding) -> str:
    """Which fold's model it is."""
    return f"fold {embedding.fold}"


def normalised(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Points within the unit square, both axes on one scale."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.asarray(0.5 + 0.94 * (points - (low + high) / 2) / ((high - low).max() or 1.0))


def _methods(embedding: Embedding) -> Iterator[Mapping[str, Any]]:
    maps = embedding.projected.maps
    # t-SNE first: it is what such maps are known for
    for name in sorted(maps, key=("tsne", "umap", "pca").index):
        x, y = normalised(maps[name]).round(4).T.tolist()
        yield {"name": METHODS[name], "x": x, "y": y}


def _cells(regions: pd.DataFrame, classes: ClassNames) -> list[list[str]]:
    """What is told of every region, as text."""
    columns = score_columns(classes, "p")
    rows = []
    for row in regions.to_dict("records"):
        code = int(row["called"])
        column = columns[0] if classes.binary else columns[max(code, 0)]
        p = chance(float(row[column])) if classes.binary or code >= 0 else ""
        box = f"{row['y0']}:{row['y1']}, {row['x0']}:{row['x1']}"
        name = classes[code] if code >= 0 else "unsure"
        told = (row["image"], row["t"], box, row["part"], row["group"], row["label"], name, p)
        rows.append([str(each) for each in told])
    return rows


def printed(
    embedding: Embedding,
    tiles: Tiles,
    ways: Sequence[Colouring],
    classes: ClassNames,
    words: Vocabulary,
) -> list[Picture]:
    """The t-SNE of one model with thumbnails at their places, and coloured by label and group."""
    label, _, group, *_ = ways
    places = normalised(embedding.projected.maps["tsne"])
    colours = [label.looks[code].colour for code in label.codes]
    made, shown = thumbnail_map(tiles, places, colours)
    name = model_name(embedding)
    small = replace(
        made,
        caption=f"t-SNE of {name}: {shown:,} of {len(tiles):,} {words.regions}, in every cell of a"
        f" grid the one nearest to its middle. Rims: {edges(classes)}.",
        wide=True,
    )
    with Sheet(9.0, 5.0, columns=2) as sheet:
        for axes, way in zip(sheet.panels, (label, group), strict=True):
            _scatter(axes, places, way)
        both = listed([label.name, group.name])
        dots = sheet.png(f"t-SNE of {name}, coloured by {both}.", "", DPI, wide=True)
    caption = f"t-SNE of {name}, coloured by {both}."
    return [small, replace(for_page(dots), caption=caption)]


def _scatter(axes: Any, places: NDArray[np.float64], way: Colouring) -> None:
    for code, look in enumerate(way.looks):
        style: dict[str, Any] = {"color": look.colour, "marker": look.mark, "s": 14, "lw": 0.25}
        at = places[way.codes == code]
        axes.scatter(*at.T, edgecolors="white", label=cut(way.levels[code], 24), **style)
    axes.set(aspect="equal", xticks=[], yticks=[], title=way.name)
    axes.spines[:].set_visible(False)
    if len(way.levels) <= MOST_NAMED:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, handletextpad=0.2)
    else:
        axes.set_xlabel(f"{len(way.levels)} colours; the map above names them")
