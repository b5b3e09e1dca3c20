"""Which pictures of a localisation are drawn, and their drawing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.execution.frames import Opening
from livewell.files import remove_others, whole_file
from livewell.image import mirrored
from livewell.images.opening import open_image
from livewell.inference.frames import Field, fit_to, read_field
from livewell.outputs.located import Locator
from livewell.outputs.masks import read_mask
from livewell.progress import task
from livewell.report.class_maps import ClassMaps, class_maps
from livewell.report.overlays import Overlay, for_page, overlay
from livewell.report.page import Picture
from livewell.text import chance, plural

FIGURE3 = "figure3.png"
NEGATIVES, UNSURE = 6, 4
"""One overlay in so many is kept for negatives, and for unsure pictures, where there are any."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What was drawn.

    Parameters
    ----------
    overlays
        For the page, in the order of `chosen`.
    maps
        The paper's Figure 3, for the page; ``None`` if no picture was judged, or none asked for.
    figure3
        The same as a file.
    """

    overlays: list[Picture]
    maps: Picture | None
    figure3: Path | None


def chosen(pictures: pd.DataFrame, classes: tuple[str, str], most: int) -> pd.DataFrame:
    """Pictures that are drawn: the surest positives, then unsure ones, then a few negatives.

    Parameters
    ----------
    pictures
        Columns p and verdict.
    classes
        (negative, positive).
    most
        At most so many. A sixth is kept for the surest negatives and a quarter for the unsure ones
        with the highest p, where there are any; what is left over goes to unsure ones.
    """
    judged = pictures[pictures["p"].notna()].sort_values("p", ascending=False, kind="stable")
    negative = judged[judged["verdict"] == classes[0]][::-1]
    positive = judged[judged["verdict"] == classes[1]]
    unsure = judged[~judged["verdict"].isin(classes)]
    few = min(len(negative), most // NEGATIVES or int(most > len(positive) + len(unsure)))
    some = min(len(unsure), most // UNSURE)
    first = positive.head(most - few - some)
    second = unsure.head(most - few - len(first))
    return pd.concat([first, second, negative.head(few)])


def show(
    files: Mapping[str, Path],
    pictures: pd.DataFrame,
    detections: pd.DataFrame,
    locator: Locator,
    opening: Opening,
    out: Path,
    *,
    most: int,
) -> Shown:
    """Draw overlays and Figure 3 from files, masks and tables; those of earlier calls go.

    Parameters
    ----------
    files
        Path of every image.
    pictures, detections
        As `livewell.workflows.localise.Localisation` has them.
    locator
        The model.
    opening, out
        How files are opened, and where masks are and drawings go.
    most
        Overlays at most; 0: no Figure 3 either.
    """
    classes = locator.card.class_names.pair
    table = chosen(pictures, classes, most)
    folder = out / "overlays"
    names = [f"{Path(mask).stem}.png" for mask in table["mask"]]
    remove_others(out / "masks", "*.tif", [Path(mask).name for mask in pictures["mask"]])
    remove_others(folder, "*.png", names)
    overlays = []
    with task("drawing", total=len(table) + 1) as tick:
        for row, name in zip(_records(table), names, strict=True):
            shot = _shot(files, row, locator, opening)
            own = (detections["image"] == row["image"]) & (detections["t"] == row["t"])
            picture = overlay(
                Overlay(
                    shot.field.raw,
                    read_mask(out / row["mask"]),
                    detections.loc[own, "p"].tolist(),
                    f"{row['verdict']}, p {chance(row['p'], 2)}, {plural(row['found'], 'place')}",
                    _called(row, pictures),
                    shot.pixel_um,
                )
            )
            with whole_file(folder / name) as temporary:
                temporary.write_bytes(picture.data)
            overlays.append(for_page(picture))
            tick()
        maps = _figure3(files, pictures, locator, opening) if most else None
        tick()
    file = out / FIGURE3
    if maps is None:
        file.unlink(missing_ok=True)
        return Shown(overlays, None, None)
    with whole_file(file) as temporary:
        temporary.write_bytes(maps.data)
    return Shown(overlays, maps, file)


def three(
    pictures: pd.DataFrame, classes: tuple[str, str], threshold: float
) -> list[tuple[str, dict[str, Any]]]:
    """Name and row of the surest positive, the least sure and the surest negative picture.

    Parameters
    ----------
    pictures
        Columns p and verdict.
    classes
        (negative, positive).
    threshold
        On p; the least sure picture is nearest to it.
    """
    judged = pictures[pictures["p"].notna()].reset_index(drop=True)
    if judged.empty:
        return []
    p = judged["p"].to_numpy()
    verdicts = judged["verdict"].tolist()
    names: dict[int, str] = {}
    for index, wanted, extreme in (
        (int(p.argmax()), classes[1], "highest p"),
        (int(p.argmin()), classes[0], "lowest p"),
    ):
        called = verdicts[index]
        names.setdefault(index, f"surest {wanted}" if called == wanted else f"{extreme}, {called}")
    names.setdefault(int(np.abs(p - threshold).argmin()), "least sure")
    ranked = sorted(names, key=lambda index: -p[index])
    rows = _records(judged)
    return [(names[index], rows[index]) for index in ranked]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _figure3(
    files: Mapping[str, Path], pictures: pd.DataFrame, locator: Locator, opening: Opening
) -> Picture | None:
    items = []
    card = locator.card
    for name, row in three(pictures, card.class_names.pair, card.image_rule.threshold):
        shot = _shot(files, row, locator, opening)
        seen, area = locator.seen(shot.field), shot.field.area
        if seen is None:
            continue
        part = "" if seen.window.contains(area) else "part of "
        title = f"{name}\np {chance(float(row['p']), 2)}\n{part}{_called(row, pictures)}"
        corner = np.array([seen.window.y.start, seen.window.x.start] * 2)
        boxes = seen.boxes - corner
        within = (boxes[:, :2] < seen.window.shape).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        items.append(
            ClassMaps(
                title,
                mirrored(shot.field.pixels[0], area, seen.window),
                seen.maps,
                seen.odds,
                [(y0, x0, y1, x1) for y0, x0, y1, x1 in boxes[within].tolist()],
                locator.finder.stride_px,
                locator.finder.first_px,
                area.seen_in(seen.window).corners,
            )
        )
    if not items:
        return None
    return class_maps(items, card.class_names.pair, locator.look.least, locator.least)


@dataclass(frozen=True, slots=True)
class _Shot:
    """A frame as the model sees it, and the pixel size of its file."""

    field: Field
    pixel_um: float | None


def _shot(
    files: Mapping[str, Path], row: Mapping[str, Any], locator: Locator, opening: Opening
) -> _Shot:
    name = str(row["image"])
    with open_image(files[name], pixel_um=opening.pixel_um) as image:
        fit = fit_to(locator.card, image.header, opening.channels, name)
        field = read_field(image, int(row["t"]), fit, f"{name}, frame {row['t']}")
        return _Shot(field, image.header.pixel_um)


def _called(row: Mapping[str, Any], pictures: pd.DataFrame) -> str:
    """The image's name, and of a movie the frame."""
    alone = (pictures["image"] == row["image"]).sum() == 1
    return str(row["image"]) if alone else f"{row['image']}, frame {row['t']}"
