"""Which raw images stand together in a mosaic: dealt within a part and a class, never across."""

import re
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from livewell.errors import Fault, SpecError, TableError
from livewell.splitting.leaks import merged_groups
from livewell.splitting.schemes import PARTS

RAW = ["image", "t", "label", "group", "part"]
"""Columns of a table of raw images."""
MOSAICS = ["mosaic", "part", "label", "mosaic_group", "cell", "image", "t", "group"]
"""Columns of a table of mosaics: one row a mosaic and cell."""
_SHOWN = 3


def raw_images(patches: pd.DataFrame, folds: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The labelled images of a split, each once, with the part that it plays in one fold.

    Columns `RAW`. Images whose group plays no part in this fold are left out.
    """
    parts = folds.loc[folds["fold"] == fold, ["group", "part"]]
    images = patches[RAW[:-1]].drop_duplicates().merge(parts, on="group")
    return images[images["part"] != "unused"].reset_index(drop=True)


def deal_mosaics(
    images: pd.DataFrame, *, cells: int = 4, repeats: int = 8, seed: int = 0
) -> pd.DataFrame:
    """Choose the raw images of every mosaic (columns `MOSAICS`), whatever the order of the rows.

    Training: each image is the first of `repeats` mosaics, the others are drawn from its class and
    part, none twice in a mosaic. Validation and test: no image is in two mosaics, and as many
    mosaics as can be are of one group; the rest of a class that fills no mosaic is left out
    (`left_out`). Column mosaic_group joins all groups that stand together in some mosaic, so that
    no group is in two mosaic groups; it is named after them, the part first.

    Parameters
    ----------
    images
        One row a raw image and patch, columns `RAW`; rows of the part ``unused`` are left out.
    cells
        Raw images in a mosaic; they are counted from 0, row by row.

    Raises
    ------
    TableError
        With every fault: an image of two classes (its labels are on patches) or of two groups,
        fewer than `cells` images of a class in a part.

    Notes
    -----
    Source: Sailem et al. 2017, section 3.1: four images of a class, eight times for each raw image.
    Whether its test images are mosaics, and of which images, is not said; here images are dealt to
    parts before any mosaic is made.
    """
    if min(cells, repeats) < 1:
        raise SpecError(
            "no such mosaics", expected="1 cell, 1 repeat or more", got=f"{cells} and {repeats}"
        )
    raw = _checked(images, cells)
    classes = sorted(raw["label"].unique())
    rows, counts = [], dict.fromkeys(PARTS, 0)
    there = [part for part in PARTS if (raw["part"] == part).any()]
    for part, label in product(there, classes):
        members = raw[(raw["part"] == part) & (raw["label"] == label)]
        rng = np.random.default_rng([seed, PARTS.index(part), classes.index(label)])
        dealt = np.array(
            _drawn(len(members), cells, repeats, rng)
            if part == "train"
            else _disjoint(members["group"].tolist(), cells, rng)
        )
        # counted through all classes: two classes may be spelt alike in a file name
        numbers = np.arange(counts[part], counts[part] + len(dealt)) + 1
        counts[part] += len(dealt)
        stem = f"{part}-{re.sub(r'[^a-zA-Z0-9_+]+', '_', label)[:40]}"
        chosen = members.iloc[dealt.ravel()].reset_index(drop=True)
        chosen["mosaic"] = np.repeat([f"{stem}-{number:05d}" for number in numbers], cells)
        chosen["cell"] = np.tile(np.arange(cells), len(dealt))
        rows.append(chosen)
    table: pd.DataFrame = pd.concat(rows, ignore_index=True)
    keys = table["image"] + ":" + table["t"].astype("str")
    clusters = pd.DataFrame({"cluster": table["mosaic"], "image": keys})
    joined = keys.map(merged_groups(clusters, dict(zip(keys, table["group"], strict=True))))
    table["mosaic_group"] = table["part"] + "-" + joined.astype("str")
    return table[MOSAICS]


def left_out(images: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Raw images (`RAW`) that stand in no mosaic, for they were too few to fill another one."""
    raw = images.loc[images["part"] != "unused", RAW].drop_duplicates()
    used = set(zip(table["image"], table["t"].astype(int), strict=True))
    keys = zip(raw["image"], raw["t"].astype(int), strict=True)
    return raw[[key not in used for key in keys]].reset_index(drop=True)


def _checked(images: pd.DataFrame, cells: int) -> pd.DataFrame:
    """One row a raw image, in an order of its own, or every fault at once."""
    raw = images.loc[images["part"] != "unused", RAW].drop_duplicates()
    patches = _torn(raw, "label", "labels-on-patches", "images of several classes")
    faults = patches + _torn(raw, "group", "several-groups", "images of several groups")
    remedy = ""
    if patches:
        remedy = "label whole images (label column, words, dose or boxes) and split again"
    elif not faults:
        faults = _too_few(raw, cells)
        remedy = "label more images, or deal them to parts in other shares"
    if faults:
        raise TableError("images that no mosaics can be made of", faults, remedy=remedy)
    raw = raw.astype({"image": "str", "t": "int64", "label": "str", "group": "str"})
    return raw.sort_values(["image", "t"], ignore_index=True)


def _torn(raw: pd.DataFrame, column: str, code: str, what: str) -> list[Fault]:
    """A fault where one image has several values of `column`."""
    values = raw.groupby(["image", "t"])[column].nunique()
    torn = [str(name) for name in values.index[values > 1]]
    more = f" and {len(torn) - _SHOWN} more" if len(torn) > _SHOWN else ""
    return [Fault(code, column, f"{what}: {', '.join(torn[:_SHOWN])}{more}")] if torn else []


def _too_few(raw: pd.DataFrame, cells: int) -> list[Fault]:
    if raw.empty:
        return [Fault("no-rows", "image", "no image at all")]
    counts = pd.crosstab(raw["part"], raw["label"])
    return [
        Fault("too-few", f"part {part}, class {label}", f"{n} images; a mosaic needs {cells}")
        for part, row in counts.iterrows()
        for label, n in row.items()
        if n < cells
    ]


def _drawn(count: int, cells: int, repeats: int, rng: np.random.Generator) -> list[list[int]]:
    """Each of `count` places first, `repeats` times, with others drawn at random."""
    found = []
    for first in range(count):
        others = np.delete(np.arange(count), first)
        for _ in range(repeats):
            found.append([first, *rng.choice(others, cells - 1, replace=False).tolist()])
    return found


def _disjoint(groups: Sequence[str], cells: int, rng: np.random.Generator) -> list[list[int]]:
    """Places in mosaics of one group where that can be, the rests of groups together."""
    members: dict[str, list[int]] = {}
    for place in rng.permutation(len(groups)):
        members.setdefault(groups[place], []).append(int(place))
    whole, rests = [], []
    for places in members.values():
        cut = len(places) - len(places) % cells
        whole += [places[start : start + cells] for start in range(0, cut, cells)]
        rests += [places[cut:]] if cut < len(places) else []
    return whole + _packed(rests, cells)


def _packed(rests: list[list[int]], cells: int) -> list[list[int]]:
    """Rests of groups filled into mosaics, the largest first; one is torn where none fits."""
    made = []
    left = sorted(rests, key=len, reverse=True)
    while sum(map(len, left)) >= cells:
        mosaic = list(left.pop(0))
        while len(mosaic) < cells:
            room = cells - len(mosaic)
            fits = next((i for i, rest in enumerate(left) if len(rest) <= room), None)
            if fits is None:
                # the shortest stays the shortest, so the order holds
                torn = left.pop()
                left.append(torn[room:])
                mosaic += torn[:room]
            else:
                mosaic += left.pop(fits)
        made.append(mosaic)
    return made
