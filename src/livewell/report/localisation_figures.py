"""Which images of a localisation are drawn, and their drawing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.execution.frames import OpenSettings
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
from livewell.text import chance, plural, printable

FIGURE3 = "figure3.png"
NEGATIVES, UNSURE = 6, 4
"""One overlay in so many is kept for negatives, and for unsure images, where there are any."""


@dataclass(frozen=True, slots=True)
class Drawings:
    """What was drawn: overlays in the order of `chosen`, and Figure 3 for the page and as a file.

    There is no Figure 3 where no image was judged, or none asked for.
    """

    overlays: list[Picture]
    maps: Picture | None
    figure3: Path | None


def chosen(pictures: pd.DataFrame, classes: tuple[str, str], most: int) -> pd.DataFrame:
    """Images that are drawn: the surest positives, then unsure ones, then a few negatives.

    At most `most`. A sixth is kept for the surest negatives and a quarter for the unsure ones with
    the highest p, where there are any; what is left over goes to unsure ones.
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
    opening: OpenSettings,
    out: Path,
    *,
    most: int,
) -> Drawings:
    """Draw overlays, `most` at most, and Figure 3 from files, masks and tables.

    Tables are as in `livewell.workflows.localise.Localisation`; masks lie in `out`, and drawings go
    there. With `most` 0 there is no Figure 3 either. Drawings of earlier calls go.
    """
    table = chosen(pictures, locator.card.class_names.pair, most)
    folder, file = out / "overlays", out / FIGURE3
    names = [f"{Path(mask).stem}.png" for mask in table["mask"]]
    remove_others(folder, "*.png", names)
    overlays = []
    with task("drawing", total=len(table) + 1) as tick:
        for row, name in zip(table.to_dict("records"), names, strict=True):
            field, pixel_um = _shot(files, row, locator, opening)
            own = (detections["image"] == row["image"]) & (detections["t"] == row["t"])
            said = f"{row['verdict']}, p {chance(row['p'], 2)}, {plural(row['found'], 'detection')}"
            p, mask = detections.loc[own, "p"].tolist(), read_mask(out / row["mask"])
            item = Overlay(field.raw, mask, p, said, _called(row, pictures), pixel_um)
            picture = overlay(item)
            _write(folder / name, picture)
            overlays.append(for_page(picture))
            tick()
        maps = _figure3(files, pictures, locator, opening) if most else None
        tick()
    if maps is None:
        file.unlink(missing_ok=True)
        return Drawings(overlays, None, None)
    _write(file, maps)
    return Drawings(overlays, maps, file)


def _write(path: Path, picture: Picture) -> None:
    with whole_file(path) as temporary:
        temporary.write_bytes(picture.data)


def three(
    pictures: pd.DataFrame, classes: tuple[str, str], threshold: float
) -> list[tuple[str, dict[Any, Any]]]:
    """Name and row of the surest positive, the least sure and the surest negative image.

    The least sure one is nearest to the threshold on p.
    """
    judged = pictures[pictures["p"].notna()].reset_index(drop=True)
    if judged.empty:
        return []
    names: dict[int, str] = {}
    p = judged["p"].to_numpy()
    ends = ((p.argmax(), classes[1], "highest p"), (p.argmin(), classes[0], "lowest p"))
    for index, wanted, extreme in ends:
        called = judged["verdict"].iloc[index]
        name = f"surest {wanted}" if called == wanted else f"{extreme}, {called}"
        names.setdefault(int(index), name)
    names.setdefault(int(np.abs(p - threshold).argmin()), "least sure")
    rows = judged.to_dict("records")
    return [(names[index], rows[index]) for index in sorted(names, key=lambda index: -p[index])]


def _figure3(
    files: Mapping[str, Path], pictures: pd.DataFrame, locator: Locator, opening: OpenSettings
) -> Picture | None:
    items = []
    card, finder = locator.card, locator.finder
    for name, row in three(pictures, card.class_names.pair, card.image_rule.threshold):
        field, _ = _shot(files, row, locator, opening)
        seen, area = locator.seen(field), field.area
        if seen is None:
            continue
        part = "" if seen.window.contains(area) else "part of "
        title = f"{printable(name)}\np {chance(float(row['p']), 2)}\n{part}{_called(row, pictures)}"
        boxes = seen.boxes - np.array([seen.window.y.start, seen.window.x.start] * 2)
        within = (boxes[:, :2] < seen.window.shape).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
        items.append(
            ClassMaps(
                title,
                mirrored(field.pixels[0], area, seen.window),
                seen.maps,
                seen.odds,
                [(y0, x0, y1, x1) for y0, x0, y1, x1 in boxes[within].tolist()],
                finder.stride_px,
                finder.first_px,
                area.seen_in(seen.window).corners,
            )
        )
    if not items:
        return None
    return class_maps(items, card.class_names.pair, locator.look.least, locator.least)


def _shot(
    files: Mapping[str, Path], row: Mapping[Any, Any], locator: Locator, opening: OpenSettings
) -> tuple[Field, float | None]:
    """A frame as the model sees it, and the pixel size of its file."""
    name = str(row["image"])
    with open_image(files[name], pixel_um=opening.pixel_um) as image:
        fit = fit_to(locator.card, image.header, opening.channels, name)
        field = read_field(image, int(row["t"]), fit, f"{name}, frame {row['t']}")
        return field, image.header.pixel_um


def _called(row: Mapping[Any, Any], pictures: pd.DataFrame) -> str:
    """The image's name, and of a movie the frame."""
    alone = (pictures["image"] == row["image"]).sum() == 1
    return str(row["image"]) if alone else f"{row['image']}, frame {row['t']}"
